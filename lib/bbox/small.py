"""Boxes too small to learn from."""
import numpy as np


def large_enough(boxes, min_size):
    """Indices (M,) int64 of the (N, 4) boxes whose inclusive width and height are both >= min_size."""
    boxes = np.asarray(boxes).reshape(-1, 4)
    width = boxes[:, 2] - boxes[:, 0] + 1
    height = boxes[:, 3] - boxes[:, 1] + 1
    return np.nonzero((width >= min_size) & (height >= min_size))[0]
