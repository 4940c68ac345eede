"""Detections of all scales and crops -> detections of an image (reference/pipeline.md 12.6)."""
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from lib.bbox import nms, soft_nms
from lib.inference.decode import no_rows
from lib.processes import num_cores

DEFAULT_IOU = 0.3    # of linear and hard suppression when TEST.NMS gives no threshold
IMAGES_A_TASK = 64   # images a thread takes at a time; one alone is too little work


class Suppression(NamedTuple):
    """Non-maximum suppression of one class in one image."""
    method: str          # 'hard', 'linear' or 'gaussian'
    iou_thresh: float    # of hard and linear
    sigma: float         # of gaussian
    score_thresh: float  # soft methods drop an overlapped row below it

    @classmethod
    def from_config(cls, config):
        """TEST.NMS_METHOD, or by its '' the original's rule: TEST.NMS > 0 is hard, else Gaussian with NMS_SIGMA."""
        test = config.TEST
        method = test.NMS_METHOD or ('hard' if test.NMS > 0 else 'gaussian')
        return cls(method, test.NMS if test.NMS > 0 else DEFAULT_IOU, test.NMS_SIGMA, test.SCORE_THRESH)

    def __call__(self, dets):
        """(n, 5) float32 x1, y1, x2, y2, score -> the rows left, best first."""
        if self.method == 'hard':
            return dets[nms(dets, self.iou_thresh)]
        return soft_nms(dets, sigma=self.sigma, iou_thresh=self.iou_thresh, score_thresh=self.score_thresh,
                        method=self.method)


def in_valid_range(rows, valid_range):
    """Rows whose side, the square root of (x2-x1)(y2-y1), is above lo and at most hi; a bound <= 0 is open."""
    low, high = valid_range
    if low <= 0 and high <= 0:
        return rows
    areas = (rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1])
    keep = np.ones(len(rows), bool)
    if low > 0:
        keep &= areas > low * low
    if high > 0:
        keep &= areas <= high * high
    return rows[keep]


def aggregate(scales, valid_ranges, num_classes, suppress, max_per_image, threads=None):
    """scales[scale][image][crop] -> rows (n, 6): detections[class][image] -> (n, 5) float32.

    valid_ranges: a pair a scale, original pixels; suppress: rows (n, 5) of one class -> rows left;
    max_per_image: cap over all classes, <= 0 = none. Class 0 is empty. ValueError if the lengths differ.
    """
    if len(scales) != len(valid_ranges):
        raise ValueError('%d scales, but %d valid ranges' % (len(scales), len(valid_ranges)))
    images = len(scales[0])
    threads = threads or num_cores()

    def merge(first):
        return [merge_image([scale[image] for scale in scales], valid_ranges, num_classes, suppress, max_per_image)
                for image in range(first, min(first + IMAGES_A_TASK, images))]

    # The kernels release the interpreter lock, so threads do run side by side.
    with ThreadPoolExecutor(threads) as pool:
        merged = [image for part in pool.map(merge, range(0, images, IMAGES_A_TASK)) for image in part]
    return [[image[label] for image in merged] for label in range(num_classes)]


def merge_image(scales, valid_ranges, num_classes, suppress, max_per_image):
    """One image: scales[scale][crop] -> rows (n, 6): list of num_classes arrays (n, 5)."""
    kept = [no_rows()]
    for crops, valid_range in zip(scales, valid_ranges):
        kept += [in_valid_range(rows, valid_range) for rows in crops]
    rows = np.concatenate(kept)
    rows = rows[np.argsort(rows[:, 5], kind='stable')]  # class by class, else the order of scales and crops
    starts = np.searchsorted(rows[:, 5], np.arange(num_classes + 1))
    dets = np.ascontiguousarray(rows[:, :5])
    classes = [dets[:0]]
    for label in range(1, num_classes):
        part = dets[starts[label]:starts[label + 1]]
        classes.append(suppress(part) if len(part) else part)
    return cap(classes, max_per_image)


def cap(classes, most):
    """Detections of an image, an array a class, without those that score below the most-th best of all classes.

    Equal scores at the limit all stay, so there can be more than `most`; most <= 0 keeps all.
    """
    if most <= 0 or sum(map(len, classes)) <= most:
        return classes
    scores = np.concatenate([dets[:, 4] for dets in classes])
    limit = np.partition(scores, len(scores) - most)[len(scores) - most]
    return [dets[dets[:, 4] >= limit] for dets in classes]
