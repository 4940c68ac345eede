"""The record of one window: a piece of an image and the size at which a network sees it."""
from typing import NamedTuple, Tuple

import numpy as np

NO_ROWS = np.zeros(0, np.int32)


class Window(NamedTuple):
    """A piece of an image, resized. Chips have one scale; other samplers may resize the two directions differently.

    box: x1, y1, x2, y2 in pixels of the original image (floats, inclusive corners of the scaled image divided by the
    scale). height, width: size in the network's input that im_info tells; of a chip the chip size, except at the
    coarsest scale, where it is the scaled image's size if that is smaller.
    """

    box: Tuple[float, float, float, float]
    scale_x: float             # factor from original to network pixels, horizontally
    scale_y: float             # the same vertically
    height: int
    width: int
    level: int = 0             # position among the sampler's scales (of a chip: TRAIN.SCALES), 0 = finest
    negative: bool = False     # True for a window without objects, sampled around proposals
    rows: np.ndarray = NO_ROWS  # (k,) int32 rows of the roidb record that belong to this window

    @property
    def scale(self) -> float:
        """The one factor of a window that has the same in both directions; ValueError for another."""
        if self.scale_x != self.scale_y:
            raise ValueError(f'a window has the scales {self.scale_x} and {self.scale_y}, not one')
        return self.scale_x

    @property
    def scale_index(self) -> int:
        """The level, by the name that reference/pipeline.md has for it."""
        return self.level

    @property
    def props(self) -> np.ndarray:
        """The rows, by the name that reference/pipeline.md has for them."""
        return self.rows
