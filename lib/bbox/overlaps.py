"""Overlap of every box with every query box (+1 convention)."""
import numpy as np

from lib.bbox.arrays import as_boxes
from lib.bbox.overlaps_ext import overlaps


def bbox_overlaps(boxes, query):
    """Intersection over union of (N, 4) and (K, 4) boxes -> (N, K) float64 in [0, 1].

    Equal boxes give exactly 1. A box with a NaN corner overlaps nothing. ValueError for wrong shapes.
    """
    return overlaps(as_boxes(boxes, np.float64), as_boxes(query, np.float64, name='query'), False)


def ignore_overlaps(boxes, query):
    """Intersection over the *query's* area -> (N, K) float64: the share of a query inside a box.

    1 means that the query lies wholly in the box. Used with chips as boxes, or ignore regions.
    """
    return overlaps(as_boxes(boxes, np.float64), as_boxes(query, np.float64, name='query'), True)
