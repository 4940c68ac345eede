"""Box coding of SSD (Liu et al., ECCV 2016): offsets of a corner-form box from a centre-form prior, and back.

    tx = ((x1 + x2) / 2 - cx) / (v0 w)    tw = ln((x2 - x1) / w) / v1    and the same for y and h

Coordinates are shares of the image, without the +1 of pixel boxes. Source: reference/m2det.md section 5.
"""
from typing import Sequence

import numpy as np

from lib.bbox.boxes import as_boxes

VARIANCES = (0.1, 0.2)


def prior_corners(priors) -> np.ndarray:
    """(P, 4) cx, cy, w, h -> (P, 4) x1, y1, x2, y2 of the same type; not clipped."""
    priors = np.asarray(priors)
    half = priors[:, 2:] / 2
    return np.hstack([priors[:, :2] - half, priors[:, :2] + half])


def encode_ssd(corners, priors, variances: Sequence[float] = VARIANCES) -> np.ndarray:
    """(N, 4) boxes x1, y1, x2, y2 and (N, 4) priors cx, cy, w, h -> (N, 4) float32 offsets.

    A box without width or height gives -inf. ValueError when the lengths differ.
    """
    corners, priors = _pair(corners, priors, 'boxes')
    with np.errstate(divide='ignore'):
        sizes = np.log((corners[:, 2:] - corners[:, :2]) / priors[:, 2:]) / np.float32(variances[1])
    centres = (corners[:, :2] + corners[:, 2:]) / 2 - priors[:, :2]
    return np.hstack([centres / (np.float32(variances[0]) * priors[:, 2:]), sizes])


def decode_ssd(deltas, priors, variances: Sequence[float] = VARIANCES) -> np.ndarray:
    """(N, 4) offsets and (N, 4) priors cx, cy, w, h -> (N, 4) float32 boxes x1, y1, x2, y2; not clipped to the image.

    ValueError when the lengths differ.
    """
    deltas, priors = _pair(deltas, priors, 'offsets')
    centres = priors[:, :2] + deltas[:, :2] * np.float32(variances[0]) * priors[:, 2:]
    sizes = priors[:, 2:] * np.exp(deltas[:, 2:] * np.float32(variances[1]))
    first = centres - sizes / 2
    return np.hstack([first, first + sizes])


def _pair(rows, priors, name):
    rows, priors = as_boxes(rows, np.float32, name=name), as_boxes(priors, np.float32, name='priors')
    if len(rows) != len(priors):
        raise ValueError(f'every prior needs one row: {len(rows)} {name}, {len(priors)} priors')
    return rows, priors
