"""Classes of data in PASCAL VOC's format, which has no list of them. In this order:

1. `<dataset_path>/classes.txt`, one name a line: these, in this order.
2. Every name in the annotations is one of the twenty of PASCAL VOC: the twenty, in the order of the development kit.
3. The names in the annotations of all sets, sorted.

Names are compared without regard to case (`class_list.class_key`; the original lower-cases them); a name is spelt as
in the file, for 3. as most objects are.
"""
import collections
import functools
import os
from typing import Counter, List, NamedTuple, Tuple

from lib.dataset.class_list import (
    BACKGROUND,
    FILE_NAME,
    class_list_path,
    count_of,
    is_ignored,
    read_class_list,
    usual_spellings,
)
from lib.dataset.said_once import say_once
from lib.dataset.voc_annotations import read_annotation
from lib.dataset.voc_layout import FileIndex
from lib.utils.errors import SniperError

PASCAL_VOC = tuple('''
    aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep
    sofa train tvmonitor'''.split())


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
        counts.update({name: count for name, count in names.counts.items() if not is_ignored(name)})
    path = class_list_path(dataset_path)
    if path:
        return (BACKGROUND,) + read_class_list(path, counts)
    path = os.path.join(dataset_path, FILE_NAME)
    if not counts:
        raise _no_classes(found, [index.folder for index in annotations], path)
    spellings = usual_spellings(counts)
    if set(spellings) <= set(PASCAL_VOC):
        return (BACKGROUND,) + PASCAL_VOC
    names = tuple(spellings[key] for key in sorted(spellings))
    say_once('classes found in the annotations: {} ({} would fix names and order)'.format(', '.join(
        f'{name} {count_of(counts, name)}' for name in names), path))
    return (BACKGROUND,) + names


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
