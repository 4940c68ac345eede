"""Names of classes: lists of them in files, and one list for several data sets.

`<dataset_path>/classes.txt`, one name a line, fixes names and order for data sets of every format.
"""
import collections
import os
import unicodedata
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from lib.dataset.base import shortened
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

BACKGROUND = '__background__'
FILE_NAME = 'classes.txt'


def class_key(name: str) -> str:
    """What two spellings of a class have in common."""
    return ' '.join(unicodedata.normalize('NFC', name).casefold().split())


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
    try:
        with open(path, encoding='utf-8-sig') as stream:
            names = [' '.join(line.split()) for line in stream if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SniperError(f'class list {path} cannot be read: {error}; save it as UTF-8') from None
    names = names[1:] if names[:1] == [BACKGROUND] else names
    if not names:
        raise SniperError(f'class list {path} is empty: write one name a line')
    repeated = [name for name, count in collections.Counter(map(class_key, names)).items() if count > 1]
    if repeated:
        raise SniperError(f'class list {path} names {shortened(repeated)} twice')
    found = usual_spellings(counts)
    unknown = sorted(set(found) - set(map(class_key, names)))
    if unknown:
        raise SniperError('class list {} lacks classes of the annotations: {}; add them, or take their objects out'
                          .format(path, shortened([f'{found[key]} ({count_of(counts, key)} objects)'
                                                   for key in unknown])))
    return tuple(names)


def usual_spellings(counts: Mapping[str, int]) -> Dict[str, str]:
    """{class_key: most frequent spelling}, of equals the first in the alphabet."""
    best: Dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(class_key(name), name)
    return best


def count_of(counts: Mapping[str, int], name: str) -> int:
    """Objects of a class in all its spellings."""
    return sum(count for spelling, count in counts.items() if class_key(spelling) == class_key(name))


def unite(lists: Sequence[Tuple[str, ...]]) -> Tuple[Tuple[str, ...], List[np.ndarray]]:
    """Class names of several data sets, background first -> (names of all, for each list its labels among these).

    The classes of the first list in its order, then those that the next ones add, in theirs. Names that differ in
    capitals or white space alone are one class, if no list has both.
    """
    names = list(lists[0])
    places = [np.arange(len(names))]
    for other in lists[1:]:
        if other == lists[0]:  # names may occur twice in a list
            places.append(places[0])
            continue
        exact = {name: place for place, name in reversed(list(enumerate(names)))}
        alike = {class_key(name): place for place, name in reversed(list(enumerate(names)))}
        place = []
        for name in other:
            if name in exact:
                place.append(exact[name])
            elif class_key(name) in alike and names[alike[class_key(name)]] not in other:
                place.append(alike[class_key(name)])
            else:
                place.append(len(names))
                names.append(name)
        places.append(np.array(place))
    return tuple(names), places
