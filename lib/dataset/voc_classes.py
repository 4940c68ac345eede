"""Classes of data in PASCAL VOC's format, which has no list of them. In this order:

1. `<dataset_path>/classes.txt`, one name a line: these, in this order.
2. Every name in the annotations is one of the twenty of PASCAL VOC: the twenty, in the order of the development kit.
3. The names in the annotations of all sets, sorted.

Names are compared without regard to case (the original lower-cases them); a name is spelt as in the file, for 3. as
most objects are.
"""
import collections
import functools
import logging
import os
import unicodedata
from typing import Counter, List, NamedTuple, Tuple

from lib.dataset.base import shortened
from lib.dataset.text_list import read_lines
from lib.dataset.voc_annotations import read_annotation
from lib.dataset.voc_layout import FileIndex
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

BACKGROUND = '__background__'
PASCAL_VOC = tuple('''
    aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep
    sofa train tvmonitor'''.split())
FILE_NAME = 'classes.txt'


class _Names(NamedTuple):
    """What the annotations of a folder say."""
    counts: Counter[str]        # {name: objects}
    nameless: int               # objects
    failures: Tuple[str, ...]   # a message for each file that cannot be read
    files: int


def find_classes(dataset_path: str, annotations: List[FileIndex]) -> tuple:
    """Class names, BACKGROUND first; annotations: all annotation files of the data set, whatever the set asked for.

    SniperError: an unusable class list, or none and no object that names its class; if files cannot be read, the
    message is that of the first.
    """
    found = [_names_in(index.folder, _state(index)) for index in annotations]
    counts: Counter[str] = collections.Counter()
    for names in found:
        counts.update(names.counts)
    path = os.path.join(dataset_path, FILE_NAME)
    if os.path.lexists(path):
        return (BACKGROUND,) + _from_file(path, counts)
    if not counts:
        raise _no_classes(found, [index.folder for index in annotations], path)
    spellings = _spellings(counts)
    if set(spellings) <= set(PASCAL_VOC):
        return (BACKGROUND,) + PASCAL_VOC
    names = tuple(spellings[key] for key in sorted(spellings))
    _say_once('classes found in the annotations: {} ({} would fix names and order)'.format(', '.join(
        f'{name} {_count(counts, name)}' for name in names), path))
    return (BACKGROUND,) + names


def class_key(name: str) -> str:
    """What two spellings of a class have in common."""
    return unicodedata.normalize('NFC', name.lower())


def _no_classes(found, folders, path):
    """SniperError: why no class is known, and what to do."""
    failures = [message for names in found for message in names.failures]
    nameless = sum(names.nameless for names in found)
    if failures:
        return SniperError(f'{failures[0]} ({len(failures)} of {sum(names.files for names in found)} annotation files '
                           'cannot be read; no other has an object)')
    if nameless:
        return SniperError(f'none of the {nameless} objects in {", ".join(folders)} has a <name>: label them anew')
    return SniperError(f'no annotation in {", ".join(folders)} has an object, so that classes are not known: check '
                       f'dataset.dataset_path, or write the classes into {path}, one a line')


def _from_file(path, counts):
    """Names of a class list; every class of the annotations must be there."""
    names = [name for name in (_name_of(line, counts) for _, line in read_lines(path, 'class list')) if name]
    names = names[1:] if names[:1] == [BACKGROUND] else names
    if not names:
        raise SniperError(f'class list {path} is empty: write one name a line')
    repeated = [name for name, count in collections.Counter(map(class_key, names)).items() if count > 1]
    if repeated:
        raise SniperError(f'class list {path} names {shortened(repeated)} twice')
    spellings = _spellings(counts)
    unknown = sorted(set(spellings) - set(map(class_key, names)))
    if unknown:
        raise SniperError('class list {} lacks classes of the annotations: {}; add them, one name a line, or take '
                          'their objects out'.format(path, shortened(
                              [f'{spellings[key]} ({_count(counts, key)} objects)' for key in unknown])))
    return tuple(names)


def _name_of(line, counts):
    """The class that a line names; '' for a remark. What begins with # is one, unless a class is called so."""
    name = ' '.join(line.split())
    known = {class_key(spelling) for spelling in counts}
    if class_key(name) in known:
        return name
    return '' if name.startswith('#') else name.split(' #')[0]


def _spellings(counts):
    """{key: most frequent spelling}, of equals the first in the alphabet."""
    best = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(class_key(name), name)
    return best


def _count(counts, name):
    return sum(count for spelling, count in counts.items() if class_key(spelling) == class_key(name))


@functools.lru_cache(maxsize=16)
def _say_once(text):
    """The sets of one folder are opened one by one."""
    logger.info('%s', text)


def _state(index):
    """Changes when a file of the folder does."""
    stats = [os.stat(path) for path in index.paths()]
    return len(stats), max((status.st_mtime_ns for status in stats), default=0), sum(
        status.st_size for status in stats)


@functools.lru_cache(maxsize=16)
def _names_in(folder, _):
    """-> _Names of all files of a folder and its subfolders."""
    counts, nameless, failures = collections.Counter(), 0, []
    paths = FileIndex.annotations(folder).paths()
    for path in paths:
        try:
            names = [item.name for item in read_annotation(path).objects]
        except (SniperError, FileNotFoundError) as error:
            failures.append(str(error))
            continue
        counts.update(name for name in names if name)
        nameless += names.count('')
    return _Names(counts, nameless, tuple(failures), len(paths))
