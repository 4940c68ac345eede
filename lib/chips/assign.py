"""Which rows of a roidb entry belong to which chip (pipeline.md 8.1, 8.2)."""
import numpy as np

from lib.chips import assign_ext


def assign_rows(boxes, chips, valid_range, limit, last):
    """(n,) int32: for every row the chip of one scale that it belongs to, or -1.

    boxes: (n, 4) float32, chips: (M, 4) float64, both original pixels. valid_range: (low, high); limit as in
    lib.chips.ranges; last: whether this is the coarsest scale. A row is a candidate if
        coarsest: side >= low        else: side < high, longer side < limit, w >= 2, h >= 2
    (no lower bound, also between: a chip's small boxes are listed, and become ignore regions later). It goes to
    the chip that holds the largest share of it, the first among equals, if what is inside the chip is at least
    a pixel wide and high and its side is >= low at the coarsest scale, <= high at the others.
    """
    boxes = np.ascontiguousarray(boxes, dtype=np.float32)
    chips = np.ascontiguousarray(chips, dtype=np.float64)
    return assign_ext.assign_rows(boxes, chips, valid_range[0], valid_range[1], limit, last)


def rows_by_chip(assigned, count):
    """Result of assign_rows -> list of `count` arrays (k,) int32, the rows of each chip in ascending order."""
    if count == 0:
        return []
    order = np.argsort(assigned, kind='stable').astype(np.int32)
    bounds = np.searchsorted(assigned[order], np.arange(count + 1))
    return [order[bounds[i]:bounds[i + 1]] for i in range(count)]
