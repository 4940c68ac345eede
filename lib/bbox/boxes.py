"""Arrays of boxes: the door through which they enter the kernels, overlaps, clipping, and which are large enough.

Letters: N, K boxes; columns x1, y1, x2, y2, inclusive pixel corners: width = x2 - x1 + 1.
"""
import numpy as np

from lib.bbox.overlaps_ext import overlaps

COVERED = 0.5   # share of a box in a region to be ignored, from which on it is ignored (sniper/roi_targets.h too)


def as_boxes(boxes, dtype, columns: int = 4, name: str = 'boxes') -> np.ndarray:
    """Anything array-like -> C-ordered (N, columns) array of dtype; an empty list is (0, columns).

    Copies only when layout or type differ. Raises ValueError with the shape got and expected.
    """
    array = np.asarray(boxes)
    if array.size == 0:
        return np.zeros((0, columns), dtype=dtype)
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f'{name} must have shape (N, {columns}), got {array.shape}')
    return np.ascontiguousarray(array, dtype=dtype)


def bbox_overlaps(boxes, query) -> np.ndarray:
    """Intersection over union of (N, 4) and (K, 4) boxes -> (N, K) float64 in [0, 1].

    Equal boxes give exactly 1. A box with a NaN corner overlaps nothing. ValueError for wrong shapes.
    """
    return overlaps(as_boxes(boxes, np.float64), as_boxes(query, np.float64, name='query'), False)


def ignore_overlaps(boxes, query) -> np.ndarray:
    """Intersection over the *query's* area -> (N, K) float64: the share of a query inside a box.

    1 means that the query lies wholly in the box. Used with chips as boxes, or ignore regions.
    """
    return overlaps(as_boxes(boxes, np.float64), as_boxes(query, np.float64, name='query'), True)


def covered(boxes, regions, share: float = COVERED) -> np.ndarray:
    """(N,) bool: whether at least `share` of the area of a box lies in one of the regions (K, 4)."""
    return (ignore_overlaps(regions, boxes) >= share).any(axis=0)


def clip_boxes(boxes, im_shape) -> np.ndarray:
    """(N, 4 * C) boxes -> new array with x in [0, width - 1], y in [0, height - 1].

    im_shape is (height, width) or longer. A box outside collapses onto the border. Keeps float types;
    integers become float64.
    """
    boxes = np.asarray(boxes)
    dtype = boxes.dtype if boxes.dtype.kind == 'f' else np.float64
    clipped = np.empty(boxes.shape, dtype=dtype)
    height, width = im_shape[0], im_shape[1]
    clipped[:, 0::2] = np.maximum(np.minimum(boxes[:, 0::2], width - 1), 0)
    clipped[:, 1::2] = np.maximum(np.minimum(boxes[:, 1::2], height - 1), 0)
    return clipped


def large_enough(boxes, min_size: float) -> np.ndarray:
    """Indices (M,) int64 of the (N, 4) boxes whose inclusive width and height are both >= min_size."""
    boxes = np.asarray(boxes).reshape(-1, 4)
    width = boxes[:, 2] - boxes[:, 0] + 1
    height = boxes[:, 3] - boxes[:, 1] + 1
    return np.nonzero((width >= min_size) & (height >= min_size))[0]
