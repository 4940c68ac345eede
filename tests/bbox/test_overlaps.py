"""Overlaps against plain Python, by hand, and at the edges."""
import numpy as np
import pytest

from lib.bbox import bbox_overlaps, ignore_overlaps


def random_boxes(rng, count):
    corners = rng.uniform(0, 100, (count, 2))
    return np.hstack([corners, corners + rng.uniform(0, 60, (count, 2))])


def slow_overlaps(boxes, query, of_query):
    result = np.zeros((len(boxes), len(query)))
    for n, a in enumerate(boxes):
        for k, b in enumerate(query):
            iw = min(a[2], b[2]) - max(a[0], b[0]) + 1
            ih = min(a[3], b[3]) - max(a[1], b[1]) + 1
            if iw > 0 and ih > 0:
                area_a = (a[2] - a[0] + 1) * (a[3] - a[1] + 1)
                area_b = (b[2] - b[0] + 1) * (b[3] - b[1] + 1)
                result[n, k] = iw * ih / (area_b if of_query else area_a + area_b - iw * ih)
    return result


def test_by_hand():
    boxes, query = [[0, 0, 9, 9]], [[0, 0, 9, 9], [5, 0, 14, 9], [10, 0, 19, 9], [20, 20, 29, 29], [2, 2, 3, 3]]
    np.testing.assert_allclose(bbox_overlaps(boxes, query), [[1, 50 / 150., 0, 0, 0.04]])
    np.testing.assert_allclose(ignore_overlaps(boxes, query), [[1, 0.5, 0, 0, 1]])


@pytest.mark.parametrize('seed', range(5))
def test_against_plain_python(seed):
    rng = np.random.default_rng(seed)
    boxes, query = random_boxes(rng, 17), random_boxes(rng, 11)
    np.testing.assert_array_equal(bbox_overlaps(boxes, query), slow_overlaps(boxes, query, False))
    np.testing.assert_array_equal(ignore_overlaps(boxes, query), slow_overlaps(boxes, query, True))
    overlaps = bbox_overlaps(boxes, query)
    np.testing.assert_array_equal(overlaps, bbox_overlaps(query, boxes).T, err_msg=f'seed {seed}')
    assert ((overlaps >= 0) & (overlaps <= 1)).all(), f'seed {seed}'


def test_a_box_overlaps_itself_wholly_in_single_precision_too():
    boxes = random_boxes(np.random.default_rng(0), 50).astype(np.float32)
    np.testing.assert_array_equal(np.diag(bbox_overlaps(boxes, boxes)), 1)


def test_empty_and_broken_boxes():
    some = [[0, 0, 9, 9], [1, 1, 5, 5]]
    assert bbox_overlaps([], some).shape == (0, 2)
    assert ignore_overlaps(some, np.zeros((0, 4))).shape == (2, 0)
    assert not bbox_overlaps([[np.nan, 0, 9, 9]], some).any()
    for shape in ((3, 5), (4,), (2, 3, 4)):
        with pytest.raises(ValueError, match='shape'):
            bbox_overlaps(np.zeros(shape), some)


def test_layouts_and_integers_are_accepted():
    boxes = np.array([[0, 0, 9, 9], [5, 0, 14, 9]])
    wide = np.zeros((2, 8))
    wide[:, ::2] = boxes
    np.testing.assert_array_equal(bbox_overlaps(wide[:, ::2], boxes), bbox_overlaps(boxes.astype(np.float32), boxes))
