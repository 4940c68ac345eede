"""Are there priors as large as the network sees objects in training? Those that no prior overlaps well have one that
learns them, and not where it looks."""
from typing import List, Sequence

import numpy as np

from configs.m2det_keys import Pyramid
from lib.bbox.priors import BOXES_A_CELL, ssd_priors
from lib.chips.seen_sizes import SeenScale, number
from lib.dataset.object_sizes import ObjectSizes

POOR_IOU = 0.3      # of an object's best prior, below which little is learnt of it
MANY = 0.25         # share of such objects from which on it is worth a line
LOOKED_AT = 5000    # objects


def flat_warnings(scales: Sequence[SeenScale], sizes: ObjectSizes) -> List[str]:
    """A sentence with figure and mend if objects of a training have no area as a single-shot detector counts it, from
    corner to corner: nothing is learnt of them."""
    taken = np.zeros(len(sizes.objects), bool)
    for scale in scales:
        taken |= scale.taken
    shown = sizes.objects[taken]
    flat = int((shown.min(axis=1) <= 0).sum()) if len(shown) else 0
    return [f'{flat} of {len(shown)} objects in training are one pixel wide or high, and nothing is learnt of them: '
            'look at their boxes, which may be points, or shares of the image in place of pixels'] if flat else []


def prior_warnings(scales: Sequence[SeenScale], sizes: ObjectSizes, pyramid: Pyramid) -> List[str]:
    """A sentence with figure and mend if many objects of a training have no prior of about their size."""
    shown = np.concatenate([np.zeros((0, 2))] + [
        sizes.objects[scale.taken] * scale.factor[sizes.image[scale.taken], None] for scale in scales])
    shown = shown[:: -(-len(shown) // LOOKED_AT)] if len(shown) > LOOKED_AT else shown
    poor = _poor(shown, pyramid)
    if not len(poor) or poor.mean() <= MANY:
        return []
    low, high = np.quantile(np.sqrt(shown.prod(axis=1)), (0.05, 0.95))
    smallest, largest = pyramid.sizes[0] * pyramid.size, pyramid.sizes[-2] * pyramid.size
    fitting = _fitting(shown, pyramid)
    helps = _poor(shown, pyramid._replace(sizes=fitting)).mean() < 0.6 * poor.mean()
    mend = (f"--set M2DET.size_pattern '[{', '.join(f'{size:g}' for size in fitting)}]'" if helps else
            'show them larger, by M2DET.input_size')
    return [f'{100 * poor.mean():.0f} % of the objects in training have no prior that overlaps them by {POOR_IOU}: the '
            f'network sees sides of {number(low)} to {number(high)} pixels, priors have {number(smallest)} to '
            f'{number(largest)}: {mend}']


def _poor(shown, pyramid):
    """(k,) bool: whether the best prior of each of (k, 2) widths and heights in network pixels has an IoU below
    POOR_IOU, a quarter of a cell away on both axes: the middling distance to a cell."""
    priors = ssd_priors(pyramid.size, pyramid.steps, pyramid.sizes)[:, 2:] * pyramid.size
    counts = np.cumsum([0] + [BOXES_A_CELL * side * side for side in pyramid.sides[:-1]])
    best = np.zeros(len(shown))
    for first, step in zip(counts, pyramid.steps):
        shapes = priors[first:first + BOXES_A_CELL]
        smaller = np.minimum(shown[:, None], shapes[None])
        shared = np.clip((shown[:, None] + shapes[None]) / 2 - step / 4, 0, smaller).prod(axis=2)
        overlap = shared / (shown.prod(axis=1)[:, None] + shapes.prod(axis=1)[None] - shared)
        best = np.maximum(best, overlap.max(axis=1))
    return best < POOR_IOU


def _fitting(shown, pyramid):
    """Sizes, shares of the input, from those of small objects to those of large ones."""
    sides = np.sqrt(np.maximum(shown.prod(axis=1), 1)) / pyramid.size
    low, high = np.quantile(sides, 0.2), max(np.quantile(sides, 0.98), 2 * np.quantile(sides, 0.2))
    return tuple(float(f'{size:.2g}') for size in np.geomspace(low, high, len(pyramid.sizes)))
