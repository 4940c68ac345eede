"""Anchors that match the objects as the network sees them, and how many they match."""
from typing import NamedTuple, Sequence, Tuple

import numpy as np

from lib.tasks.anchor_fit import best_overlaps

RECALLS = (0.5, 0.7)   # IoU at which recall is told
WORTH = 0.02           # recall at 0.5 that other anchors must gain: others than usual do not fit weights that are there
MOST_RATIOS = 5


class Anchors(NamedTuple):
    """scales: in feature strides; ratios: height / width; recall: share of the objects that an anchor overlaps by each
    of RECALLS; changed: whether they differ from those that were given."""

    scales: Tuple[float, ...]
    ratios: Tuple[float, ...]
    recall: Tuple[float, ...]
    changed: bool = False


def choose_anchors(shown: np.ndarray, stride: int, ratios: Sequence[float], scales: Sequence[float]) -> Anchors:
    """The anchors given, or others where these match clearly more of the objects.

    shown: (k, 2) widths and heights in network pixels.
    """
    usual = Anchors(tuple(scales), tuple(ratios), recall(shown, stride, ratios, scales))
    if not len(shown):
        return usual
    best = usual
    for new_ratios, new_scales in ((ratios, _fitting_scales(shown, stride, len(scales))),
                                   (_fitting_ratios(shown, ratios), scales),
                                   (_fitting_ratios(shown, ratios), _fitting_scales(shown, stride, len(scales)))):
        found = Anchors(tuple(new_scales), tuple(new_ratios), recall(shown, stride, new_ratios, new_scales), True)
        if found.recall[0] > best.recall[0] + WORTH:
            best = found
    return best


def recall(shown: np.ndarray, stride: int, ratios, scales) -> Tuple[float, ...]:
    """Share of (k, 2) widths and heights whose best anchor, as far away as cells are, has an IoU of each of RECALLS."""
    overlaps = best_overlaps(shown, stride, ratios, scales)
    return tuple(float((overlaps >= least).mean()) if len(overlaps) else 0.0 for least in RECALLS)


def _fitting_scales(shown, stride, count):
    low, high = np.quantile(np.sqrt(shown.prod(axis=1)), (0.02, 0.98)) / stride
    return tuple(sorted({float(f'{scale:.2g}') for scale in np.geomspace(low, max(high, 1.01 * low), count)}))


def _fitting_ratios(shown, ratios):
    """So many ratios, spread over the shapes of the objects; more of them where shapes differ much."""
    shapes = np.log(shown[:, 1] / shown[:, 0])
    low, high = np.quantile(shapes, (0.05, 0.95))
    count = int(np.clip(1 + np.ceil((high - low) / np.log(2.2)), len(ratios), MOST_RATIOS))
    return tuple(sorted({float(f'{np.exp(ratio):.2g}') for ratio in np.linspace(low, high, count)}))
