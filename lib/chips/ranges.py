"""Which rows chips are made for at each scale (pipeline.md 7.1).

w, h = sides of a row's box without +1, truncated to integers; side = sqrt(w * h); all in original pixels.
limit = (chip size - stride - 1) / scale is the longest side that some candidate chip is sure to hold.

    coarsest scale    side >= low
    finest scale      side < high, longer side < limit, w >= 2, h >= 2
    between           low <= side < high, longer side < limit

So the finest scale's low and the coarsest scale's high are not looked at, and a high of -1 elsewhere selects
nothing.
"""
import numpy as np

from lib.chips import assign_ext


def side_limit(chip_size, stride, scale):
    """Longest side, in original pixels, of a box that chips of this scale are made for."""
    return (chip_size - stride - 1) / float(scale)


def seed_rows(boxes, wanted, valid_range, limit, index, count):
    """Mask (n,) bool of the rows that seed chips at scale `index` of `count`.

    boxes: (n, 4) float32 original pixels. wanted: (n,) bool, the rows to consider (objects). valid_range:
    (low, high). Rows with NaN never seed.
    """
    place = assign_ext.LAST if index == count - 1 else assign_ext.FIRST if index == 0 else assign_ext.MIDDLE
    wanted = np.ascontiguousarray(wanted, dtype=np.bool_).view(np.uint8)
    return assign_ext.seed_rows(boxes, wanted, valid_range[0], valid_range[1], limit, place)
