"""Hard non-maximum suppression."""
import numpy as np

from lib.bbox.arrays import as_boxes
from lib.bbox.nms_ext import nms_sorted


def nms(dets, thresh):
    """Detections (N, 5) x1, y1, x2, y2, score -> indices (M,) int64 of the kept ones, best first.

    A detection goes if its IoU (+1 convention) with a better kept one is above thresh; equal to it stays.
    Equal scores rank by row. Computed in float32 for float32 input, else in float64.
    """
    dets = np.asarray(dets)
    dets = as_boxes(dets, np.float32 if dets.dtype == np.float32 else np.float64, columns=5, name='dets')
    order = np.argsort(-dets[:, 4], kind='stable')
    boxes = np.ascontiguousarray(dets[order, :4])
    return order[nms_sorted(boxes, thresh)]
