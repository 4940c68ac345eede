"""A plain Python twin of MaskRcnnTarget, which walks every edge step by step as the contract describes it."""
import numpy as np


def record(category, segments, length):
    """A polygon record of `length` numbers, padded with -1, from segments of x, y, x, y, ..."""
    numbers = [category, len(segments)] + [len(s) for s in segments] + [value for s in segments for value in s]
    assert len(numbers) <= length
    return np.array(numbers + [-1] * (length - len(numbers)), np.float32)


def fine_points(points, roi, size):
    """(row, column) of vertices on the grid five times as fine."""
    x1, y1, x2, y2 = np.asarray(roi, np.float64)
    width, height = max(1.0, x2 - x1), max(1.0, y2 - y1)
    points = np.asarray(points, np.float64).reshape(-1, 2)
    return [(int(5 * ((y - y1) * size / height) + 0.5), int(5 * ((x - x1) * size / width) + 0.5)) for x, y in points]


def chain(a, b):
    """Fine points from a to b, one a step along the longer axis."""
    axis = 0 if abs(b[0] - a[0]) >= abs(b[1] - a[1]) else 1
    flip = a[axis] > b[axis]
    if flip:
        a, b = b, a
    rows, columns = abs(b[0] - a[0]), abs(b[1] - a[1])
    if rows == columns == 0:
        points = [a]
    elif rows >= columns:
        points = [(a[0] + t, int(a[1] + (b[1] - a[1]) / rows * t + 0.5)) for t in range(rows + 1)]
    else:
        points = [(int(a[0] + (b[0] - a[0]) / columns * t + 0.5), a[1] + t) for t in range(columns + 1)]
    return points[::-1] if flip else points


def segment_mask(points, roi, size):
    """(size, size) bool: runs between the sorted crossings of the outline."""
    vertices = fine_points(points, roi, size)
    outline = [p for i in range(len(vertices)) for p in chain(vertices[i], vertices[(i + 1) % len(vertices)])]
    crossings = []
    for before, after in zip(outline, outline[1:]):
        if before[0] == after[0]:
            continue
        row = (min(before[0], after[0]) + 0.5) / 5 - 0.5
        if row != np.floor(row) or not 0 <= row <= size - 1:
            continue
        column = np.ceil(min(max((min(before[1], after[1]) + 0.5) / 5 - 0.5, 0), size))
        crossings.append(int(row * size + column))
    flat, previous, inside = np.zeros(size * size, bool), 0, False
    for crossing in sorted(crossings) + [size * size]:
        flat[previous:crossing] = inside
        previous, inside = crossing, not inside
    return flat.reshape(size, size)


def mask_rcnn_target(rois, mask_polys, mask_ids, size, ignore_label=-1):
    """(R, S, S) targets and categories; for well-formed records only."""
    targets, categories = np.zeros((2, len(rois), size, size), np.float32)
    for row, (roi, index) in enumerate(zip(rois, np.ravel(mask_ids))):
        if index == -1:
            targets[row] = ignore_label
            continue
        numbers = mask_polys[int(roi[0]), int(index)]
        categories[row] = numbers[0]
        count = max(int(numbers[1]), 0)
        begin = 2 + count
        for length in numbers[2:begin].astype(int):
            if length >= 2:
                targets[row][segment_mask(numbers[begin:begin + length], roi[1:], size)] = 1
            begin += length
    return targets, categories
