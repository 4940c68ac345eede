"""FocusChips: windows around FocusPixels for the next finer scale (Najibi et al. 2019, "AutoFocus", section 3.2;
reference/pipeline.md 12.7).

Letters: h, w cells of a focus map, a cell is `stride` pixels of the network's input.
"""
import math

import cv2
import numpy as np

ORIGINAL_STRIDE = 16


def focus_chips(prob_map, dilation, threshold, min_chip, width, height, scale, stride=ORIGINAL_STRIDE):
    """Windows that hold all cells of a focus map from `threshold` up.

    prob_map: (h, w) probabilities; it may be larger than the picture it was made from, and is searched whole. NaN is
    below every threshold. dilation: side, in cells, of the square that every such cell grows to. min_chip: least side
    of a window, in cells. width, height: of the picture in network input pixels, floats. scale: factor from original
    to input pixels. stride: input pixels a cell.
    Returns (M, 4) float64 x1, y1, x2, y2 in original pixels, relative to the picture's corner; M may be 0. Windows do
    not touch one another on the map, but moving them into the picture can make them overlap.
    ValueError for a map that is not of rank 2, and for a dilation, min_chip, stride or scale that is not positive.
    """
    prob_map = np.asarray(prob_map)
    if prob_map.ndim != 2:
        raise ValueError(f'a focus map is (rows, columns), got shape {prob_map.shape}')
    if not (dilation >= 1 and min_chip >= 1 and stride >= 1 and scale > 0):
        raise ValueError(f'dilation {dilation}, min_chip {min_chip}, stride {stride} and scale {scale} must be '
                         'positive')
    with np.errstate(invalid='ignore'):
        binary = (prob_map >= threshold).astype(np.uint8)
    if not binary.any():
        return np.zeros((0, 4))
    if dilation > 1:
        binary = cv2.dilate(binary, np.ones((dilation, dilation), np.uint8))
    cells = merged_rectangles(binary, min_chip, math.ceil(width / stride), math.ceil(height / stride))
    return _to_pixels(cells.astype(np.float64) * stride, stride * min_chip, width, height) / scale


def merged_rectangles(binary, least, columns, rows):
    """Rectangles (M, 4) int64 x1, y1, x2, y2 (ends exclusive) around the regions of a uint8 map, in cells.

    A rectangle is at least `least` wide and high and is filled; what then touches is one region, until their number
    stays. This happens twice at least, as in the original, which can widen rectangles at the lower and right sides of
    the picture. columns, rows: cells that the picture takes. Changes `binary`.
    """
    rectangles, count = _rectangles(binary, least, columns, rows), None
    while True:
        for x1, y1, x2, y2 in rectangles:
            binary[y1:y2, x1:x2] = 1
        rectangles = _rectangles(binary, least, columns, rows)
        if len(rectangles) == count:
            return rectangles
        count = len(rectangles)


def _rectangles(binary, least, columns, rows):
    """A rectangle for every contour, that of a hole too: enlarged about its centre and moved into the picture."""
    contours, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    x, y, width, height = np.array([cv2.boundingRect(contour) for contour in contours], np.int64).T
    x1, x2 = _enlarged(x, width, least, columns)
    y1, y2 = _enlarged(y, height, least, rows)
    return np.stack([x1, y1, x2, y2], axis=1)


def _enlarged(first, length, least, limit):
    """Intervals from `first` on, `length` cells long -> first and end of those at least `least` long."""
    centre = first + length // 2
    length = np.maximum(length, least)
    half = length // 2
    first = np.where(centre + half >= limit, np.maximum(limit - length, 0), np.maximum(centre - half, 0))
    return first, first + length


def _to_pixels(boxes, least, width, height):
    """Boxes beyond the picture's right or lower side are moved in, as far as `least` pixels ask."""
    for low, limit in ((0, width), (1, height)):
        beyond = boxes[:, low + 2] > limit
        boxes[beyond, low + 2] = limit
        boxes[beyond, low] = np.maximum(np.minimum(boxes[beyond, low], limit - least), 0)
    return boxes
