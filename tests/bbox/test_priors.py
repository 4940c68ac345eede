"""Priors and their coding: recorded vectors, hand-computed cases, bad input."""
import numpy as np
import pytest

from lib.bbox import decode_ssd, encode_ssd, ssd_priors
from lib.bbox.priors import map_sides
from lib.bbox.ssd_coding import prior_corners
from tests.golden import golden_file

SHARES = (.06, .15, .33, .51, .69, .87, 1.05)


def golden(name):
    return np.load(golden_file(f'm2det/{name}.npz'))


@pytest.mark.parametrize('name', ['priors_320', 'priors_512', 'priors_small'])
def test_recorded_priors(name):
    case = golden(name)
    steps, size = case['steps'].tolist(), int(case['image_size'])
    assert map_sides(size, steps) == case['feature_maps'].tolist()
    sizes = case['min_sizes'].tolist() + case['max_sizes'].tolist()[-1:]
    np.testing.assert_array_equal(ssd_priors(size, steps, sizes), case['priors'])


@pytest.mark.parametrize('size, steps, shares, count', [
    (320, (8, 16, 32, 64, 107, 320), (.08, .15, .33, .51, .69, .87, 1.05), 12810),
    (512, (8, 16, 32, 64, 128, 256), SHARES, 32760),
    (704, (8, 16, 32, 64, 117, 176), (.04, .11, .23, .39, .58, .80, 1.05), 62022),
    (800, (8, 16, 32, 62, 115, 160), (.04, .15, .33, .51, .69, .87, 1.05), 80208)])
def test_shipped_sizes(size, steps, shares, count):
    priors = ssd_priors(size, steps, shares)
    assert priors.shape == (count, 4) and priors.dtype == np.float32
    assert priors.min() > 0 and priors.max() <= 1


def test_one_cell_by_hand():
    priors = ssd_priors(100, [100], [20, 45])
    root2, root3 = 2 ** .5, 3 ** .5
    np.testing.assert_allclose(priors, [(.5, .5, w, h) for w, h in (
        (.2, .2), (.3, .3), (.2 * root2, .2 / root2), (.2 / root2, .2 * root2), (.2 * root3, .2 / root3),
        (.2 / root3, .2 * root3))], rtol=1e-6)


def test_boxes_larger_than_the_image_are_shortened():
    assert ssd_priors(100, [100], [150, 160])[:, 2:].max() == 1


@pytest.mark.parametrize('arguments', [(100, [10, 20], [10, 20]), (0, [10], [10, 20]), (100, [0], [10, 20]),
                                       (100, [10], [10, -1])])
def test_bad_settings(arguments):
    with pytest.raises(ValueError):
        ssd_priors(*arguments)


@pytest.mark.parametrize('name', ['box_coding_a', 'box_coding_b'])
def test_recorded_coding(name):
    case = golden(name)
    np.testing.assert_allclose(prior_corners(case['priors']), case['point_form'], atol=1e-7)
    np.testing.assert_allclose(encode_ssd(case['truths'], case['priors']), case['encoded'], rtol=0, atol=2e-6)
    np.testing.assert_allclose(decode_ssd(case['loc'], case['priors']), case['decoded'], rtol=0, atol=1e-6)


def test_coding_by_hand():
    priors = [[.5, .5, .2, .4]]
    np.testing.assert_allclose(encode_ssd([[.4, .3, .6, .7]], priors), [[0, 0, 0, 0]], atol=1e-6)
    offsets = encode_ssd([[.5, .5, .9, .7]], priors)
    np.testing.assert_allclose(offsets, [[.2 / .02, .1 / .04, np.log(2) / .2, np.log(.5) / .2]], rtol=1e-5)
    np.testing.assert_allclose(encode_ssd([[.4, .3, .6, .7]], priors, (1, 1)), [[0, 0, 0, 0]], atol=1e-6)


def test_what_is_encoded_is_decoded_again():
    rng = np.random.RandomState(0)
    priors = ssd_priors(64, [16, 32, 64], [10, 22, 40, 60])
    corners = np.sort(rng.uniform(0, 1, (len(priors), 2, 2)), axis=1).reshape(-1, 4).astype(np.float32)
    np.testing.assert_allclose(decode_ssd(encode_ssd(corners, priors), priors), corners, atol=1e-5)


def test_none_and_wrong_lengths():
    assert encode_ssd([], []).shape == decode_ssd([], []).shape == (0, 4)
    with pytest.raises(ValueError, match='2 boxes, 1 priors'):
        encode_ssd(np.zeros((2, 4)), np.ones((1, 4)))
