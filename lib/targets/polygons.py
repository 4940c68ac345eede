"""The gt_masks tensor of one chip: outlines of its objects (reference/pipeline.md 10.10, operators.md 8.1).

A row of L numbers holds one object: label - 1, number of rings, numbers of each ring, then the points x y x y ... of
all rings in chip pixels, and -1 to the end. Points may lie outside the chip. The operator MaskRcnnTarget reads it.
A ring is a (2k,) array x y x y ... of a closed line. Outlines that do not fit are simplified (Douglas & Peucker 1973).
"""
import cv2
import numpy as np

from lib.chips.window import Window

HEAD = 2            # numbers of a row before the rings' lengths
NO_OUTLINE = np.nan  # in place of the label: the operator gives such an object no mask, instead of an empty one
MIN_NUMBERS = 6         # of a ring that covers anything: three points
FIRST_TOLERANCE = 0.05  # pixels a simplified line may be off; grows until the rings fit
GROWTH = 1.5
MOST_POINTS = 4096      # Douglas-Peucker can take the square of the number of points: longer rings are thinned before


def write_polygons(objects, labels, out) -> int:
    """Fill out (MAX_GT, L) float32 with the first rows of objects; those beyond have no row. L must be 9 or more.

    objects: one sequence of rings an object, each a (2k,) array of k points in chip pixels; labels: their classes.
    Rings that together do not fit into L numbers are simplified. Returns how many objects were.
    """
    out[...] = -1
    return sum(write_outline(rings, label, row) for rings, label, row in zip(objects, labels, out))


def write_outline(rings, label, row) -> bool:
    """Fill row (L,) float32, -1 before, with an object; -> whether it had to be simplified."""
    room = len(row) - HEAD
    too_long = sum(len(ring) for ring in rings) + len(rings) > room
    if too_long:
        rings = simplified(rings, room)
    row[0] = label - 1 if len(rings) else NO_OUTLINE
    row[1] = len(rings)
    end = HEAD + len(rings)
    row[HEAD:end] = [len(ring) for ring in rings]
    for ring in rings:
        row[end:end + len(ring)] = ring
        end += len(ring)
    return too_long


def to_window(ring, window: Window) -> np.ndarray:
    """Ring (2k,) in original pixels -> float32 in those of a Window: not rounded, not clipped."""
    scales = np.array((window.scale_x, window.scale_y))
    return ((ring.reshape(-1, 2) - np.asarray(window.box[:2], np.float64)) * scales).astype(np.float32).ravel()


def simplified(rings, room: int) -> list:
    """Float32 rings that fit into `room` numbers, a length and two numbers a point counted for each ring.

    Of too many rings the smallest are left out. All are simplified with the same tolerance, those with most points
    first, until they fit; a ring that shrinks to a line then is left out, but never the largest. `room` is 7 or more.
    """
    rings = _largest([np.asarray(ring, np.float32) for ring in rings if len(ring) >= MIN_NUMBERS],
                     room // (1 + MIN_NUMBERS))
    rings = [_thinned(ring) for ring in rings]
    tolerance = FIRST_TOLERANCE
    while _numbers(rings) > room:
        kept = _largest(rings, 1)[0]
        for place in sorted(range(len(rings)), key=lambda index: -len(rings[index])):
            reduced = cv2.approxPolyDP(rings[place].reshape(-1, 1, 2), tolerance, True).reshape(-1)
            if len(reduced) < MIN_NUMBERS:
                reduced = _triangle(rings[place]) if rings[place] is kept else reduced[:0]
            rings[place] = reduced
            if _numbers([ring for ring in rings if len(ring)]) <= room:
                break
        rings = [ring for ring in rings if len(ring)]
        tolerance *= GROWTH
    return rings


def area(ring) -> float:
    """Area that a ring encloses, pixels; 0 for a line."""
    x, y = np.asarray(ring, np.float64).reshape(-1, 2).T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def _numbers(rings):
    return sum(len(ring) + 1 for ring in rings)


def _largest(rings, count):
    """The `count` rings of the largest area, in their order."""
    if len(rings) <= count:
        return rings
    order = sorted(range(len(rings)), key=lambda index: -area(rings[index]))
    return [rings[index] for index in sorted(order[:count])]


def _thinned(ring):
    """At most MOST_POINTS points (a few more where edges are long), evenly along the line."""
    points = ring.reshape(-1, 2)
    if len(points) <= MOST_POINTS:
        return ring
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points.astype(np.float64), axis=0).T))])
    part = (length * (MOST_POINTS / max(length[-1], 1e-12))).astype(np.int64)
    return points[np.concatenate([[True], np.diff(part) > 0])].ravel()


def _triangle(ring):
    """Three points of a ring that are far from each other."""
    points = ring.reshape(-1, 2)
    first = ((points - points[0]) ** 2).sum(axis=1).argmax()
    second = ((points - points[first]) ** 2).sum(axis=1).argmax()
    (along_x, along_y), (to_x, to_y) = points[second] - points[first], (points - points[first]).T
    across = np.abs(along_x * to_y - along_y * to_x).argmax()
    return points[[first, second, across]].ravel()
