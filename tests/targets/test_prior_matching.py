"""Matching of objects and priors: recorded vectors, a slow reference, hand-computed cases."""
import numpy as np
import pytest

from lib.bbox import encode_ssd, ssd_priors
from lib.bbox.ssd_coding import prior_corners
from lib.targets import PriorTargets, match_priors
from tests.golden import golden_file

SMALL = ssd_priors(64, [16, 32, 64], [10, 22, 40, 60])
LARGE = ssd_priors(320, [8, 16, 32, 64, 107, 320], [.08, .15, .33, .51, .69, .87, 1.05])


def slow_match(truths, priors, threshold):
    """The rule of reference/m2det.md section 6, with the whole matrix of overlaps in float32."""
    truths = truths[(truths[:, 4] > 0) & (truths[:, 2] > truths[:, 0]) & (truths[:, 3] > truths[:, 1])]
    classes, offsets = np.zeros(len(priors), np.int32), np.zeros((len(priors), 4), np.float32)
    if not len(truths):
        return classes, offsets
    corners = prior_corners(priors)
    low = np.maximum(truths[:, None, :2], corners[None, :, :2])
    high = np.minimum(truths[:, None, 2:4], corners[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    area = np.prod(truths[:, 2:4] - truths[:, :2], axis=1)[:, None] + np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    overlap = shared / (area - shared)
    truth, best = overlap.argmax(axis=0), overlap.max(axis=0)
    for number, own in enumerate(overlap.argmax(axis=1)):
        truth[own], best[own] = number, 2
    positive = best >= threshold
    classes[positive] = truths[truth[positive], 4]
    offsets[positive] = encode_ssd(truths[truth[positive], :4], priors[positive])
    return classes, offsets


@pytest.mark.parametrize('name, priors', [('small', SMALL), ('320', LARGE), ('320_clash', LARGE), ('empty', SMALL)])
def test_recorded_matching(name, priors):
    case = np.load(golden_file(f'm2det/matching_{name}.npz'))
    classes, offsets = match_priors(np.column_stack([case['truths'], case['labels']]), priors)
    assert classes.dtype == np.int32 and offsets.dtype == np.float32
    np.testing.assert_array_equal(np.flatnonzero(classes), case['positive_index'])
    np.testing.assert_array_equal(classes[classes > 0], case['positive_class'])
    np.testing.assert_allclose(offsets[classes > 0], case['positive_loc'], rtol=0, atol=2e-5)
    assert (offsets[classes == 0] == 0).all()


@pytest.mark.parametrize('seed', range(20))
def test_the_kernel_agrees_with_the_slow_rule(seed):
    rng = np.random.RandomState(seed)
    corners = np.sort(rng.uniform(-.1, 1.1, (rng.randint(0, 40), 2, 2)), axis=1).reshape(-1, 4)
    corners[::7, 2] = corners[::7, 0]       # no width
    truths = np.column_stack([corners, rng.randint(0, 5, len(corners))]).astype(np.float32)
    truths = np.concatenate([truths, truths[:3]])   # objects that are there twice
    for threshold in (.5, .3, .9):
        for found, expected in zip(match_priors(truths, SMALL, threshold), slow_match(truths, SMALL, threshold)):
            np.testing.assert_array_equal(found, expected)


def test_by_hand():
    priors = np.array([[.25, .25, .5, .5], [.75, .75, .5, .5], [.5, .5, 1, 1]], np.float32)
    classes, offsets = match_priors([[0, 0, .5, .5, 3]], priors)
    assert classes.tolist() == [3, 0, 0] and (offsets == 0).all()
    classes, _ = match_priors([[0, 0, .5, .25, 3]], priors)     # an overlap of exactly a half is enough
    assert classes.tolist() == [3, 0, 0]
    classes, _ = match_priors([[.9, .9, .91, .91, 2]], priors)  # the best prior, however little it overlaps
    assert classes.tolist() == [0, 2, 0]
    classes, _ = match_priors([[0, 0, .4, .4, 1], [0, 0, .45, .45, 2]], priors)     # the later of two with one prior
    assert classes.tolist() == [2, 0, 0]


def test_nothing_to_match():
    for truths in ([], [[0, 0, 0, 0, 0]], [[.1, .1, .1, .5, 3]], [[np.nan, 0, 1, 1, 2]]):
        classes, offsets = match_priors(truths, SMALL)
        assert not classes.any() and not offsets.any()
    classes, offsets = match_priors([[0, 0, 1, 1, 1]], [])
    assert classes.shape == (0,) and offsets.shape == (0, 4)


def test_one_matcher_for_many_images():
    targets = PriorTargets(SMALL)
    one, other = [[.1, .1, .4, .4, 1]], [[.5, .5, 1, 1, 2]]
    first = targets.match(one)
    targets.match(other)
    for found, expected in zip(targets.match(one), first):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match='truths'):
        targets.match(np.zeros((2, 4)))
