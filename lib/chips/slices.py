"""Slices: overlapping windows that cover an image, at whatever lies there (Akyon, Altinuc, Temizel 2022, "Slicing Aided
Hyper Inference and Fine-tuning for Small Object Detection", section 3.1)."""
from typing import List, Tuple


def slice_windows(width: int, height: int, side_x: int, side_y: int,
                  overlap: float) -> List[Tuple[float, float, float, float]]:
    """Slices of an image of width x height pixels, row by row: x1, y1, x2, y2, whole original pixels.

    side_x, side_y: of a slice, original pixels, at least 1. overlap: share of its side, 0 to below 1, that a slice has
    in common with the next one. All slices are of one size: the last of a row or column is moved into the image, where
    it shares more. An image that is smaller than a slice is one, as it is.
    """
    columns, rows = (_intervals(length, side, overlap) for length, side in ((width, side_x), (height, side_y)))
    return [(float(x1), float(y1), float(x2), float(y2)) for y1, y2 in rows for x1, x2 in columns]


def _intervals(length, side, overlap):
    """Intervals (first, end) of `side` pixels that cover `length`."""
    if side >= length:
        return [(0, length)]
    step = max(1, side - int(side * overlap))
    firsts = list(range(0, length - side, step)) + [length - side]
    return [(first, first + side) for first in firsts]
