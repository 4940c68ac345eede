"""Default boxes ("priors") of single-shot detectors: SSD (Liu et al., ECCV 2016) as M2Det (AAAI 2019) has them.

Six boxes a cell of every feature map, in centre form (cx, cy, w, h), as shares of the input's side. Source:
reference/m2det.md section 4.
"""
from typing import List, Sequence

import numpy as np

BOXES_A_CELL = 6
_LARGEST_SHARE = 2  # a box that is larger than twice the image is given in pixels


def map_sides(size: int, steps: Sequence[float]) -> List[int]:
    """Side of each feature map, in cells, of an input of `size` pixels; steps: pixels a cell, finest first."""
    return [int(round(size / step)) for step in steps]


def ssd_priors(size: int, steps: Sequence[float], sizes: Sequence[float]) -> np.ndarray:
    """Priors of all feature maps, finest map first, then row, column, box -> (P, 4) float32 cx, cy, w, h in [0, 1].

    size    side of the input in pixels
    steps   pixels a cell, one number a map; a map has round(size / step) cells a side
    sizes   side of the square box of each map, and one more after the last; shares of `size`, or pixels if the largest
            is above 2

    With s the map's own size and s' the geometric mean with the next one, the boxes of a cell are (s, s), (s', s'),
    then s by the ratios 2, 1/2, 3 and 1/3. Each of the four numbers is clipped to [0, 1], so corners may lie outside
    the image. Raises ValueError unless there is one size more than steps, and all are positive.
    """
    if len(sizes) != len(steps) + 1:
        raise ValueError(f'{len(steps)} maps need {len(steps) + 1} sizes, got {len(sizes)}')
    if not (size > 0 and all(step > 0 for step in steps) and all(side > 0 for side in sizes)):
        raise ValueError(f'size {size}, steps {list(steps)} and sizes {list(sizes)} must be positive')
    factor = size if max(sizes) <= _LARGEST_SHARE else 1
    pixels = [round(side * factor, 2) for side in sizes]
    maps = [_priors_of_map(cells, step / size, side / size, following / size)
            for cells, step, side, following in zip(map_sides(size, steps), steps, pixels, pixels[1:])]
    return np.clip(np.concatenate(maps).astype(np.float32), 0, 1)


def _priors_of_map(cells, step, side, following):
    """All in shares of the input -> (cells * cells * 6, 4) float64."""
    between, root2, root3 = np.sqrt(side * following), np.sqrt(2.0), np.sqrt(3.0)
    shapes = np.array([(side, side), (between, between), (side * root2, side / root2), (side / root2, side * root2),
                       (side * root3, side / root3), (side / root3, side * root3)])
    centres = (np.arange(cells) + 0.5) * step
    rows, columns = np.meshgrid(centres, centres, indexing='ij')
    places = np.stack([columns.ravel(), rows.ravel()], axis=1)      # x before y
    return np.hstack([np.repeat(places, BOXES_A_CELL, axis=0), np.tile(shapes, (cells * cells, 1))])
