"""Which classes of a data set are used, and as what (dataset.CLASSES): a part of them, renamed, several as one."""
import collections
from typing import Dict, List, Optional, Sequence, Tuple

from lib.dataset.base import shortened
from lib.dataset.class_list import BACKGROUND, IGNORE, class_key, is_ignored
from lib.utils.errors import SniperError

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
