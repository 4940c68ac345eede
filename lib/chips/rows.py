"""Rows of a roidb entry and the chips of one scale: which seed chips, which belong to which chip.

reference/pipeline.md 7.1, 8.1, 8.2. For a row, w, h = sides of its box without +1, truncated to integers, and
side = sqrt(w * h), in original pixels. limit = (chip size - stride - 1) / scale is the longest side that some
candidate chip is sure to hold.

    place       seeds chips if                                         may belong to a chip if
    coarsest    side >= low                                            the same
    finest      side < high, max(w, h) < limit, w >= 2, h >= 2         the same
    between     side < high, max(w, h) < limit, side >= low            as the finest: no lower bound

So the finest scale's low and the coarsest scale's high are not looked at, and a high of -1 elsewhere selects
nothing. A row that may belong goes to the chip that holds the largest share of it (first among equals) if what
that chip shows is at least a pixel wide and high and has a side >= low (coarsest) or <= high (others).
Rows with NaN neither seed nor belong.
"""
from typing import NamedTuple

import numpy as np

from lib.bbox.boxes import as_boxes
from lib.chips.chips_ext import assign_rows as _assign_rows
from lib.chips.chips_ext import seed_rows as _seed_rows

FINEST, BETWEEN, COARSEST = 0, 1, 2


class ScaleRule(NamedTuple):
    """Valid range of one scale and its place among the scales; lengths in original pixels."""

    low: float
    high: float
    limit: float
    place: int  # FINEST, BETWEEN or COARSEST; a single scale is the coarsest


def scale_rule(valid_range, chip_size, stride, scale, index, count):
    """The rule of scale `index` of `count` (0 = finest) with factor `scale`."""
    place = COARSEST if index == count - 1 else FINEST if index == 0 else BETWEEN
    return ScaleRule(valid_range[0], valid_range[1], (chip_size - stride - 1) / float(scale), place)


def seed_rows(boxes, rule):
    """(n, 4) boxes in original pixels -> (n,) bool: those that chips are made for, if they are objects."""
    return _seed_rows(as_boxes(boxes, np.float32), rule)


def assign_rows(boxes, chips, rule):
    """(n, 4) boxes, (M, 4) chips, original pixels -> (n,) int32: the chip of each row, -1 for none."""
    return _assign_rows(as_boxes(boxes, np.float32), as_boxes(chips, np.float64, name='chips'), rule)
