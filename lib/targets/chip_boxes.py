"""Objects of an image -> boxes of one chip (reference/pipeline.md 10.2 to 10.4), and the table of them that the network
gets, the tensor gt_boxes (10.11)."""
from typing import NamedTuple, Tuple

import numpy as np

from lib.bbox.boxes import bbox_overlaps, large_enough
from lib.chips.window import Window

REGION = -2         # class of such a region among gt_boxes,
OUT_OF_RANGE = -3   # and of an object that a chip does not train, where the graph is to tell these apart
NO_REGIONS = np.zeros((0, 4), np.float32)
LEAST_REGION = 2    # pixels of the chip, of both sides
MIN_SIDE = 10  # pixels of the chip; smaller remains of objects are dropped


class ChipBoxes(NamedTuple):
    """The objects that a chip shows, k of them, in row order of the roidb entry."""

    boxes: np.ndarray   # (k, 4) float32, chip pixels, rounded, inside [0, chip_size - 1]
    labels: np.ndarray  # (k,) int64 class of each
    valid: np.ndarray   # (k,) bool: in the valid range of the chip's scale; the others are ignore regions
    rows: np.ndarray    # (k,) int64 rows of the roidb entry
    regions: np.ndarray = NO_REGIONS    # (r, 4) float32, chip pixels: of which nothing is learnt


def to_window(boxes, window: Window, chip_size: int) -> np.ndarray:
    """(n, 4) float32 original pixels -> (n, 4) float32 window pixels: shifted, scaled, rounded half to even, clipped.

    What lies outside collapses onto the border of a square of chip_size pixels.
    """
    corner, scales = (np.array(pair * 2, np.float32) for pair in (window.box[:2], (window.scale_x, window.scale_y)))
    return np.clip(np.round((boxes - corner) * scales), 0, chip_size - 1)


def objects_on_chip(entry, chip: Window, chip_size: int) -> Tuple[np.ndarray, np.ndarray]:
    """All objects of roidb `entry` (rows with max_overlaps 1), shown by `chip` or not.

    -> (rows (n,) int64 of the entry, boxes (n, 4) float32 by to_window).
    """
    rows = np.nonzero(np.asarray(entry['max_overlaps']) == 1)[0]
    boxes = np.asarray(entry['boxes'], dtype=np.float32).reshape(-1, 4)[rows]
    return rows, to_window(boxes, chip, chip_size)


def chip_boxes(entry, chip: Window, chip_size: int, min_side: int = MIN_SIDE, valid_overlap: float = 1) -> ChipBoxes:
    """Objects of roidb `entry` (rows with max_overlaps 1) that `chip` shows -> ChipBoxes.

    An object is kept if both its sides (+1 convention) are at least min_side after clipping. It is valid if it belongs
    to the chip, or overlaps by valid_overlap (IoU, after rounding and clipping; 1 = coincides with) a kept object that
    does.
    Objects with NaN are dropped. So are proposals that coincide with an object where masks are trained: they have none.
    """
    rows, in_chip = objects_on_chip(entry, chip, chip_size)
    kept = large_enough(in_chip, min_side)
    if 'gt_masks' in entry:
        kept = kept[rows[kept] < len(entry['gt_masks'])]
    rows, in_chip = rows[kept], in_chip[kept]
    belongs = np.zeros(len(entry['boxes']), dtype=bool)
    belongs[chip.rows] = True
    valid = belongs[rows]
    if valid.any() and not valid.all():
        valid = (bbox_overlaps(in_chip, in_chip[valid]) >= valid_overlap).any(axis=1)
    return ChipBoxes(in_chip, np.asarray(entry['max_classes'])[rows].astype(np.int64), valid, rows,
                     regions_on_chip(entry, chip, chip_size))


def regions_on_chip(entry, chip: Window, chip_size: int) -> np.ndarray:
    """(r, 4) float32 chip pixels: what `chip` shows of the rows of which nothing is learnt (column `ignored`)."""
    ignored = entry.get('ignored')
    if ignored is None or not ignored.any():
        return NO_REGIONS
    boxes = to_window(np.asarray(entry['boxes'], np.float32).reshape(-1, 4)[ignored], chip, chip_size)
    return boxes[large_enough(boxes, LEAST_REGION)]


def objects_with_row(chip_boxes: ChipBoxes, rows: int) -> np.ndarray:
    """Numbers of the chip's objects that fit into `rows` rows, ascending.

    If there are more, valid ones are preferred and among equals the earlier ones.
    """
    count = len(chip_boxes.boxes)
    if count <= rows:
        return np.arange(count)
    preferred = np.argsort(~chip_boxes.valid, kind='stable')  # valid first, each part in row order
    return np.sort(preferred[:rows])


def in_range(chip_boxes: ChipBoxes) -> ChipBoxes:
    """The same objects, with the class OUT_OF_RANGE for those that are not valid."""
    return chip_boxes._replace(labels=np.where(chip_boxes.valid, chip_boxes.labels, OUT_OF_RANGE))


def write_gt_boxes(chip_boxes: ChipBoxes, out) -> int:
    """Fill out (MAX_GT, 5) float32 with x1, y1, x2, y2, label of the chip's objects, the rest with -1.

    Objects stand in row order, those of objects_with_row; regions of which nothing is learnt follow with the class
    REGION, as far as there are rows. Returns how many objects were left out.
    """
    order = objects_with_row(chip_boxes, len(out))
    out[:] = -1
    out[:len(order), :4] = chip_boxes.boxes[order]
    out[:len(order), 4] = chip_boxes.labels[order]
    regions = chip_boxes.regions[:len(out) - len(order)]
    out[len(order):len(order) + len(regions), :4] = regions
    out[len(order):len(order) + len(regions), 4] = REGION
    return len(chip_boxes.boxes) - len(order)
