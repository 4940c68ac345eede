"""What every prior of a single-shot detector should say: class and offsets (SSD, ECCV 2016; reference/m2det.md 6)."""
from typing import Sequence, Tuple

import numpy as np

from lib.bbox.boxes import COVERED, as_boxes
from lib.bbox.ssd_coding import VARIANCES, encode_ssd
from lib.targets.prior_matching_ext import Matcher

THRESHOLD = 0.5     # overlap from which on a prior is of an object; exactly this is enough


class PriorTargets:
    """Matching against one set of priors, (P, 4) float32 cx, cy, w, h in shares of the image; not for two threads.

    variances: units of the offsets, see lib.bbox.ssd_coding.
    """

    def __init__(self, priors, variances: Sequence[float] = VARIANCES):
        self.variances = tuple(variances)
        self.priors = as_boxes(priors, np.float32, name='priors')
        self._matcher = Matcher(self.priors)

    def match(self, truths, threshold: float = THRESHOLD) -> Tuple[np.ndarray, np.ndarray]:
        """truths (G, 5) x1, y1, x2, y2 in shares of the image, class -> (classes (P,) int32, offsets (P, 4) float32).

        A prior has the class of the object that it overlaps most (IoU, first among equals), 0 if that is less than
        `threshold`. Each object also has the prior that overlaps it most; of objects with the same one, the last.
        Offsets (lib.bbox.ssd_coding) are 0 where the class is. Rows of class 0, and boxes without width or height
        or with a corner that is not finite, are no objects: the original trained on these with an infinite loss.
        """
        truths = as_boxes(truths, np.float32, columns=5, name='truths')
        with np.errstate(invalid='ignore'):
            objects = truths[np.isfinite(truths).all(axis=1) & (truths[:, 4] > 0) & (truths[:, 2] > truths[:, 0])
                             & (truths[:, 3] > truths[:, 1])]
        truth = self._matcher.match(np.ascontiguousarray(objects[:, :4]), threshold)
        positive = np.flatnonzero(truth >= 0)
        classes, offsets = np.zeros(len(truth), np.int32), np.zeros((len(truth), 4), np.float32)
        of_positive = objects[truth[positive]]
        classes[positive] = of_positive[:, 4]
        offsets[positive] = encode_ssd(of_positive[:, :4], self.priors[positive], self.variances)
        return classes, offsets

    def covered(self, regions, places) -> np.ndarray:
        """(n,) bool: of the priors at `places` (n,), those of whose area half or more lies in a region of (K, 4).

        Corners are shares of the image; what of a prior lies outside does not count.
        """
        centre, half = self.priors[places, :2], self.priors[places, 2:] / 2
        low, high = np.maximum(centre - half, 0), np.minimum(centre + half, 1)
        sides = np.minimum(high[:, None], regions[:, 2:]) - np.maximum(low[:, None], regions[:, :2])
        areas = np.maximum(high - low, 0).prod(axis=1)
        return (np.maximum(sides, 0).prod(axis=2) >= COVERED * np.maximum(areas, 1e-12)[:, None]).any(axis=1)


def match_priors(truths, priors, threshold: float = THRESHOLD) -> Tuple[np.ndarray, np.ndarray]:
    """PriorTargets(priors).match(truths, threshold), for one image."""
    return PriorTargets(priors).match(truths, threshold)
