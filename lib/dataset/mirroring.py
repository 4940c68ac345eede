"""Boxes and polygons in a mirror."""


def mirrored_boxes(boxes, width, height, horizontal, vertical):
    """(n, 4) boxes of a width x height image -> a copy, as seen in a mirror."""
    boxes = boxes.copy()
    if horizontal:
        boxes[:, 0::2] = width - boxes[:, 2::-2] - 1
    if vertical:
        boxes[:, 1::2] = height - boxes[:, 3::-2] - 1
    return boxes


def mirrored_points(points, width, height, horizontal, vertical):
    """(2k,) array x y x y ... of a width x height image, as seen in a mirror; itself if it is not mirrored."""
    if not (horizontal or vertical):
        return points
    points = points.copy()
    if horizontal:
        points[0::2] = width - points[0::2] - 1
    if vertical:
        points[1::2] = height - points[1::2] - 1
    return points
