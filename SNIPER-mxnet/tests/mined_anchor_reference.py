"""Anchor targets with hard example mining in plain NumPy: all anchors against all boxes, one image at a time.

Boxes are x1, y1, x2, y2 with inclusive corners; anchors are numbered (a, y, x). reference/other_detectors.md, part C.
"""
from typing import NamedTuple, Tuple

import numpy as np

OBJECT, OUT_OF_RANGE, REGION = 1, -3, -2


class Rules(NamedTuple):
    """Attributes of the operator, with its defaults."""

    feat_stride: int = 16
    base_size: int = 16
    scales: Tuple[float, ...] = (1, 2)
    ratios: Tuple[float, ...] = (1,)
    allowed_border: float = 0
    positive_overlap: float = 0.5
    negative_overlap: float = 0.3
    ignore_overlap: float = 0.3
    batch_size: int = 256
    positive_fraction: float = 0.25
    force_best: bool = False


def all_anchors(height, width, rules):
    """(K, 4) float64. Operators read scales and ratios as float32 and hold the anchors of the first cell so."""
    base = []
    for ratio in np.float32(rules.ratios).astype(np.float64):
        side = np.floor(np.sqrt(np.floor(rules.base_size ** 2 / ratio)) + 0.5)
        for scale in np.float32(rules.scales).astype(np.float64):
            sides = np.array([side, np.floor(side * ratio + 0.5)]) * scale
            centre = (rules.base_size - 1) / 2
            base.append(np.concatenate([centre - (sides - 1) / 2, centre + (sides - 1) / 2]))
    y, x = np.mgrid[:height, :width] * float(rules.feat_stride)
    shifts = np.stack([x, y, x, y], axis=-1).reshape(1, -1, 4)
    return (np.float32(base).astype(np.float64)[:, None] + shifts).reshape(-1, 4)


def areas(boxes):
    return (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)


def shared_areas(anchors, boxes):
    """(K, G) pixels."""
    width = np.minimum(anchors[:, None, 2], boxes[None, :, 2]) - np.maximum(anchors[:, None, 0], boxes[None, :, 0]) + 1
    height = np.minimum(anchors[:, None, 3], boxes[None, :, 3]) - np.maximum(anchors[:, None, 1], boxes[None, :, 1]) + 1
    return np.maximum(width, 0) * np.maximum(height, 0)


def overlaps(anchors, boxes):
    """(K, G) intersection over union."""
    shared = shared_areas(anchors, boxes)
    return shared / (areas(anchors)[:, None] + areas(boxes)[None] - shared)


def rows_of_class(gt_boxes, kind):
    """(n, 4) float64 boxes of one kind that have a size and finite numbers."""
    rows = gt_boxes[np.isfinite(gt_boxes).all(axis=1)]
    rows = rows[(rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])]
    return rows[rows[:, 4] >= 1 if kind == OBJECT else rows[:, 4] == kind][:, :4].astype(np.float64)


def match(anchors, gt_boxes, im_info, rules):
    """(label (K,) before mining, boxes (K, 4) of the objects matched, 0 where there is none)."""
    label, matched = np.full(len(anchors), -1), np.zeros((len(anchors), 4))
    border, (height, width) = rules.allowed_border, im_info[:2].astype(np.float64)
    inside = ((anchors[:, :2] >= -border).all(axis=1) & (anchors[:, 2] < width + border)
              & (anchors[:, 3] < height + border))
    used = np.flatnonzero(inside) if inside.any() else np.arange(len(anchors))
    label[used] = 0
    objects = rows_of_class(gt_boxes, OBJECT)
    if len(objects) and len(used):
        ratio = overlaps(anchors[used], objects)
        best = ratio.max(axis=1)
        matched[used] = objects[ratio.argmax(axis=1)]
        label[used] = np.where(best >= rules.positive_overlap, 1, np.where(best < rules.negative_overlap, 0, -1))
        if rules.force_best:
            label[used[((ratio == ratio.max(axis=0)) & (ratio > 0)).any(axis=1)]] = 1
    regions = rows_of_class(gt_boxes, REGION)
    ignored = np.concatenate([rows_of_class(gt_boxes, OUT_OF_RANGE), regions])
    label[(overlaps(anchors, ignored) > rules.ignore_overlap).any(axis=1)] = -1
    covered = (shared_areas(anchors, regions) / areas(anchors)[:, None] >= 0.5).any(axis=1)
    label[covered & (label == 0)] = -1
    return label, matched


def mine(label, prob, rules):
    """Label (K,) of what is kept: faces of the smallest probability, background of the largest; NaN is taken last."""
    kept = np.full(len(label), -1)
    faces, background = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
    faces = faces[np.argsort(prob[faces], kind='stable')][:int(rules.batch_size * rules.positive_fraction)]
    background = background[np.argsort(-prob[background], kind='stable')][:rules.batch_size - len(faces)]
    kept[faces], kept[background] = 1, 0
    return kept


def deltas(anchors, boxes):
    """(n, 4) dx, dy, dw, dh."""
    sides, box_sides = anchors[:, 2:] - anchors[:, :2] + 1, boxes[:, 2:] - boxes[:, :2] + 1
    shift = (boxes[:, :2] + box_sides / 2 - anchors[:, :2] - sides / 2) / sides
    return np.concatenate([shift, np.log(box_sides / sides)], axis=1)


def targets(prob, gt_boxes, im_info, **attributes):
    """label (B, K), bbox_target and bbox_weight (B, 4A, h, w) of prob (B, A, h, w), gt_boxes (B, G, 5), im_info
    (B, 3)."""
    rules = Rules(**attributes)
    images, per_cell, height, width = prob.shape
    anchors = all_anchors(height, width, rules)
    labels = np.zeros((images, len(anchors)), np.float32)
    target, weight = (np.zeros((images, 4 * per_cell, height, width), np.float32) for _ in range(2))
    for image in range(images):
        label, matched = match(anchors, gt_boxes[image], im_info[image], rules)
        labels[image] = mine(label, prob[image].ravel(), rules)
        faces = np.flatnonzero(labels[image] == 1)
        a, y, x = np.unravel_index(faces, (per_cell, height, width))
        found = deltas(anchors[faces], matched[faces])
        for k in range(4):
            target[image, 4 * a + k, y, x] = found[:, k]
            weight[image, 4 * a + k, y, x] = 1 / max(1, (labels[image] >= 0).sum())
    return labels, target, weight
