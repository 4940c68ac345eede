"""Where labels go, so that they hide neither their own object nor its neighbours."""
from typing import List, Optional, Sequence, Tuple

import numpy as np

MOST_HIDDEN = 0.05   # share of a neighbour that a label may cover: the edge of a large box around it, no small one
MOST_OF_OWN = 0.15   # of the label's own box, if it lies inside


def place_labels(boxes: np.ndarray, sizes: Sequence[Sequence[Tuple[int, int]]], width: int, height: int,
                 others: Sequence = ()) -> List[Optional[Tuple[int, int, int]]]:
    """Boxes (n, 4) x1, y1, x2, y2, whole pixels inclusive, the most important first; sizes[box]: (width, height) that
    its label can have, the best first -> for each box (which size, x, y of the label's first pixel), None if there is
    no room for it in a picture of `width` x `height`.

    A label lies above its box, below, beside or inside it, over no other label, and over no other box, of those or of
    `others` (m, 4), but for MOST_HIDDEN of its area.
    """
    boxes = np.concatenate([np.asarray(part, np.float64).reshape(-1, 4) for part in (boxes, others)])
    boxes = np.clip(boxes, 0, [width - 1, height - 1] * 2)
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:]) + 1
    areas = (high - low).prod(axis=1)
    taken = np.zeros((0, 4))
    places: List[Optional[Tuple[int, int, int]]] = []
    for number, of_box in enumerate(sizes):
        found = None
        for choice, size in enumerate(of_box):
            corners = _corners(low[number], high[number], size, width, height)
            free = corners[_free(corners, size, number, low, high, areas, taken)]
            if len(free):
                found = (choice, int(free[0][0]), int(free[0][1]))
                taken = np.concatenate([taken, [[*free[0], free[0][0] + size[0], free[0][1] + size[1]]]])
                break
        places.append(found)
    return places


def _corners(low, high, size, width, height):
    """(c, 2) first pixels of a label at the places around and in a box that keep it inside the picture."""
    (x1, y1), (x2, y2), (label_width, label_height) = low, high, size
    room = np.array([width - label_width, height - label_height])
    if (room < 0).any():
        return np.zeros((0, 2))
    above, below, left, right = y1 - label_height, y2, x1 - label_width, x2
    places = np.array([(x1, above), (x2 - label_width, above), (x1, below), (x2 - label_width, below),
                       (right, y1), (left, y1), (right, y2 - label_height), (left, y2 - label_height),
                       (x1, y1), (x2 - label_width, y1), (x1, y2 - label_height)])
    return np.clip(places, 0, room)


def _free(corners, size, number, low, high, areas, taken):
    """(c,) bool: places where a label hides nothing that it should not."""
    ends = corners + size
    hidden = _overlaps(corners, ends, low, high) / areas
    allowed = np.full(len(areas), MOST_HIDDEN)
    allowed[number] = MOST_OF_OWN
    return (hidden <= allowed).all(axis=1) & (_overlaps(corners, ends, taken[:, :2], taken[:, 2:]) == 0).all(axis=1)


def _overlaps(low, high, other_low, other_high):
    """(a, b) areas that a boxes share with b others; ends are exclusive."""
    sides = np.minimum(high[:, None], other_high[None]) - np.maximum(low[:, None], other_low[None])
    return np.maximum(sides, 0).prod(axis=2)


def least_hiding(boxes: np.ndarray, size: Tuple[int, int], width: int, height: int) -> Optional[Tuple[int, int]]:
    """First pixel (x, y) of a sign of this size in the corner of a picture where it hides least of the boxes; None if
    it takes more than a quarter of the picture, or does not fit."""
    if size[0] > width or size[1] > height or size[0] * size[1] > width * height / 4:
        return None
    right, bottom = width - size[0], height - size[1]
    corners = np.array([(0, bottom), (right, bottom), (0, 0), (right, 0)])
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1), 1)
    hidden = (_overlaps(corners, corners + size, boxes[:, :2], boxes[:, 2:] + 1) / areas).sum(axis=1)
    return tuple(corners[int(np.argmin(hidden))].tolist())
