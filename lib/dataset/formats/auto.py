"""Which format a folder is in (`dataset.dataset auto`): the first of FORMATS of which something lies there."""
import functools
import logging
import os
import re
from typing import Callable, List, NamedTuple, Optional, Tuple

from lib.dataset.base import Dataset
from lib.dataset.class_choice import ClassChoice
from lib.dataset.coco_layout import find_sets
from lib.dataset.formats.csv_table import CsvSource
from lib.dataset.formats.cvat import CvatSource
from lib.dataset.formats.labelme import LabelmeSource
from lib.dataset.formats.source import below
from lib.dataset.formats.yolo import YoloSource
from lib.dataset.registry import get_dataset
from lib.dataset.voc_layout import FileIndex, find_parts
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

logger = logging.getLogger(__name__)

_PEEKED = 5
_VOC_ROOT = re.compile(rb'<annotation[\s>]', re.IGNORECASE)


class Format(NamedTuple):
    """One that can be recognised."""
    name: str                           # key of lib.dataset.registry.DATASETS
    looked_for: str                     # in words
    found_in: Callable[[str], str]      # folder -> what of it lies there, or ''


def _coco(folder):
    sets = find_sets(folder)
    return below(folder, next(iter(sets.values())).path) if sets else ''


def _voc(folder):
    try:
        parts = find_parts(folder)
    except SniperError:
        return ''
    for part in parts:
        for path in FileIndex.annotations(part.annotations).paths()[:_PEEKED]:
            with open(path, 'rb') as stream:
                if _VOC_ROOT.search(stream.read(4096).replace(b'\0', b'')):
                    return below(folder, path)
    return ''


# The one that counts first where a folder holds several.
FORMATS = (Format('coco', 'annotations/instances_<set>.json, <set>/_annotations.coco.json or another .json with '
                  '"images" and "annotations"', _coco),
           Format('PascalVOC', '.xml files with <annotation>', _voc)) + tuple(
    Format(name, source.looked_for, source.found_in) for name, source in (
        ('cvat', CvatSource), ('yolo', YoloSource), ('labelme', LabelmeSource), ('csv', CsvSource)))


def recognise(folder: str) -> str:
    """Name of the format of a folder; a log line says it. SniperError: it is none that is known."""
    reason = why_unreadable(folder, folder=True)
    if reason:
        raise SniperError(f'{folder} {reason}; check dataset.dataset_path')
    found: List[Tuple[str, str]] = [(form.name, what) for form in FORMATS for what in [form.found_in(folder)] if what]
    if not found:
        looked_for = '; '.join(f'{form.name}: {form.looked_for}' for form in FORMATS)
        raise SniperError(f'{folder} is in no format that is known; looked for {looked_for}; check '
                          'dataset.dataset_path')
    (name, what), *others = found
    also = f'; it also holds {" and ".join(f"{what} ({other})" for other, what in others)}: set dataset.dataset for ' \
           'that' if others else ''
    _say_once(f'{os.path.normpath(folder)} is read as {name}, for {what} is there{also}')
    return name


def open_any(image_set: str, root_path: str, dataset_path: str, masks: bool = False,
             choice: Optional[ClassChoice] = None) -> Dataset:
    """One set of a folder in whatever format (lib.dataset.registry.get_dataset)."""
    return get_dataset(recognise(dataset_path), image_set, root_path, dataset_path, masks, choice)


@functools.lru_cache(maxsize=16)
def _say_once(text):
    """The sets of one folder are opened one by one."""
    logger.info('%s', text)
