"""Scores and offsets to rows, and what soft-NMS makes of them: recorded vectors, a slow reference, cases by hand."""
import numpy as np
import pytest

from lib.bbox import decode_ssd, nms, soft_nms, ssd_priors, ssd_rows
from tests.golden import golden_file

SMALL = ssd_priors(64, [16, 32, 64], [10, 22, 40, 60])


def slow_rows(scores, offsets, priors, threshold):
    """Class by class, prior by prior -> [(prior, label)]."""
    return [(prior, label) for label in range(1, scores.shape[1]) for prior in range(len(priors))
            if scores[prior, label] > np.float32(threshold)]


@pytest.mark.parametrize('threshold', [0.0, 0.2, 0.9, 1.0])
def test_against_the_slow_rule(threshold):
    rng = np.random.default_rng(4)
    scores = rng.uniform(0, 1, (len(SMALL), 6)).astype(np.float32)
    offsets = rng.standard_normal((len(SMALL), 4)).astype(np.float32)
    found = ssd_rows(scores, offsets, SMALL, threshold)
    expected = slow_rows(scores, offsets, SMALL, threshold)
    assert list(zip(found.prior.tolist(), found.label.tolist())) == expected
    np.testing.assert_array_equal(found.box, decode_ssd(offsets, SMALL)[found.prior])
    np.testing.assert_array_equal(found.score, scores[found.prior, found.label])
    assert found.box.dtype == found.score.dtype == np.float32 and found.box.shape == (len(expected), 4)


def test_by_hand():
    priors = np.array([[.5, .5, .2, .4], [.25, .25, .5, .5]], np.float32)
    found = ssd_rows([[.8, .1, .1], [.2, .3, .5]], np.zeros((2, 4)), priors, 0.1)     # exactly 0.1 is not above it
    assert found.label.tolist() == [1, 2] and found.prior.tolist() == [1, 1]
    np.testing.assert_allclose(found.box, [[0, 0, .5, .5]] * 2, atol=1e-7)
    moved = ssd_rows([[0, 1, 0]], [[1, -1, 5, 0]], priors[:1], 0.5)     # a tenth of the sides; e wide
    np.testing.assert_allclose(moved.box, [[.52 - .1 * np.e, .26, .52 + .1 * np.e, .66]], rtol=1e-6)
    outside = ssd_rows([[0, 1]], [[9, 0, 0, 0]], [[1, .5, .2, .2]], 0.5)    # is not clipped
    assert outside.box[0, 2] > 1.2


def test_nothing_and_bad_shapes():
    nothing = ssd_rows(np.zeros((0, 5)), np.zeros((0, 4)), np.zeros((0, 4)), 0.1)
    assert nothing.box.shape == (0, 4) and not len(nothing.label)
    assert not len(ssd_rows(np.full((3, 5), np.nan), np.zeros((3, 4)), SMALL[:3], 0.1).label)
    with pytest.raises(ValueError, match='4 rows of scores and 3 of offsets for 3 priors'):
        ssd_rows(np.zeros((4, 5)), np.zeros((3, 4)), SMALL[:3], 0.1)


@pytest.mark.parametrize('name', ['a', 'b', 'd_single'])
def test_recorded_soft_nms_of_m2det(name):
    case = np.load(golden_file(f'm2det/soft_nms_{name}.npz'))
    for key, settings in {'linear_as_called': dict(method='linear', sigma=0.45),    # the configured IoU, as sigma
                          'linear_Nt045': dict(method='linear', iou_thresh=0.45),
                          'gaussian_sigma05': dict(method='gaussian'),
                          'gaussian_sigma045_thr02': dict(method='gaussian', sigma=0.45, score_thresh=0.2),
                          'hard_soft_code_Nt03': dict(method='hard'),
                          'linear_thr02': dict(method='linear', score_thresh=0.2)}.items():
        found = soft_nms(case['dets'], **settings)
        assert found.shape == case[key].shape, key
        np.testing.assert_allclose(found, case[key], rtol=0, atol=2e-7 * 512, err_msg=key)
        np.testing.assert_allclose(found[:, 4], case[key][:, 4], rtol=0, atol=2e-7, err_msg=key)
    np.testing.assert_array_equal(nms(case['dets'], 0.45), case['hard_keep_045'])


def test_an_isolated_row_survives_whatever_its_score():
    rows = [[0, 0, 9, 9, .9], [50, 50, 60, 60, 1e-4], [0, 0, 9, 10, .005]]
    found = soft_nms(rows, method='linear')
    np.testing.assert_allclose(found[:, 4], [.9, 1e-4], rtol=1e-6)      # what overlaps fell to .0005
