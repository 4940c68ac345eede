"""COCO-format data sets: COCO 2014 and 2017, and any set in the same layout.

    <dataset_path>/annotations/instances_<set>.json      or image_info_<set>.json for sets without ground truth
    <dataset_path>/images/<folder>/<file_name>           folder = set, except for the names in coco_images.FOLDERS
    <dataset_path>/classes.txt                           optional: names and order of the classes, one a line

Exports of labelling tools lie otherwise: lib.dataset.coco_layout.

Classes are the file's categories in file order; a label is a position, 0 is background (reference/pipeline.md 3.1).
"""
import collections
import copy
import logging
import os

import numpy as np

from lib.dataset.base import LEFT_OUT, OBJECTS, OUTSIDE, REGIONS, AnnotationWarnings, Dataset, shortened
from lib.dataset.box_units import XYWH, check_boxes
from lib.dataset.class_list import BACKGROUND, IGNORE, class_list_path
from lib.dataset.coco_eval import evaluate
from lib.dataset.coco_file import CocoFile
from lib.dataset.coco_images import ImageFinder, picture_size
from lib.dataset.coco_layout import find_place
from lib.dataset.coco_masks import polygons
from lib.dataset.compact import CompactRoidb
from lib.dataset.roidb import make_record, validate, with_regions
from lib.dataset.roidb_cache import RoidbCache
from lib.dataset.truth import Truth
from lib.utils.errors import SniperError, printable

logger = logging.getLogger(__name__)

CROWD, IGNORED = 'crowd regions (iscrowd)', 'regions to be ignored'
# Of Python 2's dictionaries.
SMALLEST_TABLE = 8
LARGE = 50000        # keys from which the table only doubles
PERTURB_SHIFT = 5


class CocoDataset(Dataset):
    """One split in COCO format. Images are in the order of their sorted ids."""

    name_prefix = 'COCO_'
    box_format = XYWH   # how files write boxes, for what is said of them

    def __init__(self, image_set, root_path, dataset_path, masks=False, choice=None):
        self.image_set = image_set
        self.root_path = root_path
        self.dataset_path = dataset_path
        self.name = self.name_prefix + image_set
        self.masks = masks
        self._choice = choice
        self._path, pictures = self._place()
        self._class_list = class_list_path(dataset_path)
        self._finder = ImageFinder(dataset_path, image_set, pictures)
        self._file, self._outlined = None, None
        self._numbers = None    # of the images, if this is a part of a set
        self._cache = RoidbCache(root_path, self.name + '_masks' * masks, self._path,
                                 [dataset_path, image_set, _content(self._class_list)]
                                 + ([choice.entries] if choice else []))
        self._caches = {ignored: self._cache.of(ignored) for ignored in ('', REGIONS, LEFT_OUT, OBJECTS)}
        loaded = next((cache for cache in self._caches.values() if cache.load()), None)
        self._notes_said = loaded is not None   # those of the file are among the cache's
        if loaded:
            self.classes = loaded.classes
            self._say(loaded.notes)
        else:
            self.classes = (BACKGROUND,) + tuple(category['name'] for category in self.file.categories)

    @property
    def file(self):
        """The annotation file, lib.dataset.coco_file.CocoFile; parsed when it is asked for."""
        if self._file is None:
            self._file = self._parse(self.masks)
            if not self._notes_said:
                self._say(self._file.notes)
        return self._file

    def _place(self):
        """-> (path that messages name and the cache is of, folder of the pictures or '')."""
        return find_place(self.dataset_path, self.image_set)

    def _parse(self, masks):
        return CocoFile(self._path, masks, self._class_list, lambda image: picture_size(self._finder.path(image)),
                        self._finder.expect, choice=self._choice)

    def _say(self, notes):
        for note in notes:
            logger.warning('%s', note)

    @property
    def image_ids(self):
        return [image['id'] for image in self.file.images]

    def roidb(self, ignored: str = ''):
        """-> sequence of records (lib.dataset.roidb), a CompactRoidb. A record's image file need not exist.

        ignored: see Dataset.roidb. SniperError: boxes that cannot be meant so (box_units).
        """
        cache = self._caches[ignored]
        usual = self.whole_pixels   # what caches are of
        if usual and cache.load():
            self.not_trained = cache.not_trained
            return self._with_outlines(cache.roidb)
        warnings = AnnotationWarnings(self._path)
        roidb = CompactRoidb.from_records(self._records(warnings, ignored))
        notes = warnings.lines() + self._check_boxes()
        self._say(notes)
        self._say_names()
        self.not_trained = self._not_trained(ignored)
        if usual and not self.file.sizes_read:  # which depend on other files
            cache.store(self.classes, roidb, self.file.notes + notes, self.not_trained)
        return self._with_outlines(roidb)

    def _with_outlines(self, roidb):
        """roidb; SniperError if masks are to be trained and none of its objects has an outline."""
        if self.masks and roidb.row_counts().any() and not len(roidb.columns['coordinates']):
            raise SniperError(f'TRAIN.WITH_MASK is True, but no object of {self._path} has a usable segmentation, and '
                              'masks need them: take a file with segmentations, or a configuration without '
                              'TRAIN.WITH_MASK')
        return roidb

    def _records(self, warnings, ignored):
        for image in self.file.images:
            record = self._record(image, warnings, ignored)
            validate([record], self.num_classes)
            yield record

    def _check_boxes(self):
        """Lines about boxes that stick out, see lib.dataset.box_units."""
        boxes, sizes, images = [], [], []
        for number, image in enumerate(self.file.images):
            of_image = self.file.annotations[image['id']]
            boxes += [annotation['bbox'] for annotation in of_image]
            sizes += [(image['width'], image['height'])] * len(of_image)
            images += [number] * len(of_image)
        return check_boxes(self._path, np.array(boxes, np.float64), np.array(sizes, np.float64), np.array(images),
                           self.box_format)

    def _not_trained(self, ignored):
        """{kind: {class name: annotations}} of crowds and regions that are no objects among the rows."""
        crowds = collections.Counter(
            self.classes[self.file.labels[annotation['category_id']]]
            for of_image in self.file.annotations.values() for annotation in of_image if annotation['iscrowd'])
        regions = sum(map(len, self.file.regions.values()))
        return {CROWD: {} if ignored == OBJECTS else crowds, IGNORED: {IGNORE: regions} if regions else {}}

    def _say_names(self):
        found = self._finder.found_otherwise
        if found:
            logger.info('%s: %d pictures lie under other names than their file_name says: %s', self._path, len(found),
                        printable(shortened([f'{name} is {path}' for name, path in list(found.items())[:3]])))

    def original_image_ids(self):
        """Image ids in the order of a Python 2 dictionary filled in file order. ValueError for ids that are texts."""
        return python2_dict_order(self.file.ids_in_file_order)

    def evaluate(self, detections, results_dir):
        """Write detections_<set>_results.json, with masks detections_<set>_segm_results.json too, and, with ground
        truth, score them (lib.dataset.coco_eval)."""
        outlined = detections.mask is not None and not self.masks
        file = self._with_segmentations() if outlined else self.file
        return evaluate(file, self.image_set, self.classes, detections, results_dir)

    def part(self, numbers):
        """See lib.dataset.base."""
        part = copy.copy(self)
        part._file, part._numbers = self.file.part(numbers), list(numbers)
        return part

    def _with_segmentations(self):
        """The file with what scores masks; a part, which is scored many times, keeps it."""
        if self._numbers is None:
            return self._parse(True)
        if self._outlined is None:
            self._outlined = self._parse(True).part(self._numbers)
        return self._outlined

    def truth(self) -> Truth:
        """The annotations as they stand in the file, with their areas; a region of no class is a crowd of each."""
        rows = [(number, self.file.labels[annotation['category_id']], annotation)
                for number, image in enumerate(self.file.images) for annotation in self.file.annotations[image['id']]]
        rows += [(number, label, dict(region, iscrowd=1)) for number, image in enumerate(self.file.images)
                 for region in self.file.regions.get(image['id'], ()) for label in range(1, self.num_classes)]
        boxes = np.array([annotation['bbox'] for _, _, annotation in rows], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2] - 1
        return Truth.of([number for number, _, _ in rows], [label for _, label, _ in rows], boxes,
                        [annotation['area'] for _, _, annotation in rows],
                        crowd=[annotation['iscrowd'] for _, _, annotation in rows])

    def _record(self, image, warnings, ignored):
        """Record of one image; boxes without area inside the image are left out."""
        boxes, classes, outlines, crowd = [], [], [], []
        regions = list(self.file.regions.get(image['id'], ())) if ignored else []
        for annotation in self.file.annotations[image['id']]:
            if annotation['iscrowd'] and ignored != OBJECTS:
                regions += [annotation] if ignored == REGIONS else []
                continue
            box = _corners(annotation['bbox'], image['width'], image['height'])
            if box is None:
                warnings.add(OUTSIDE, annotation.get('id', f'(no id) of image {image["id"]}'))
                continue
            boxes.append(box)
            crowd.append(bool(annotation['iscrowd']))
            classes.append(self.file.labels[annotation['category_id']])
            if self.masks:
                outlines.append(polygons(annotation, image['width'], image['height'], warnings))
                if not outlines[-1]:
                    warnings.add('objects have no usable segmentation; they are trained without a mask',
                                 annotation.get('id', f'(no id) of image {image["id"]}'))
        path = self._finder.path(image) or os.path.join(self.dataset_path, 'images', f'(image {image["id"]!r:.40})')
        record = make_record(path, image['id'], image['width'], image['height'], self.in_pixels(boxes), classes,
                             outlines if self.masks else None, crowd=crowd)
        corners = [_corners(region['bbox'], image['width'], image['height']) for region in regions]
        return with_regions(record, self.in_pixels([box for box in corners if box is not None]))


def _content(path):
    """Of a file, '' for no path."""
    if not path:
        return ''
    try:
        with open(path, 'rb') as stream:
            return stream.read().decode('utf-8', 'replace')
    except OSError:  # said when it is read for its classes
        return ''


def _corners(bbox, width, height):
    """bbox (x, y, w, h) -> (x1, y1, x2, y2), cut at the border of the image, or None if nothing of it is left."""
    x, y, w, h = bbox
    if w <= 0 or h <= 0:
        return None
    x1, y1 = max(0, x), max(0, y)
    x2, y2 = min(width - 1, x + max(0, w - 1)), min(height - 1, y + max(0, h - 1))
    return (x1, y1, x2, y2) if x2 >= x1 and y2 >= y1 else None


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
