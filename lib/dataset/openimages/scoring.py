"""Average precision by the rules of Open Images, version 2 and the challenges.

A detection counts only if somebody has verified whether its class is in the picture. In score order, a detection is of
the object that it overlaps most; the first one of each object that overlaps it by half (IoU) is right. Of the others,
those that lie half (share of the detection) in a box around a group are absorbed by the box where they lie deepest; the
rest is wrong. A group counts as `group_weight` objects: 1 in the challenges, where the best detection that it absorbed
is right, and 0 in version 2, where absorbed detections do not count. Source: reference/other_detectors.md B ("Metric").
"""
from typing import NamedTuple, Optional, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.truth import Truth
from lib.dataset.voc_eval import area_ap

OVERLAP = 0.5
NO_TRUTH = -1.0         # mean of no class
PAIRS = 1 << 21         # of detections and boxes that are looked at at a time
RECALLS = np.linspace(0, 1, 101)    # at which the mean curve is told


class OpenImagesScores(NamedTuple):
    """k classes that have truths: label (k,) int64, ascending; truths, groups, found (k,) int64: objects, boxes around
    groups, detections that count; right (k,) float64: weight of what is right; ap (k,) float64; mean: of these,
    NO_TRUTH where k is 0; precision (101,) float64: mean over classes of the best precision at each of RECALLS
    or above."""

    label: np.ndarray
    truths: np.ndarray
    groups: np.ndarray
    found: np.ndarray
    right: np.ndarray
    ap: np.ndarray
    mean: float
    precision: np.ndarray


def openimages_ap(truth: Truth, detections: Detections, verified: Optional[np.ndarray] = None,
                  group_weight: float = 0.0, overlap: float = OVERLAP) -> OpenImagesScores:
    """Average precision of each class, and its mean over the classes that have truths.

    truth: boxes around groups are its `crowd`; corners are inclusive, as those of the detections. truth.image and
    detections.image number the same images. verified (v, 2): pairs (image, label) that somebody has looked at; a pair
    that truth has a box of counts too; None: all pairs. Of equal scores the detection given first comes first.
    """
    truth = truth.take(~truth.ignored | truth.crowd)
    detections = detections.take(_verified(detections, truth, verified))
    boxes = np.lexsort([truth.image, truth.label])
    found = np.lexsort([-detections.score.astype(np.float64), detections.image, detections.label])
    labels = np.unique(truth.label)
    rows = [_of_class(*parts, group_weight, overlap) for parts in zip(
        _split(truth, boxes, truth.label, labels), _split(detections, found, detections.label, labels))]
    kept = [row for row in rows if row[0] + group_weight * row[1] > 0]
    chosen = np.array([row[0] + group_weight * row[1] > 0 for row in rows], bool)
    columns = list(zip(*kept)) or [()] * 6
    truths, groups, counts, right, ap = (np.array(column, kind) for column, kind in zip(
        columns, (np.int64, np.int64, np.int64, np.float64, np.float64)))
    return OpenImagesScores(labels[chosen], truths, groups, counts, right, ap, float(ap.mean()) if kept else NO_TRUTH,
                            np.mean(columns[5], axis=0) if kept else np.zeros(len(RECALLS)))


def _verified(detections, truth, verified) -> np.ndarray:
    """(n,) bool."""
    if verified is None:
        return np.ones(len(detections), bool)
    pairs = np.asarray(verified, np.int64).reshape(-1, 2)
    span = 1 + max([int(values.max(initial=0)) for values in (detections.label, truth.label, pairs[:, 1])])
    known = np.concatenate([pairs[:, 0] * span + pairs[:, 1], truth.image.astype(np.int64) * span + truth.label])
    return np.isin(detections.image.astype(np.int64) * span + detections.label, known)


def _split(rows, order, label, labels):
    """The rows of each label, in an order that has them label by label."""
    starts, ends = (np.searchsorted(label[order], labels, side=side) for side in ('left', 'right'))
    return [rows.take(order[start:end]) for start, end in zip(starts, ends)]


def _of_class(truth: Truth, detections: Detections, group_weight, overlap) -> tuple:
    """(objects, groups, detections that count, weight of those that are right, AP, precision at RECALLS) of one class;
    both come image by image, detections best first."""
    objects, groups = truth.take(~truth.crowd), truth.take(truth.crowd)
    box, image = detections.box.astype(np.float64), detections.image
    iou, index = _deepest(box, image, objects, False)
    hit = np.flatnonzero(iou >= overlap)
    _, first = np.unique(index[hit], return_index=True)
    right = np.zeros(len(box), bool)
    right[hit[first]] = True
    left = np.flatnonzero(~right)
    share, group = _deepest(box[left], image[left], groups, True)
    absorbed, group = left[share >= overlap], group[share >= overlap]
    counted = np.ones(len(box), bool)
    counted[absorbed] = False
    score = detections.score.astype(np.float64)
    weight, scores = right[counted].astype(np.float64), score[counted]
    if group_weight > 0 and len(absorbed):
        best = np.full(len(groups.image), -np.inf)
        np.maximum.at(best, group, score[absorbed])
        best = best[np.isfinite(best)]
        weight, scores = np.append(weight, np.full(len(best), group_weight)), np.append(scores, best)
    order = np.argsort(-scores, kind='stable')
    weight = weight[order]
    wanted = len(objects.image) + group_weight * len(groups.image)
    hits = np.cumsum(weight)
    wrong = np.cumsum(weight == 0)
    recall, precision = hits / max(wanted, 1), hits / np.maximum(hits + wrong, 1)
    return (len(objects.image), len(groups.image), len(weight), float(weight.sum()), area_ap(recall, precision),
            _at_recalls(recall, precision))


def _at_recalls(recall, precision) -> np.ndarray:
    """(101,): the best precision at each of RECALLS or above, 0 beyond the last."""
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return best[np.searchsorted(recall, RECALLS - 1e-9)]


def _deepest(box, image, truth: Truth, in_truth: bool) -> Tuple[np.ndarray, np.ndarray]:
    """Of each detection (n, 4), which come image by image: the largest IoU with a box of its image, or the largest
    share of the detection in one; and which box that is (n,). -1 where the image has none."""
    overlap, index = np.full(len(box), -1.0), np.full(len(box), -1)
    start, end = (np.searchsorted(truth.image, image, side=side) for side in ('left', 'right'))
    counts = end - start
    some = np.flatnonzero(counts)
    ends = np.cumsum(counts[some])
    first = 0
    while first < len(some):
        last = max(first + 1, int(np.searchsorted(ends, (ends[first - 1] if first else 0) + PAIRS, side='right')))
        part = some[first:last]
        segments = np.concatenate([[0], np.cumsum(counts[part])])
        of_pair = np.repeat(np.arange(len(part)), counts[part])
        other = start[part][of_pair] + np.arange(segments[-1]) - segments[:-1][of_pair]
        values = _overlap(box[part][of_pair], truth.box[other], in_truth)
        best = np.maximum.reduceat(values, segments[:-1])
        where = np.flatnonzero(values == best[of_pair])
        _, earliest = np.unique(of_pair[where], return_index=True)
        overlap[part], index[part] = best, other[where[earliest]]
        first = last
    return overlap, index


def _overlap(boxes, others, in_other: bool) -> np.ndarray:
    """(p,) IoU of pairs of boxes (p, 4), or the share of the first that lies in the second."""
    low, high = np.maximum(boxes[:, :2], others[:, :2]), np.minimum(boxes[:, 2:], others[:, 2:])
    common = np.maximum(high - low + 1, 0).prod(axis=1)
    area = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    whole = area if in_other else area + (others[:, 2:] - others[:, :2] + 1).prod(axis=1) - common
    return np.where(whole > 0, common / np.where(whole > 0, whole, 1), 0.0)
