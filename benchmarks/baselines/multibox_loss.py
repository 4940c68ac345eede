"""Matching and loss of single-shot detectors in NumPy, vectorised over priors and classes, in float32.

What one would write without the operator (reference/m2det.md, sections 6 and 7): whatever only few priors need, their
offsets and gradients, is computed for these alone.
"""
from typing import Tuple

import numpy as np

from lib.bbox.ssd_coding import encode_ssd, prior_corners


def match(truths, priors, threshold: float = 0.5) -> Tuple[np.ndarray, np.ndarray]:
    """truths (G, 5) x1, y1, x2, y2, class, G above 0; priors (P, 4) -> classes (P,), offsets (P, 4)."""
    corners = prior_corners(priors)
    sides = np.maximum(np.minimum(truths[:, None, 2:4], corners[:, 2:]) -
                       np.maximum(truths[:, None, :2], corners[:, :2]), 0)
    shared = sides[..., 0] * sides[..., 1]
    areas = (truths[:, 2] - truths[:, 0]) * (truths[:, 3] - truths[:, 1])
    of_priors = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    overlaps = shared / (areas[:, None] + of_priors - shared)
    best = overlaps.argmax(axis=0)
    positive = overlaps.max(axis=0) >= threshold
    own = overlaps.argmax(axis=1)
    best[own], positive[own] = np.arange(len(truths)), True
    places = np.flatnonzero(positive)
    classes, offsets = np.zeros(len(priors), np.int32), np.zeros((len(priors), 4), np.float32)
    classes[places] = truths[best[places], 4]
    offsets[places] = encode_ssd(truths[best[places], :4], priors[places])
    return classes, offsets


def loss(cls_pred, loc_pred, cls_target, loc_target, ratio: int = 3) -> tuple:
    """-> (class loss, box loss, gradient of the first by cls_pred (B, P, C), of the second by loc_pred (B, P, 4))."""
    largest = cls_pred.max(axis=2)
    sums = np.log(np.exp(cls_pred - largest[..., None]).sum(axis=2)) + largest
    losses = sums - np.take_along_axis(cls_pred, cls_target[..., None], axis=2)[..., 0]
    used = positive = cls_target > 0
    used = used.copy()
    for image, counts in enumerate(positive):
        negatives = min(ratio * int(counts.sum()), len(counts) - 1)
        if negatives:
            ranks = np.where(counts, 0, losses[image])
            used[image, np.argpartition(-ranks, negatives - 1)[:negatives]] = True
    count = max(1, int(positive.sum()))
    cls_grad, loc_grad = np.zeros_like(cls_pred), np.zeros_like(loc_pred)
    shares = np.exp(cls_pred[used] - sums[used][:, None])
    shares[np.arange(len(shares)), cls_target[used]] -= 1
    cls_grad[used] = shares / count
    difference = loc_pred[positive] - loc_target[positive]
    size = np.abs(difference)
    loc_grad[positive] = np.clip(difference, -1, 1) / count
    return (losses[used].sum() / count, np.where(size < 1, 0.5 * difference ** 2, size - 0.5).sum() / count, cls_grad,
            loc_grad)
