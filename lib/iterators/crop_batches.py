"""Grouping of test crops into batches (reference/pipeline.md 12.3)."""
import math

import numpy as np


def order_crops(crops, batch_size):
    """Crops (n, 4) in original pixels -> order, int64 crop numbers, a multiple of batch_size long.

    Crops are sorted by area, the wide ones (width >= height) before the tall ones, and each of these two groups is
    filled up with its own last entries; a group too small for that is repeated from its start as often as need be.
    """
    return np.concatenate([_fill_up(group, batch_size) for group in size_groups(crops)]).astype(np.int64)


def size_groups(crops):
    """Crops (n, 4) -> crop numbers by area, [of the wide ones (width >= height), of the tall ones]."""
    crops = np.asarray(crops, np.float64).reshape(-1, 4)
    widths, heights = crops[:, 2] - crops[:, 0], crops[:, 3] - crops[:, 1]
    by_area = np.argsort(widths * heights, kind='stable')
    wide = widths[by_area] >= heights[by_area]
    return [by_area[wide], by_area[~wide]]


def _fill_up(group, batch_size):
    """Repeat entries of `group` until its length is a multiple of `batch_size`."""
    if len(group) == 0:
        return group
    missing = -len(group) % batch_size
    filled = np.concatenate([group, group[max(0, len(group) - missing):]])
    missing = -len(filled) % batch_size
    return np.concatenate([filled, np.resize(group, missing)])


def scaled_size(crop, scale):
    """Height and width in the network input of a crop (x1, y1, x2, y2): rounded up, not to the stride."""
    return (max(1, math.ceil((crop[3] - crop[1]) * scale)), max(1, math.ceil((crop[2] - crop[0]) * scale)))
