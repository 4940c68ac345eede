"""Base anchors: the boxes of one feature cell, before they are shifted over the grid.

Both functions return (A, 4) float64, A = len(ratios) * len(scales), ratio-major: all scales of the first
ratio come first. A ratio is height / width. All anchors share the centre ((b - 1) / 2, (b - 1) / 2).
"""
import numpy as np


def _around_centre(centre, widths, heights):
    """Sides (R, K) of all ratios and scales -> (R, K, 4) boxes around the centre."""
    half_w, half_h = 0.5 * (widths - 1), 0.5 * (heights - 1)
    return np.stack([centre - half_w, centre - half_h, centre + half_w, centre + half_h], axis=-1)


def _enumerate(base, widths, heights, scales):
    scales = np.asarray(scales, dtype=np.float64)
    boxes = _around_centre(0.5 * (base - 1), np.multiply.outer(widths, scales), np.multiply.outer(heights, scales))
    return boxes.reshape(-1, 4)  # (R, K, 4) -> (R * K, 4)


def generate_anchors(base_size, ratios, scales) -> np.ndarray:
    """Anchors of the original's Python generator: sides rounded half to even.

    Integer ratios divide the area by floor division, as they did there (reference/pipeline.md 10.5).
    """
    ratios = np.asarray(ratios)
    area = base_size * base_size
    areas = area // ratios if ratios.dtype.kind in 'iu' else area / ratios.astype(np.float64)
    widths = np.round(np.sqrt(areas))
    return _enumerate(base_size, widths, np.round(widths * ratios), scales)


def anchor_base(stride, ratios, scales) -> np.ndarray:
    """Anchors of the proposal operators: area floored, sides rounded half up (reference/operators.md 3.1).

    These label the training anchors too, so that what is learnt is what the operators decode. They differ
    from generate_anchors only where a side falls on a half, as 22.5 does at stride 32.
    """
    ratios = np.asarray(ratios, dtype=np.float64)
    widths = np.floor(np.sqrt(np.floor(stride * stride / ratios)) + 0.5)
    return _enumerate(stride, widths, np.floor(widths * ratios + 0.5), scales)
