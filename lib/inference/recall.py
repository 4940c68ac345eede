"""Average recall of proposals, as COCO defines it: classes do not count, IoU 0.5 to 0.95 in steps of 0.05.

Objects are those of the roidb (no crowd regions), sizes are areas of their boxes.
"""
import logging

import numpy as np

from lib.bbox import bbox_overlaps
from lib.inference.recall_ext import count_recalled

logger = logging.getLogger(__name__)

THRESHOLDS = np.linspace(0.5, 0.95, 10)
LIMITS = (100, 300, 1000)
SIZES = (('all', 0, np.inf), ('small', 0, 32 ** 2), ('medium', 32 ** 2, 96 ** 2), ('large', 96 ** 2, np.inf))


class AverageRecall:
    """Recall of proposals over images that are added one by one."""

    def __init__(self, limits=LIMITS):
        """limits: ascending numbers of best proposals an image."""
        self.limits = tuple(limits)
        self._ranges = np.array([size[1:] for size in SIZES], np.float64)
        self._found = np.zeros((len(SIZES), len(THRESHOLDS), len(self.limits)), np.int64)
        self._total = np.zeros(len(SIZES), np.int64)

    def add(self, proposals, objects):
        """proposals (n, 5) x1, y1, x2, y2, score; objects (g, 4): of one image, original pixels, +1 convention."""
        proposals = np.asarray(proposals, np.float64).reshape(-1, 5)
        objects = np.asarray(objects, np.float64).reshape(-1, 4)
        proposals = proposals[np.argsort(-proposals[:, 4], kind='stable')[:self.limits[-1]]]
        areas = (objects[:, 2] - objects[:, 0] + 1) * (objects[:, 3] - objects[:, 1] + 1)
        count_recalled(bbox_overlaps(proposals[:, :4], objects), areas, THRESHOLDS, self._ranges,
                       np.array(self.limits, np.int32), self._found, self._total)

    def results(self):
        """{'all': {100: AR, ...}, 'small': ..., ...}; -1 where there is no object of that size."""
        return {name: {limit: float((self._found[size, :, column] / self._total[size]).mean())
                       if self._total[size] else -1.0 for column, limit in enumerate(self.limits)}
                for size, (name, _, _) in enumerate(SIZES)}

    def table(self):
        """Lines of the results as text; '-' where there is no object of that size."""
        lines = ['{:<8} {} {:>8}'.format('AR', ' '.join(f'{f"@{limit}":>6}' for limit in self.limits), 'objects')]
        for (name, values), total in zip(self.results().items(), self._total):
            cells = ' '.join(f'{"-" if value < 0 else f"{value:.3f}":>6}' for value in values.values())
            lines.append(f'{name:<8} {cells} {total:>8d}')
        return lines
