"""Where labels go, so that they hide neither their own object nor its neighbours."""
from typing import List, Optional, Sequence, Tuple

import numpy as np

MOST_HIDDEN = 0.05   # share of a neighbour that a label may cover: the edge of a large box around it, no small one
MOST_OF_OWN = 0.15   # of the label's own box, if it lies inside
MOST_LABELS = 300    # of a picture; with more nobody sees anything, and each takes its time


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
    allowed = MOST_HIDDEN * areas
    taken: List[Tuple[int, int, int, int]] = []
    places: List[Optional[Tuple[int, int, int]]] = [None] * len(sizes)
    for number, of_box in enumerate(sizes[:MOST_LABELS]):
        reach = np.max(of_box, axis=0)
        near = ((low < high[number] + reach) & (high > low[number] - reach)).all(axis=1)
        mine = allowed[near]
        mine[np.count_nonzero(near[:number])] = MOST_OF_OWN * areas[number]
        labels = np.array(taken, np.float64).reshape(-1, 4)
        for choice, size in enumerate(of_box):
            corners = _corners(low[number], high[number], size, width, height)
            ends = corners + size
            free = ((_overlaps(corners, ends, low[near], high[near]) <= mine).all(axis=1) &
                    (_overlaps(corners, ends, labels[:, :2], labels[:, 2:]) == 0).all(axis=1))
            if free.any():
                x, y = corners[int(np.argmax(free))].astype(int).tolist()
                places[number] = (choice, x, y)
                taken.append((x, y, x + size[0], y + size[1]))
                break
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
