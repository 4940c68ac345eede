"""Which class is taken for which, and for background."""
from typing import List, NamedTuple

import numpy as np

from lib.dataset.analysis.matching import NONE, Found, Pairs, match, ranks
from lib.dataset.analysis.scores import Scores
from lib.dataset.truth import Truth


class Confusion(NamedTuple):
    """table (K + 1, K + 1) int64: objects of a row's class that were found as the column's; row 0: found where nothing
    is, column 0: not found. shown (D,) bool: detections that count, by the thresholds; found (D,): object that each of
    them stands for, of whatever class, or NONE; missed (G,) bool: objects without any of them."""

    table: np.ndarray
    shown: np.ndarray
    found: np.ndarray
    missed: np.ndarray

    def pairs(self, most: int) -> List[tuple]:
        """(class, taken for, how often) of the most frequent confusions between two classes, from 1."""
        rows, columns = np.nonzero(self.table[1:, 1:])      # of thousands of classes most confuse nothing
        rows, columns = rows[rows != columns] + 1, columns[rows != columns] + 1
        counts = self.table[rows, columns]
        order = np.argsort(-counts, kind='stable')[:most]
        return list(zip(rows[order].tolist(), columns[order].tolist(), counts[order].tolist()))


def thresholds(scores: Scores, fallback: float = 0.5) -> np.ndarray:
    """(K,) score from which a class's detections are shown: that of its best F1, `fallback` where nothing is found."""
    return np.array([fallback if best is None else best.threshold for best in scores.best], np.float64)


def confusion(found: Found, truth: Truth, scores: Scores, pairs: Pairs, limits: np.ndarray) -> Confusion:
    """pairs: of all classes; limits (K,): see thresholds.

    Detections of an object's own class come first, as for AP; those that are left over are compared with the objects
    that are left over, the best first.
    """
    shown = scores.counts & (found.score >= limits[found.label - 1])
    of_class = np.where(shown, scores.found, NONE)
    left = np.append(~truth.ignored, False)
    left[of_class] = False
    left = left[:-1]
    order = np.lexsort([-found.score, found.image])
    order = order[(shown & (of_class == NONE))[order]]
    rank = np.zeros(len(shown), np.int64)
    rank[order] = ranks(found.image[order])
    waiting = np.zeros(len(shown), bool)
    waiting[order] = True
    some = pairs.take(waiting[pairs.detection] & left[pairs.truth])
    none = np.zeros(len(truth.image), bool)
    of_others = match(some, rank, [0.5], none, none)[0]
    whole = np.where(of_class != NONE, of_class, of_others)
    missed = left.copy()
    missed[of_others[of_others != NONE]] = False
    size = len(limits) + 1
    true_label = np.append(truth.label, 0)[whole]
    table = np.bincount(true_label[shown] * size + found.label[shown], minlength=size * size).reshape(size, size)
    table[:, 0] += np.bincount(truth.label[missed], minlength=size)
    return Confusion(table, shown, whole, missed)
