"""The gt_masks tensor of one chip: outlines of its objects (reference/pipeline.md 10.10, operators.md 8.1).

A row of L numbers holds one object: label - 1, number of rings, numbers of each ring, then the points x y x y ... of
all rings in chip pixels, and -1 to the end. Points may lie outside the chip. The operator MaskRcnnTarget reads it.
"""
import numpy as np

from lib.targets.ring_simplification import simplified

HEAD = 2            # numbers of a row before the rings' lengths
NO_OUTLINE = np.nan  # in place of the label: the operator gives such an object no mask, instead of an empty one


def write_polygons(objects, labels, out):
    """Fill out (MAX_GT, L) float32 with the first rows of objects; those beyond have no row. L must be 9 or more.

    objects: one sequence of rings an object, each a (2k,) array of k points in chip pixels; labels: their classes.
    Rings that together do not fit into L numbers are simplified. Returns how many objects were.
    """
    out[...] = -1
    return sum(write_outline(rings, label, row) for rings, label, row in zip(objects, labels, out))


def write_outline(rings, label, row):
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


def to_window(ring, window):
    """Ring (2k,) in original pixels -> float32 in those of a Window: not rounded, not clipped."""
    scales = np.array((window.scale_x, window.scale_y))
    return ((ring.reshape(-1, 2) - np.asarray(window.box[:2], np.float64)) * scales).astype(np.float32).ravel()
