"""Which format a folder is in (`dataset.dataset auto`): the first of FORMATS of which something lies there."""
import functools
import os
import re
from typing import Callable, Dict, List, NamedTuple, Optional

from lib.dataset.base import Dataset
from lib.dataset.class_choice import ClassChoice
from lib.dataset.coco_layout import PREFIXES, find_sets
from lib.dataset.formats.csv_table import CsvSource
from lib.dataset.formats.cvat import CvatSource
from lib.dataset.formats.labelme import LabelmeSource
from lib.dataset.formats.source import below, first_of_format
from lib.dataset.formats.wider import WiderSource
from lib.dataset.formats.yolo import YoloSource
from lib.dataset.imagenet import layout as imagenet
from lib.dataset.openimages.layout import Layout
from lib.dataset.registry import get_dataset
from lib.dataset.said_once import say_once
from lib.dataset.voc_folder import set_names
from lib.dataset.voc_layout import FileIndex, find_parts
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

_PEEKED = 5
_VOC_ROOT = re.compile(rb'<annotation[\s>]', re.IGNORECASE)


class Format(NamedTuple):
    """One that can be recognised."""
    name: str                           # key of lib.dataset.registry.DATASETS
    looked_for: str                     # in words
    found_in: Callable[[str], str]      # folder -> what of it lies there, or ''
    sets_in: Callable[[str], List[str]]     # folder of that format -> names of its sets with annotations


def _coco(folder):
    sets = find_sets(folder)
    return below(folder, next(iter(sets.values())).path) if sets else ''


def _coco_sets(folder):
    """Of two names of one file, the first."""
    names: Dict[str, str] = {}
    for name, place in find_sets(folder).items():
        if not os.path.basename(place.path).startswith(PREFIXES[1]):
            names.setdefault(place.path, name)
    return sorted(names.values())


def _voc(folder):
    try:
        parts = find_parts(folder)
    except SniperError:
        return ''
    paths = [path for part in parts for path in FileIndex.annotations(part.annotations).paths()[:_PEEKED]]
    return first_of_format(folder, paths, lambda content: _VOC_ROOT.search(content.replace(b'\0', b'')))


def _sets_of(source, folder: str) -> List[str]:
    return source(folder).sets()


def _openimages(folder):
    found = Layout(folder).found()
    return below(folder, found) if found else ''


# The one that counts first where a folder holds several.
FORMATS = (Format('coco', 'annotations/instances_<set>.json, <set>/_annotations.coco.json or another .json with '
                  '"images" and "annotations"', _coco, _coco_sets),
           Format('imagenet', imagenet.LOOKED_FOR, imagenet.found_in, imagenet.annotated_sets),
           Format('PascalVOC', '.xml files with <annotation>', _voc, set_names),
           Format('openimages', 'annotations/<set>-annotations-bbox.csv', _openimages,
                  lambda folder: Layout(folder).sets())) + tuple(
    Format(name, source.looked_for, source.found_in, functools.partial(_sets_of, source))
    for name, source in (
        ('wider', WiderSource), ('cvat', CvatSource), ('yolo', YoloSource), ('labelme', LabelmeSource),
        ('csv', CsvSource)))


def find_format(folder: str) -> Format:
    """Format of a folder; a log line says it. SniperError: it is none that is known."""
    reason = why_unreadable(folder, folder=True)
    if reason:
        raise SniperError(f'{folder} {reason}; check dataset.dataset_path')
    found = [(form, what) for form in FORMATS for what in [form.found_in(folder)] if what]
    if not found:
        looked_for = '; '.join(f'{form.name}: {form.looked_for}' for form in FORMATS)
        raise SniperError(f'{folder} is in no format that is known; looked for {looked_for}; check '
                          'dataset.dataset_path')
    (form, what), *others = found
    also = f'; it also holds {" and ".join(f"{what} ({other.name})" for other, what in others)}: set dataset.dataset ' \
           'for that' if others else ''
    say_once(f'{os.path.normpath(folder)} is read as {form.name}, for {what} is there{also}')
    return form


def open_any(image_set: str, root_path: str, dataset_path: str, masks: bool = False,
             choice: Optional[ClassChoice] = None) -> Dataset:
    """One set of a folder in whatever format (lib.dataset.registry.get_dataset)."""
    return get_dataset(find_format(dataset_path).name, image_set, root_path, dataset_path, masks, choice)
