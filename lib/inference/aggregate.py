"""Detections of all scales and crops -> detections of an image (reference/pipeline.md 12.6)."""
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Optional, Sequence, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.bbox.nms import nms, soft_nms_with_index
from lib.utils.processes import num_cores

DEFAULT_IOU = 0.3    # of linear and hard suppression when TEST.NMS gives no threshold
IMAGES_A_TASK = 64   # images a thread takes at a time; one alone is too little work
PREFIX = 4           # times as many of the best rows as are kept are looked at first


class Suppression(NamedTuple):
    """Non-maximum suppression of one class in one image."""
    method: str          # 'hard', 'linear' or 'gaussian'
    iou_thresh: float    # of hard and linear
    sigma: float         # of gaussian
    score_thresh: float  # soft methods drop an overlapped row below it
    most: int = 0        # rows that are left at most, the best; 0 = no limit

    @classmethod
    def from_config(cls, config):
        """TEST.NMS_METHOD, or by its '' the original's rule: TEST.NMS > 0 is hard, else Gaussian with NMS_SIGMA."""
        test = config.TEST
        method = test.NMS_METHOD or ('hard' if test.NMS > 0 else 'gaussian')
        score_thresh = test.SCORE_THRESH if test.NMS_SCORE_THRESH < 0 else test.NMS_SCORE_THRESH
        return cls(method, test.NMS if test.NMS > 0 else DEFAULT_IOU, test.NMS_SIGMA, score_thresh, test.MAX_PER_CLASS)

    def __call__(self, dets):
        """(n, 5) float32 x1, y1, x2, y2, score -> (rows left, best first; which rows of `dets` they were)."""
        if self.method == 'hard':
            index = nms(dets, self.iou_thresh, self.most)
            return dets[index], index
        return soft_nms_with_index(dets, sigma=self.sigma, iou_thresh=self.iou_thresh,
                                   score_thresh=self.score_thresh, method=self.method, most=self.most)


def in_valid_range(boxes, valid_range) -> np.ndarray:
    """(n,) bool: boxes whose side, the square root of (x2-x1)(y2-y1), is above lo and at most hi; a bound <= 0 is open.
    """
    low, high = valid_range
    keep = np.ones(len(boxes), bool)
    if low > 0 or high > 0:
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        if low > 0:
            keep &= areas > low * low
        if high > 0:
            keep &= areas <= high * high
    return keep


def kept_of_scale(found: Detections, valid_range, open_where_none: bool = False) -> np.ndarray:
    """(n,) bool: detections of a scale that count, by `in_valid_range`; open_where_none: of an image in which none does
    all of them."""
    keep = in_valid_range(found.box, valid_range)
    if open_where_none and not keep.all():
        keep |= ~np.isin(found.image, found.image[keep])
    return keep


def aggregate(scales: Sequence[Detections], valid_ranges, suppress, max_per_image, threads=None) -> Detections:
    """Detections of all scales -> final ones: image by image, within an image class by class, within a class as
    `suppress` gives them. `image` is the number of the image on both sides.

    valid_ranges: a pair a scale, original pixels; suppress: rows (n, 5) of one class -> (rows left, their index);
    max_per_image: cap over all classes, <= 0 = none. Rows of class 0 are left out. ValueError if the lengths differ.
    """
    return aggregate_with_index(scales, valid_ranges, suppress, max_per_image, threads)[0]


def aggregate_with_index(scales: Sequence[Detections], valid_ranges, suppress, max_per_image, threads=None,
                         open_where_none: bool = False) -> Tuple[Detections, np.ndarray]:
    """What `aggregate` gives, without masks, and (n,) which row each was, all scales' rows one below the other.

    open_where_none: see kept_of_scale.
    """
    if len(scales) != len(valid_ranges):
        raise ValueError(f'{len(scales)} scales, but {len(valid_ranges)} valid ranges')
    every = Detections.concatenate([scale.replace(mask=None) for scale in scales])
    inside = [kept_of_scale(*of_scale, open_where_none) for of_scale in zip(scales, valid_ranges)]
    kept = np.flatnonzero(np.concatenate(inside + [np.zeros(0, bool)]) & (every.label > 0))
    if (np.diff(every.image[kept]) < 0).any():
        kept = kept[np.argsort(every.image[kept], kind='stable')]
    images, starts = np.unique(every.image[kept], return_index=True)
    ends = np.append(starts[1:], len(kept))

    def merge(first):
        return [merge_image(kept[starts[place]:ends[place]])
                for place in range(first, min(first + IMAGES_A_TASK, len(images)))]

    def merge_image(of_image):
        # The rows of one image: those of all are a copy of everything.
        rows = np.column_stack([every.box[of_image], every.score[of_image]])
        left, places = choose(rows, every.label[of_image], suppress, max_per_image)
        return left, of_image[places]

    # The kernels release the interpreter lock, so threads do run side by side.
    with ThreadPoolExecutor(threads or num_cores()) as pool:
        merged = [image for part in pool.map(merge, range(0, len(images), IMAGES_A_TASK)) for image in part]
    index = np.concatenate([np.zeros(0, np.int64)] + [places for _, places in merged])
    found = np.concatenate([np.zeros((0, 5), np.float32)] + [left for left, _ in merged])
    return Detections.from_rows(every.image[index], found, every.label[index]), index


def choose(rows, labels, suppress, max_per_image) -> Tuple[np.ndarray, np.ndarray]:
    """Rows (n, 5) and labels (n,) of one image -> (rows left (m, 5), rescored, class by class, best first; (m,) which
    rows they were).

    Suppression only ever lowers scores, and a row is lowered by better ones alone. So where the best few rows leave
    max_per_image that are better than every other row was to begin with, the others need not be looked at.
    """
    most = PREFIX * max_per_image
    while 0 < most < len(rows):
        order = np.argsort(-rows[:, 4], kind='stable')
        few = np.sort(order[:most])     # in their order: of equal scores the first comes first
        found, index = _choose_among(rows[few], labels[few], suppress)
        if len(found) >= max_per_image and rows[order[most], 4] < _limit(found[:, 4], max_per_image):
            return _capped(found, few[index], max_per_image)
        most *= PREFIX
    return _capped(*_choose_among(rows, labels, suppress), max_per_image)


def _capped(found, index, most):
    kept = cap(found[:, 4], most)
    return (found, index) if kept is None else (found[kept], index[kept])


def _choose_among(rows, labels, suppress) -> Tuple[np.ndarray, np.ndarray]:
    """What `choose` gives without a limit."""
    order = np.argsort(labels, kind='stable')  # class by class, else as they come
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    dets = np.ascontiguousarray(rows[order])
    found, index = [dets[:0]], [order[:0]]
    # Where a class has one row, nothing is suppressed.
    alone = (np.diff(np.append(starts, len(order))) == 1) & np.isfinite(dets[starts]).all(axis=1)
    for start, end, single in zip(starts.tolist(), np.append(starts[1:], len(order)).tolist(), alone.tolist()):
        if single:
            found.append(dets[start:end])
            index.append(order[start:end])
            continue
        part, left = suppress(dets[start:end])
        found.append(part)
        index.append(order[start:end][left])
    return np.concatenate(found), np.concatenate(index)


def best_of_windows(detections: Detections, most: int) -> Detections:
    """Of each window the `most` best, and those that are as good as the last of them; all where most is 0."""
    if not most or len(detections) <= most or np.bincount(detections.image).max() <= most:
        return detections
    order = np.argsort(detections.image, kind='stable')
    ends = np.append(np.flatnonzero(np.diff(detections.image[order])) + 1, len(order))
    kept = np.ones(len(order), bool)
    for start, end in zip(np.append(0, ends[:-1]), ends):
        good = cap(detections.score[order[start:end]], most)
        if good is not None:
            kept[order[start:end]] = good
    return detections.take(kept)


def cap(scores, most) -> Optional[np.ndarray]:
    """Scores (n,) of an image's detections -> (n,) bool: those not below the most-th best; None if all stay.

    Equal scores at the limit all stay, so there can be more than `most`; most <= 0 keeps all.
    """
    if most <= 0 or len(scores) <= most:
        return None
    return scores >= _limit(scores, most)


def _limit(scores, most):
    """The most-th best of some scores, which are as many or more."""
    return np.partition(scores, len(scores) - most)[len(scores) - most]
