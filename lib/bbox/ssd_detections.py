"""Scores and offsets of a single-shot detector to rows above a score: reference/m2det.md section 10, steps 1 and 2.

Letters: P priors, C classes with the background, n rows.
"""
from typing import NamedTuple, Sequence

import numpy as np

from lib.bbox.ssd_coding import VARIANCES, decode_ssd


class SsdRows(NamedTuple):
    """n rows, class by class, within a class in the order of the priors. box (n, 4) float32 x1, y1, x2, y2 in shares of
    the picture, not clipped; label (n,) int64 from 1 on; score (n,) float32; prior (n,) int64."""

    box: np.ndarray
    label: np.ndarray
    score: np.ndarray
    prior: np.ndarray


def ssd_rows(scores, offsets, priors, threshold: float, variances: Sequence[float] = VARIANCES) -> SsdRows:
    """scores (P, C) as probabilities, offsets (P, 4), priors (P, 4) cx, cy, w, h -> a row for each score above the
    threshold, but for the background's, class 0.

    Only priors that have such a score are decoded. ValueError unless all have P rows.
    """
    scores = np.asarray(scores, np.float32)
    if not len(scores) == len(offsets) == len(priors):
        raise ValueError(f'{len(scores)} rows of scores and {len(offsets)} of offsets for {len(priors)} priors')
    limit = np.float32(threshold)
    # Most priors are background: the few others are found by the best of their scores.
    rows = np.flatnonzero(scores[:, 1:].max(axis=1, initial=-np.inf) > limit)
    label, place = np.nonzero(scores[rows, 1:].T > limit)
    boxes = decode_ssd(np.asarray(offsets, np.float32)[rows], np.asarray(priors)[rows], variances)
    label += 1
    return SsdRows(boxes[place], label, scores[rows[place], label], rows[place])
