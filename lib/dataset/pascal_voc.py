"""Data sets in PASCAL VOC's format: the development kits of 2007 and 2012, and any folder in their layout.

Layouts: lib.dataset.voc_layout; classes: lib.dataset.voc_classes; results and AP: lib.dataset.voc_eval
(reference/pipeline.md 3.2 and 14).
"""
import logging

import numpy as np

from lib.dataset.base import Dataset
from lib.dataset.compact import CompactRoidb
from lib.dataset.annotation_warnings import Oddities
from lib.dataset.roidb import make_record, validate
from lib.dataset.voc_classes import class_key, find_classes
from lib.dataset.voc_layout import VocFolder
from lib.dataset.voc_xml import VocAnnotation, read_annotation
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

NO_ANNOTATION = VocAnnotation('', 0, 0, [])


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

    def roidb(self):
        """-> CompactRoidb (lib.dataset.compact). Objects marked as difficult are not in it.

        A record's image file need not exist, unless its annotation lacks the size.
        """
        oddities = Oddities(f'{self.name} of {self.dataset_path}')
        roidb = [self._record(image_id, annotation, oddities)
                 for image_id, annotation in zip(self.image_ids, self.annotations)]
        oddities.log()
        validate(roidb, self.num_classes)
        return CompactRoidb.from_records(roidb)

    def evaluate(self, detections, results_dir):
        """Write comp4_det_<set>_<class>.txt a class and, with ground truth, score them (lib.dataset.voc_eval).

        Masks are not scored: the development kit has no such file for them.
        """
        from lib.dataset.voc_eval import evaluate
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
        annotations, oddities, missing = [], Oddities(f'{self.name} of {self.dataset_path}'), 0
        for image_id in self.image_ids:
            try:
                annotation = read_annotation(self.folder.annotation_path(image_id))
            except FileNotFoundError:
                annotation = NO_ANNOTATION
                oddities.add('images have no annotation file and count as images without objects', image_id)
                missing += 1
            self._check_objects(image_id, annotation, oddities)
            annotations.append(annotation)
        if missing < len(annotations):  # a test set has none at all
            oddities.log()
        return annotations, missing < len(annotations)

    def _check_objects(self, image_id, annotation, oddities):
        """Unusable objects: an error without a known class, else counted."""
        for number, item in enumerate(annotation.objects, 1):
            if class_key(item.name) not in self._labels:
                raise SniperError('{}: object {} {}'.format(
                    self.folder.annotation_path(image_id), number,
                    f'is of the class {item.name!r}, which is not among the classes of the data set' if item.name
                    else 'has no <name>'))
            identity = f'{image_id} object {number}'
            if item.box is None:
                oddities.add('boxes are not four finite numbers and are left out', identity)
            elif item.box[2] < item.box[0] or item.box[3] < item.box[1]:
                oddities.add('boxes have their corners in the wrong order and are left out', identity)
            if item.difficult is None:
                oddities.add('objects have a <difficult> that is neither 0 nor 1; it is taken as 0', identity)

    def _record(self, image_id, annotation, oddities):
        image = self.folder.image_path(image_id, annotation.filename)
        width, height = annotation.width, annotation.height
        if not width:
            width, height = _size_of(image, self.folder.annotation_path(image_id))
            if annotation is not NO_ANNOTATION:
                oddities.add('annotations lack the size of their image: it is read from the image', image_id)
        boxes, labels = [], []
        for number, item in enumerate(annotation.objects, 1):
            if item.difficult or item.box is None:
                continue
            box = _inside(item.box, width, height)
            if box is not None:
                boxes.append(box)
                labels.append(self._labels[class_key(item.name)])
            elif item.box[2] >= item.box[0] and item.box[3] >= item.box[1]:  # the others were counted when read
                oddities.add('boxes lie outside their image or have no area and are left out',
                             f'{image_id} object {number}')
        # Truncated towards zero, as in the original, which stored whole numbers.
        boxes = np.trunc(np.array(boxes, np.float64).reshape(-1, 4))
        return make_record(image, image_id, width, height, boxes, labels)


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
    from PIL import Image
    try:
        with Image.open(image) as opened:
            return opened.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise SniperError('annotation file {} does not give the size of the image, and {} cannot be opened: {}'.format(
            annotation_path, image, getattr(error, 'strerror', None) or error)) from None
