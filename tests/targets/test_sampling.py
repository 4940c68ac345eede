"""The choice of labelled anchors."""
import numpy as np
import pytest

from lib.targets.chip_targets import subsample


def labels(positives, negatives, unused):
    made = np.repeat(np.array([1, 0, -1], dtype=np.int8), [positives, negatives, unused])
    np.random.default_rng(0).shuffle(made)
    return made


@pytest.mark.parametrize('rng', [np.random.default_rng(1), np.random.RandomState(1)])
@pytest.mark.parametrize('positives, negatives, left', [(500, 9000, (128, 128)), (20, 9000, (20, 236)),
                                                        (0, 9000, (0, 256)), (500, 10, (128, 10)), (3, 5, (3, 5)),
                                                        (0, 0, (0, 0))])
def test_counts(positives, negatives, left, rng):
    before = labels(positives, negatives, 100)
    label = before.copy()
    subsample(label, 256, 0.5, rng)
    assert ((label == 1).sum(), (label == 0).sum()) == left
    assert (label[label >= 0] == before[label >= 0]).all()


@pytest.mark.parametrize('make', [np.random.default_rng, np.random.RandomState])
def test_choice_is_uniform_and_seeded(make):
    rng, hits = make(0), np.zeros(50)
    for _ in range(2000):
        label = np.zeros(50, dtype=np.int8)
        subsample(label, 10, 0.5, rng)
        hits += label == 0
    assert abs(hits - 400).max() < 90, hits  # five standard deviations
    first, second = labels(500, 500, 5), labels(500, 500, 5)
    subsample(first, 256, 0.5, make(7))
    subsample(second, 256, 0.5, make(7))
    np.testing.assert_array_equal(first, second)
