"""Which classes of a data set are used, and as what: a part of them, renamed, several as one (dataset.CLASSES), or all
as one (dataset.CLASS_AGNOSTIC)."""
import collections
from typing import Dict, List, Optional, Sequence, Tuple

from lib.dataset.base import shortened
from lib.dataset.class_list import BACKGROUND, IGNORE, class_key, is_ignored
from lib.utils.errors import SniperError

OBJECT = 'object'   # what all classes are called as one
_HOW = "write 'cat', 'feline = cat', or 'vehicle = car + truck'"


class ClassChoice:
    """Classes in their order. Objects of all others are left out, as if nobody had marked them; those of classes that
    'ignore = ...' names become regions that do not count.

    names     names of the chosen classes
    entries   as they were written
    """

    def __init__(self, entries: Sequence[str]):
        """entries: 'cat', or 'vehicle = car + truck'. SniperError: one is empty, or a class stands twice."""
        self.entries = list(entries)
        self.names: List[str] = []
        self._chosen: Dict[str, str] = {}   # new name by the key of the old one
        for entry in self.entries:
            new, sign, old = entry.partition('=')
            name = ' '.join(new.split())
            olds = [' '.join(part.split()) for part in old.split('+')] if sign else [name]
            if not name or not all(olds) or name == BACKGROUND:
                raise SniperError(f'dataset.CLASSES holds {entry!r:.80}: {_HOW}')
            if is_ignored(name):
                name, olds = IGNORE, olds if sign else []    # what is called so is ignored anyway
            else:
                self.names.append(name)
            for old_name in olds:
                if class_key(old_name) in self._chosen:
                    raise SniperError(f'dataset.CLASSES names {old_name!r:.80} twice: a class is one or the other')
                self._chosen[class_key(old_name)] = name
        if not self.names:
            raise SniperError(f'dataset.CLASSES ({shortened(self.entries)}) leaves no class: {_HOW}')
        repeated = [name for name, count in collections.Counter(map(class_key, self.names)).items() if count > 1]
        if repeated:
            raise SniperError(f'dataset.CLASSES has {shortened(repeated)} twice: {_HOW}')

    def labels(self, known: Sequence[str], place: str) -> Tuple[List[Optional[int]], str]:
        """Names that data has -> (label of each, 0 for those ignored, None for those left out; a line about it).

        SniperError: none of the chosen ones is among them; place: what the message calls the data.
        """
        label = {IGNORE: 0, **{name: number for number, name in enumerate(self.names, 1)}}
        found = [self._chosen.get(class_key(name)) for name in known]
        if not any(found):
            raise SniperError(f'dataset.CLASSES ({shortened(self.entries)}) names no class of {place}; it has '
                              f'{shortened(list(known), 20)}')
        absent = set(self._chosen) - set(map(class_key, known))
        others = [name for name, new in zip(known, found) if new is None]
        ignored = [name for name, new in zip(known, found) if new == IGNORE]
        said = ([f'{shortened(ignored)} ignored'] * bool(ignored) + [f'without {shortened(others)}'] * bool(others)
                + [f'{shortened(sorted(absent))} not found there'] * bool(absent))
        return [None if new is None else label[new] for new in found], (
            f'{place}: dataset.CLASSES makes {shortened(self.names)} of its {len(known)} classes'
            + (f' ({"; ".join(said)})' if said else ''))


class OneClass(ClassChoice):
    """All classes as one, OBJECT; with entries only the objects that these choose. What they ignore stays ignored."""

    def __init__(self, entries: Sequence[str] = ()):
        """entries: see ClassChoice. SniperError: they give a class another name than OBJECT."""
        self._chosen_first = ClassChoice(entries) if entries else None
        renamed = [entry for entry in entries if '=' in entry
                   and not is_ignored(entry.partition('=')[0]) and class_key(entry.partition('=')[0]) != OBJECT]
        if renamed:
            raise SniperError(f'dataset.CLASSES holds {renamed[0]!r:.80}, and dataset.CLASS_AGNOSTIC True calls every '
                              f"class '{OBJECT}': name the classes alone ('car', 'truck'), or set CLASS_AGNOSTIC False")
        self.entries = [f'{OBJECT} = *', *entries]
        self.names = [OBJECT]

    def labels(self, known: Sequence[str], place: str) -> Tuple[List[Optional[int]], str]:
        """See ClassChoice."""
        line = f"{place}: dataset.CLASS_AGNOSTIC makes one class '{OBJECT}' of its {len(known)} classes"
        if self._chosen_first is None:
            return [1] * len(known), f'{line} ({shortened(list(known))})'
        labels, _ = self._chosen_first.labels(known, place)
        used = [name for name, label in zip(known, labels) if label]
        return [label and 1 for label in labels], f'{line}, of which dataset.CLASSES chooses {shortened(used)}'


def class_choice(keys) -> Optional[ClassChoice]:
    """What section `dataset` of the configuration chooses, None for all classes as they are. SniperError: see there."""
    if keys.CLASS_AGNOSTIC:
        return OneClass(keys.CLASSES)
    return ClassChoice(keys.CLASSES) if keys.CLASSES else None


def one_class_mend(of_weights: Sequence[str], of_data: Sequence[str]) -> str:
    """What to set where only one of two lists of classes, background first, is all classes as one; '' elsewhere."""
    alone = [BACKGROUND, OBJECT]
    if list(of_weights) == alone:
        return f"the weights find one class, '{OBJECT}': set dataset.CLASS_AGNOSTIC True, as in their training"
    if list(of_data) == alone:
        return f"the weights have classes, and the data one class, '{OBJECT}': set dataset.CLASS_AGNOSTIC False"
    return ''
