"""Detections of all scales and crops -> detections of an image (reference/pipeline.md 12.6)."""
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from lib.bbox.nms import nms, soft_nms_with_index
from lib.inference.decode import no_rows
from lib.utils.processes import num_cores

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
        """(n, 5) float32 x1, y1, x2, y2, score -> (rows left, best first; which rows of `dets` they were)."""
        if self.method == 'hard':
            index = nms(dets, self.iou_thresh)
            return dets[index], index
        return soft_nms_with_index(dets, sigma=self.sigma, iou_thresh=self.iou_thresh,
                                   score_thresh=self.score_thresh, method=self.method)


def in_valid_range(rows, valid_range):
    """(n,) bool: rows whose side, the square root of (x2-x1)(y2-y1), is above lo and at most hi; a bound <= 0 is open.
    """
    low, high = valid_range
    keep = np.ones(len(rows), bool)
    if low > 0 or high > 0:
        areas = (rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1])
        if low > 0:
            keep &= areas > low * low
        if high > 0:
            keep &= areas <= high * high
    return keep


def aggregate(scales, valid_ranges, num_classes, suppress, max_per_image, threads=None):
    """scales[scale][image][crop] -> rows (n, 6): detections[class][image] -> (n, 5) float32.

    valid_ranges: a pair a scale, original pixels; suppress: rows (n, 5) of one class -> (rows left, their index);
    max_per_image: cap over all classes, <= 0 = none. Class 0 is empty. ValueError if the lengths differ.
    """
    return aggregate_with_index(scales, valid_ranges, num_classes, suppress, max_per_image, threads)[0]


def aggregate_with_index(scales, valid_ranges, num_classes, suppress, max_per_image, threads=None):
    """The same -> (detections, index[class][image]: (n,) which row of the image each was).

    Rows of an image are counted scale by scale and crop by crop, all of them.
    """
    if len(scales) != len(valid_ranges):
        raise ValueError(f'{len(scales)} scales, but {len(valid_ranges)} valid ranges')
    images = len(scales[0])
    threads = threads or num_cores()

    def merge(first):
        return [merge_image([scale[image] for scale in scales], valid_ranges, num_classes, suppress, max_per_image)
                for image in range(first, min(first + IMAGES_A_TASK, images))]

    # The kernels release the interpreter lock, so threads do run side by side.
    with ThreadPoolExecutor(threads) as pool:
        merged = [image for part in pool.map(merge, range(0, images, IMAGES_A_TASK)) for image in part]
    return tuple([[image[kind][label] for image in merged] for label in range(num_classes)] for kind in range(2))


def merge_image(scales, valid_ranges, num_classes, suppress, max_per_image):
    """One image: scales[scale][crop] -> rows (n, 6): (an array (n, 5) a class, (n,) which rows they were a class)."""
    rows, inside = [no_rows()], [np.zeros(0, bool)]
    for crops, valid_range in zip(scales, valid_ranges):
        rows += crops
        inside += [in_valid_range(crop, valid_range) for crop in crops]
    kept = np.flatnonzero(np.concatenate(inside))
    classes, index = choose(np.concatenate(rows)[kept], num_classes, suppress, max_per_image)
    return classes, [kept[places] for places in index]


def choose(rows, num_classes, suppress, max_per_image):
    """Rows (n, 6) of one image -> (an array (m, 5) a class, rescored, best first; (m,) which rows they were)."""
    order = np.argsort(rows[:, 5], kind='stable')  # class by class, else as they come
    starts = np.searchsorted(rows[order, 5], np.arange(num_classes + 1))
    dets = np.ascontiguousarray(rows[order, :5])
    classes, index = [dets[:0]], [order[:0]]
    for label in range(1, num_classes):
        part, places = dets[starts[label]:starts[label + 1]], order[starts[label]:starts[label + 1]]
        if len(part):
            part, left = suppress(part)
            places = places[left]
        classes.append(part)
        index.append(places)
    kept = cap([dets[:, 4] for dets in classes], max_per_image)
    if kept is None:
        return classes, index
    return [dets[keep] for dets, keep in zip(classes, kept)], [places[keep] for places, keep in zip(index, kept)]


def cap(scores, most):
    """Scores of an image's detections, an array a class -> bool arrays: those not below the most-th best of all; None
    if all stay.

    Equal scores at the limit all stay, so there can be more than `most`; most <= 0 keeps all.
    """
    if most <= 0 or sum(map(len, scores)) <= most:
        return None
    together = np.concatenate(scores)
    limit = np.partition(together, len(together) - most)[len(together) - most]
    return [of_class >= limit for of_class in scores]
