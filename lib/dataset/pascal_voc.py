"""Data sets in PASCAL VOC's format: the development kits of 2007 and 2012, and any folder in their layout.

Development kit, set names '<year>_<set>'          One plain folder, set names '<set>'
    <dataset_path>/VOC<year>/ImageSets/Main/<set>.txt   <dataset_path>/ImageSets/Main/<set>.txt   (optional)
    <dataset_path>/VOC<year>/Annotations/<id>.xml       <dataset_path>/Annotations/<id>.xml
    <dataset_path>/VOC<year>/JPEGImages/<id>.jpg        <dataset_path>/JPEGImages/<id>.jpg

Image files may also end in .jpeg, .png, .bmp, or be what the annotation calls <filename>. A set `all` that no list
describes is every annotation file, in sorted order. (reference/pipeline.md 3.2 and 14)
"""
import glob
import logging
import os
import re

import numpy as np
from PIL import Image

from lib.dataset.base import AnnotationWarnings, Dataset, shortened
from lib.dataset.class_list import class_key
from lib.dataset.compact import CompactRoidb
from lib.dataset.roidb import make_record, validate
from lib.dataset.voc_annotations import VocAnnotation, find_classes, read_annotation
from lib.dataset.voc_eval import evaluate
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

NO_ANNOTATION = VocAnnotation('', 0, 0, [])
ALL = 'all'
EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.JPG', '.JPEG', '.PNG', '.BMP')
_YEAR_AND_SET = re.compile(r'(\d{4})_(.+)')


class PascalVocDataset(Dataset):
    """One set in PASCAL VOC's format. Images are in the order of their list.

    image_set: '<year>_<set>' in a development kit, '<set>' in a plain folder.
    """

    def __init__(self, image_set, root_path, dataset_path, masks=False):
        if masks:
            raise SniperError("TRAIN.WITH_MASK is True, but data in PASCAL VOC's format has no masks: set it to False, "
                              "or use data in COCO's format")
        self.image_set = image_set
        self.root_path = root_path
        self.dataset_path = dataset_path
        self.name = 'PASCALVOC_' + image_set
        self.folder = VocFolder(dataset_path, image_set)
        self.image_ids = self.folder.ids
        self.classes = find_classes(dataset_path, self.folder.annotation_folders())
        self._labels = {class_key(name): label for label, name in enumerate(self.classes)}
        self.annotations, self.has_annotations = self._read()

    def roidb(self, with_ignored: bool = False):
        """-> CompactRoidb (lib.dataset.compact). Objects marked as difficult are in it only if `with_ignored`.

        A record's image file need not exist, unless its annotation lacks the size.
        """
        warnings = AnnotationWarnings(f'{self.name} of {self.dataset_path}')
        roidb = [self._record(image_id, annotation, warnings, with_ignored)
                 for image_id, annotation in zip(self.image_ids, self.annotations)]
        warnings.log()
        validate(roidb, self.num_classes)
        return CompactRoidb.from_records(roidb)

    def evaluate(self, detections, results_dir):
        """Write comp4_det_<set>_<class>.txt a class and, with ground truth, score them (lib.dataset.voc_eval).

        Masks are not scored: the development kit has no such file for them.
        """
        if detections.mask is not None:
            logger.info('%s: masks are not scored, PASCAL VOC has no measure of them here', self.name)
        return evaluate(self, detections, results_dir)

    def objects_by_class(self):
        """Ground truth for evaluation, difficult objects too: a dict image number -> (boxes, difficult) a class.

        The list's index is the label; images without an object of the class are not in its dict.
        boxes (n, 4) float64 xmin ymin xmax ymax as in the file: pixels count from 1; difficult (n,) bool.
        """
        found = [{} for _ in self.classes]
        for image, annotation in enumerate(self.annotations):
            for item in annotation.objects:
                if item.box is not None and item.box[2] >= item.box[0] and item.box[3] >= item.box[1]:
                    found[self._labels[class_key(item.name)]].setdefault(image, []).append(item)
        return [{image: (np.array([item.box for item in items], np.float64),
                         np.array([bool(item.difficult) for item in items], bool)) for image, items in of_class.items()}
                for of_class in found]

    def _read(self):
        """-> (annotation of every image, has any image one?). An image without a file has no objects."""
        annotations, warnings, missing = [], AnnotationWarnings(f'{self.name} of {self.dataset_path}'), 0
        for image_id in self.image_ids:
            try:
                annotation = read_annotation(self.folder.annotation_path(image_id))
            except FileNotFoundError:
                annotation = NO_ANNOTATION
                warnings.add('images have no annotation file and count as images without objects', image_id)
                missing += 1
            self._check_objects(image_id, annotation, warnings)
            annotations.append(annotation)
        if missing < len(annotations):  # a test set has none at all
            warnings.log()
        return annotations, missing < len(annotations)

    def _check_objects(self, image_id, annotation, warnings):
        """Unusable objects: an error without a known class, else counted."""
        for number, item in enumerate(annotation.objects, 1):
            if class_key(item.name) not in self._labels:
                raise SniperError('{}: object {} {}'.format(
                    self.folder.annotation_path(image_id), number,
                    f'is of the class {item.name!r}, which is not among the classes of the data set' if item.name
                    else 'has no <name>'))
            identity = f'{image_id} object {number}'
            if item.box is None:
                warnings.add('boxes are not four finite numbers and are left out', identity)
            elif item.box[2] < item.box[0] or item.box[3] < item.box[1]:
                warnings.add('boxes have their corners in the wrong order and are left out', identity)
            if item.difficult is None:
                warnings.add('objects have a <difficult> that is neither 0 nor 1; it is taken as 0', identity)

    def _record(self, image_id, annotation, warnings, with_ignored):
        image = self.folder.image_path(image_id, annotation.filename)
        width, height = annotation.width, annotation.height
        if not width:
            width, height = _size_of(image, self.folder.annotation_path(image_id))
            if annotation is not NO_ANNOTATION:
                warnings.add('annotations lack the size of their image: it is read from the image', image_id)
        boxes, labels, difficult = [], [], []
        for number, item in enumerate(annotation.objects, 1):
            if item.difficult and not with_ignored or item.box is None:
                continue
            box = _inside(item.box, width, height)
            if box is not None:
                boxes.append(box)
                difficult.append(bool(item.difficult))
                labels.append(self._labels[class_key(item.name)])
            elif item.box[2] >= item.box[0] and item.box[3] >= item.box[1]:  # the others were counted when read
                warnings.add('boxes lie outside their image or have no area and are left out',
                             f'{image_id} object {number}')
        # Truncated towards zero, as in the original, which stored whole numbers.
        boxes = np.trunc(np.array(boxes, np.float64).reshape(-1, 4))
        return make_record(image, image_id, width, height, boxes, labels, difficult=difficult)


def _inside(box, width, height):
    """xmin ymin xmax ymax from 1 -> x1 y1 x2 y2 from 0 inside the image, or None if nothing of it is left.

    xmin = xmax, which may mean one pixel or none, is the trace of a click and none: COCO files of such data have no
    box there.
    """
    xmin, ymin, xmax, ymax = (corner - 1 for corner in box)
    if xmax <= xmin or ymax <= ymin or xmax < 0 or ymax < 0 or xmin > width - 1 or ymin > height - 1:
        return None
    return max(0, xmin), max(0, ymin), min(width - 1, xmax), min(height - 1, ymax)


def _size_of(image, annotation_path):
    """(width, height) of an image file, of the stored pixels. SniperError naming both files."""
    try:
        with Image.open(image) as opened:
            return opened.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise SniperError('annotation file {} does not give the size of the image, and {} cannot be opened: {}'.format(
            annotation_path, image, getattr(error, 'strerror', None) or error)) from None


class VocFolder:
    """One set of a folder.

    year          int, or None for a plain folder
    image_set     name of the set without the year
    ids           list of str, in the order of the list file
    """

    def __init__(self, dataset_path, image_set):
        """SniperError: no such folder or set, an empty list, an id that is no file name or occurs twice."""
        self.dataset_path = dataset_path
        self.year, self.image_set, self._root = _find(dataset_path, image_set)
        self.ids = self._read_ids()

    def annotation_path(self, image_id):
        return os.path.join(self._root, 'Annotations', image_id + '.xml')

    def image_path(self, image_id, filename=''):
        """Path of an image: the first existing of the usual names, else the first of them.

        filename: what the annotation calls the image.
        """
        images = os.path.join(self._root, 'JPEGImages')
        places = [os.path.join(images, image_id + extension) for extension in EXTENSIONS]
        if filename:
            places.append(os.path.join(images, re.split(r'[/\\]', filename)[-1]))
        return next((place for place in places if os.path.isfile(place)), places[0])

    def annotation_folders(self):
        """All folders of annotations below dataset_path: sets are parts of one data set, with one list of classes."""
        folders = [self._root] if self.year is None else _kits(self.dataset_path)
        folders = [os.path.join(folder, 'Annotations') for folder in folders]
        return [folder for folder in folders if os.path.isdir(folder)]

    def _read_ids(self):
        path = _list_path(self._root, self.image_set)
        if os.path.isfile(path):
            ids = _read_list(path)
            where = 'image list ' + path
        else:
            where = os.path.join(self._root, 'Annotations')
            ids = sorted(name[:-len('.xml')] for name in os.listdir(where) if name.endswith('.xml'))
        if not ids:
            raise SniperError(f'{where} lists no images')
        seen = set()
        for image_id in ids:
            if image_id in seen:
                raise SniperError(f'{where}: image {image_id!r} occurs twice')
            if os.path.isabs(image_id) or '..' in re.split(r'[/\\]', image_id) or '\0' in image_id:
                raise SniperError(f'{where}: {image_id!r:.80} is not the name of an image in this folder')
            seen.add(image_id)
        return ids


def _find(dataset_path, image_set):
    """-> (year or None, set name, folder that holds Annotations)."""
    if _is_root(dataset_path):
        year, name, root = None, image_set, dataset_path
    else:
        match = _YEAR_AND_SET.fullmatch(image_set)
        year, name = (int(match.group(1)), match.group(2)) if match else (None, image_set)
        root = os.path.join(dataset_path, f'VOC{year}')
    sets = _sets(dataset_path)
    if not sets:
        raise SniperError(f'{dataset_path} holds neither folders VOC<year> nor a folder Annotations with XML files: '
                          'check dataset.dataset_path')
    known = os.path.isfile(_list_path(root, name)) or name == ALL and os.path.isdir(os.path.join(root, 'Annotations'))
    if not known:
        raise SniperError('{} has no image set {!r} ({}); sets there: {}'.format(
            dataset_path, image_set, _list_path(root, name) if year or root == dataset_path
            else 'a name is <year>_<set>', shortened(sets, 15)))
    return year, name, root


def _sets(dataset_path):
    """Names that may be asked for: the lists there are, and 'all'."""
    names = []
    for root in [dataset_path] + _kits(dataset_path):
        if _is_root(root):
            prefix = '' if root == dataset_path else os.path.basename(root)[len('VOC'):] + '_'
            lists = {os.path.basename(path)[:-len('.txt')] for path in glob.glob(_list_path(glob.escape(root), '*'))}
            names += [prefix + name for name in sorted(lists | {ALL})]
    return names


def _kits(dataset_path):
    return sorted(glob.glob(os.path.join(glob.escape(dataset_path), 'VOC[0-9][0-9][0-9][0-9]')))


def _is_root(folder):
    return any(os.path.isdir(os.path.join(folder, name)) for name in ('Annotations', 'ImageSets'))


def _list_path(root, name):
    return os.path.join(root, 'ImageSets', 'Main', name + '.txt')


def _read_list(path):
    """Lines of a list, without empty ones."""
    try:
        with open(path, encoding='utf-8-sig') as stream:
            return [line.strip() for line in stream if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SniperError(f'image list {path} cannot be read: {error}') from None
