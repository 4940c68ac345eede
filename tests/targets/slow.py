"""Plain NumPy twin of the anchor labels, written from reference/pipeline.md 10.5 to 10.8."""
import numpy as np

from lib.bbox import bbox_overlaps, bbox_transform


def grid(base, cells, stride):
    """(A, 4) base anchors -> (F*F*A, 4), row-major, base anchor fastest."""
    shift = np.arange(cells) * stride
    x, y = np.meshgrid(shift, shift)
    shifts = np.stack([x, y, x, y], axis=-1).reshape(-1, 1, 4)
    return (shifts + base[None]).reshape(-1, 4)


def label(anchors, valid, invalid, chip_size, positive, negative, border=32, ignore=0.3):
    """Labels (K,) and deltas (K, 4) to the best valid object, before subsampling."""
    inside = ((anchors[:, :2] >= -border) & (anchors[:, 2:] < chip_size + border)).all(axis=1)
    labels, deltas = np.full(len(anchors), -1), np.zeros((len(anchors), 4))
    if len(valid):
        overlaps = bbox_overlaps(anchors, valid)
        best = overlaps.max(axis=1)
        labels[inside & (best < negative)] = 0
        for column in overlaps.T:
            top = column[inside].max()
            if top > 0:
                labels[inside & (column == top)] = 1
        labels[inside & (best >= positive)] = 1
        deltas = bbox_transform(anchors, valid[overlaps.argmax(axis=1)])
    else:
        labels[inside] = 0
    if len(invalid):
        labels[(bbox_overlaps(anchors, invalid) > ignore).any(axis=1)] = -1
    return labels, deltas


def to_planes(values, num_anchors, cells):
    """(K,) cell-major -> (A, F, F)."""
    return values.reshape(cells, cells, num_anchors).transpose(2, 0, 1)
