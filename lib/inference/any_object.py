"""Proposals scored as detections of one class 'object', on any data set.

Objects are those that the data set scores by (Dataset.truth), of whatever class: crowd regions and difficult ones are
neither right nor wrong where it says so. Boxes without extent, which some files have for objects of unknown classes,
are left out; the original counts them (reference/more_arm.md).
"""
import logging
import os
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from lib.bbox.detections import Detections, check_range
from lib.dataset.analysis.matching import Found, find_pairs
from lib.dataset.analysis.scores import NOT_THERE, score
from lib.dataset.base import Dataset, PrecisionRecall
from lib.dataset.class_choice import OBJECT
from lib.dataset.class_list import BACKGROUND
from lib.dataset.compact import relabelled
from lib.dataset.metrics_file import write_metrics
from lib.dataset.truth import Truth
from lib.dataset.voc_eval import (
    area_ap,
    eleven_point_ap,
    match,
    precision_recall,
    rounded_rows,
    write_results,
)
from lib.inference.aggregate import best_of_windows
from lib.inference.recall import Recall

logger = logging.getLogger(__name__)

CLASSES = (BACKGROUND, OBJECT)    # of lib.inference.weights.found_classes too
MOST = 200      # proposals an image, the best, whose AP is computed by PASCAL VOC's rules, as in the original
HALF = 0.5      # IoU of that AP


class AnyObject(Dataset):
    """A data set whose objects are all of one class.

    evaluate() writes `comp4_det_<data set>_object.txt` and `metrics_<data set>_object.json`, of whose numbers it gives
    a dict:
        AP, AP50, AP75, APs, APm, APl   COCO's, of the best 100 proposals an image; -1 without such objects
        AP50_11point, AP50_area         PASCAL VOC's two rules at IoU 0.5, of the best MOST
        recall50, average_recall        {size: {number: recall}}, see lib.inference.recall
        objects                         {size: how many count}
        not_counted                     crowd regions and difficult objects
    """

    classes = CLASSES

    def __init__(self, dataset: Dataset):
        self.dataset = dataset
        self.name = dataset.name

    @property
    def image_ids(self) -> Sequence:  # type: ignore[override]
        """Of the data set."""
        return self.dataset.image_ids

    def roidb(self, ignored: str = ''):
        """See lib.dataset.base."""
        return self.of_roidb(self.dataset.roidb(ignored))

    def of_roidb(self, roidb: Sequence) -> Sequence:
        """Records of the data set with this one's labels."""
        return relabelled(roidb, np.minimum(np.arange(self.dataset.num_classes), 1))

    def part(self, numbers: Sequence[int]) -> 'AnyObject':
        """See lib.dataset.base."""
        return AnyObject(self.dataset.part(numbers))

    def truth(self) -> Truth:
        """The objects of all classes, without boxes that have no extent. An object of several classes, such as a woman
        who is a person, or a region of each class, is there once; it counts if it does as any of them."""
        truth = self.dataset.truth()
        sides = truth.box[:, 2:] - truth.box[:, :2]
        kept = (sides > 0).any(axis=1) & (sides > -1).all(axis=1)
        order = np.argsort(truth.ignored, kind='stable')    # of equal boxes, one that counts is the first
        places = np.column_stack([truth.image, truth.box])[order]
        kept &= np.isin(np.arange(len(kept)), order[np.unique(places, axis=0, return_index=True)[1]])
        return truth._replace(label=np.ones_like(truth.label)).take(kept)

    def evaluate(self, detections: Detections, results_dir: str) -> Optional[dict]:
        """See the class and lib.dataset.base."""
        check_range(detections, len(CLASSES), len(self.image_ids))
        found = detections.replace(mask=None).take(detections.label > 0).in_image_order()
        rows = rounded_rows(best_of_windows(found, MOST))
        path = os.path.join(results_dir, f'comp4_det_{self.name}_{OBJECT}.txt')
        write_results(path, self.image_ids, rows)
        logger.info('%d proposals of %d images written to %s', len(rows[0]), len(self.image_ids), path)
        truth = self.truth()
        if truth.ignored.all():
            logger.info('%s has no objects that count: nothing to score against', self.name)
            return None
        recall = recall_of(found, truth)
        metrics = {**coco_ap(found, truth), **self._voc_ap(rows, truth), **recall.metrics(),
                   'not_counted': int(truth.ignored.sum())}
        write_metrics(os.path.join(results_dir, f'metrics_{self.name}_{OBJECT}.json'), metrics)
        for line in _report(metrics, recall, len(found) / max(len(self.image_ids), 1)):
            logger.info('%s', line)
        return metrics

    def _voc_ap(self, rows, truth) -> Dict[str, float]:
        """AP by both rules; sets `curves`."""
        images, boxes = rows
        matches = match(images, boxes, *as_voc(truth))
        recall, precision = precision_recall(matches, int((~truth.ignored).sum()), HALF)
        metrics = {'AP50_11point': eleven_point_ap(recall, precision), 'AP50_area': area_ap(recall, precision)}
        self.curves = [PrecisionRecall(OBJECT, recall, precision, metrics['AP50_11point'])]
        return metrics


def as_voc(truth: Truth) -> Tuple[Dict[int, Tuple[np.ndarray, np.ndarray]], Mapping[int, np.ndarray]]:
    """-> ({image: (boxes, difficult)}, {image: boxes of regions}) as lib.dataset.voc_eval.match takes them; pixels from
    1."""
    objects, regions = truth.take(~truth.crowd), truth.take(truth.crowd)
    spans = [[(int(image), slice(*np.searchsorted(of_kind.image, [image, image + 1])))
              for image in np.unique(of_kind.image)] for of_kind in (objects, regions)]
    return ({image: (objects.box[span] + 1, objects.ignored[span]) for image, span in spans[0]},
            {image: regions.box[span] + 1 for image, span in spans[1]})


def coco_ap(found: Detections, truth: Truth) -> Dict[str, float]:
    """COCO's AP of one class, see AnyObject."""
    ranked = Found.of(found)
    pairs, _, _ = find_pairs(ranked, truth)
    scores = score(ranked, truth, pairs, len(CLASSES))
    return {'AP': scores.mean(), 'AP50': scores.mean(thresholds=0), 'AP75': scores.mean(thresholds=5),
            **{f'AP{size[0]}': scores.mean(size) for size in ('small', 'medium', 'large')}}


def recall_of(found: Detections, truth: Truth) -> Recall:
    """Recall of the objects that count. What does not count takes no proposal from one that does, so it is left out."""
    recall, counted = Recall(), truth.take(~truth.ignored)
    of_images, none = dict(found.by_image()), Detections.empty()
    for image in np.unique(counted.image):
        span = slice(*np.searchsorted(counted.image, [image, image + 1]))
        recall.add(of_images.get(image, none).rows(), counted.box[span], counted.area[span])
    return recall


def _report(metrics, recall: Recall, an_image: float) -> List[str]:
    lines = [f"proposals as detections of one class '{OBJECT}', {an_image:.1f} an image:", *recall.table()]
    if metrics['not_counted']:
        lines.append(f'{metrics["not_counted"]} crowd regions and difficult objects do not count, found or not')
    shown = ', '.join(f'{name} {"-" if metrics[name] == NOT_THERE else format(metrics[name], ".4f")}'
                      for name in ('AP50', 'AP75', 'APs', 'APm', 'APl'))
    return lines + [f'AP of COCO = {metrics["AP"]:.4f} ({shown})',
                    f'AP of PASCAL VOC at IoU 0.5 = {metrics["AP50_11point"]:.4f} (11 points; area '
                    f'{metrics["AP50_area"]:.4f})']
