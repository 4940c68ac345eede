"""Do FocusChips hold the objects that they are for?"""
import numpy as np

SMALL_AREA = 32 ** 2  # original pixels: COCO's small objects


def focus_recall(roidb, crops, wanted):
    """-> (objects whose centre lies in a window of their image, objects that `wanted` chose).

    crops[image]: windows x1, y1, x2, y2 in original pixels; wanted: areas (n,) of boxes in original pixels ->
    (n,) bool.
    """
    held = total = 0
    for entry, windows in zip(roidb, crops):
        boxes = entry['boxes'][np.asarray(entry['max_overlaps']) == 1]
        boxes = boxes[wanted((boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1))]
        total += len(boxes)
        if len(windows) and len(boxes):
            centres = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
            windows = np.asarray(windows)
            held += int(((centres >= windows[:, :2]) & (centres <= windows[:, 2:])).all(axis=2).any(axis=1).sum())
    return held, total


def small(areas):
    """COCO's small objects."""
    return areas < SMALL_AREA


def in_range(valid_range):
    """-> `wanted` for the objects of a valid range (lo, hi) of sides; a bound of 0 or less is open."""
    low, high = valid_range

    def wanted(areas):
        return (areas > max(low, 0) ** 2) & ((areas <= high ** 2) | (high <= 0))
    return wanted
