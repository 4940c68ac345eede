"""How many objects proposals find: recall at an IoU of 0.5, and the mean over 0.5 to 0.95, by number and by size."""
import logging
import os
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from lib.bbox import bbox_overlaps, ignore_overlaps
from lib.dataset.analysis.matching import BACKGROUND
from lib.dataset.metrics_file import write_metrics
from lib.dataset.proposals import after_nms, read_proposals
from lib.dataset.truth import Truth
from lib.inference.recall_ext import count_recalled

logger = logging.getLogger(__name__)

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # IoU from which a proposal finds an object
LIMITS = (10, 100, 300)                  # best proposals an image that count
FILE_LIMITS = (*LIMITS, 1000)            # of a file, which holds those of several scales
# (name, from, below): areas of objects, as COCO has them
SIZES = (('all', 0, np.inf), ('small', 0, 32 ** 2), ('medium', 32 ** 2, 96 ** 2), ('large', 96 ** 2, np.inf))
# Sides of their boxes, which chips, ranges and anchors are chosen by: a factor of two from one to the next.
SIDES = (8, 16, 32, 64, 128, 256)
BANDS = (*((f'side_{low}_{high}', low, high) for low, high in zip((0, *SIDES), SIDES)),
         (f'side_{SIDES[-1]}_up', SIDES[-1], np.inf))
NOT_THERE = -1.0    # recall of objects that there are none of


class Recall:
    """Recall of proposals over images that are added one by one, as COCO defines it: classes do not count, and a
    proposal finds one object at most.

    Sizes of SIZES go by the objects' areas, those of BANDS by the side of their boxes, the square root of width x
    height.
    """

    def __init__(self, limits: Sequence[int] = LIMITS):
        """limits: ascending numbers of best proposals an image."""
        self.limits = tuple(limits)
        self._ranges = [np.array([size[1:] for size in sizes], np.float64) ** power
                        for sizes, power in ((SIZES, 1), (BANDS, 2))]
        self._found = [np.zeros((len(ranges), len(THRESHOLDS), len(self.limits)), np.int64) for ranges in self._ranges]
        self._total = [np.zeros(len(ranges), np.int64) for ranges in self._ranges]

    def add(self, proposals, objects, areas: Optional[np.ndarray] = None) -> None:
        """proposals (n, 5) x1, y1, x2, y2, score; objects (g, 4) that count: of one image, original pixels, inclusive
        corners. areas (g,) pixels of the objects; None: of their boxes."""
        proposals = np.asarray(proposals, np.float64).reshape(-1, 5)
        objects = np.asarray(objects, np.float64).reshape(-1, 4)
        proposals = proposals[np.argsort(-proposals[:, 4], kind='stable')[:self.limits[-1]]]
        overlaps, sides = bbox_overlaps(proposals[:, :4], objects), objects[:, 2:] - objects[:, :2] + 1
        of_boxes = sides.prod(axis=1)
        for ranges, found, total, values in zip(self._ranges, self._found, self._total,
                                                (of_boxes if areas is None else areas, of_boxes)):
            count_recalled(overlaps, np.ascontiguousarray(values, np.float64), THRESHOLDS, ranges,
                           np.array(self.limits, np.int32), found, total)

    @property
    def objects(self) -> Dict[str, int]:
        """{size: how many objects there are}."""
        return {name: int(total) for (name, _, _), total in zip(SIZES + BANDS, np.concatenate(self._total))}

    def at(self, threshold: float) -> Dict[str, Dict[str, float]]:
        """Recall at one IoU of THRESHOLDS: {size: {number of proposals: recall}}; NOT_THERE without such objects."""
        return self._results(slice(*np.searchsorted(THRESHOLDS, [threshold - 1e-6, threshold + 1e-6])))

    def average(self) -> Dict[str, Dict[str, float]]:
        """The same, the mean over THRESHOLDS."""
        return self._results(slice(None))

    def metrics(self) -> Dict[str, Dict]:
        """What files of metrics hold: recall50 and average_recall, both {size: {number: recall}}, and how many objects
        of each size there are."""
        return {'recall50': self.at(0.5), 'average_recall': self.average(), 'objects': self.objects}

    def _results(self, thresholds: slice) -> Dict[str, Dict[str, float]]:
        shares = np.concatenate(self._found)[:, thresholds].mean(axis=1)
        return {name: {str(limit): float(found / total) if total else NOT_THERE
                       for limit, found in zip(self.limits, of_size)}
                for (name, total), of_size in zip(self.objects.items(), shares)}

    def table(self) -> List[str]:
        """Lines of the results as text; '-' where there is no object of a size of SIZES. BANDS without objects are left
        out."""
        numbers = ' '.join(f'{f"@{limit}":>6}' for limit in self.limits)
        lines = [f'{"":<14} {"":>8}   {"recall at IoU 0.5":<{len(numbers)}}   mean of IoU 0.5 to 0.95',
                 f'{"objects":<14} {"":>8}   {numbers}   {numbers}']
        columns, shown = (self.at(0.5), self.average()), {name for name, _, _ in SIZES}
        for name, count in self.objects.items():
            if count or name in shown:
                cells = ['   ' + ' '.join(f'{"-" if value < 0 else f"{value:.3f}":>6}'
                                          for value in column[name].values()) for column in columns]
                words = name.replace('_', ' ', 1).replace('_', '-')
                lines.append(f'{words:<14} {count:>8}{"".join(cells)}')
        return lines


def proposals_of_records(roidb: Sequence, truth: Truth) -> Tuple[Recall, Dict[str, float]]:
    """Recall of the proposals that records hold, best first, for the objects of a Truth that count; and figures an
    image: `proposals`; `elsewhere`, those that overlap nothing marked by BACKGROUND or more; and `without`, the number
    of images that have none."""
    recall, counts = Recall(FILE_LIMITS), np.zeros(3, np.int64)
    for number, entry in enumerate(roidb):
        span = slice(*np.searchsorted(truth.image, [number, number + 1]))
        boxes, marked = entry.get('proposals', np.zeros((0, 4))), truth.box[span]
        ranked = np.column_stack([boxes, -np.arange(len(boxes), dtype=np.float64)])
        counted = ~truth.ignored[span]
        recall.add(ranked, marked[counted], truth.area[span][counted])
        nearest = bbox_overlaps(ranked[:, :4], marked).max(axis=1, initial=0)
        inside = ignore_overlaps(marked[truth.crowd[span]], ranked[:, :4]).max(axis=0, initial=0)
        counts += (len(boxes), int((np.maximum(nearest, inside) < BACKGROUND).sum()), not len(boxes))
    images = max(len(roidb), 1)
    return recall, {'proposals': counts[0] / images, 'elsewhere': counts[1] / images, 'without': int(counts[2])}


def report_recall(path: str, roidb) -> Dict[str, Dict]:
    """Log the recall of a proposal file, after the NMS with which training reads it; write it beside the file.

    Objects are those of the roidb (no crowd regions). -> see Recall.metrics.
    """
    proposals, recall = after_nms(read_proposals(path)), Recall(FILE_LIMITS)
    for index, entry in enumerate(roidb):
        recall.add(proposals.rows(index), entry['boxes'])
    logger.info('recall of %.0f proposals an image (after NMS as for training)',
                len(proposals.boxes) / max(1, len(roidb)))
    for line in recall.table():
        logger.info('%s', line)
    metrics = recall.metrics()
    write_metrics(f'{os.path.splitext(path)[0]}_recall.json', metrics)
    return metrics
