"""COCO-format data sets: COCO 2014 and 2017, and any set in the same layout.

    <dataset_path>/annotations/instances_<set>.json      or image_info_<set>.json for sets without ground truth
    <dataset_path>/images/<folder>/<file_name>           folder = set, except for the names in FOLDERS

Classes are the file's categories in file order; a label is a position, 0 is background (reference/pipeline.md 3.1).
"""
import glob
import os

import numpy as np

from lib.dataset.base import AnnotationWarnings, Dataset
from lib.dataset.coco_eval import evaluate
from lib.dataset.coco_file import CocoFile, polygons
from lib.dataset.compact import CompactRoidb
from lib.dataset.roidb import make_record, validate
from lib.dataset.roidb_cache import RoidbCache
from lib.utils.errors import SniperError

# Splits that share the images of another.
FOLDERS = {
    'minival2014': 'val2014',
    'sminival2014': 'val2014',
    'valminusminival2014': 'val2014',
    'test-dev2015': 'test2015',
    'test-dev2017': 'test2017',
}
PREFIXES = ('instances_', 'image_info_')
# Of Python 2's dictionaries.
SMALLEST_TABLE = 8
LARGE = 50000        # keys from which the table only doubles
PERTURB_SHIFT = 5


class CocoDataset(Dataset):
    """One split in COCO format. Images are in the order of their sorted ids."""

    name_prefix = 'COCO_'

    def __init__(self, image_set, root_path, dataset_path, masks=False):
        self.image_set = image_set
        self.root_path = root_path
        self.dataset_path = dataset_path
        self.name = self.name_prefix + image_set
        self.masks = masks
        self._path = self._annotation_path()
        self._file = None
        self._cache = RoidbCache(root_path, self.name + '_masks' * masks, self._path, [dataset_path, image_set])
        if self._cache.load():
            self.classes = self._cache.classes
        else:
            self.classes = ('__background__',) + tuple(category['name'] for category in self.file.categories)

    @property
    def file(self):
        """The annotation file, lib.dataset.coco_file.CocoFile; parsed when it is asked for."""
        if self._file is None:
            self._file = CocoFile(self._path, self.masks)
        return self._file

    @property
    def image_ids(self):
        return [image['id'] for image in self.file.images]

    def roidb(self, with_ignored: bool = False):
        """-> sequence of records (lib.dataset.roidb), a CompactRoidb. A record's image file need not exist.

        with_ignored: crowd regions too (and no cache).
        """
        if with_ignored:
            return self._with_outlines(CompactRoidb.from_records(self._records(True)))
        if self._cache.roidb is not None:
            return self._with_outlines(self._cache.roidb)
        roidb = self._with_outlines(CompactRoidb.from_records(self._records()))
        self._cache.store(self.classes, roidb)
        return roidb

    def _with_outlines(self, roidb):
        """roidb; SniperError if masks are to be trained and none of its objects has an outline."""
        if self.masks and roidb.row_counts().any() and not len(roidb.columns['coordinates']):
            raise SniperError(f'TRAIN.WITH_MASK is True, but no object of {self._path} has a usable segmentation, and '
                              'masks need them: take a file with segmentations, or a configuration without '
                              'TRAIN.WITH_MASK')
        return roidb

    def _records(self, with_ignored=False):
        labels = {category['id']: label for label, category in enumerate(self.file.categories, 1)}
        warnings = AnnotationWarnings(self.file.path)
        for image in self.file.images:
            record = self._record(image, labels, warnings, with_ignored)
            validate([record], self.num_classes)
            yield record
        warnings.log()

    def original_image_ids(self):
        """Image ids in the order of a Python 2 dictionary filled in file order. ValueError for ids that are texts."""
        return python2_dict_order(self.file.ids_in_file_order)

    def evaluate(self, detections, results_dir):
        """Write detections_<set>_results.json, with masks detections_<set>_segm_results.json too, and, with ground
        truth, score them (lib.dataset.coco_eval)."""
        file = CocoFile(self._path, True) if detections.mask is not None and not self.masks else self.file
        return evaluate(file, self.image_set, self.classes, detections, results_dir)

    def _annotation_path(self):
        folder = os.path.join(self.dataset_path, 'annotations')
        paths = [os.path.join(folder, prefix + self.image_set + '.json') for prefix in PREFIXES]
        for path in paths:
            if os.path.isfile(path):
                return path
        present = sorted({os.path.basename(path)[len(prefix):-len('.json')] for prefix in PREFIXES
                          for path in glob.glob(os.path.join(glob.escape(folder), prefix + '*.json'))})
        raise SniperError('annotation file {} is missing: {}'.format(
            paths[0], 'sets in that folder: ' + ', '.join(present) if present
            else 'no COCO annotation file is in that folder; check dataset.dataset_path'))

    def _image_path(self, image):
        """Path of an image: the first existing of the usual places, else the first of them."""
        folder = FOLDERS.get(self.image_set, self.image_set)
        images = os.path.join(self.dataset_path, 'images')
        places = []
        if image.get('file_name'):
            places.append(os.path.join(images, folder, image['file_name']))
        if isinstance(image['id'], int):
            places.append(os.path.join(images, folder, f'COCO_{folder}_{image["id"]:012d}.jpg'))
        if image.get('file_name'):
            places.append(os.path.join(images, image['file_name']))
        if not places:
            raise SniperError(f'{self.file.path}: image {image["id"]!r} has no file_name')
        return next((place for place in places if os.path.isfile(place)), places[0])

    def _record(self, image, labels, warnings, with_ignored):
        """Record of one image; boxes without area inside the image are left out, as are crowd regions if not asked."""
        boxes, classes, outlines, crowd = [], [], [], []
        for annotation in self.file.annotations[image['id']]:
            if annotation.get('iscrowd') and not with_ignored:
                continue
            box = _corners(annotation, image['width'], image['height'])
            if box is None:
                warnings.add('boxes lie outside their image or have no area and are left out',
                             annotation.get('id', f'(no id) of image {image["id"]}'))
                continue
            boxes.append(box)
            crowd.append(bool(annotation.get('iscrowd')))
            classes.append(labels[annotation['category_id']])
            if self.masks:
                outlines.append(polygons(annotation, image['width'], image['height'], warnings))
                if not outlines[-1]:
                    warnings.add('objects have no usable segmentation; they are trained without a mask',
                                 annotation.get('id', f'(no id) of image {image["id"]}'))
        # Truncated towards zero, as in the original, which stored whole numbers.
        boxes = np.trunc(np.array(boxes, np.float64).reshape(-1, 4))
        return make_record(self._image_path(image), image['id'], image['width'], image['height'], boxes, classes,
                           outlines if self.masks else None, crowd=crowd)


def _corners(annotation, width, height):
    """bbox (x, y, w, h) -> (x1, y1, x2, y2) inside the image, or None if nothing of it is left.

    A box that sticks out to the left or the top moves in with its size, as in the original; one that lies outside
    altogether does not.
    """
    x, y, w, h = annotation['bbox']
    if w <= 0 or h <= 0 or x + w <= 0 or y + h <= 0:
        return None
    x1 = max(0, x)
    y1 = max(0, y)
    x2 = min(width - 1, x1 + max(0, w - 1))
    y2 = min(height - 1, y1 + max(0, h - 1))
    area = annotation.get('area', w * h)
    return (x1, y1, x2, y2) if area > 0 and x2 >= x1 and y2 >= y1 else None


def python2_dict_order(keys) -> list:
    """Distinct integers from 0 in the order of insertion -> list of them in the order in which a Python 2 dictionary
    goes through them.

    So the original went through its images, by id; its proposal files hold one entry an image in this order and no
    ids. Source: reference/pipeline.md 3.1 (CPython 2.7, Objects/dictobject.c). ValueError for other keys: their order
    is not known.
    """
    keys = list(keys)
    if any(type(key) is not int or not 0 <= key < 2 ** 63 for key in keys) or len(set(keys)) != len(keys):
        raise ValueError('the order is known for distinct integers from 0 only')
    table, used = [None] * SMALLEST_TABLE, 0
    for key in keys:
        _insert(table, key)
        used += 1
        if used * 3 >= len(table) * 2:
            wanted, size = used * (2 if used > LARGE else 4), SMALLEST_TABLE
            while size <= wanted:
                size *= 2
            old, table = table, [None] * size
            for present in old:
                if present is not None:
                    _insert(table, present)
    return [key for key in table if key is not None]


def _insert(table, key):
    mask = len(table) - 1
    slot = perturb = key
    while table[slot & mask] is not None:
        slot = 5 * slot + perturb + 1
        perturb >>= PERTURB_SHIFT
    table[slot & mask] = key
