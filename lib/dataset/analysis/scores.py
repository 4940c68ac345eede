"""How good detections are: average precision by class and size, curves, thresholds.

COCO's measure: precision at 101 recalls, each the best one at that recall or above; objects of other sizes than asked
for, and detections of other sizes that have found none, do not count. On data in COCO's format the numbers are those
of pycocotools.
Letters: D detections, G objects, K classes without background, T thresholds of IoU, A ranges of areas.
"""
from typing import List, NamedTuple, Optional

import numpy as np

from lib.dataset.analysis.matching import NONE, Found, Pairs, match
from lib.dataset.truth import Truth

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
# Pixels of area; an object on a limit is of both.
SIZES = {'all': (0, 1e10), 'small': (0, 32 ** 2), 'medium': (32 ** 2, 96 ** 2), 'large': (96 ** 2, 1e10)}
BINS = 20          # of the histograms of scores
NOT_THERE = -1.0   # AP of a class without objects


class Scores(NamedTuple):
    """AP and what belongs to it.

    ap (A, T, K) NOT_THERE without objects; precision (T, 101, K) at RECALLS, all sizes; objects (A, K) that count;
    detections (K,); best: BestF1 of each class, None without objects that were found; right, wrong (K, BINS): numbers
    of detections by score; found (D,): object that each has found at IoU 0.5, or NONE; counts (D,) bool: not ignored.
    """

    ap: np.ndarray
    precision: np.ndarray
    objects: np.ndarray
    detections: np.ndarray
    best: List[Optional['BestF1']]
    right: np.ndarray
    wrong: np.ndarray
    found: np.ndarray
    counts: np.ndarray

    def mean(self, size: str = 'all', thresholds=slice(None)) -> float:
        """Mean over thresholds (an index of THRESHOLDS) and the classes that have objects; NOT_THERE without any."""
        return mean_of_valid(self.ap[list(SIZES).index(size), thresholds])

    def of_class(self, index: int, size: str = 'all', thresholds=slice(None)) -> float:
        """The same of class `index`, from 0."""
        return mean_of_valid(self.ap[list(SIZES).index(size), thresholds, index])


class BestF1(NamedTuple):
    """The score from which detections have to count so that F1, of precision and recall at IoU 0.5, is highest."""

    threshold: float
    f1: float
    precision: float
    recall: float


def mean_of_valid(values: np.ndarray) -> float:
    """Mean of those that are there; NOT_THERE if none is."""
    values = np.asarray(values)
    valid = values[values > NOT_THERE]
    return float(valid.mean()) if valid.size else NOT_THERE


def score(found: Found, truth: Truth, pairs: Pairs, num_classes: int) -> Scores:
    """pairs: those of a detection and an object of its class; num_classes: background included."""
    classes = num_classes - 1
    ap = np.full((len(SIZES), len(THRESHOLDS), classes), NOT_THERE)
    precision = np.full((len(THRESHOLDS), len(RECALLS), classes), NOT_THERE)
    objects = np.zeros((len(SIZES), classes), np.int64)
    best: List[Optional[BestF1]] = [None] * classes
    order = np.lexsort([-found.score, found.label])
    ends = np.searchsorted(found.label[order], np.arange(1, num_classes + 1))
    for number, (low, high) in enumerate(SIZES.values()):
        ignored = truth.ignored | (truth.area < low) | (truth.area > high)
        matched = match(pairs, found.rank, THRESHOLDS, ignored, truth.ignored)
        right, wrong = _verdicts(matched, ignored, (found.area < low) | (found.area > high))
        objects[number] = np.bincount(truth.label[~ignored], minlength=num_classes)[1:]
        for index in np.flatnonzero(objects[number]).tolist():
            rows = order[ends[index]:ends[index + 1]]
            curves = curve(right[:, rows], wrong[:, rows], int(objects[number, index]))
            at_recalls = np.array([at_levels(*of_threshold) for of_threshold in zip(*curves)])
            ap[number, :, index] = at_recalls.mean(axis=1)
            if number == 0:
                precision[:, :, index] = at_recalls
                best[index] = best_f1(curves[0][0], curves[1][0], found.score[rows])
        if number == 0:
            of_all = matched[0], right[0], wrong[0]
    of_half, hit, miss = of_all
    return Scores(ap, precision, objects, np.bincount(found.label, minlength=num_classes)[1:], best,
                  _histogram(found, hit, classes), _histogram(found, miss, classes), of_half, hit | miss)


def _verdicts(matched, ignored, other_size):
    """(T, D) object found -> (right (T, D), wrong (T, D)); what is neither does not count."""
    hit = matched != NONE
    real = ~np.append(ignored, False)[matched]      # index NONE is the last one
    return hit & real, ~hit & ~other_size


def curve(right: np.ndarray, wrong: np.ndarray, objects: int) -> tuple:
    """(..., n) bool, best detection first, -> recall (..., n), precision (..., n) after each detection."""
    right, wrong = np.cumsum(right, axis=-1), np.cumsum(wrong, axis=-1)
    return right / max(objects, 1), right / np.maximum(right + wrong, np.spacing(1))


def at_levels(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Curve (n,) -> (101,) the best precision at each of RECALLS or above, 0 where that is not reached."""
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return envelope[np.searchsorted(recall, RECALLS, side='left')]


def best_f1(recall: np.ndarray, precision: np.ndarray, scores: np.ndarray) -> Optional[BestF1]:
    """Curve of a class and the scores of its detections, best first -> BestF1, None where nothing was found."""
    f1 = 2 * recall * precision / np.maximum(recall + precision, np.spacing(1))
    f1[:-1][scores[1:] == scores[:-1]] = 0.0        # a threshold takes all of one score
    if not f1.any():
        return None
    place = int(np.argmax(f1))
    return BestF1(*(float(values[place]) for values in (scores, f1, precision, recall)))


def _histogram(found, chosen, classes):
    """(K, BINS) numbers of detections by class and score."""
    place = np.clip((found.score[chosen] * BINS).astype(np.int64), 0, BINS - 1)
    cells = (found.label[chosen] - 1) * BINS + place
    return np.bincount(cells, minlength=classes * BINS).reshape(classes, BINS)
