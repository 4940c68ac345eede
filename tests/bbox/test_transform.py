"""Box coding, clipping, size filter and anchors."""
import numpy as np
import pytest

from lib.bbox import anchor_base, bbox_pred, bbox_transform, clip_boxes, generate_anchors, large_enough


def random_boxes(rng, count):
    corners = rng.uniform(0, 500, (count, 2))
    return np.hstack([corners, corners + rng.uniform(0, 300, (count, 2))])


def test_encode_by_hand():
    # 10 wide at centre 4.5 -> 20 wide at centre 14.5: one width to the right, twice as wide.
    deltas = bbox_transform([[0, 0, 9, 9]], [[5, 0, 24, 9]])
    np.testing.assert_allclose(deltas, [[1, 0, np.log(2), 0]], atol=1e-6)


@pytest.mark.parametrize('seed', range(3))
def test_decoding_the_encoding_returns_the_target(seed):
    rng = np.random.default_rng(seed)
    ex, gt = random_boxes(rng, 100), random_boxes(rng, 100)
    np.testing.assert_allclose(bbox_pred(ex, bbox_transform(ex, gt)), gt, atol=1e-3, err_msg=f'seed {seed}')


def test_zero_deltas_change_nothing_for_every_class():
    boxes = random_boxes(np.random.default_rng(0), 5)
    np.testing.assert_allclose(bbox_pred(boxes, np.zeros((5, 12))), np.tile(boxes, 3), atol=1e-9)


def test_codec_edges():
    assert bbox_transform([], []).shape == (0, 4)
    assert bbox_pred([], np.zeros((0, 8))).shape == (0, 8)
    assert np.isinf(bbox_pred([[0, 0, 9, 9]], [[0, 0, 1e4, 0]])).any()
    with pytest.raises(ValueError, match='2 boxes, 1 targets'):
        bbox_transform(np.zeros((2, 4)), np.zeros((1, 4)))
    with pytest.raises(ValueError, match='deltas'):
        bbox_pred(np.zeros((2, 4)), np.zeros((2, 6)))


def test_clip_returns_a_copy_inside_the_image():
    boxes = np.array([[-5, -5, 700, 900, 10, 20, 30, 40]], dtype=np.float32)
    before = boxes.copy()
    np.testing.assert_array_equal(clip_boxes(boxes, (480, 640)), [[0, 0, 639, 479, 10, 20, 30, 40]])
    np.testing.assert_array_equal(boxes, before)
    assert clip_boxes(boxes, (480, 640, 3)).dtype == np.float32
    assert clip_boxes(np.zeros((0, 4)), (5, 5)).shape == (0, 4)


def test_large_enough_needs_both_sides():
    boxes = [[0, 0, 9, 9], [0, 0, 8, 50], [0, 0, 50, 8], [0, 0, 0, 0], [np.nan, 0, 50, 50]]
    np.testing.assert_array_equal(large_enough(boxes, 10), [0])
    assert large_enough([], 10).shape == (0,)


def test_operator_anchors_round_up_where_the_generator_rounds_to_even():
    # reference/operators.md 3.1: at stride 32 ratio 0.5 gives 45 x 23 in the operator, 45 x 22 in the generator.
    box = anchor_base(32, [0.5], [1])[0]
    assert (box[2] - box[0] + 1, box[3] - box[1] + 1) == (45, 23)
    box = generate_anchors(32, [0.5], [1])[0]
    assert (box[2] - box[0] + 1, box[3] - box[1] + 1) == (45, 22)


def test_anchor_order_and_centre():
    anchors = anchor_base(16, [0.5, 1, 2], [2, 4])
    sizes = np.stack([anchors[:, 2] - anchors[:, 0] + 1, anchors[:, 3] - anchors[:, 1] + 1], axis=1)
    np.testing.assert_array_equal(sizes, [[46, 24], [92, 48], [32, 32], [64, 64], [22, 44], [44, 88]])
    np.testing.assert_array_equal((anchors[:, :2] + anchors[:, 2:]) / 2, np.full((6, 2), 7.5))
