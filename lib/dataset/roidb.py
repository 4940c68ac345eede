"""The roidb: what every data set delivers and everything downstream reads.

A sequence (list, or lib.dataset.compact.CompactRoidb) with one dict per image (or mirrored image):

    image             str       path of the image file
    image_id          int, str  id in the annotation file
    width, height     number    size of the original image in pixels
    boxes             (n, 4)    float32, x1 y1 x2 y2, inclusive corners, original pixels; objects come first
    gt_classes        (n,)      int32, label (position in Dataset.classes); 0 for proposals
    max_classes       (n,)      int64, class of the object that a row overlaps most
    max_overlaps      (n,)      float32, that overlap; a row is an object iff it equals exactly 1
    flipped           bool      mirrored left-right (pixels are mirrored when the file is read)
    flipped_vertical  bool      mirrored top-bottom
    proposals         (k, 4)    float32, only if asked: boxes for negative chips (lib.dataset.proposals)
    gt_masks          sequence  only if asked: per object a list of polygons, each floats (2k,): x y x y ...

Records are never changed in place; a step makes new ones, which may share arrays with the old.
"""
import os

import numpy as np


def make_record(image, image_id, width, height, boxes, labels, polygons=None):
    """Record of an unmirrored image with objects only.

    boxes (n, 4), labels (n,), polygons: list of n lists of polygons, or None to leave masks out.
    """
    labels = np.asarray(labels, np.int32).reshape(-1)
    record = {
        'image': image,
        'image_id': image_id,
        'width': width,
        'height': height,
        'boxes': np.asarray(boxes, np.float32).reshape(-1, 4),
        'gt_classes': labels,
        'max_classes': labels.astype(np.int64),
        'max_overlaps': np.ones(len(labels), np.float32),
        'flipped': False,
        'flipped_vertical': False,
    }
    if polygons is not None:
        record['gt_masks'] = polygons
    return record


def validate(roidb, num_classes):
    """Raise ValueError, naming image and field, if a record breaks the specification above."""
    for record in roidb:
        problem = _problem(record, num_classes)
        if problem:
            raise ValueError(f'roidb record of {record.get("image", "(no image)")}: {problem}')


_ARRAYS = (('boxes', np.float32), ('gt_classes', np.int32), ('max_classes', np.int64), ('max_overlaps', np.float32))


def _problem(record, num_classes):
    """What is wrong with one record, or None."""
    missing = {'image', 'image_id', 'width', 'height', 'flipped'}.union(k for k, _ in _ARRAYS) - set(record)
    if missing:
        return f'lacks {", ".join(sorted(missing))}'
    count = len(record['boxes'])
    for key, dtype in _ARRAYS:
        array = record[key]
        shape = (count, 4) if key == 'boxes' else (count,)
        if getattr(array, 'dtype', None) != dtype or array.shape != shape:
            return f'{key} must be {np.dtype(dtype).name} of shape {shape}'
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
    if 'gt_masks' in record and len(record['gt_masks']) != np.count_nonzero(objects):
        return 'gt_masks must hold one list of polygons per object'
    return None


def image_identity(record: dict, folder: bool = True) -> list:
    """What names an image and its content well enough to notice a change, fit for JSON.

    folder: whether the folder of its file counts, which may be another on another machine. A file that is not there
    has the size -1.
    """
    path = str(record['image'])
    try:
        size = os.path.getsize(path)
    except OSError:
        size = -1
    return [str(record['image_id']), path if folder else os.path.basename(path), float(record['width']),
            float(record['height']), size]
