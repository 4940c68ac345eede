"""Boxes in a mirror."""


def mirrored_boxes(boxes, width, height, horizontal, vertical):
    """(n, 4) boxes of a width x height image -> a copy, as seen in a mirror."""
    boxes = boxes.copy()
    if horizontal:
        boxes[:, 0::2] = width - boxes[:, 2::-2] - 1
    if vertical:
        boxes[:, 1::2] = height - boxes[:, 3::-2] - 1
    return boxes
