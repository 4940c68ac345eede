"""Masks of final detections, picked from those that every window made (masks.py)."""
import logging

import numpy as np

from lib.bbox import bbox_overlaps
from lib.inference.masks import NO_MASK
from lib.masks import pack, unpack

logger = logging.getLogger(__name__)


def final_masks(roidb, results, index):
    """Results of all scales -> masks[class][image]: a code a detection.

    index[class][image]: which row of the image each detection was, see aggregate_with_index. A row that its window gave
    no mask has that of the row which it overlaps most, cut to its own box; b'' if there is none.
    """
    masks = [[] for _ in index]
    borrowed = missing = 0
    for image, entry in enumerate(roidb):
        codes = [code for result in results for crop in result.masks[image] for code in crop]
        for label, images in enumerate(index):
            found = [codes[row] for row in images[image]]
            for place in [place for place, code in enumerate(found) if not code]:
                found[place] = _borrowed(results, image, images[image][place], entry['width'], entry['height'])
                borrowed += 1
                missing += not found[place]
            masks[label].append(found)
    if borrowed:
        logger.info('%d of %d detections have the mask of a box beside them, %d have none', borrowed - missing,
                    sum(len(found) for of_class in masks for found in of_class), missing)
    return masks


def _borrowed(results, image, row, width, height):
    """Code for row number `row` of an image, from its neighbours in the same window: of its class, else of any."""
    rows, codes, row = _window_of(results, image, row)
    with_mask = np.array([number for number, code in enumerate(codes) if code], int)
    overlaps = bbox_overlaps(rows[row:row + 1, :4], rows[with_mask, :4])[0]
    if not (overlaps > 0).any():
        return NO_MASK
    same = (rows[with_mask, 5] == rows[row, 5]) & (overlaps > 0)
    best = with_mask[np.argmax(overlaps + same)]
    mask = unpack(codes[best], int(width), int(height))
    x1, y1 = np.maximum(np.ceil(rows[row, :2] - 0.5), 0).astype(int)  # pixels by their centres, see lib.masks.paste
    x2, y2 = np.ceil(rows[row, 2:4] + 0.5).astype(int)
    cut = np.zeros_like(mask)
    cut[y1:y2, x1:x2] = mask[y1:y2, x1:x2]
    return pack(cut)


def _window_of(results, image, row):
    """Rows and codes of the window that row number `row` of an image is from, and its number there."""
    for result in results:
        for rows, codes in zip(result.rows[image], result.masks[image]):
            if row < len(rows):
                return rows, codes, row
            row -= len(rows)
    raise IndexError(f'an image has fewer rows than {row}')
