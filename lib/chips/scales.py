"""Scale factors of the image pyramid (reference/pipeline.md section 6).

A scale is defined by a resolution pair (a, b) in pixels, by a factor, or by the long side (configs/scales.py):
    (a, b), a > 0    the short side becomes a, unless the long side would then exceed b (b > 0): it becomes b
    (a, b), a <= 0   the long side becomes b
    '2x'             the factor itself
    '256px'          the long side becomes 256 pixels
    number           the factor itself; as the last of the training scales, pixels of the long side
A factor always comes from the size of the whole image, never from that of a chip.

Which rows of a roidb record seed chips of a scale, and which belong to which chip (reference/pipeline.md 7.1, 8.1,
8.2): For a row, w, h = sides of its box without +1, truncated to integers, and
side = sqrt(w * h), in original pixels. limit = (chip size - stride - 1) / scale is the longest side that some
candidate chip is sure to hold, or TRAIN.CHIP_LONGEST_SIDE where that is shorter.

    place       seeds chips if                                         may belong to a chip if
    coarsest    side >= low, or max(w, h) >= CHIP_LONGEST_SIDE         the same
    finest      side < high, max(w, h) < limit, w >= 2, h >= 2         the same
    between     side < high, max(w, h) < limit, side >= low            as the finest: no lower bound

So the finest scale's low and the coarsest scale's high are not looked at, and a high of -1 elsewhere selects
nothing. A row that may belong goes to the chip that holds the largest share of it (first among equals) if what
that chip shows is at least a pixel wide and high and has a side >= low, or is so long (coarsest), or <= high (others).
Rows with NaN neither seed nor belong.

With TRAIN.CHIP_SHARE both ends of the range hold at every scale, low <= side < high, and of the lengths only limit, for
seeds of all but the coarsest. A row belongs to every chip that shows more than the share of it and at least a pixel of
both sides, if what it shows is in the range too, low <= side <= high. Negative chips still have each row once.
"""
import math
from typing import List, NamedTuple, Tuple

import numpy as np

from configs.scales import FACTOR, check_last, is_number, read_scale
from lib.bbox.boxes import as_boxes
from lib.chips.chips_ext import assign_rows as _assign_rows, seed_rows as _seed_rows
from lib.utils.errors import SniperError

FINEST, BETWEEN, COARSEST = 0, 1, 2
LARGEST_INPUT = 100000000  # pixels of a whole image in a test; sniper_tiny takes 85 bytes of memory a pixel


def resolution_scale(pair, width, height) -> float:
    """Resolution pair (a, b) -> factor (float) for an image of width x height pixels."""
    short_target, long_target = pair
    short, long = min(width, height), max(width, height)
    if not short > 0:
        raise SniperError(f'an image of {width} x {height} pixels has no scale; check its width and height')
    if short_target <= 0:
        return _positive(long_target / float(long), pair)
    scale = short_target / float(short)
    if long_target > 0 and round(scale * long) > long_target:  # rounds half to even
        scale = long_target / float(long)
    return scale


def scale_factor(definition, width, height, last: bool = False) -> float:
    """One scale definition -> factor (float). last: a number means pixels of the long side."""
    if isinstance(definition, str):
        unit, value = read_scale(definition)
        return value if unit == FACTOR else resolution_scale((-1, value), width, height)
    if not is_number(definition):
        return resolution_scale(definition, width, height)
    if last:
        return resolution_scale((-1, definition), width, height)
    return _positive(float(definition), definition)


def training_scales(definitions, width, height) -> List[float]:
    """Definitions, fine to coarse -> list of factors. SniperError for a last number after pairs or texts."""
    check_last(definitions)
    last = len(definitions) - 1
    return [scale_factor(definition, width, height, last=index == last)
            for index, definition in enumerate(definitions)]


def test_scale(definition, width, height, in_slices: bool = False) -> float:
    """Factor of a test scale; a number is a factor. SniperError if it is not above 0.

    It is smaller than the definition says where the image would come out larger than LARGEST_INPUT pixels, unless it is
    shown in slices.
    """
    scale = scale_factor(definition, width, height)
    if in_slices or not width * height > 0:
        return scale
    return min(scale, math.sqrt(LARGEST_INPUT / (width * height)))


test_scale.__test__ = False  # type: ignore[attr-defined]  # not a test case, whatever pytest thinks of the name


def scaled_size(width, height, scale: float) -> Tuple[int, int]:
    """(width, height) of the scaled image, truncated: a side can come out one pixel below what was aimed at."""
    return int(width * scale), int(height * scale)


def _positive(scale, definition):
    if not scale > 0:
        raise SniperError(f'scale {definition} gives the factor {scale}; it must be above 0')
    return scale


class ScaleRule(NamedTuple):
    """Valid range of one scale and its place among the scales; lengths in original pixels.

    limit: a side from which on objects are too long for the chips of a scale; at the coarsest one, belong there anyway.
    """

    low: float
    high: float
    limit: float
    place: int  # FINEST, BETWEEN or COARSEST; a single scale is the coarsest
    share: float = 0.0  # TRAIN.CHIP_SHARE: 0, or rows belong to every chip that shows more, and both ends hold


def scale_rule(valid_range, chip_size, stride, scale, index: int, count: int, longest: float = math.inf,
               share: float = 0.0) -> ScaleRule:
    """The rule of scale `index` of `count` (0 = finest) with factor `scale`; valid_range: original pixels. longest:
    original pixels; objects with a side from this on are left to the coarsest scale. share: see ScaleRule."""
    place = COARSEST if index == count - 1 else FINEST if index == 0 else BETWEEN
    limit = longest if place == COARSEST else min((chip_size - stride - 1) / float(scale), longest)
    return ScaleRule(valid_range[0], valid_range[1], limit, place, share)


def seed_rows(boxes, rule: ScaleRule) -> np.ndarray:
    """(n, 4) boxes in original pixels -> (n,) bool: those that chips are made for, if they are objects."""
    return _seed_rows(as_boxes(boxes, np.float32), rule)


def assign_rows(boxes, chips, rule: ScaleRule) -> np.ndarray:
    """(n, 4) boxes, (M, 4) chips, original pixels -> (n,) int32: the chip of each row, -1 for none."""
    return _assign_rows(as_boxes(boxes, np.float32), as_boxes(chips, np.float64, name='chips'), rule)
