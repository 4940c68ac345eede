"""Outlines with fewer points that cover nearly the same (Douglas & Peucker 1973).

A ring is a (2k,) array x y x y ... of a closed line.
"""
import cv2
import numpy as np

MIN_NUMBERS = 6         # of a ring that covers anything: three points
FIRST_TOLERANCE = 0.05  # pixels a simplified line may be off; grows until the rings fit
GROWTH = 1.5
MOST_POINTS = 4096      # Douglas-Peucker can take the square of the number of points: longer rings are thinned before


def simplified(rings, room):
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


def area(ring):
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
    across = np.abs(np.cross(points[second] - points[first], points - points[first])).argmax()
    return points[[first, second, across]].ravel()
