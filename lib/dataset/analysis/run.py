"""Everything that is said of the detections of a test."""
from typing import NamedTuple, Optional

import numpy as np

from lib.bbox.detections import Detections, check_range
from lib.dataset.analysis.confusion import Confusion, confusion, thresholds
from lib.dataset.analysis.errors import Errors, find_errors
from lib.dataset.analysis.matching import Found, find_pairs
from lib.dataset.analysis.scores import Scores, score
from lib.dataset.truth import Truth


class Analysis(NamedTuple):
    """found: the detections; the rest is None without any object that counts. limits (K,): scores from which
    detections are shown."""

    found: Found
    scores: Optional[Scores] = None
    errors: Optional[Errors] = None
    confusion: Optional[Confusion] = None
    limits: Optional[np.ndarray] = None


def analyse(detections: Detections, truth: Truth, num_classes: int, num_images: int) -> Analysis:
    """Detections in original pixels, `image` and `label` those of the data set. ValueError for one that there is not.
    """
    check_range(detections, num_classes, num_images)
    found = Found.of(detections)
    if not (~truth.ignored).any():
        return Analysis(found)
    pairs, same, other = find_pairs(found, truth)
    of_class = pairs.take(found.label[pairs.detection] == truth.label[pairs.truth])
    scores = score(found, truth, of_class, num_classes)
    limits = thresholds(scores)
    return Analysis(found, scores, find_errors(found, truth, scores, same, other, num_classes),
                    confusion(found, truth, scores, pairs, limits), limits)
