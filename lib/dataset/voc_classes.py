"""Classes of data in PASCAL VOC's format, which has no list of them.

In this order:
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

from lib.dataset.annotation_warnings import shortened
from lib.dataset.voc_xml import read_annotation
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

BACKGROUND = '__background__'
PASCAL_VOC = tuple('''
    aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep
    sofa train tvmonitor'''.split())
FILE_NAME = 'classes.txt'


def find_classes(dataset_path, annotation_folders):
    """-> tuple of names, background first. SniperError: broken or incomplete classes.txt, no object anywhere."""
    counts = collections.Counter()
    for folder in annotation_folders:
        counts.update(_names_in(folder, _state(folder)))
    path = os.path.join(dataset_path, FILE_NAME)
    if os.path.exists(path):
        return (BACKGROUND,) + _from_file(path, counts)
    if not counts:
        raise SniperError(('no annotation in {} has an object, so that classes are not known: check '
                          'dataset.dataset_path, or write the classes into {}, one a line').format(
                          ', '.join(annotation_folders), path))
    spellings = _spellings(counts)
    if set(spellings) <= set(PASCAL_VOC):
        return (BACKGROUND,) + PASCAL_VOC
    names = tuple(spellings[key] for key in sorted(spellings))
    _say_once('classes found in the annotations: {} ({} would fix names and order)'.format(', '.join(
        f'{name} {_count(counts, name)}' for name in names), path))
    return (BACKGROUND,) + names


def class_key(name):
    """What two spellings of a class have in common."""
    return name.lower()


def _from_file(path, counts):
    """Names of a class list; every class of the annotations must be there."""
    try:
        with open(path, encoding='utf-8-sig') as stream:
            names = [' '.join(line.split()) for line in stream if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SniperError(f'class list {path} cannot be read: {error}') from None
    names = names[1:] if names[:1] == [BACKGROUND] else names
    if not names:
        raise SniperError(f'class list {path} is empty: write one name a line')
    repeated = [name for name, count in collections.Counter(map(class_key, names)).items() if count > 1]
    if repeated:
        raise SniperError(f'class list {path} names {shortened(repeated)} twice')
    spellings = _spellings(counts)
    unknown = sorted(set(spellings) - set(map(class_key, names)))
    if unknown:
        raise SniperError('class list {} lacks classes of the annotations: {}; add them, or take their objects out'
            .format(path, shortened([f'{spellings[key]} ({_count(counts, key)} objects)'
                                              for key in unknown])))
    return tuple(names)


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


def _state(folder):
    """Changes when a file of the folder does."""
    entries = [(entry.name, entry.stat()) for entry in os.scandir(folder) if entry.name.endswith('.xml')]
    return len(entries), max((status.st_mtime_ns for _, status in entries), default=0), sum(
        status.st_size for _, status in entries)


@functools.lru_cache(maxsize=16)
def _names_in(folder, _):
    """{name: objects} over all files of a folder. A broken file speaks up when its set is loaded, not here."""
    counts = collections.Counter()
    for file_name in sorted(os.listdir(folder)):
        if file_name.endswith('.xml'):
            try:
                counts.update(item.name for item in read_annotation(os.path.join(folder, file_name)).objects)
            except SniperError as error:
                logger.debug('%s', error)
    counts.pop('', None)
    return counts
