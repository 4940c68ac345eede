"""Names of classes: lists of them in files, and one list for several data sets.

`<dataset_path>/classes.txt`, one name a line, fixes names and order for data sets of every format.
"""
import collections
import os
import re
import unicodedata
from typing import Dict, List, Mapping, Sequence, Tuple

from lib.dataset.base import shortened
from lib.dataset.class_names import NOWHERE, ClassMatch, match_classes
from lib.dataset.text_list import read_lines
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

BACKGROUND = '__background__'
IGNORE = 'ignore'   # what is called so is no class: nothing is learnt there, and what is found there does not count
FILE_NAME = 'classes.txt'


def class_key(name: str) -> str:
    """What two spellings of a class have in common."""
    return ' '.join(unicodedata.normalize('NFC', name).casefold().split())


def is_ignored(name: str) -> bool:
    """Whether a name is that of regions that do not count: 'ignore', 'Ignored regions', 'DontCare'."""
    return re.fullmatch("ignored?(region)?s?|don'?tcare", re.sub(r'[\s_-]', '', class_key(name))) is not None


def class_list_path(dataset_path: str) -> str:
    """Path of the class list of a data set, '' if it has none."""
    path = os.path.join(dataset_path, FILE_NAME)
    return path if os.path.lexists(path) else ''


def read_class_list(path: str, counts: Mapping[str, int]) -> Tuple[str, ...]:
    """Names of a class list, without the background; counts: objects of every class of the annotations, by name.

    SniperError: it cannot be read, is empty, names a class twice, or lacks one of the annotations'.
    """
    reason = why_unreadable(path)
    if reason:
        raise SniperError(f'class list {path} {reason}')
    known = set(map(class_key, counts))
    names = [name for name in (_name_of(line, known) for _, line in read_lines(path, 'class list')) if name]
    names = [name for name in (names[1:] if names[:1] == [BACKGROUND] else names) if not is_ignored(name)]
    if not names:
        raise SniperError(f'class list {path} is empty: write one name a line')
    repeated = [name for name, count in collections.Counter(map(class_key, names)).items() if count > 1]
    if repeated:
        raise SniperError(f'class list {path} names {shortened(repeated)} twice')
    found = usual_spellings(counts)
    unknown = sorted(set(found) - set(map(class_key, names)))
    if unknown:
        lacking = shortened([f'{found[key]} ({count_of(counts, key)} objects)' for key in unknown])
        raise SniperError(f'class list {path} lacks classes of the annotations: {lacking}; add them, one name a line, '
                          'or take their objects out')
    return tuple(names)


def _name_of(line, known):
    """The class that a line names; '' for a remark. What begins with # is one, unless a class is called so."""
    name = ' '.join(line.split())
    if class_key(name) in known:
        return name
    return '' if name.startswith('#') else name.split(' #')[0]


def usual_spellings(counts: Mapping[str, int]) -> Dict[str, str]:
    """{class_key: most frequent spelling}, of equals the first in the alphabet."""
    best: Dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(class_key(name), name)
    return best


def count_of(counts: Mapping[str, int], name: str) -> int:
    """Objects of a class in all its spellings."""
    return sum(count for spelling, count in counts.items() if class_key(spelling) == class_key(name))


def unite(lists: Sequence[Tuple[str, ...]]) -> Tuple[Tuple[str, ...], List[ClassMatch]]:
    """Class names of several data sets, background first -> (names of all, for each list its match with these).

    The classes of the first list in its order, then those that the next ones add, in theirs. Names that are written
    differently are one class where nothing else could be meant (lib.dataset.class_names).
    """
    names, matches = list(lists[0]), []
    for of_part in lists:
        match = match_classes(of_part, names)
        labels = list(match.labels)
        for place, label in enumerate(labels):
            if label == NOWHERE:
                labels[place] = len(names)
                names.append(of_part[place])
        matches.append(match._replace(labels=tuple(labels)))
    return tuple(names), matches
