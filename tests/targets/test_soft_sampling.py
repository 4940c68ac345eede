"""Weights of anchors against a slow computation."""
import numpy as np
import pytest

from lib.bbox import bbox_overlaps
from lib.targets.chip_boxes import ChipBoxes
from lib.targets.chip_targets import ChipTargets, TargetSettings
from lib.targets.soft_sampling import soft_sampling_weight

SETTINGS = TargetSettings(((-1, -1),), chip_size=96, feat_stride=16, anchor_ratios=(0.5, 1, 2), anchor_scales=(2, 4),
                          soft_sampling=(0.1, 40.0, 15.0))


@pytest.mark.parametrize('count', [0, 1, 5])
def test_weights_of_anchors(count):
    rng = np.random.default_rng(count)
    corners = rng.uniform(0, 60, (count, 2)).round()
    boxes = np.concatenate([corners, corners + rng.uniform(10, 35, (count, 2)).round()], 1).astype(np.float32)
    objects = ChipBoxes(boxes, np.ones(count, np.int64), np.arange(count) % 2 == 0, np.arange(count))
    targets = ChipTargets(SETTINGS)
    label, out = np.full(6 * 36, 7, np.float32), np.full(6 * 36, 7, np.float32)
    targets.anchors(objects, rng, label, np.zeros((24, 6, 6), np.float32), np.zeros((24, 6, 6), np.float32))
    targets.label_weights(objects, label, out)
    anchors = targets._anchors().reshape(36, 6, 4).transpose(1, 0, 2).reshape(-1, 4)
    overlaps = bbox_overlaps(anchors, boxes.astype(np.float64)).max(axis=1, initial=0)
    expected = np.where(label == 0, soft_sampling_weight(overlaps, 0.1, 40.0, 15.0), 1)
    np.testing.assert_allclose(out, expected, atol=1e-6)
    assert (label == 0).any() and (out[label == 0] < 1).any()
