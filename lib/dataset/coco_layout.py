"""Where the annotation file of a set in COCO's format lies: COCO's own folders, and what tools export.

    annotations/instances_<set>.json, image_info_<set>.json      COCO, CVAT; pictures in images/<set>/
    annotations/<set>.json                                       where none is called so
    <set>/_annotations.coco.json, <set>/<any>.json               Roboflow; pictures beside it, or in images/ or data/
    <any>.json                                                   Label Studio, FiftyOne: the set `all`, or <any>
"""
import os
import re
from typing import Dict, List, NamedTuple

from lib.dataset.base import shortened
from lib.dataset.set_choice import ALL
from lib.dataset.voc_layout import ANNOTATION_ENDINGS, find_parts, folder_content
from lib.utils.errors import SniperError
from lib.utils.reachable import MISSING, why_unreadable

PREFIXES = ('instances_', 'image_info_')
PEEKED = 1 << 16    # bytes at either end of a file
_ROBOFLOW = '_annotations.coco.json'
_IMAGES, _OTHER = re.compile(rb'"images"\s*:\s*\['), re.compile(rb'"(?:annotations|categories)"\s*:\s*\[')


class CocoPlace(NamedTuple):
    """Where a set lies."""
    path: str           # of the annotation file
    pictures: str = ''  # folder where, or below which, the pictures lie; '': in COCO's own folders


def find_place(dataset_path: str, image_set: str) -> CocoPlace:
    """Place of a set. SniperError: there is none, or it cannot be read."""
    folder = os.path.join(dataset_path, 'annotations')
    paths = [os.path.join(folder, prefix + image_set + '.json') for prefix in PREFIXES]
    for path in paths:
        reason = why_unreadable(path)
        if not reason:
            return CocoPlace(path)
        if reason != MISSING:
            raise SniperError(f'annotation file {path} {reason}')
    sets = find_sets(dataset_path)
    if image_set in sets:
        return sets[image_set]
    if sets:
        raise SniperError(f'annotation file {paths[0]} is missing: sets in '
                          f'{"that folder" if _own(folder) else dataset_path}: {", ".join(sorted(sets))}')
    for needed in (dataset_path, folder):
        reason = why_unreadable(needed, folder=True)
        if reason:
            raise SniperError(f'annotation file {paths[0]} is missing: no COCO annotation file is there, for '
                              f'{needed} {reason}; check dataset.dataset_path{_voc_hint(dataset_path)}')
    names = _json_files(folder)
    raise SniperError(f'annotation file {paths[0]} is missing: ' + (
        f'there is {shortened(names)} in that folder; rename what belongs to the set {image_set}' if names
        else f'no COCO annotation file is in that folder; check dataset.dataset_path{_voc_hint(dataset_path)}'))


def find_sets(dataset_path: str) -> Dict[str, CocoPlace]:
    """{set: where it lies}; nothing if no annotation file is there. SniperError: a folder is closed."""
    annotations = os.path.join(dataset_path, 'annotations')
    own = _own(annotations)
    if own:
        return own
    found = {name[:-len('.json')]: CocoPlace(os.path.join(annotations, name))
             for name in _coco_files(annotations)}
    if found:
        return found
    here = _coco_files(dataset_path)
    found.update((name[:-len('.json')], CocoPlace(os.path.join(dataset_path, name), dataset_path)) for name in here)
    if len(here) == 1:
        found = {ALL: CocoPlace(os.path.join(dataset_path, here[0]), dataset_path), **found}
    for folder in folder_content(dataset_path)[0]:
        inside = os.path.join(dataset_path, folder)
        names = _coco_files(inside) if not folder.startswith('.') else []
        if names and (len(names) == 1 or _ROBOFLOW in names):
            name = _ROBOFLOW if _ROBOFLOW in names else names[0]
            found.setdefault(folder, CocoPlace(os.path.join(inside, name), inside))
    return found


def is_coco_file(path: str) -> bool:
    """Whether the beginning and the end of a file look like COCO's JSON."""
    try:
        with open(path, 'rb') as stream:
            content = stream.read(PEEKED)
            stream.seek(0, os.SEEK_END)
            stream.seek(max(PEEKED, stream.tell() - PEEKED))
            content += stream.read(PEEKED)
    except OSError:
        return False
    return bool(_IMAGES.search(content) and _OTHER.search(content))


def _own(folder) -> Dict[str, CocoPlace]:
    """Sets whose files are called as COCO's."""
    found: Dict[str, CocoPlace] = {}
    for prefix in PREFIXES:
        for name in _json_files(folder):
            if name.startswith(prefix):
                found.setdefault(name[len(prefix):-len('.json')], CocoPlace(os.path.join(folder, name)))
    return found


def _coco_files(folder) -> List[str]:
    return [name for name in _json_files(folder) if is_coco_file(os.path.join(folder, name))]


def _json_files(folder) -> List[str]:
    if why_unreadable(folder, folder=True):
        return []
    return [name for name in folder_content(folder)[1] if name.endswith('.json') and not name.startswith('.')]


def _voc_hint(dataset_path):
    """', or ...' where annotations in the other format lie there."""
    try:
        parts = find_parts(dataset_path)
    except SniperError:
        return ''
    found = [name for part in parts for name in folder_content(part.annotations)[1]
             if name.lower().endswith(ANNOTATION_ENDINGS)]
    return f', or set dataset.dataset PascalVOC: there are XML files such as {found[0]}' if found else ''
