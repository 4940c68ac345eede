"""Scores and deltas of a single-stage detector with anchors to rows above a score.

Letters: A anchors a cell, h x w cells, n rows.
"""
from typing import NamedTuple, Sequence

import numpy as np

LARGEST_GROWTH = 50.0   # deltas of sides above it are those of a network that has lost its way,
TAMED_GROWTH = 5.0      # and count as this, so that no side is infinite


class AnchorRows(NamedTuple):
    """n rows, best score first; equal ones in the order of cells, row by row, and anchors. box (n, 4) float32 x1, y1,
    x2, y2 in input pixels; score (n,) float32."""

    box: np.ndarray
    score: np.ndarray


def anchor_rows(scores, deltas, base, stride: float, size: Sequence[float], threshold: float, most: int = -1,
                min_side: float = 0, wide: bool = False) -> AnchorRows:
    """scores (A, h, w), deltas (4A, h, w) and base (A, 4), the anchors of the first cell -> the `most` best boxes of a
    score above the threshold, clipped to a picture of size (height, width); -1 = all.

    Cells that begin outside the picture are passed over, and so are boxes with a side below min_side after clipping.
    wide: boxes end one pixel further right and down than bbox_pred's, as those of SSH's original do (Najibi et al.
    2017; reference/more_ssh.md). ValueError for shapes that do not fit each other.
    """
    scores, deltas, base = np.asarray(scores, np.float32), np.asarray(deltas, np.float32), np.asarray(base, np.float32)
    anchors, rows, columns = scores.shape
    if deltas.shape != (4 * anchors, rows, columns) or base.shape != (anchors, 4):
        raise ValueError(f'scores are {scores.shape}, deltas {deltas.shape}, base anchors {base.shape}')
    rows, columns = (min(cells, -(-int(side) // int(stride))) for cells, side in zip((rows, columns), size))
    by_cell = np.ascontiguousarray(scores[:, :rows, :columns].transpose(1, 2, 0)).ravel()
    found = np.flatnonzero(by_cell > np.float32(threshold))
    y, x, anchor = np.unravel_index(found, (rows, columns, anchors))
    corner = np.stack([x, y], axis=1).astype(np.float32) * np.float32(stride)
    moved = deltas.reshape(anchors, 4, *deltas.shape[1:])[anchor, :, y, x]
    boxes = _decoded(base[anchor] + np.tile(corner, 2), moved, wide)
    limits = np.tile(np.asarray(size, np.float32)[1::-1], 2) - 1
    boxes = np.clip(boxes, 0, limits)
    kept = np.flatnonzero((boxes[:, 2:] - boxes[:, :2] + 1 >= min_side).all(axis=1))
    score = by_cell[found][kept]
    order = np.argsort(-score, kind='stable')[:None if most < 0 else most]
    return AnchorRows(boxes[kept[order]], score[order])


def _decoded(anchors, deltas, wide):
    sides = anchors[:, 2:] - anchors[:, :2] + 1
    growth = np.where(deltas[:, 2:] > LARGEST_GROWTH, TAMED_GROWTH, deltas[:, 2:])
    centres = anchors[:, :2] + np.float32(0.5) * (sides - 1) + deltas[:, :2] * sides
    half = np.float32(0.5) * (np.exp(growth) * sides - 1)
    return np.concatenate([centres - half, centres + half + wide], axis=1)
