"""COCO's evaluation where classes are thousands: class by class, each on the images that have something of it.

pycocotools asks of every pair of image and class, and keeps an answer each: 3,130 classes of 20,000 images are 60
million, of which a few are not empty. A pair without object and detection changes nothing, so the numbers are the same.
"""
import collections
import copy

import numpy as np
from pycocotools.cocoeval import COCOeval

MOST_PAIRS = 4000000    # of images and classes that pycocotools is asked to go through by itself, which takes minutes


def evaluator_of(truth, found, images: int, classes: int, kind: str) -> COCOeval:
    """COCOeval, to be told evaluate() and accumulate(), for two COCO indices. kind: 'bbox' or 'segm'."""
    return (ManyClasses if images * classes > MOST_PAIRS else COCOeval)(truth, found, kind)


class ManyClasses(COCOeval):
    """Its evaluate() does what accumulate() does too, which is left with nothing to do."""

    def evaluate(self):
        """Sets `eval`."""
        every = self.params
        every.catIds, every.maxDets = sorted(every.catIds), sorted(every.maxDets)
        self._prepare()
        images = collections.defaultdict(set)
        for of_pair in (self._gts, self._dts):
            for image, label in list(of_pair):
                images[label].add(image)
        shape = len(every.iouThrs), len(every.recThrs), len(every.catIds), len(every.areaRng), len(every.maxDets)
        precision, recall = -np.ones(shape), -np.ones(shape[:1] + shape[2:])
        for place, label in enumerate(every.catIds):
            if images[label]:
                of_class = self._of_class(every, label, sorted(images[label]))
                precision[:, :, place], recall[:, place] = of_class['precision'][:, :, 0], of_class['recall'][:, 0]
        self.params, self.evalImgs, self.ious = every, [], {}
        self.eval = {'params': every, 'counts': list(shape), 'precision': precision, 'recall': recall}

    def accumulate(self, p=None):
        """Nothing: see evaluate."""

    def _of_class(self, every, label, images):
        """COCOeval.eval of one class on some images."""
        self.params = copy.copy(every)
        self.params.catIds, self.params.imgIds = [label], images
        self.ious = {(image, label): self.computeIoU(image, label) for image in images}
        self.evalImgs = [self.evaluateImg(image, label, area, every.maxDets[-1])
                         for area in every.areaRng for image in images]
        self._paramsEval = self.params
        super().accumulate()
        return self.eval
