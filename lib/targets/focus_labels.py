"""FocusPixel labels: which cells of a chip lie on objects to look at again at the next finer scale.

Source: reference/pipeline.md 10.9 (AutoFocus, Najibi et al. 2019, section 3.1). Letters: F x F cells of `stride`
pixels.
"""
from typing import NamedTuple

import numpy as np

from configs.derived import FOCUS_SIZES, focus_sizes
from lib.chips.window import Window
from lib.targets.chip_boxes import objects_on_chip, regions_on_chip

NOTHING, FOCUS, IGNORED = 0, 1, -1


class FocusSizes(NamedTuple):
    """What an object paints, by its side = sqrt((x2 - x1)(y2 - y1)), chip pixels: FOCUS if low < side < small; IGNORED
    if smaller, or below high; nothing from high up."""

    low: float = FOCUS_SIZES[0]
    small: float = FOCUS_SIZES[1]
    high: float = FOCUS_SIZES[2]

    @classmethod
    def from_config(cls, train):
        """From the section TRAIN of a configuration."""
        return cls(*focus_sizes(train))


def label_focus(entry, chip: Window, chip_size: int, stride: int, sizes: FocusSizes, out) -> None:
    """Write the labels of a chip of roidb `entry`, row by row, into out (F*F,) float32."""
    cells = out.reshape((-(-chip_size // stride),) * 2)
    write_focus_labels(objects_on_chip(entry, chip, chip_size)[1], sizes, stride, cells)
    ignore_focus(regions_on_chip(entry, chip, chip_size), stride, cells)


def write_focus_labels(boxes, sizes, stride, out):
    """Fill out (F, F) with NOTHING, FOCUS or IGNORED.

    boxes: (n, 4) all objects of the image in chip pixels, inside the chip or clipped to it (chip_boxes.to_window), also
    the smallest; those with NaN are passed over. They are painted in row order over one another. An object paints
    columns int(x1 / stride) to min(ceil(x2 / stride), F - 1), both included, and rows alike. One outside the chip was
    clipped to a line or point on its border, and paints IGNORED there.
    """
    out[...] = NOTHING
    boxes = boxes[np.isfinite(boxes).all(axis=1)].astype(np.float64)
    extent = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    side = np.sqrt(extent[:, 0] * extent[:, 1])
    values = np.where((sizes.low < side) & (side < sizes.small), FOCUS, IGNORED)
    paints = np.flatnonzero(side < sizes.high)
    first = (boxes[paints, :2] / stride).astype(np.int64)
    last = np.ceil(boxes[paints, 2:] / stride).astype(np.int64)     # a slice ends at the array's border by itself
    for (left, top), (right, bottom), value in zip(first.tolist(), last.tolist(), values[paints].tolist()):
        out[top:bottom + 1, left:right + 1] = value


def ignore_focus(regions, stride, out):
    """Cells of out (F, F) that lie in a region of which nothing is learnt, (r, 4) chip pixels, and hold NOTHING become
    IGNORED."""
    for left, top, right, bottom in (np.asarray(regions) // stride).astype(int).tolist():
        part = out[top:bottom + 1, left:right + 1]
        part[part == NOTHING] = IGNORED
