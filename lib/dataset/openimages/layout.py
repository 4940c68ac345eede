"""Where the files of a set lie, as they are downloaded.

    images/<set>/<ImageID>.jpg                      or <set>/<ImageID>.jpg
    annotations/<set>-annotations-bbox.csv          boxes; of a later version: oidv6-<set>-annotations-bbox.csv
    annotations/<set>.csv                           or the original program's converted file, without a header
    annotations/<set>-annotations-human-imagelabels-boxable.csv     which classes somebody has looked for
    annotations/class-descriptions-boxable.csv      classes
    annotations/bbox_labels_600_hierarchy.json
    annotations/<set>-image-sizes.csv               optional: ImageID, Width, Height, so that no picture has to tell

Files of annotations may also lie in the folder itself. The set `val` is called `validation` too, in either direction.
"""
import os
import re
from typing import Dict, List, NamedTuple

from lib.dataset.voc_layout import folder_content
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

_BOXES = re.compile(r'(?:oidv\d+-)?([\w-]+?)-annotations-bbox\.csv')
_LABELS = re.compile(r'(?:oidv\d+-)?([\w-]+?)-annotations-human-imagelabels(-boxable)?\.csv')
_CLASSES = re.compile(r'(?:oidv\d+-)?class-descriptions-boxable\.csv')
_HIERARCHY = re.compile(r'(?:oidv\d+-)?bbox_labels_\d+_hierarchy\.json')
_ALIASES = {'val': 'validation', 'validation': 'val'}
_CONVERTED = ('train', 'val', 'validation', 'test')
_PICTURES = ('images', '')


class Files(NamedTuple):
    """Of one set; '' for what is not there: a set to send predictions in for has no boxes. converted: `boxes` is in the
    original program's form; sizes: a file that tells sizes.
    """

    boxes: str
    converted: bool
    labels: str
    classes: str
    hierarchy: str
    sizes: str
    pictures: str


class Layout:
    """What lies in a folder of Open Images; `sets` is empty if it is none."""

    def __init__(self, folder: str):
        """SniperError: a folder is closed."""
        self.folder = folder
        self.classes, self.hierarchy = '', ''
        self._boxes: Dict[str, str] = {}
        self._labels: Dict[str, str] = {}
        self._files: Dict[str, str] = {}
        for place in (folder, os.path.join(folder, 'annotations')):
            for name in sorted(folder_content(place)[1]):
                self._note(name, os.path.join(place, name))

    def _note(self, name, path):
        self._files[name] = path
        boxes, labels = _BOXES.fullmatch(name), _LABELS.fullmatch(name)
        if boxes:
            self._boxes[boxes.group(1)] = path
        elif labels and (labels.group(2) or labels.group(1) not in self._labels):   # those of all classes stand back
            self._labels[labels.group(1)] = path
        elif _CLASSES.fullmatch(name):
            self.classes = path
        elif _HIERARCHY.fullmatch(name):
            self.hierarchy = path

    def sets(self) -> List[str]:
        """Names of the sets with boxes, by what their files are called. Converted files, whose names may be anybody's,
        count only beside a list of classes."""
        return sorted(self._boxes) or [name for name in _CONVERTED if self.classes and f'{name}.csv' in self._files]

    def found(self) -> str:
        """Path of a file by which the format is recognised; '' if there is none."""
        sets = self.sets()
        return (self._boxes.get(sets[0]) or self._files[f'{sets[0]}.csv']) if sets else ''

    def files(self, image_set: str) -> Files:
        """SniperError: the set has neither boxes nor a folder of pictures, or there is no class list."""
        reason = why_unreadable(self.folder, folder=True)
        if reason:
            raise SniperError(f'{self.folder} {reason}; check dataset.dataset_path')
        names = list(dict.fromkeys((image_set, _ALIASES.get(image_set, image_set))))
        boxes = next((self._boxes[name] for name in names if name in self._boxes), '')
        converted = next((self._files[f'{name}.csv'] for name in names if f'{name}.csv' in self._files), '')
        pictures = self._pictures(names)
        if not boxes and not converted and not (os.path.isdir(pictures) and re.fullmatch(r'[\w-]+', image_set)):
            raise SniperError(f'{self.folder} has no image set {image_set!r:.80}: there is no annotations/'
                              f'{image_set:.80}-annotations-bbox.csv; sets there: {", ".join(self.sets()) or "none"}')
        if not self.classes:
            raise SniperError(f'{self.folder} lacks the list of classes, annotations/class-descriptions-boxable.csv: '
                              'it is downloaded with the boxes')
        labels = next((self._labels[name] for name in names if name in self._labels), '')
        sizes = next((self._files[f'{name}-image-sizes.csv'] for name in names
                      if f'{name}-image-sizes.csv' in self._files), '')
        return Files(boxes or converted, not boxes and bool(converted), labels, self.classes, self.hierarchy, sizes,
                     pictures)

    def _pictures(self, names):
        places = [os.path.join(self.folder, above, name) for above in _PICTURES for name in names]
        return next(filter(os.path.isdir, places), places[0])
