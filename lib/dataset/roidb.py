"""The roidb: what every data set delivers and everything downstream reads.

A sequence (list, or lib.dataset.compact.CompactRoidb) with one dict per image (or mirrored image). COLUMNS says what a
record holds: everything that makes, checks, stores, joins, mirrors or shares records goes by it. A record has all
columns, save those whose default is ABSENT, which are there only if somebody asked for them.

Objects come first among the rows; a row is an object iff max_overlaps equals exactly 1. Records are never changed in
place; a step makes new ones, which may share arrays with the old.
"""
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

REQUIRED, ABSENT = 'required', 'absent'     # in place of a default
ROW, IMAGE = 'row', 'image'                 # what has a value each
# Bits of the column `attributes`: partly hidden; cut by the border of the picture; a drawing or a statue of it; seen
# from inside.
OCCLUDED, TRUNCATED, DEPICTION, INSIDE = 1, 2, 4, 8


class Column(NamedTuple):
    """One column of the roidb."""

    of: str                 # ROW: an array with a value for each box; IMAGE: one value, or something of its own
    dtype: Any              # of the array, or the types of the value
    default: Any            # where nothing is said; the name of another column: what that one has; REQUIRED; ABSENT
    meaning: str
    shape: Tuple = ()       # of the value of one row
    geometry: Optional[str] = None  # what becomes of it in a mirror: 'boxes', 'polygons', 'left-right', 'top-bottom'


COLUMNS: Dict[str, Column] = {
    'image': Column(IMAGE, str, REQUIRED, 'path of the image file'),
    'image_id': Column(IMAGE, (int, str), REQUIRED, 'id in the annotation file'),
    'width': Column(IMAGE, (int, float), REQUIRED, 'pixels of the original image'),
    'height': Column(IMAGE, (int, float), REQUIRED, 'pixels of the original image'),
    'boxes': Column(ROW, np.float32, REQUIRED, 'x1 y1 x2 y2, inclusive corners, original pixels', (4,), 'boxes'),
    'gt_classes': Column(ROW, np.int32, REQUIRED, 'label (position in Dataset.classes); 0 for proposals'),
    'max_classes': Column(ROW, np.int64, 'gt_classes', 'class of the object that a row overlaps most'),
    'max_overlaps': Column(ROW, np.float32, 1.0, 'that overlap, an IoU; an object overlaps itself'),
    'crowd': Column(ROW, np.bool_, False, 'a region of many objects: found or not, it does not count'),
    'difficult': Column(ROW, np.bool_, False, 'an object that is hard to tell: found or not, it does not count'),
    'ignored': Column(ROW, np.bool_, False, 'a region of which nothing is learnt; no object: its max_overlaps is 0'),
    'group_of': Column(ROW, np.bool_, False, 'a box around several objects that touch each other; an object or not'),
    'attributes': Column(ROW, np.uint8, 0, 'what its annotation says besides: bits OCCLUDED, TRUNCATED, ...'),
    'weight': Column(ROW, np.float32, 1.0, 'how much a row counts in the loss'),
    'source': Column(ROW, np.int32, 0, 'where an annotation comes from: a number that the data set explains'),
    'flipped': Column(IMAGE, bool, False, 'seen mirrored left-right (pixels are when the file is read)', (),
                      'left-right'),
    'flipped_vertical': Column(IMAGE, bool, False, 'seen mirrored top-bottom', (), 'top-bottom'),
    'gt_masks': Column(IMAGE, object, ABSENT, 'an object each: list of polygons, floats (2k,) x y x y ...', (),
                       'polygons'),
    'proposals': Column(IMAGE, np.float32, ABSENT,
                        '(k, 4) boxes of the unmirrored image for negative chips (lib.dataset.proposals)'),
}
ROW_COLUMNS = {name: column for name, column in COLUMNS.items() if column.of == ROW}
_defaults: Dict[str, np.ndarray] = {}
_MADE = ('image', 'image_id', 'width', 'height', 'boxes', 'gt_classes')


def make_record(image: str, image_id, width, height, boxes, labels, polygons=None, **columns) -> dict:
    """Record of an unmirrored image with objects only.

    boxes (n, 4), labels (n,), polygons: list of n lists of polygons, or None to leave masks out; columns: arrays (n,)
    of further ROW columns, which have their defaults otherwise.
    """
    labels = np.asarray(labels, np.int32).reshape(-1)
    given = dict(zip(_MADE, (image, image_id, width, height, np.asarray(boxes, np.float32).reshape(-1, 4), labels)))
    given.update((name, np.asarray(array, ROW_COLUMNS[name].dtype)) for name, array in columns.items())
    record = {}
    for name, column in COLUMNS.items():
        if name in given:
            record[name] = given[name]
        elif column.of == ROW:
            record[name] = default_rows(name, len(labels), record)
        elif column.default is not ABSENT:
            record[name] = column.default
    if polygons is not None:
        record['gt_masks'] = polygons
    return record


def with_regions(record: dict, boxes) -> dict:
    """The record with rows for regions of which nothing is learnt, boxes (k, 4), after all others."""
    count = len(boxes)
    if not count:
        return record
    added: Dict[str, np.ndarray] = {'boxes': np.asarray(boxes, np.float32).reshape(-1, 4),
                                    'gt_classes': np.zeros(count, np.int32),
                                    'max_overlaps': np.zeros(count, np.float32), 'ignored': np.ones(count, np.bool_)}
    for name in ROW_COLUMNS:
        if name not in added:
            added[name] = default_rows(name, count, added)
    return dict(record, **{name: np.concatenate([record[name], added[name]]) for name in ROW_COLUMNS})


def default_rows(name: str, count: int, record: dict) -> np.ndarray:
    """What a ROW column holds where nothing is said, not to be written to; record: the columns that are known.

    Most of it are slices of arrays that are shared: records are made by the hundred thousand.
    """
    column = ROW_COLUMNS[name]
    if column.default in ROW_COLUMNS:
        source = record[column.default] if column.default in record else default_rows(column.default, count, record)
        return source.astype(column.dtype)
    shared = _defaults.get(name)
    if shared is None or len(shared) < count:
        default = 0 if column.default is REQUIRED else column.default
        shared = _defaults[name] = np.full((max(1024, 2 * count),) + column.shape, default, column.dtype)
        shared.setflags(write=False)
    return shared[:count]


def validate(roidb, num_classes: int) -> None:
    """Raise ValueError, naming image and column, if a record breaks what COLUMNS says."""
    for record in roidb:
        problem = _problem(record, num_classes)
        if problem:
            raise ValueError(f'roidb record of {record.get("image", "(no image)")}: {problem}')


def _problem(record, num_classes):
    """What is wrong with one record, or None."""
    missing = [name for name, column in COLUMNS.items() if column.default is not ABSENT and name not in record]
    if missing:
        return f'lacks {", ".join(sorted(missing))}'
    unknown = sorted(set(record) - set(COLUMNS))
    if unknown:
        return f'has {", ".join(map(str, unknown))}, which lib.dataset.roidb does not declare'
    count = len(record['boxes'])
    for name, column in ROW_COLUMNS.items():
        array, shape = record[name], (count,) + column.shape
        if getattr(array, 'dtype', None) != column.dtype or array.shape != shape:
            return f'{name} must be {np.dtype(column.dtype).name} of shape {shape}'
    if not (record['width'] > 0 and record['height'] > 0):
        return f'size {record["width"]} x {record["height"]}'
    x1, y1, x2, y2 = record['boxes'].T
    inside = (x1 >= 0) & (y1 >= 0) & (x2 >= x1) & (y2 >= y1) & (x2 < record['width']) & (y2 < record['height'])
    if not inside.all():
        return f'box {record["boxes"][~inside][0].tolist()} is not inside the image'
    objects = record['max_overlaps'] == 1
    labels = record['max_classes'][objects]
    if count and not ((labels >= 1) & (labels < num_classes)).all():
        return f'object labels must be 1 to {num_classes - 1}'
    if not (record['weight'] >= 0).all():
        return 'weight must not be negative'
    if 'gt_masks' in record and len(record['gt_masks']) != np.count_nonzero(objects):
        return 'gt_masks must hold one list of polygons per object'
    return None


def mirrored(record: dict, horizontal: bool = True, vertical: bool = False) -> dict:
    """Copy of a record as seen in a mirror (reference/pipeline.md 4.3).

    With inclusive pixel corners, column x of a W wide image becomes W - x - 1. Applied twice, it is the identity.
    """
    mirror = record['width'], record['height'], horizontal, vertical
    changed = {}
    for name, column in COLUMNS.items():
        if name not in record and (column.default is ABSENT or column.geometry is None):
            continue
        if column.geometry == 'boxes':
            changed[name] = mirrored_boxes(record[name], *mirror)
        elif column.geometry == 'polygons':
            changed[name] = [[mirrored_points(ring, *mirror) for ring in rings] for rings in record[name]]
        elif column.geometry == 'left-right':
            changed[name] = bool(record.get(name, False)) != bool(horizontal)
        elif column.geometry == 'top-bottom':
            changed[name] = bool(record.get(name, False)) != bool(vertical)
    return dict(record, **changed)


def mirrored_boxes(boxes, width, height, horizontal, vertical):
    """(n, 4) boxes of a width x height image -> a copy, as seen in a mirror."""
    boxes = boxes.copy()
    if horizontal:
        boxes[:, 0::2] = width - boxes[:, 2::-2] - 1
    if vertical:
        boxes[:, 1::2] = height - boxes[:, 3::-2] - 1
    return boxes


def mirrored_points(points, width, height, horizontal, vertical):
    """(2k,) array x y x y ... of a width x height image, as seen in a mirror; itself if it is not mirrored."""
    if not (horizontal or vertical):
        return points
    points = points.copy()
    if horizontal:
        points[0::2] = width - points[0::2] - 1
    if vertical:
        points[1::2] = height - points[1::2] - 1
    return points
