"""Super-classes: which of thousands of classes belong together.

JSON, {"name of the super-class": ["class", ...], ...}, classes by their names or ids; or a pickle of the ImageNet
development kit, {number: [ids]}. Each class of a data set stands in exactly one.
"""
import collections
import json
import os
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from lib.dataset.base import shortened
from lib.dataset.class_list import class_key
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable
from lib.utils.restricted_pickle import read_plain_pickle

FILE_NAME = 'superclasses.json'     # in the folder of a data set
MOST_BYTES = 1 << 26
_NAMED = 5


class SuperClasses(NamedTuple):
    """names: of the K super-classes; of_class (N,) int64: super-class, from 0, of each class, the background left out
    (of the label k it is of_class[k - 1])."""

    names: Tuple[str, ...]
    of_class: np.ndarray


def one_super_class(count: int) -> SuperClasses:
    """Of `count` classes that are all alike."""
    return SuperClasses(('object',), np.zeros(count, np.int64))


def read_super_classes(path: str, names: Sequence[str], ids: Sequence[str] = ()) -> SuperClasses:
    """names: of the N classes, in the order of their labels; ids: their ids (wnids), where they have any.

    SniperError: the file cannot be read, names a class that there is not, lacks one, or names one twice.
    """
    groups = _read_json(path) if _is_json(path) else _read_pickle(path)
    place = _places(names, ids)
    of_class = np.full(len(names), -1, np.int64)
    unknown: List[str] = []
    for number, (_, members) in enumerate(groups):
        for member in members:
            index = place.get(member, place.get(class_key(member), -1))
            if index < 0:
                unknown.append(member)
            elif of_class[index] >= 0:
                raise SniperError(f'super-classes {path}: the class {member!r:.80} stands twice, in '
                                  f'{groups[of_class[index]][0]!r:.60} and in {groups[number][0]!r:.60}')
            else:
                of_class[index] = number
    if unknown:
        raise SniperError(f'super-classes {path}: {len(unknown)} classes are not among the {len(names)} of the data '
                          f'set: {_named(unknown)}')
    missing = [names[index] for index in np.flatnonzero(of_class < 0)]
    if missing:
        raise SniperError(f'super-classes {path}: {len(missing)} of {len(names)} classes are in no super-class: '
                          f'{_named(missing)}')
    return SuperClasses(tuple(name for name, _ in groups), of_class)


def super_classes_of(folder: str, names: Sequence[str], ids: Sequence[str] = ()) -> SuperClasses:
    """By the file superclasses.json of a folder; one of all classes where there is none."""
    path = os.path.join(folder, FILE_NAME)
    return read_super_classes(path, names, ids) if os.path.lexists(path) else one_super_class(len(names))


def read_clusters(path: str) -> List[Tuple[str, List[str]]]:
    """[(super-class, its classes)] of the development kit's pickle, in the order of the file. SniperError: it is none,
    or names a class twice."""
    groups = _read_pickle(path)
    counts = collections.Counter(name for _, members in groups for name in members)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise SniperError(f'{path} names {len(twice)} classes twice: {_named(twice)}; each belongs to one super-class')
    return groups


def text_of(value: Any) -> str:
    """Text of a pickle of Python 2 or 3, in one line; '' for anything else."""
    if isinstance(value, bytes):
        try:
            value = value.decode('utf-8')
        except UnicodeDecodeError:
            value = value.decode('latin-1')
    return ' '.join(value.split()) if isinstance(value, str) else ''


def _places(names, ids) -> Dict[str, int]:
    """{spelling: index}: names and ids as they are count before those with other letters or blanks."""
    place: Dict[str, int] = {}
    for values in (ids, names, list(map(class_key, ids)), list(map(class_key, names))):
        for index, value in enumerate(values):
            place.setdefault(value, index)
    return place


def _is_json(path):
    reason = why_unreadable(path)
    if reason:
        raise SniperError(f'super-classes {path} {reason}')
    if path.lower().endswith('.json'):
        return True
    with open(path, 'rb') as stream:
        return stream.read(64).lstrip(b'\xef\xbb\xbf \t\r\n')[:1] in (b'{', b'[')


def _read_json(path) -> List[Tuple[str, List[str]]]:
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise SniperError(f'super-classes {path} have more than {MOST_BYTES >> 20} MB: they are no list of classes')
        with open(path, encoding='utf-8-sig') as stream:
            content = json.load(stream, object_pairs_hook=_Pairs)
    except OSError as error:
        raise SniperError(f'super-classes {path} cannot be read: {error.strerror or error}') from None
    except (ValueError, RecursionError) as error:
        raise SniperError(f'super-classes {path} are no JSON ({str(error):.100})') from None
    if not isinstance(content, _Pairs) or not content:
        raise SniperError(f'super-classes {path} are wanted as {{"name": ["class", ...], ...}}')
    for name, members in content:
        if not isinstance(members, list) or isinstance(members, _Pairs) or not members or not all(
                isinstance(member, str) for member in members):
            raise SniperError(f'super-classes {path}: {name!r:.60} has to hold a list of names of classes')
    repeated = [name for name, count in collections.Counter(name for name, _ in content).items() if count > 1]
    if repeated:
        raise SniperError(f'super-classes {path} have {_named(repeated)} twice')
    return list(content)


class _Pairs(list):
    """An object of JSON, with keys that stand twice."""


def _read_pickle(path) -> List[Tuple[str, List[str]]]:
    content = read_plain_pickle(path)
    if not isinstance(content, dict) or not content:
        raise SniperError(f'{path} is wanted as a pickle of {{super-class: [classes]}}, got {type(content).__name__}')
    groups = []
    for key, members in content.items():
        names = [text_of(member) for member in members] if isinstance(members, (list, tuple)) else []
        if not names or not all(names):
            raise SniperError(f'{path}: super-class {str(key):.40} has to hold a list of names of classes')
        groups.append((text_of(key) or str(key), names))
    return groups


def _named(names) -> str:
    return shortened([f'{name:.60}' for name in names[:_NAMED + 1]], _NAMED)
