"""How often the windows of each scale come in an epoch (TRAIN.SCALE_WEIGHTS).

A weight is a share of samples and no factor on a loss: a loss that counts three times would make three times the step
from the same picture, while the means of batch norms and the other samples of the batch stayed those of the fine
scales. Samples that come more often are drawn, cut and jittered anew, in other batches and by another grid of chips in
every epoch.
"""
from typing import List, Sequence

import numpy as np


def samples_of(windows: int, weight: float) -> int:
    """Samples that `windows` windows make in an epoch: weight x windows, rounded, one at least."""
    return max(1, round(weight * windows)) if windows else 0


def samples_per_scale(windows: Sequence[int], weights: Sequence[float]) -> List[int]:
    """Windows of each scale -> samples of each scale. No weights: as many."""
    return [samples_of(int(count), weight) for count, weight in zip(windows, weights or [1] * len(windows))]


def weighted_rows(level: np.ndarray, negative: np.ndarray, weights: Sequence[float], rng) -> np.ndarray:
    """Rows of a table of windows that an epoch is made of -> (m,) int64, ascending; a row may come several times.

    level (n,): scale of each window; negative (n,): whether it is one of background; weights: one a scale, () = all
    rows once. Of weight 2.4, windows come twice, and 0.4 of them, drawn by numpy Generator `rng`, a third time. Those
    with objects and those of background are counted apart, so that neither gains on the other within a scale.
    """
    if not len(weights):
        return np.arange(len(level))
    chosen = [np.zeros(0, np.int64)]
    for scale, weight in enumerate(weights):
        for background in (False, True):
            rows = np.flatnonzero((level == scale) & (negative == background))
            times, more = divmod(samples_of(len(rows), weight), max(len(rows), 1))
            chosen += [np.repeat(rows, times), rng.choice(rows, size=more, replace=False) if more else rows[:0]]
    return np.sort(np.concatenate(chosen))
