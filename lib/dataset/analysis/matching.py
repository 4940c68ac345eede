"""Which detection has found which object: COCO's rule, for all pictures and classes at once.

Within a picture and a class the best detection takes the object that it overlaps most, if the IoU is high enough, then
the next one the best of those that are left. All pictures and classes take their first detection together, then their
second, and so on, so that there are as many steps as the fullest picture has detections of a class.

Letters: D detections, G objects, P pairs, T thresholds of IoU.
"""
from typing import NamedTuple, Tuple

import numpy as np

from lib.bbox.boxes import bbox_overlaps, ignore_overlaps
from lib.bbox.detections import Detections
from lib.dataset.truth import Truth

MOST = 100                 # detections of a picture and class that count, the best ones, as in COCO
FOREGROUND, BACKGROUND = 0.5, 0.1   # IoU from which an object is found; below the other there is none
NONE = -1


class Found(NamedTuple):
    """D detections that count, picture by picture, within it class by class, best first.

    image, label, rank (D,) int64; rank: place within picture and class, from 0. box (D, 4) float64 inclusive corners,
    to a tenth of a pixel as in COCO's result files; score (D,) float64; area (D,) float64 pixels.
    """

    image: np.ndarray
    label: np.ndarray
    rank: np.ndarray
    box: np.ndarray
    score: np.ndarray
    area: np.ndarray

    @classmethod
    def of(cls, detections: Detections) -> 'Found':
        """The best MOST of a picture and class; those of class 0 do not count."""
        order = np.lexsort([-detections.score, detections.label, detections.image])
        order = order[detections.label[order] > 0]
        image, label = (array[order].astype(np.int64) for array in (detections.image, detections.label))
        rank = ranks(image, label)
        kept = rank < MOST
        order = order[kept]
        box = detections.box[order].astype(np.float64)
        corner, sides = np.round(box[:, :2], 1), np.round(box[:, 2:] - box[:, :2] + 1, 1)
        return cls(image[kept], label[kept], rank[kept], np.hstack([corner, corner + sides - 1]),
                   np.round(detections.score[order].astype(np.float64), 8), sides.prod(axis=1))


class Pairs(NamedTuple):
    """P pairs of a detection and an object of its picture with an IoU of FOREGROUND or more, in the detections' order.

    detection, truth (P,) int64; overlap (P,) float64: the IoU, of a crowd region the share of the detection inside.
    """

    detection: np.ndarray
    truth: np.ndarray
    overlap: np.ndarray

    def take(self, index) -> 'Pairs':
        """The pairs of an index."""
        return Pairs(*(array[index] for array in self))


class Nearest(NamedTuple):
    """The object that a detection overlaps most, of some: truth (D,) int64, NONE where no IoU is above 0; overlap (D,).
    """

    truth: np.ndarray
    overlap: np.ndarray


def ranks(*keys: np.ndarray) -> np.ndarray:
    """(D,) place of each row among those with equal keys; rows of equal keys stand together."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    starts = np.unique(np.concatenate([_starts(key) for key in keys]))
    return np.arange(len(keys[0])) - np.repeat(starts, np.diff(np.append(starts, len(keys[0]))))


def find_pairs(found: Found, truth: Truth) -> Tuple[Pairs, Nearest, Nearest]:
    """-> (pairs of all classes, nearest object of the same class, of any other class). The nearest ones are among the
    objects that count. Picture by picture: nothing larger than the answer stays in memory."""
    same = Nearest(np.full(len(found.image), NONE), np.zeros(len(found.image)))
    other = Nearest(np.full(len(found.image), NONE), np.zeros(len(found.image)))
    parts = []
    images = np.unique(truth.image)
    spans = zip(*(np.searchsorted(array, images, side) for array in (found.image, truth.image)
                  for side in ('left', 'right')))
    for first, end, first_truth, end_truth in spans:
        if first == end:
            continue
        rows, columns = slice(first, end), slice(first_truth, end_truth)
        overlap = _overlaps(found.box[rows], truth.box[columns], truth.crowd[columns])
        detection, column = np.nonzero(overlap >= FOREGROUND)
        parts.append((detection + first, column + first_truth, overlap[detection, column]))
        counts = ~truth.ignored[columns]
        equal = found.label[rows, None] == truth.label[None, columns]
        for nearest, wanted in ((same, equal & counts), (other, ~equal & counts)):
            among = np.where(wanted, overlap, 0.0)
            best = among.argmax(axis=1)
            value = among[np.arange(len(best)), best]
            nearest.overlap[rows] = value
            nearest.truth[rows] = np.where(value > 0, best + first_truth, NONE)
    joined = [np.concatenate([np.zeros(0, kind)] + [part[place] for part in parts])
              for place, kind in enumerate((np.int64, np.int64, np.float64))]
    return Pairs(*joined), same, other


def _overlaps(boxes, objects, crowd):
    """(d, g) IoU, in crowd regions the share of the detection's box inside."""
    overlap = bbox_overlaps(boxes, objects)
    if crowd.any():
        overlap[:, crowd] = ignore_overlaps(objects[crowd], boxes).T
    return overlap


def match(pairs: Pairs, rank: np.ndarray, thresholds, ignored: np.ndarray, many: np.ndarray) -> np.ndarray:
    """-> (T, D) int64: the object that each detection has found, or NONE.

    pairs: only of objects that the detection may find. rank (D,): detections of one rank never want the same object.
    ignored (G,): objects that are taken only where no other is left; many (G,): those that may be found many times.
    """
    thresholds = np.asarray(thresholds, np.float64)[:, None]
    result = np.full((len(thresholds), len(rank)), NONE)
    taken = np.zeros((len(thresholds), len(ignored)), bool)
    # Best choice first; of equal ones the last object, as pycocotools does.
    order = np.lexsort([-pairs.truth, -pairs.overlap, ignored[pairs.truth], pairs.detection, rank[pairs.detection]])
    pairs = pairs.take(order)
    of_rank = rank[pairs.detection]
    bounds = np.append(_starts(of_rank), len(of_rank)).tolist()
    for first, end in zip(bounds[:-1], bounds[1:]):
        detection, truth = pairs.detection[first:end], pairs.truth[first:end]
        free = (pairs.overlap[None, first:end] >= thresholds) & (~taken[:, truth] | many[truth])
        place = np.where(free, np.arange(end - first), end - first)
        starts = _starts(detection)
        chosen = np.minimum.reduceat(place, starts, axis=1)
        which, column = np.nonzero(chosen < end - first)
        objects = truth[chosen[which, column]]
        result[which, detection[starts[column]]] = objects
        taken[which, objects] = True
    return result


def _starts(values):
    """First places of runs of equal values."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(values) else np.zeros(0, np.int64)
