"""Pictures of a set of folders, a class each, and where their boxes lie.

    <set>/<class>/<name>.JPEG       a picture; those directly in <set>/ are of no class by their place
    <set>_bbox/<class>/<name>.xml   its boxes; or <set>/<class>/<name>.xml, beside it

Folders are listed one by one: of a million pictures nothing is kept but a name each.
"""
import hashlib
import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from lib.dataset.base import shortened
from lib.dataset.voc_layout import IMAGE_ENDINGS, folder_content
from lib.utils.counted import counted
from lib.utils.errors import SniperError

BOXES = '_bbox'         # folder of boxes: that of the set with this at its end
USUAL_ENDING = '.JPEG'  # of a picture that is listed and not there
NONE, APART, BESIDE = range(3)  # where the XML file of a picture lies
_NOT_SETS = ('ILSVRC2014_devkit', '__MACOSX', 'cache')


class Listing(NamedTuple):
    """n pictures. folder, boxes: of the set and of its boxes; names: below folder, with / and ending; where: n bytes,
    NONE, APART or BESIDE; state: digest of all names, and of sizes and times of the XML files; remarks: lines about
    what is odd."""

    folder: str
    boxes: str
    names: List[str]
    where: bytes
    state: str
    remarks: List[str]

    def image_path(self, number: int) -> str:
        """Path of a picture, which need not exist if it was listed."""
        return os.path.join(self.folder, self.names[number])

    def annotation_path(self, number: int) -> str:
        """Path of its boxes, '' if it has none."""
        if self.where[number] == NONE:
            return ''
        folder = self.boxes if self.where[number] == APART else self.folder
        return os.path.join(folder, os.path.splitext(self.names[number])[0] + '.xml')


def list_set(folder: str, boxes: str, listed: Optional[Sequence[str]] = None, list_path: str = '',
             classes: Optional[Sequence[str]] = None) -> Listing:
    """The pictures of a set: those `listed` in the file list_path, with or without ending, in this order; else all.

    classes: names of the folders to look into, None: all there are. SniperError: there is no picture.
    """
    digest, remarks = hashlib.sha256(), []  # type: ignore[var-annotated]
    if listed is None:
        names, where = _all_pictures(folder, boxes, classes, digest, remarks)
    else:
        names, where = _listed_pictures(folder, boxes, listed, list_path, digest, remarks)
    return Listing(folder, boxes, names, bytes(where), digest.hexdigest(), remarks)


def class_folders(folder: str) -> List[str]:
    """Names of the folders in a folder that may be classes, sorted."""
    return [name for name in folder_content(folder)[0]
            if not name.startswith('.') and not name.endswith(BOXES) and name not in _NOT_SETS]


def holds_pictures(folder: str) -> bool:
    """Whether pictures lie directly in a folder."""
    return any(map(_is_picture, folder_content(folder)[1]))


def _all_pictures(folder, boxes, classes, digest, remarks) -> Tuple[List[str], bytearray]:
    names: List[str] = []
    where = bytearray()
    empty, single = [], []
    for place in [''] + list(class_folders(folder) if classes is None else classes):
        found = _in_folder(folder, boxes, place, digest)[0]
        for stem in sorted(found):
            name, lies = found[stem]
            names.append(name)
            where.append(lies)
        if place and not found:
            empty.append(place)
        if place and len(found) == 1:
            single.append(place)
    if not names:
        raise SniperError(f'{folder} holds no picture, neither itself nor in the folders of its classes')
    if empty:
        remarks.append(f'{folder}: {counted(len(empty), "class has", "classes have")} no picture ({shortened(empty)})')
    if single:
        remarks.append(f'{folder}: {counted(len(single), "class has", "classes have")} one picture, too little to '
                       f'learn from ({shortened(single)})')
    return names, where


def _listed_pictures(folder, boxes, listed, list_path, digest, remarks):
    by_place: Dict[str, Dict[str, int]] = {}
    for number, stem in enumerate(listed):
        by_place.setdefault(os.path.dirname(stem), {}).setdefault(stem, number)
    names: List[str] = [''] * len(listed)
    where = bytearray(len(listed))
    absent: List[str] = []
    for place, stems in by_place.items():
        found, apart = _in_folder(folder, boxes, place, digest)
        if not found and not os.path.isdir(os.path.join(folder, place)):
            absent.append(place)
        known = set()
        for listed_as, number in stems.items():
            ended = listed_as not in found and _is_picture(os.path.basename(listed_as))
            stem = os.path.splitext(listed_as)[0] if ended else listed_as
            if stem not in known:
                known.add(stem)
                names[number], where[number] = found.get(stem) or (
                    stem + USUAL_ENDING, APART if os.path.basename(stem) in apart else NONE)
    if len(absent) == len(by_place):
        raise SniperError(f'image list {list_path} names no folder that is in {folder} '
                          f'({listed[0]:.60}): check dataset.dataset_path, or the list')
    missing = len(absent)
    if missing:
        remarks.append(f'{list_path} names {counted(missing, "folder that is", "folders that are")} not in {folder} '
                       f'({shortened(absent)})')
    kept = [number for number, name in enumerate(names) if name]
    if len(kept) < len(names):
        remarks.append(f'{list_path} names {counted(len(names) - len(kept), "picture", "pictures")} more than once')
    return [names[number] for number in kept], bytearray(where[number] for number in kept)


def _in_folder(folder, boxes, place, digest) -> Tuple[Dict[str, Tuple[str, int]], Set[str]]:
    """({name without ending: (with it, where its boxes are)} of the pictures in folder/place, stems of all XML files in
    boxes/place); digest takes up all."""
    prefix = f'{place}/' if place else ''
    pictures, beside = _scan(os.path.join(folder, place), digest)
    apart = _scan(os.path.join(boxes, place), digest)[1]
    digest.update(f'{place}\0'.encode('utf-8', 'surrogateescape'))
    return {prefix + stem: (prefix + name, APART if stem in apart else BESIDE if stem in beside else NONE)
            for stem, name in pictures.items()}, apart


def _scan(path, digest) -> Tuple[Dict[str, str], Set[str]]:
    """({stem: picture}, stems of XML files) directly in a folder; nothing if there is none."""
    pictures: Dict[str, str] = {}
    annotations: Set[str] = set()
    try:
        with os.scandir(path) as entries:
            found = sorted((entry.name, _state(entry)) for entry in entries if not entry.name.startswith('.'))
    except (FileNotFoundError, NotADirectoryError):
        return pictures, annotations
    except OSError as error:
        raise SniperError(f'folder {path} cannot be read: {error.strerror or error}') from None
    for name, state in found:
        stem, ending = os.path.splitext(name)
        if ending.lower() == '.xml':
            annotations.add(stem)
        elif _is_picture(name):
            known = pictures.get(stem)
            if known is None or _rank(name) < _rank(known):
                pictures[stem] = name
        else:
            continue
        digest.update(f'{name}\0{state}\0'.encode('utf-8', 'surrogateescape'))
    return pictures, annotations


def _state(entry):
    """Size and time of an XML file: a million of them are not read to see whether they are still the same."""
    if not entry.name.lower().endswith('.xml'):
        return ''
    try:
        status = entry.stat()
    except OSError:
        return ''
    return f'{status.st_size} {status.st_mtime_ns}'


def _is_picture(name):
    return not name.startswith('.') and os.path.splitext(name)[1].lower() in IMAGE_ENDINGS


def _rank(name):
    return IMAGE_ENDINGS.index(os.path.splitext(name)[1].lower())
