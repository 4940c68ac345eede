"""Hard and soft non-maximum suppression: plain Python twins, properties, ties and edges."""
import numpy as np
import pytest

from lib.bbox import bbox_overlaps, nms, soft_nms
from lib.bbox.nms import soft_nms_with_index


def random_dets(rng, count, dtype=np.float32):
    corners = rng.uniform(0, 120, (count, 2))
    boxes = np.hstack([corners, corners + rng.uniform(5, 60, (count, 2))])
    return np.hstack([boxes, rng.random((count, 1))]).astype(dtype)


def slow_nms(dets, thresh):
    order = sorted(range(len(dets)), key=lambda row: -dets[row, 4])
    overlaps, keep = bbox_overlaps(dets[:, :4], dets[:, :4]), []
    for row in order:
        if all(overlaps[row, kept] <= thresh for kept in keep):
            keep.append(row)
    return keep


def slow_soft_nms(dets, sigma, iou_thresh, score_thresh, method):
    rows, i = [row.copy() for row in dets.astype(np.float32)], 0
    while i < len(rows):
        best = max(range(i, len(rows)), key=lambda j: (rows[j][4], -j))
        rows[i], rows[best] = rows[best], rows[i]
        j = i + 1
        while j < len(rows):
            overlap = bbox_overlaps(rows[i][None, :4], rows[j][None, :4])[0, 0]
            weight = {'gaussian': np.exp(-overlap ** 2 / sigma), 'linear': 1 - overlap if overlap > iou_thresh else 1,
                      'hard': float(overlap <= iou_thresh)}[method]
            rows[j][4] *= weight
            if overlap > 0 and rows[j][4] < score_thresh:
                rows[j] = rows[-1]
                rows.pop()
            else:
                j += 1
        i += 1
    return np.array(rows).reshape(-1, 5)


@pytest.mark.parametrize('seed', range(5))
def test_nms_against_plain_python(seed):
    dets = random_dets(np.random.default_rng(seed), 80, np.float64)
    np.testing.assert_array_equal(nms(dets, 0.4), slow_nms(dets, 0.4), err_msg=f'seed {seed}')


@pytest.mark.parametrize('seed', range(5))
def test_kept_boxes_are_apart_and_dropped_ones_are_not(seed):
    dets = random_dets(np.random.default_rng(seed), 100)
    keep = nms(dets, 0.5)
    assert (np.diff(dets[keep, 4]) <= 0).all()
    among = bbox_overlaps(dets[keep, :4], dets[keep, :4]) - np.eye(len(keep))
    assert among.max() <= 0.5 + 1e-6, f'seed {seed}'
    for row in set(range(100)) - set(keep.tolist()):
        better = keep[dets[keep, 4] >= dets[row, 4]]
        assert bbox_overlaps(dets[[row], :4], dets[better, :4]).max() > 0.5 - 1e-6, f'seed {seed}'


def test_equal_scores_keep_the_first_row():
    np.testing.assert_array_equal(nms([[0, 0, 9, 9, 0.5], [0, 0, 9, 9, 0.5], [0, 0, 9, 9, 0.6]], 0.5), [2])
    np.testing.assert_array_equal(nms([[0, 0, 9, 9, 0.5], [0, 0, 9, 9, 0.5]], 0.5), [0])


def test_overlap_equal_to_the_threshold_stays():
    np.testing.assert_array_equal(nms([[0, 0, 9, 9, 0.9], [0, 0, 9, 4, 0.8]], 0.5), [0, 1])


@pytest.mark.parametrize('method', ['hard', 'linear', 'gaussian'])
@pytest.mark.parametrize('seed', range(3))
def test_soft_nms_against_plain_python(method, seed):
    dets = random_dets(np.random.default_rng(seed), 60)
    before = dets.copy()
    got = soft_nms(dets, 0.5, 0.3, 0.01, method)
    want = slow_soft_nms(dets, 0.5, 0.3, 0.01, method)
    np.testing.assert_array_equal(got[:, :4], want[:, :4], err_msg=f'seed {seed}')
    np.testing.assert_allclose(got[:, 4], want[:, 4], rtol=1e-4)
    np.testing.assert_array_equal(dets, before)


def test_soft_nms_by_hand():
    dets = np.array([[0, 0, 9, 9, 0.8], [0, 0, 9, 4, 0.6], [50, 50, 59, 59, 1e-5]], dtype=np.float32)
    got = soft_nms(dets, sigma=0.5)
    np.testing.assert_allclose(got[:, 4], [0.8, 0.6 * np.exp(-0.25 / 0.5), 1e-5], rtol=1e-5)  # the lone row stays
    np.testing.assert_allclose(soft_nms(dets, method='linear')[:2, 4], [0.8, 0.3], rtol=1e-5)
    assert len(soft_nms(dets, method='hard')) == 2


@pytest.mark.parametrize('method', ['hard', 'linear', 'gaussian'])
@pytest.mark.parametrize('most', [1, 7, 1000])
def test_the_first_few_are_those_of_all(method, most):
    """To the bit, equal scores too."""
    dets = random_dets(np.random.default_rng(most), 300)
    dets[:, 4] = np.round(dets[:, 4], 1)
    for got, want in zip(soft_nms_with_index(dets, method=method, most=most), soft_nms_with_index(dets, method=method)):
        np.testing.assert_array_equal(got, want[:most])
    np.testing.assert_array_equal(nms(dets, 0.5, most), nms(dets, 0.5)[:most])


def test_edges():
    assert nms([], 0.5).shape == (0,) and soft_nms([]).shape == (0, 5)
    assert len(nms([[0, 0, 9, 9, np.nan]], 0.5)) == 1
    with pytest.raises(ValueError, match='gaussian, hard, linear'):
        soft_nms(np.zeros((1, 5)), method='soft')
    with pytest.raises(ValueError, match='sigma'):
        soft_nms(np.zeros((1, 5)), sigma=0)
    with pytest.raises(ValueError, match='dets'):
        nms(np.zeros((2, 4)), 0.5)
