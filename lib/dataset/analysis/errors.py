"""What kinds of errors there are, and what each costs.

The method is TIDE (Bolya et al. 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors", sections 2.2
and 2.3), at an IoU of 0.5 for found and 0.1 for background. Every wrong detection is of one kind; where several fit,
the first of KINDS. The cost of a kind is what AP gains when these errors alone are mended. Costs do not add up to what
is missing: a mended error can uncover another. Where a mended detection and another one have found the same object, the
one with the higher score stays, as the paper says; the authors' program always drops the mended one.
Letters: D detections, G objects, K classes without background.
"""
from typing import Dict, NamedTuple

import numpy as np

from lib.dataset.analysis.matching import BACKGROUND, FOREGROUND, NONE, Found, Nearest
from lib.dataset.analysis.scores import NOT_THERE, Scores, at_levels, curve, mean_of_valid
from lib.dataset.truth import Truth

# In the order in which they are asked for.
PLACE, CLASS, DOUBLE, NOTHING, BOTH, MISSED = 'place', 'class', 'double', 'background', 'both', 'missed'
KINDS = (PLACE, CLASS, DOUBLE, NOTHING, BOTH)
WRONG, UNFOUND = 'all wrong detections', 'all objects not found'


class Errors(NamedTuple):
    """kind (D,) int64: place in KINDS, NONE for what is right or does not count; missed (G,) bool: objects that no
    detection has found, of a wrong class or in a wrong place either; ap: AP at IoU 0.5; gain: {kind of KINDS, MISSED,
    WRONG or UNFOUND: what AP would gain}; number: {kind: errors}."""

    kind: np.ndarray
    missed: np.ndarray
    ap: float
    gain: Dict[str, float]
    number: Dict[str, int]


class _Labelled(NamedTuple):
    """Detections that count, as an AP is made of them."""

    label: np.ndarray
    score: np.ndarray
    right: np.ndarray


def find_errors(found: Found, truth: Truth, scores: Scores, same: Nearest, other: Nearest, num_classes: int) -> Errors:
    """scores: of the same detections and objects; same, other: the nearest objects that count, find_pairs."""
    wrong, right = scores.counts & (scores.found == NONE), scores.counts & (scores.found != NONE)
    fits = np.stack([(same.overlap >= BACKGROUND) & (same.overlap < FOREGROUND), other.overlap >= FOREGROUND,
                     same.overlap >= FOREGROUND, np.maximum(same.overlap, other.overlap) < BACKGROUND,
                     np.ones(len(wrong), bool)])
    kind = np.where(wrong, fits.argmax(axis=0), NONE)
    target = np.select([right, kind == KINDS.index(PLACE), kind == KINDS.index(CLASS)],
                       [scores.found, same.truth, other.truth], NONE)
    reached = np.zeros(len(truth.image) + 1, bool)
    reached[target] = True
    unfound, missed = ~truth.ignored, ~truth.ignored & ~reached[:-1]
    unfound[scores.found[right]] = False
    positives = np.bincount(truth.label[~truth.ignored], minlength=num_classes)[1:]
    base = _Labelled(found.label, found.score, right)
    ap = _ap(base, scores.counts, positives)

    def gained(labelled, kept, objects=positives):
        return _ap(labelled, kept, objects, positives) - ap
    gain = {}
    for place, name in enumerate(KINDS):
        errors = kind == place
        if name in (PLACE, CLASS):
            labelled, kept = _mended(base, scores.counts, errors, target, truth)
            gain[name] = gained(labelled, kept)
        else:
            gain[name] = gained(base, scores.counts & ~errors)
    gain[MISSED] = gained(base, scores.counts, positives - _by_class(truth, missed, num_classes))
    gain[WRONG] = gained(base, right)
    gain[UNFOUND] = gained(base, scores.counts, positives - _by_class(truth, unfound, num_classes))
    number = {name: int(np.count_nonzero(kind == place)) for place, name in enumerate(KINDS)}
    number.update({MISSED: int(missed.sum()), WRONG: int(wrong.sum()), UNFOUND: int(unfound.sum())})
    return Errors(kind, missed, ap, gain, number)


def _by_class(truth, chosen, num_classes):
    return np.bincount(truth.label[chosen], minlength=num_classes)[1:]


def _mended(base, counts, errors, target, truth):
    """Errors become right: of all that then have found the same object, errors and the right one, the best stays."""
    label, right, kept = base.label.copy(), base.right | errors, counts.copy()
    label[errors] = truth.label[target[errors]]
    claims = np.flatnonzero(right)
    claims = claims[np.lexsort([-base.score[claims], target[claims]])]
    again = np.append(False, target[claims][1:] == target[claims][:-1])[:len(claims)]
    kept[claims[again]] = False
    return _Labelled(label, base.score, right), kept


def _ap(labelled, kept, objects, of_classes=None):
    """Mean AP of the detections `kept` over the classes that have objects; objects (K,): how many are to be found."""
    rows = np.flatnonzero(kept)
    rows = rows[np.lexsort([-labelled.score[rows], labelled.label[rows]])]
    label, right = labelled.label[rows], labelled.right[rows]
    ends = np.searchsorted(label, np.arange(1, len(objects) + 2))
    values = np.full(len(objects), NOT_THERE)
    for index in np.flatnonzero(objects if of_classes is None else of_classes).tolist():
        hits = right[ends[index]:ends[index + 1]]
        values[index] = at_levels(*curve(hits, ~hits, int(objects[index]))).mean() if len(hits) else 0.0
    return mean_of_valid(values)
