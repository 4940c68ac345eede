"""Masks of boxes -> masks of images, as COCO run-length codes (reference/operators.md 8.2 says what the cells are).

Letters: n masks of S x S cells, of n boxes. A code is bytes, about a hundred of them whatever the image's size; with
the image's height and width it is what pycocotools calls {'size': [height, width], 'counts': code}.
"""
from typing import List

import numpy as np

from lib.masks.run_lengths_ext import pack_counts, paste_masks, run_counts

THRESHOLD = 0.5


def paste(masks, boxes, width: int, height: int, least: float = 1.0, threshold: float = THRESHOLD) -> List[bytes]:
    """Masks (n, S, S) of probabilities, [row, column], and their boxes (n, 4) x1, y1, x2, y2 in pixels of an image of
    width x height -> list of n codes.

    A pixel belongs to the mask if its centre does: bilinear interpolation between the centres of the cells reaches the
    threshold there. The cells divide the box, x1 to x1 + max(x2 - x1, least); `least` is a pixel of the network's
    input, the least side of a box that masks are trained on. As corners are inclusive, an object goes on for one pixel
    behind x2 and y2: the outermost cells do so too. Pixels outside box and image are outside the mask, and so are all
    pixels of a box with a coordinate that is not finite.
    """
    masks = np.ascontiguousarray(masks, np.float32)
    boxes = np.ascontiguousarray(boxes, np.float64).reshape(-1, 4)
    if masks.ndim != 3 or masks.shape[1] != masks.shape[2] or masks.shape[0] != len(boxes) or not masks.shape[1]:
        raise ValueError(f'masks are (n, S, S) for boxes (n, 4), got {masks.shape} and {boxes.shape}')
    odd = ~np.isfinite(boxes).all(axis=1)
    if odd.any():
        boxes = np.where(odd[:, None], (-2.0, -2.0, -2.0, -2.0), boxes)
    return paste_masks(masks, boxes, least, width, height, threshold)


def unpack(code: bytes, width: int, height: int) -> np.ndarray:
    """Code -> bool (height, width). ValueError if it is of another size."""
    counts = run_counts(code)
    if counts.sum() != width * height or (counts < 0).any():
        raise ValueError(f'a run-length code is not of an image of {width} x {height} pixels')
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T


def pack(mask) -> bytes:
    """bool (height, width) -> code; the inverse of unpack."""
    flat = np.asarray(mask, bool).T.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = np.concatenate([[0] * bool(flat[:1].any()), changes, [flat.size]])
    return pack_counts(np.diff(ends, prepend=0).astype(np.int64))
