"""Non-maximum suppression: hard, and soft (Bodla et al., ICCV 2017)."""
import numpy as np

from lib.bbox.boxes import as_boxes
from lib.bbox.nms_ext import nms_sorted
from lib.bbox.soft_nms_ext import soft_nms_inplace

METHODS = {'hard': 0, 'linear': 1, 'gaussian': 2}


def nms(dets, thresh: float, most: int = 0) -> np.ndarray:
    """Detections (N, 5) x1, y1, x2, y2, score -> indices (M,) int64 of the kept ones, best first.

    A detection goes if its IoU (+1 convention) with a better kept one is above thresh; equal to it stays.
    Equal scores rank by row. Computed in float32 for float32 input, else in float64. most: where above 0, it ends once
    so many are kept.
    """
    dets = np.asarray(dets)
    dets = as_boxes(dets, np.float32 if dets.dtype == np.float32 else np.float64, columns=5, name='dets')
    order = np.argsort(-dets[:, 4], kind='stable')
    boxes = np.ascontiguousarray(dets[order, :4])
    return order[nms_sorted(boxes, thresh, most)]


def soft_nms(dets, sigma: float = 0.5, iou_thresh: float = 0.3, score_thresh: float = 0.001,
             method: str = 'gaussian', most: int = 0) -> np.ndarray:
    """Detections (N, 5) x1, y1, x2, y2, score -> (M, 5) float32 rows, rescored, in order of choice.

    The best row left is chosen; the score of every row that overlaps it is multiplied by exp(-IoU^2 / sigma)
    ('gaussian'), by 1 - IoU above iou_thresh ('linear') or by 0 above it ('hard'). A row that overlaps a chosen
    one and falls below score_thresh is dropped; a row that overlaps nothing never is. Rows with NaN or infinity are
    left out. reference/pipeline.md 12.6. most: where above 0, it ends once so many are chosen.
    Raises ValueError for an unknown method, listing the known ones, and for a sigma that is not positive.
    """
    return _run(dets, sigma, iou_thresh, score_thresh, method, most, None)


def soft_nms_with_index(dets, sigma: float = 0.5, iou_thresh: float = 0.3, score_thresh: float = 0.001,
                        method: str = 'gaussian', most: int = 0) -> tuple:
    """What soft_nms gives, and which row of `dets` each was -> (rows (M, 5) float32, numbers (M,) int32)."""
    origin = np.arange(len(dets), dtype=np.int32)
    rows = _run(dets, sigma, iou_thresh, score_thresh, method, most, origin)
    return rows, origin[:len(rows)]


def _run(dets, sigma, iou_thresh, score_thresh, method, most, origin):
    if method not in METHODS:
        raise ValueError(f'unknown soft-NMS method {method!r}; known: {", ".join(sorted(METHODS))}')
    if method == 'gaussian' and not sigma > 0:
        raise ValueError(f'sigma of Gaussian soft-NMS must be positive, got {sigma}')
    rows = np.array(as_boxes(dets, np.float32, columns=5, name='dets'))  # a copy: the kernel works in place
    left = soft_nms_inplace(rows, sigma, iou_thresh, score_thresh, METHODS[method], origin, most)
    return rows[:left]
