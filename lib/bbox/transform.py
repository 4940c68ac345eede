"""Box coding (R-CNN, appendix C): deltas dx, dy, dw, dh from a box to its target and back.

With w, h the inclusive sides and cx = x1 + (w - 1) / 2:
    dx = (cx' - cx) / w    dw = ln(w' / w)    and the same for y.
"""
import numpy as np

from lib.bbox.boxes import as_boxes

EPSILON = 1e-7  # added to the sides that divide, as in the original; trained weights depend on no more than 1e-6 of it


def _centre_form(boxes):
    sizes = boxes[:, 2:4] - boxes[:, 0:2] + 1.0
    return boxes[:, 0:2] + 0.5 * (sizes - 1.0), sizes


def bbox_transform(ex, gt) -> np.ndarray:
    """Encode: (N, 4) boxes `ex` and their targets `gt` -> (N, 4) float64 deltas.

    Raises ValueError when the lengths differ. bbox_pred(ex, bbox_transform(ex, gt)) is gt.
    """
    ex, gt = as_boxes(ex, np.float64, name='ex'), as_boxes(gt, np.float64, name='gt')
    if len(ex) != len(gt):
        raise ValueError(f'every box needs one target: {len(ex)} boxes, {len(gt)} targets')
    ex_centres, ex_sizes = _centre_form(ex)
    gt_centres, gt_sizes = _centre_form(gt)
    shift = (gt_centres - ex_centres) / (ex_sizes + EPSILON)
    growth = np.log(gt_sizes / (ex_sizes + EPSILON))
    return np.hstack([shift, growth])


def bbox_pred(boxes, deltas) -> np.ndarray:
    """Decode: (N, 4) boxes and (N, 4 * C) deltas -> (N, 4 * C) float64 boxes, C boxes a row.

    Not clipped, and dw, dh are not limited: huge deltas give inf. ValueError for wrong shapes.
    """
    boxes, deltas = as_boxes(boxes, np.float64), np.asarray(deltas)
    if len(boxes) == 0:
        return np.zeros((0, deltas.shape[1] if deltas.ndim == 2 else 4))
    if deltas.ndim != 2 or len(deltas) != len(boxes) or deltas.shape[1] % 4:
        raise ValueError(f'deltas must have shape ({len(boxes)}, 4 * C), got {deltas.shape}')
    deltas = deltas.astype(np.float64).reshape(len(boxes), -1, 4)  # (N, C, 4)
    centres, sizes = _centre_form(boxes)
    with np.errstate(over='ignore'):
        pred_centres = deltas[:, :, 0:2] * sizes[:, None] + centres[:, None]
        pred_sizes = np.exp(deltas[:, :, 2:4]) * sizes[:, None]
    half = 0.5 * (pred_sizes - 1.0)
    return np.concatenate([pred_centres - half, pred_centres + half], axis=2).reshape(len(boxes), -1)
