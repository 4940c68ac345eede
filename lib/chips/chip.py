"""The record of one training chip."""
from typing import NamedTuple, Tuple

import numpy as np


class Chip(NamedTuple):
    """A window of an image at one scale of its pyramid.

    box: x1, y1, x2, y2 in pixels of the original image (floats, inclusive corners of the scaled image divided
    by the scale). height, width: size in the network's input that im_info tells; the chip size, except at the
    coarsest scale, where it is the scaled image's size.
    """

    box: Tuple[float, float, float, float]
    scale: float         # factor from original to network pixels
    height: int
    width: int
    scale_index: int     # position in TRAIN.SCALES, 0 = finest
    props: np.ndarray    # (k,) int32 rows of the roidb entry that belong to this chip
    negative: bool       # True for a chip without objects, sampled around proposals
