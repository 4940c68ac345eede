"""Anchor labels against the NumPy twin, by hand, and at the edges."""
import numpy as np
import pytest

from lib.bbox import anchor_base, bbox_pred
from lib.targets import ChipBoxes, ChipTargets, TargetSettings
from tests.targets import slow

ALL = 10 ** 9


def objects(boxes, valid):
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    return ChipBoxes(boxes, np.arange(1, len(boxes) + 1), np.asarray(valid, dtype=bool), np.arange(len(boxes)))


def tensors(targets, chip_boxes, rng=None):
    anchors, cells = targets.num_anchors, targets.cells
    label = np.full(anchors * cells * cells, 7, dtype=np.float32)
    target, weight = np.full((2, 4 * anchors, cells, cells), 7, dtype=np.float32)
    targets.anchors(chip_boxes, rng or np.random.default_rng(0), label, target, weight)
    return label, target, weight


def random_objects(rng, size):
    count = int(rng.integers(0, 15))
    corners = np.round(rng.uniform(0, size - 11, (count, 2)))
    boxes = np.hstack([corners, np.minimum(corners + np.round(np.exp(rng.uniform(2.3, 5.5, (count, 2)))), size - 1)])
    return objects(boxes, rng.random(count) < 0.6)


@pytest.mark.parametrize('size, stride', [(512, 16), (256, 8), (512, 32), (200, 16)])
@pytest.mark.parametrize('seed', range(4))
def test_against_the_numpy_twin(seed, size, stride):
    rng = np.random.default_rng(seed)
    scales = (2, 4, 7, 10) if stride < 32 else (1, 2, 4, 8, 12)
    settings = TargetSettings(((-1, -1),), size, stride, anchor_scales=scales, batch_size=ALL)
    targets, chip_boxes = ChipTargets(settings), random_objects(rng, size)
    label, target, weight = tensors(targets, chip_boxes)
    base = anchor_base(stride, settings.anchor_ratios, scales)
    boxes, cells = chip_boxes.boxes.astype(np.float64), size // stride
    want, deltas = slow.label(slow.grid(base, cells, stride), boxes[chip_boxes.valid], boxes[~chip_boxes.valid], size,
                              0.5, 0.4)
    planes = slow.to_planes(want, len(base), cells)
    np.testing.assert_array_equal(label.reshape(planes.shape), planes, err_msg=f'seed {seed}')
    np.testing.assert_array_equal(weight, np.repeat(planes == 1, 4, axis=0))
    for c in range(4):
        plane = np.where(planes == 1, slow.to_planes(deltas[:, c], len(base), cells), 0)
        np.testing.assert_allclose(target[c::4], plane, atol=1e-5, err_msg=f'seed {seed}')


@pytest.mark.parametrize('seed', range(3))
def test_decoded_targets_are_the_objects(seed):
    rng = np.random.default_rng(seed)
    targets = ChipTargets(TargetSettings(((-1, -1),), batch_size=ALL))
    boxes = np.vstack([random_objects(rng, 512).boxes, [[100, 100, 200, 180]]])
    chip_boxes = objects(boxes, [True] * len(boxes))
    label, target, _ = tensors(targets, chip_boxes)
    anchor, row, column = np.nonzero(label.reshape(21, 32, 32) == 1)
    base = anchor_base(16, (0.5, 1, 2), targets.settings.anchor_scales)
    boxes = base[anchor] + 16 * np.stack([column, row, column, row], axis=1)
    deltas = np.stack([target[4 * anchor + c, row, column] for c in range(4)], axis=1)
    decoded = np.round(bbox_pred(boxes, deltas)).astype(int)
    assert {tuple(box) for box in decoded} == {tuple(box) for box in chip_boxes.boxes.astype(int)}, f'seed {seed}'


def test_one_cell_by_hand():
    # One 16-pixel anchor a cell on a 64-pixel chip; the object fills cell (row 1, column 2).
    settings = TargetSettings(((-1, -1),), 64, 16, anchor_ratios=(1,), anchor_scales=(1,), batch_size=ALL)
    label, target, weight = tensors(ChipTargets(settings), objects([[32, 16, 47, 31]], [True]))
    want = np.zeros((4, 4))
    want[1, 2] = 1
    np.testing.assert_array_equal(label.reshape(4, 4), want)
    np.testing.assert_array_equal(weight, np.stack([want] * 4))
    np.testing.assert_allclose(target, 0, atol=1e-6)
    # As an invalid object it takes its own cell out, and everything else is background.
    label, target, weight = tensors(ChipTargets(settings), objects([[32, 16, 47, 31]], [False]))
    np.testing.assert_array_equal(label.reshape(4, 4), -want)
    assert not weight.any() and not target.any()


def test_an_invalid_object_on_top_removes_positives():
    settings = TargetSettings(((-1, -1),), 64, 16, anchor_ratios=(1,), anchor_scales=(1,), batch_size=ALL)
    label, _, weight = tensors(ChipTargets(settings), objects([[32, 16, 47, 31], [30, 16, 47, 31]], [True, False]))
    assert label.reshape(4, 4)[1, 2] == -1 and not weight.any()


def test_no_objects_all_background_inside_the_border():
    settings = TargetSettings(((-1, -1),), 64, 16, anchor_ratios=(1,), anchor_scales=(1, 8), batch_size=ALL)
    label, _, weight = tensors(ChipTargets(settings), objects([], []))
    small, large = label.reshape(2, 4, 4)
    assert (small == 0).all() and not weight.any()
    # 128-pixel anchors reach 56 pixels out of their cell: only the middle ones stay within 32 of the chip.
    np.testing.assert_array_equal(large == 0, np.pad(np.zeros((2, 2)), 1) == 1)


def test_an_object_that_no_anchor_touches_makes_no_positives():
    # The only anchors are too large to take part, so nothing can be learnt; the original made all of them positive.
    settings = TargetSettings(((-1, -1),), 64, 16, anchor_ratios=(1,), anchor_scales=(16,), batch_size=ALL)
    label, _, weight = tensors(ChipTargets(settings), objects([[0, 0, 20, 20]], [True]))
    assert (label == -1).all() and not weight.any()


def test_wrong_output_shapes():
    targets = ChipTargets(TargetSettings(((-1, -1),), 64, 16))
    with pytest.raises(ValueError, match='must'):
        targets.anchors(objects([], []), np.random.default_rng(0), np.zeros(5, np.float32),
                        np.zeros((84, 4, 4), np.float32), np.zeros((84, 4, 4), np.float32))
    with pytest.raises(ValueError, match='bbox_target'):
        targets.anchors(objects([], []), np.random.default_rng(0), np.zeros(21 * 16, np.float32),
                        np.zeros((21, 4, 4), np.float32), np.zeros((84, 4, 4), np.float32))
