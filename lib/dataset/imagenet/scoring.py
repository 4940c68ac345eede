"""Average precision by the rules of the ILSVRC detection task (its program eval_detection.m).

Boxes are inclusive. A truth of w x h pixels is hit from the overlap min(0.5, wh / ((w + 10)(h + 10))) on, which lets
small ones be off by about five pixels a side. The detections of an image take truths of their class, best score first:
of those not taken and hit, the one of the highest overlap. What takes none is wrong; there are no difficult objects.
Source: reference/more_rfcn3k.md ("DET evaluation rule").
"""
from typing import Iterable, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.truth import Truth
from lib.dataset.voc_eval import area_ap

OVERLAP = 0.5       # from which a large truth is hit
MARGIN = 10         # pixels that a side of a small one may be off, both ends together
NO_TRUTH = -1.0     # mean of no class


class DetScores(NamedTuple):
    """k classes that have truths: label (k,) int64, ascending; truths, found, right (k,) int64: truths, detections, and
    those of them that are right; ap (k,) float64; mean: of these, NO_TRUTH where k is 0."""

    label: np.ndarray
    truths: np.ndarray
    found: np.ndarray
    right: np.ndarray
    ap: np.ndarray
    mean: float


def imagenet_det_ap(truth: Truth, detections: Detections, classes: Optional[Sequence[int]] = None,
                    blacklist: Iterable[Tuple[int, int]] = ()) -> DetScores:
    """Average precision of each class, and its mean over the classes that have truths.

    truth.image and detections.image number the same images; of equal scores the detection given first comes first.
    classes: labels that count, those that both truths and detector know, None for all; blacklist: pairs (image, label)
    whose detections do not count. What is ignored in `truth` is no truth.
    """
    truth = truth.take(~truth.ignored)
    if classes is not None:
        known = np.asarray(list(classes), np.int64)
        truth = truth.take(np.isin(truth.label, known))
    labels, truths = np.unique(truth.label, return_counts=True)
    detections = detections.take(np.isin(detections.label, labels) & ~_among(detections, blacklist))
    order = np.lexsort([-detections.score.astype(np.float64), detections.label])
    label, right = detections.label[order], match(truth, detections)[order]
    starts, ends = np.searchsorted(label, labels), np.searchsorted(label, labels, side='right')
    ap = np.array([_average_precision(right[start:end], count) for start, end, count in zip(starts, ends, truths)])
    hits = np.concatenate([[0], np.cumsum(right)])
    return DetScores(labels, truths, ends - starts, hits[ends] - hits[starts], ap,
                     float(ap.mean()) if len(ap) else NO_TRUTH)


def match(truth: Truth, detections: Detections) -> np.ndarray:
    """(n,) bool: which detections are right. A cell is an image and a class; only cells with both are looked at."""
    right = np.zeros(len(detections), bool)
    span = 1 + max((int(rows.label.max()) for rows in (truth, detections) if len(rows.label)), default=0)
    of_truth = truth.image.astype(np.int64) * span + truth.label
    of_found = detections.image.astype(np.int64) * span + detections.label
    rows = np.flatnonzero(np.isin(of_found, of_truth))
    rows = rows[np.lexsort([-detections.score[rows].astype(np.float64), of_found[rows]])]
    by_cell = np.argsort(of_truth, kind='stable')
    cells, starts = np.unique(of_found[rows], return_index=True)
    firsts, lasts = (np.searchsorted(of_truth[by_cell], cells, side=side) for side in ('left', 'right'))
    for start, end, first, last in zip(starts, np.append(starts[1:], len(rows)), firsts, lasts):
        of_cell = rows[start:end]
        right[of_cell] = _match_cell(truth.box[by_cell[first:last]], detections.box[of_cell].astype(np.float64))
    return right


def least_overlap(box: np.ndarray) -> np.ndarray:
    """(n, 4) truths -> (n,) overlap from which each is hit."""
    wide, high = (box[:, axis + 2] - box[:, axis] + 1 for axis in (0, 1))
    return np.minimum(OVERLAP, wide * high / ((wide + MARGIN) * (high + MARGIN)))


def _match_cell(truths, boxes) -> np.ndarray:
    """(n,) bool: which of the boxes, best score first, are right."""
    low, high = np.maximum(truths[:, None, :2], boxes[:, :2]), np.minimum(truths[:, None, 2:], boxes[:, 2:])
    common = np.maximum(high - low + 1, 0).prod(axis=2)     # (truths, boxes)
    areas, of_truths = ((rows[:, 2:] - rows[:, :2] + 1).prod(axis=1) for rows in (boxes, truths))
    overlap = common / (areas + of_truths[:, None] - common)
    overlap[overlap < least_overlap(truths)[:, None]] = -1
    right = np.zeros(len(boxes), bool)
    for place in np.flatnonzero((overlap >= 0).any(axis=0)):
        best = int(overlap[:, place].argmax())
        if overlap[best, place] >= 0:
            right[place] = True
            overlap[best] = -1      # taken
    return right


def _average_precision(right, truths) -> float:
    hits = np.cumsum(right)
    return area_ap(hits / truths, hits / np.arange(1, len(right) + 1))


def _among(detections, pairs) -> np.ndarray:
    """(n,) bool: whether a detection is of one of the pairs (image, label)."""
    pairs = np.array(list(pairs), np.int64).reshape(-1, 2)
    span = 1 + max([int(detections.label.max(initial=0)), *pairs[:, 1].tolist()])
    return np.isin(detections.image.astype(np.int64) * span + detections.label, pairs[:, 0] * span + pairs[:, 1])
