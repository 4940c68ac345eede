"""Flat arrays of a set -> the compact roidb, and the rows that a training or a test asks for.

Pixels: x1 = XMin * width, x2 = XMax * width - 1; so for y. Corners are inclusive, as everywhere (the width of a box is
x2 - x1 + 1), which makes XMin = x1 / width and XMax = (x2 + 1) / width, exactly. What is narrower than a pixel is one.
A box around a group of objects is a row after the objects; `stored` holds it with its class, `view` makes of it what is
asked for.
"""
from typing import Dict

import numpy as np

from lib.dataset import columns as stored_columns
from lib.dataset.base import OBJECTS, REGIONS
from lib.dataset.roidb import ROW_COLUMNS

_ROWS_AT_ONCE = 1 << 20


def to_pixels(shares: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(n, 4) XMin YMin XMax YMax of 0 to 1 and (n, 2) width and height -> (n, 4) float32 inclusive corners, inside."""
    boxes = np.empty((len(shares), 4), np.float32)
    for start in range(0, len(shares), _ROWS_AT_ONCE):     # float64 of all rows would be the most that there is
        part = slice(start, start + _ROWS_AT_ONCE)
        sides = sizes[part].astype(np.float64)
        second = np.maximum(shares[part, 2:] * sides - 1, 0)
        boxes[part, 2:] = second
        boxes[part, :2] = np.minimum(shares[part, :2] * sides, sides - 1)
        boxes[part, 2:] = np.maximum(boxes[part, 2:], boxes[part, :2])
    return boxes


def to_shares(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The reverse: (n, 4) boxes, (n, 2) width and height -> (n, 4) float64 XMin YMin XMax YMax."""
    boxes, sides = np.asarray(boxes, np.float64), np.asarray(sizes, np.float64)
    return np.concatenate([boxes[:, :2] / sides, (boxes[:, 2:] + 1) / sides], axis=1)


def stored(folder: str, names: np.ndarray, sizes: np.ndarray, image: np.ndarray,
           rows: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Columns of lib.dataset.columns, exact boxes in pixels.

    names (m,) bytes, sizes (m, 2); image (n,) number of each row; rows: `boxes` as shares of the sides, `gt_classes`
    (0: a region that does not count), `group_of` and others, (n, ...) each, which are taken out of the dict.
    """
    rank = np.where(rows['gt_classes'] == 0, 2, rows['group_of']).astype(np.uint8)
    order = np.argsort(image.astype(np.int64) * 3 + rank, kind='stable')
    del rank
    image = image[order]
    sorted_rows = {}
    for name in list(rows):
        sorted_rows[name] = rows.pop(name)[order]
    sorted_rows['boxes'] = to_pixels(sorted_rows['boxes'], sizes[image])
    sorted_rows['ignored'] = sorted_rows['gt_classes'] == 0
    row_start = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=len(names)))])
    return stored_columns.from_rows(folder, names, '.jpg', sizes, row_start, sorted_rows)


def view(columns: Dict[str, np.ndarray], ignored: str, whole_pixels: bool) -> Dict[str, np.ndarray]:
    """The columns as Dataset.roidb(ignored) has them; arrays that stay as they are are shared.

    '': objects alone. Else rows of group boxes follow, with `group_of`: with OBJECTS as objects that are `crowd`; with
    REGIONS `ignored`; with LEFT_OUT neither, so that only what asks for `group_of` sees them. What is no object has the
    class 0 and an overlap of 0.
    """
    count = len(columns['boxes'])
    none = np.zeros(count, bool)
    group, region = columns.get('group_of', none), columns.get('ignored', none)
    changed = dict(columns)
    if ignored == '' and (group | region).any():
        changed = _selected(columns, ~(group | region))
    elif (group | region).any():
        is_object = ~region if ignored == OBJECTS else ~(group | region)
        changed['gt_classes'] = np.where(is_object, columns['gt_classes'], 0).astype(columns['gt_classes'].dtype)
        changed['max_overlaps'] = is_object.astype(np.float32)
        changed['ignored'] = region | group if ignored == REGIONS else region
        if ignored == OBJECTS:
            changed['crowd'] = group
    if whole_pixels:
        changed['boxes'] = np.trunc(changed['boxes'])
    return changed


def _selected(columns, kept):
    """The columns with some of the rows."""
    before = np.concatenate([[0], np.cumsum(kept)])
    chosen = {name: values[kept] for name, values in columns.items()
              if name in ROW_COLUMNS and name not in ('group_of', 'ignored')}
    others = {name: values for name, values in columns.items() if name not in ROW_COLUMNS}
    return dict(others, row_start=before[columns['row_start']].astype(np.int64), **chosen)
