"""Data sets in PASCAL VOC's format: the development kits of 2007 and 2012, and any folder in their layout.

Development kit, set names '<year>_<set>'          One plain folder, set names '<set>'
    <dataset_path>/VOC<year>/ImageSets/Main/<set>.txt   <dataset_path>/ImageSets/Main/<set>.txt   (optional)
    <dataset_path>/VOC<year>/Annotations/<id>.xml       <dataset_path>/Annotations/<id>.xml
    <dataset_path>/VOC<year>/JPEGImages/<id>.jpg        <dataset_path>/JPEGImages/<id>.jpg

Files may lie in subfolders, and are then called <subfolder>/<name>. Images may have any ending of
lib.dataset.voc_layout.IMAGE_ENDINGS, or be what the annotation calls <filename>. A set `all` that no list describes is
every annotation file, in sorted order; one called as a subfolder is what lies in it. XML files beside the images, and
one folder a set, are read too. (reference/pipeline.md 3.2 and 14)
"""
import collections
import copy
import logging
import os
from typing import List

import numpy as np
from PIL import Image

from lib.dataset.base import LEFT_OUT, NO_NUMBERS, OBJECTS, OUTSIDE, AnnotationWarnings, Dataset, Kind, shortened
from lib.dataset.box_units import CORNERS, check_boxes
from lib.dataset.class_list import FILE_NAME, IGNORE, class_key, is_ignored
from lib.dataset.compact import CompactRoidb
from lib.dataset.roidb import make_record, validate, with_regions
from lib.dataset.truth import Truth
from lib.dataset.voc_annotations import VocAnnotation, read_annotation
from lib.dataset.voc_classes import find_classes
from lib.dataset.voc_eval import evaluate
from lib.dataset.voc_folder import VocFolder
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

NO_ANNOTATION = VocAnnotation('', 0, 0, [])
TOLERATED = 2  # pixels by which a box may stick out before it is counted
_NO_BOX = Kind('object has no <bndbox> and is left out', 'objects have no <bndbox> and are left out')
_OUT_OF_ORDER = Kind('box has its corners in the wrong order and is left out',
                     'boxes have their corners in the wrong order and are left out')
_FROM_0 = Kind('box has a corner at 0, where PASCAL VOC begins to count at 1; if the tool that wrote it begins at 0, '
               'all its boxes lie one pixel too far left and up',
               'boxes have a corner at 0, where PASCAL VOC begins to count at 1; if the tool that wrote them begins at '
               '0, all its boxes lie one pixel too far left and up')
_STICKS_OUT = Kind(f'box sticks out of its image by more than {TOLERATED} pixels and is cut',
                   f'boxes stick out of their image by more than {TOLERATED} pixels and are cut; if they are many, see '
                   'whether <size> is right, and corners are not x, y, width and height')


class PascalVocDataset(Dataset):
    """One set in PASCAL VOC's format. Images are in the order of their list.

    image_set: '<year>_<set>' in a development kit, '<set>' in a plain folder.
    """

    name_prefix = 'PASCALVOC_'
    own_scores = {'AP50': 'PASCAL VOC, IoU 0.50', 'AP70': 'PASCAL VOC, IoU 0.70'}
    rule = ''   # of lib.dataset.voc_eval.RULES, by which AP is computed; '': that of the year

    def __init__(self, image_set, root_path, dataset_path, masks=False, choice=None):
        if masks:
            raise SniperError("TRAIN.WITH_MASK is True, but data in PASCAL VOC's format has no masks: set it to False, "
                              "or use data in COCO's format")
        self.image_set = image_set
        self.root_path = root_path
        self.dataset_path = dataset_path
        self.name = self.name_prefix + image_set
        self.folder = VocFolder(dataset_path, image_set)
        self.classes = self._find_classes()
        self._labels = {class_key(name): label for label, name in enumerate(self.classes)}
        self._known = self.classes[1:]
        self._left_out = set()  # keys of classes whose objects are not looked at
        self._ignored = set()   # and of those that dataset.CLASSES ignores
        if choice:
            self._choose(choice)
        self.left_out = 0  # images of the set whose truth or size is not known
        self.image_ids, self.annotations = self.folder.ids, []
        self._read()
        self.has_annotations = any(annotation is not NO_ANNOTATION for annotation in self.annotations)

    def roidb(self, ignored: str = ''):
        """-> CompactRoidb (lib.dataset.compact); ignored: see Dataset.roidb.

        A record's image file need not exist, unless its annotation lacks the size.
        """
        warnings = AnnotationWarnings(f'{self.name} of {self.dataset_path}')
        sized = self._each(lambda image_id, annotation: self._with_size(image_id, annotation, warnings),
                           zip(self.image_ids, self.annotations))
        roidb = [self._record(image_id, annotation, warnings, ignored)
                 for image_id, annotation in zip(self.image_ids, sized)]
        lines = self._check_boxes(sized)
        warnings.log()
        for line in lines:
            logger.warning('%s', line)
        regions = sum(map(len, self.regions()))
        self.not_trained = {'marked as difficult (<difficult>)': {} if ignored == OBJECTS else
                            self._difficult_objects(), 'regions to be ignored': {IGNORE: regions} if regions else {}}
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
                if item.name and _in_order(item.box) and not self._is_region(item):
                    found[self._labels[class_key(item.name)]].setdefault(image, []).append(item)
        return [{image: (np.array([item.box for item in items], np.float64),
                         np.array([bool(item.difficult) for item in items], bool)) for image, items in of_class.items()}
                for of_class in found]

    def regions(self) -> List[np.ndarray]:
        """(n, 4) float64 boxes of each image that belong to no class: what lies there does not count. As in the file.
        """
        return [np.array([item.box for item in annotation.objects if self._is_region(item) and _in_order(item.box)],
                         np.float64).reshape(-1, 4) for annotation in self.annotations]

    def part(self, numbers):
        """See lib.dataset.base."""
        part = copy.copy(self)
        part.image_ids, part.annotations = ([values[number] for number in numbers]
                                            for values in (self.image_ids, self.annotations))
        return part

    def truth(self) -> Truth:
        """The objects as the development kit takes them, with pixels from 0; regions are crowds of each class."""
        found = [(image, label, boxes - 1, difficult, np.zeros(len(boxes), bool))
                 for label, of_class in enumerate(self.objects_by_class())
                 for image, (boxes, difficult) in of_class.items()]
        found += [(image, label, boxes - 1, np.ones(len(boxes), bool), np.ones(len(boxes), bool))
                  for image, boxes in enumerate(self.regions()) if len(boxes) for label in range(1, self.num_classes)]
        counts = np.array([len(row[2]) for row in found], np.int64)
        images, labels = (np.repeat(np.array([row[place] for row in found], np.int64), counts) for place in (0, 1))
        boxes = np.concatenate([np.zeros((0, 4))] + [row[2] for row in found])
        marks = [np.concatenate([np.zeros(0, bool)] + [row[place] for row in found]) for place in (3, 4)]
        return Truth.of(images, labels, boxes, ignored=marks[0], crowd=marks[1])

    def _is_region(self, item):
        return is_ignored(item.name) or class_key(item.name) in self._ignored

    def _find_classes(self):
        return find_classes(self.dataset_path, self.folder.all_annotations())

    def _choose(self, choice):
        """Leave only the classes of a ClassChoice."""
        known = self.classes[1:]
        labels, line = choice.labels(known, f'{self.name} of {self.dataset_path}')
        logger.info('%s', line)
        self.classes = (self.classes[0],) + tuple(choice.names)
        self._labels = {class_key(name): label for name, label in zip(known, labels) if label}
        self._left_out = {class_key(name) for name, label in zip(known, labels) if label is None}
        self._ignored = {class_key(name) for name, label in zip(known, labels) if label == 0}

    def _read(self):
        """Set `annotations`, of every image. An image without a file has no objects."""
        def read(image_id):
            try:
                annotation = read_annotation(self.folder.annotation_path(image_id))
            except FileNotFoundError:
                return NO_ANNOTATION
            return annotation._replace(objects=[item for item in annotation.objects
                                                if class_key(item.name) not in self._left_out])

        self.annotations = self._each(read, zip(self.image_ids))
        warnings = AnnotationWarnings(f'{self.name} of {self.dataset_path}')
        for image_id, annotation in zip(self.image_ids, self.annotations):
            if annotation is NO_ANNOTATION:
                warnings.add('images have no annotation file and count as images without objects', image_id)
            self._check_objects(image_id, annotation, warnings)
        warnings.refuse_most(sum(len(annotation.objects) for annotation in self.annotations), {
            NO_NUMBERS: '<bndbox> has to hold xmin, ymin, xmax, ymax in pixels, with a point before decimals',
            _NO_BOX: 'outlines and turned boxes have to be exported as boxes'})
        if any(annotation is not NO_ANNOTATION for annotation in self.annotations):  # a test set has none at all
            warnings.log()

    def _each(self, function, rows) -> list:
        """[function(*row)], an image each. Where it fails, the image is left out of the set, with a warning.

        SniperError: that is most of the set.
        """
        results, failures = [], {}
        for image_id, row in zip(self.image_ids, rows):
            try:
                results.append(function(*row))
            except SniperError as error:
                failures[image_id] = error
        if not failures:
            return results
        first, *others = failures
        self.left_out += len(failures)
        total = len(self.folder.ids)
        if 2 * self.left_out > total:
            raise SniperError(f'{failures[first]} ({self.left_out} of {total} images of {self.name} cannot be used)')
        logger.warning('%s: %d of %d images are left out of training and of the score: %s%s', self.name, len(failures),
                       total, failures[first], f'; the others: {shortened(others)}' if others else '')
        if self.annotations:
            self.annotations = [annotation for image_id, annotation in zip(self.image_ids, self.annotations)
                                if image_id not in failures]
        self.image_ids = [image_id for image_id in self.image_ids if image_id not in failures]
        return results

    def _with_size(self, image_id, annotation, warnings):
        """The annotation with the size of its image, from the image if need be. SniperError: it is not known."""
        if annotation.width:
            return annotation
        image, path = self.folder.image_path(image_id, annotation.filename), self.folder.annotation_path(image_id)
        if annotation is not NO_ANNOTATION:
            warnings.add('annotations lack the size of their image: it is read from the image', image_id)
        try:
            with Image.open(image) as opened:
                width, height = opened.size
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            reason = getattr(error, 'strerror', None) or error
            if annotation is not NO_ANNOTATION:
                raise SniperError(f'annotation file {path} does not give the size of the image, and {image} cannot be '
                                  f'opened: {reason}') from None
            raise SniperError(f'{self.folder.place(image_id)}: there is neither an annotation {path} nor an image '
                              f'{image}: correct the name' if isinstance(error, FileNotFoundError)
                              else f'image {image} cannot be opened: {reason}') from None
        return annotation._replace(width=width, height=height)

    def _check_objects(self, image_id, annotation, warnings):
        """Unusable objects: an error for a class that there is not, else counted."""
        for number, item in enumerate(annotation.objects, 1):
            identity = f'{image_id} object {number}'
            if not item.name:
                warnings.add('objects have no <name> and are left out', identity)
                continue
            if class_key(item.name) not in self._labels and not self._is_region(item):
                raise SniperError(f'{self.folder.annotation_path(image_id)}: object {number} is of the class '
                                  f'{item.name!r:.80}, which is not among the classes of the data set '
                                  f'({shortened(self._known, 10)}): correct it there, or list all classes in '
                                  f'{os.path.join(self.dataset_path, FILE_NAME)}, one a line')
            if item.box is None:
                warnings.add(NO_NUMBERS if item.has_bndbox else _NO_BOX, identity)
            elif not _in_order(item.box):
                warnings.add(_OUT_OF_ORDER, identity)
            elif 0 in item.box[:2]:
                warnings.add(_FROM_0, identity)
            if item.difficult is None:
                warnings.add('objects have a <difficult> that is neither 0 nor 1; it is taken as 0', identity)

    def _check_boxes(self, annotations):
        """Lines about boxes of annotations with a size, see lib.dataset.box_units. SniperError: they cannot be meant
        so."""
        boxes, sizes, images = [], [], []
        for number, annotation in enumerate(annotations):
            of_image = [item.box for item in annotation.objects if item.box]
            boxes += [(xmin, ymin, xmax - xmin, ymax - ymin) for xmin, ymin, xmax, ymax in of_image]
            sizes += [(annotation.width, annotation.height)] * len(of_image)
            images += [number] * len(of_image)
        return check_boxes(f'{self.name} of {self.dataset_path}', np.array(boxes, np.float64),
                           np.array(sizes, np.float64), np.array(images), CORNERS)

    def _difficult_objects(self):
        """{class: objects marked as difficult}."""
        return collections.Counter(self.classes[self._labels[class_key(item.name)]] for annotation in self.annotations
                                   for item in annotation.objects if item.difficult and item.name
                                   and _in_order(item.box) and not self._is_region(item))

    def _record(self, image_id, annotation, warnings, ignored):
        names = self.folder.image_names(image_id, annotation.filename)
        if len(names) > 1:
            warnings.add('images have several files of their name, of which the first is taken', ' or '.join(names))
        boxes, labels, difficult, regions = [], [], [], []
        for number, item in enumerate(annotation.objects, 1):
            region = self._is_region(item) or item.difficult and ignored != OBJECTS
            if not item.name or not _in_order(item.box) or region and (
                    not ignored or ignored == LEFT_OUT and not self._is_region(item)):
                continue  # counted when they were read
            box = _inside(item.box, annotation.width, annotation.height)
            if box is None:
                warnings.add(OUTSIDE, f'{image_id} object {number}')
                continue
            if max(1 - item.box[0], 1 - item.box[1], item.box[2] - annotation.width,
                   item.box[3] - annotation.height) > TOLERATED:
                warnings.add(_STICKS_OUT, f'{image_id} object {number}')
            if region:
                regions.append(box)
                continue
            boxes.append(box)
            difficult.append(bool(item.difficult))
            labels.append(self._labels[class_key(item.name)])
        record = make_record(self.folder.image_path(image_id, annotation.filename), image_id, annotation.width,
                             annotation.height, self.in_pixels(boxes), labels, difficult=difficult)
        return with_regions(record, self.in_pixels(regions))


def _in_order(box):
    return box is not None and box[2] >= box[0] and box[3] >= box[1]


def _inside(box, width, height):
    """xmin ymin xmax ymax from 1 -> x1 y1 x2 y2 from 0 inside the image, or None if nothing of it is left.

    xmin = xmax, which may mean one pixel or none, is the trace of a click and none: COCO files of such data have no
    box there.
    """
    xmin, ymin, xmax, ymax = (corner - 1 for corner in box)
    if xmax <= xmin or ymax <= ymin or xmax < 0 or ymax < 0 or xmin > width - 1 or ymin > height - 1:
        return None
    return max(0, xmin), max(0, ymin), min(width - 1, xmax), min(height - 1, ymax)
