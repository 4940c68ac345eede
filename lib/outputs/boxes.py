"""Boxes as other programs count them: edges between pixels, not corner pixels that belong to the object."""
from typing import Optional, Tuple

import numpy as np


def edges(box: np.ndarray, size: Optional[Tuple[int, int]] = None) -> np.ndarray:
    """(n, 4) x1, y1, x2, y2 inclusive pixel corners -> (n, 4) float64 edges: right and lower ones are one more.

    size: (width, height) of the picture, to which they are cut if it is given.
    """
    found = np.asarray(box, np.float64).reshape(-1, 4) + (0, 0, 1, 1)
    return found if size is None else np.clip(found, 0, np.tile(np.asarray(size, np.float64), 2))
