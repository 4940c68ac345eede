"""Why an object is in no chip's list, so that training never looks for it."""
import numpy as np

from lib.bbox.boxes import as_boxes
from lib.chips.rows import COARSEST, FINEST, seed_rows

# In this order: the first that fits an object is given.
REASONS = (
    'corners that are no numbers',
    'a chip was made for it, but shows a part that is out of the valid range',
    'at a scale of its size, it is longer than a chip',
    'at a scale of its size, it is thinner than two pixels',
    'no scale has its size in the valid range',
)
NO_NUMBER, CUT, TOO_LONG, TOO_THIN, OUT_OF_RANGE = range(len(REASONS))


def uncovered_reasons(boxes, rules):
    """(n, 4) boxes of objects in no chip's list, original pixels, and the ScaleRule of every scale -> (n,) int,
    positions in REASONS."""
    boxes = as_boxes(boxes, np.float32)
    reasons = np.full(len(boxes), OUT_OF_RANGE)
    with np.errstate(invalid='ignore'):
        sides = np.trunc((boxes[:, 2:] - boxes[:, :2]).astype(np.float64))
        side, longer, thinner = np.sqrt(sides.prod(axis=1)), sides.max(axis=1), sides.min(axis=1)
        seeded = np.zeros(len(boxes), bool)
        for rule in rules:
            seeded |= seed_rows(boxes, rule)
            if rule.place == COARSEST:
                continue
            in_range = side < rule.high
            if rule.place != FINEST:
                in_range &= side >= rule.low
            reasons[in_range & (thinner < 2)] = TOO_THIN
            reasons[in_range & (longer >= rule.limit)] = TOO_LONG
    reasons[seeded] = CUT
    reasons[~np.isfinite(boxes).all(axis=1)] = NO_NUMBER
    return reasons
