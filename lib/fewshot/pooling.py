"""What a feature map says of a region: numbers that a linear classifier tells classes apart by.

A region's mean is weighted by the share of each cell that lies in it, so that a whole picture, which need not end
where a cell does, and a box between cells are described alike; nothing of what pads the batch is in it. (The original
averages whole pictures over all cells and boxes over the maxima of 7 x 7 bins: two measures for one classifier.)

Letters: N regions, C channels, h x w cells.
"""
import numpy as np

KINDS = {'mean': 1, 'mean+std': 2, 'grid': 4, 'mean+std+grid': 6}    # numbers a channel
LEAST_SIDE = 1e-3       # cells: of a box that has no width
SPREAD = 1e-12          # variance that rounding can make of none


def describe(feature: np.ndarray, regions: np.ndarray, kind: str) -> np.ndarray:
    """feature (C, h, w), regions (N, 4) x1, y1, x2, y2 edges in cells, not inclusive -> (N, C * KINDS[kind]) float32.

    'mean' and 'std': of each channel over the region; 'grid': means of its four quarters. ValueError: another kind.
    """
    if kind not in KINDS:
        raise ValueError(f'unknown features {kind!r}; known: {", ".join(KINDS)}')
    channels, rows, columns = feature.shape
    cells = np.ascontiguousarray(feature.reshape(channels, -1).T, np.float32)
    regions = np.asarray(regions, np.float64).reshape(-1, 4)
    weights = region_weights(regions, rows, columns)
    means = weights @ cells
    parts = [means] if kind != 'grid' else []
    if 'std' in kind:
        centred = cells - cells.mean(axis=0)     # so that squares of large numbers do not cancel
        offsets = weights @ centred
        parts.append(np.sqrt(np.maximum(weights @ (centred * centred) - offsets * offsets, SPREAD)))
    if 'grid' in kind:
        parts += [region_weights(quarter, rows, columns) @ cells for quarter in quarters(regions)]
    return np.concatenate(parts, axis=1)


def region_weights(regions: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(N, 4) edges in cells -> (N, rows * columns) float32: share of each cell in the region, which add up to 1. What
    lies outside of the map does not count; a region without any cell is the cell beside it."""
    across = _along(regions[:, 0], regions[:, 2], columns)
    down = _along(regions[:, 1], regions[:, 3], rows)
    return (down[:, :, None] * across[:, None, :]).reshape(len(regions), -1).astype(np.float32)


def quarters(regions: np.ndarray) -> list:
    """[upper left, upper right, lower left, lower right] of regions (N, 4)."""
    x1, y1, x2, y2 = regions.T
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return [np.stack(edges, axis=1) for edges in ((x1, y1, x, y), (x, y1, x2, y), (x1, y, x, y2), (x, y, x2, y2))]


def _along(begin, end, cells):
    """(N,) edges -> (N, cells) shares of each cell, which add up to 1."""
    begin = np.clip(begin, 0, cells - LEAST_SIDE)
    end = np.clip(np.maximum(end, begin + LEAST_SIDE), LEAST_SIDE, cells)
    place = np.arange(cells)
    inside = np.clip(np.minimum(end[:, None], place + 1) - np.maximum(begin[:, None], place), 0, None)
    return inside / inside.sum(axis=1, keepdims=True)
