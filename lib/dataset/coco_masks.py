"""Segmentations of COCO files: polygons, and run-length masks as the polygons around them.

The format: https://cocodataset.org/#format-data.
"""
from typing import List, Tuple

import cv2
import numpy as np

from lib.dataset.base import AnnotationWarnings, is_number

MIN_POLYGON_NUMBERS = 6     # three corners
MOST_PIXELS = 1 << 28       # of a run-length mask
MOST_BITS = 40              # of one of its numbers
_FINE = 4                   # outlines of run-length masks are followed on a grid so many times finer
_TOLERANCE = 0.25           # pixels by which their staircases are smoothed
_STICKS_OUT = 1             # pixels, around the mask while its outline is followed


def polygons(annotation: dict, width, height, warnings: AnnotationWarnings) -> list:
    """Usable polygons of an object as float64 arrays (2k,): x y x y ..., original pixels; maybe none.

    A list of polygons is taken as it is, without those of less than three corners. (The original has no outline for
    anything else.) A run-length mask gives the outer border of each of its parts: holes are lost.
    """
    parts = annotation.get('segmentation')
    identity = annotation.get('id', '(no id)')
    if isinstance(parts, dict):
        mask = run_length_mask(parts, width, height)
        if mask is None:
            warnings.add('run-length masks are damaged or of another size than their image and are left out', identity)
            return []
        return mask_outlines(mask)
    if not isinstance(parts, list):
        return []
    found, broken = rings_of(parts)
    if broken:
        warnings.add('polygons are not lists of x y pairs and are left out', identity)
    return [np.array(part, np.float64) for part in found]


def rings_of(parts: list) -> Tuple[List[list], bool]:
    """A segmentation that is a list -> (its polygons of three corners and more as lists x y x y ..., whether something
    in it is no polygon). One polygon without the list around it is understood too."""
    if parts and all(map(is_number, parts)):
        parts = [parts]
    found, broken = [], False
    for part in parts:
        if not isinstance(part, list) or len(part) % 2 or not all(map(is_number, part)):
            broken = True
        elif len(part) >= MIN_POLYGON_NUMBERS:
            found.append(part)
    return found, broken


def run_length_mask(code, width, height):
    """COCO's run-length code, a dict of size and counts (numbers, or text) -> uint8 (height, width), or None if it does
    not fit the image."""
    width, height = int(width), int(height)
    if code.get('size') != [height, width] or width * height > MOST_PIXELS:
        return None
    counts = code.get('counts')
    if isinstance(counts, str):
        counts = _read_counts(counts)
    if (not isinstance(counts, list) or not all(isinstance(count, int) and count >= 0 for count in counts)
            or sum(counts) != width * height):
        return None
    values = np.zeros(len(counts), np.uint8)
    values[1::2] = 1
    return np.repeat(values, counts).reshape(width, height).T


def _read_counts(text):
    """Run lengths of COCO's compressed text, or None.

    Five bits a character, from character 48 on, lowest first; a sixth bit says that the number goes on, the fifth of
    the last character is the sign. From the fourth run on, the difference to the run before the last is written.
    """
    counts, place = [], 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            if place == len(text) or shift > MOST_BITS:
                return None
            bits = ord(text[place]) - 48
            if not 0 <= bits < 64:
                return None
            value |= (bits & 31) << shift
            more = bool(bits & 32)
            place, shift = place + 1, shift + 5
            if not more and bits & 16:
                value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def mask_outlines(mask: np.ndarray) -> list:
    """uint8 mask (H, W) -> outer borders of its parts, float64 (2k,), pixel i covering [i, i + 1)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    top, left = int(rows[0]), int(columns[0])
    inner = mask[top:int(rows[-1]) + 1, left:int(columns[-1]) + 1]
    fine = np.repeat(np.repeat(np.pad(inner, _STICKS_OUT), _FINE, axis=0), _FINE, axis=1)
    contours = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[-2]
    corner = np.array([left - _STICKS_OUT, top - _STICKS_OUT], np.float64)
    found = []
    for contour in contours:
        contour = cv2.approxPolyDP(contour, _TOLERANCE * _FINE, True).reshape(-1, 2)
        if 2 * len(contour) >= MIN_POLYGON_NUMBERS:
            # A contour goes through the middles of the fine pixels.
            found.append(((contour + 0.5) / _FINE + corner).ravel())
    return found
