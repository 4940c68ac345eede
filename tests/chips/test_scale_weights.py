"""Samples of each scale in an epoch: counted, in shares that weights ask for, seeded."""
import numpy as np
import pytest

from lib.chips import ChipSettings
from lib.chips.scale_weights import samples_of, samples_per_scale, weighted_rows
from lib.chips.statistics import ChipStatistics
from lib.chips.window import Window


def table(seed=0, count=1000):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 3, count).astype(np.int16), rng.random(count) < 0.2


def test_no_weights_and_weights_of_one_take_every_row_once():
    level, negative = table()
    for weights in ((), (1, 1, 1)):
        rows = weighted_rows(level, negative, weights, np.random.default_rng(0))
        np.testing.assert_array_equal(rows, np.arange(1000))


@pytest.mark.parametrize('weights', [(1, 2, 0.5), (0.3, 1, 3.25), (0.001, 7, 1)])
def test_rows_are_counted_by_scale_and_kind(weights):
    level, negative = table()
    rows = weighted_rows(level, negative, weights, np.random.default_rng(5))
    assert (np.diff(rows) >= 0).all()  # the order of an epoch wants images ascending
    uses = np.bincount(rows, minlength=1000)
    for scale, weight in enumerate(weights):
        for background in (False, True):
            there = (level == scale) & (negative == background)
            assert uses[there].sum() == samples_of(there.sum(), weight) == max(1, round(weight * there.sum()))
            assert uses[there].min() >= int(weight) and uses[there].max() <= int(weight) + 1


def test_the_part_that_comes_once_more_is_drawn():
    level, negative = table()
    first, again, other = (weighted_rows(level, negative, (0.5, 1, 1), np.random.default_rng(seed))
                           for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len(first) == len(other) and (first != other).any()
    uses = np.zeros(1000, int)
    for seed in range(200):
        uses += np.bincount(weighted_rows(level, negative, (0.5, 1, 1), np.random.default_rng(seed)), minlength=1000)
    drawn = uses[level == 0] / 200  # binomial, p 0.5: a standard deviation of 0.035
    assert abs(drawn.mean() - 0.5) < 0.003 and 0.02 < drawn.std() < 0.05 and set(uses[level > 0]) == {200}


def test_scales_without_windows():
    assert samples_of(0, 3) == 0 and samples_per_scale([4, 0, 3], (0.5, 2, 2)) == [2, 0, 6]
    assert samples_per_scale([4, 0, 3], ()) == [4, 0, 3]
    assert weighted_rows(np.zeros(0, int), np.zeros(0, bool), (2, 2), np.random.default_rng(0)).tolist() == []
    assert weighted_rows(np.ones(2, int), np.zeros(2, bool), (2, 2), np.random.default_rng(0)).tolist() == [0, 0, 1, 1]


def test_statistics_show_samples():
    entry = {'boxes': np.array([[0, 0, 30, 30]], np.float32), 'max_overlaps': np.ones(1), 'width': 100, 'height': 80,
             'image': 'x.png'}
    windows = [Window((0, 0, 9, 9), 1, 1, 64, 64, level, negative) for level, negative in
               ((0, False), (0, False), (1, False), (1, True))]

    def statistics(weights):
        found = ChipStatistics(ChipSettings((1.0, 64.0), ((-1, 40), (30, -1)), 64, (9,), weights=weights))
        found.add(entry, windows, 9)
        return found
    plain, weighted = statistics(()), statistics((0.5, 3.0))
    assert plain.samples.tolist() == [2, 2] and weighted.samples.tolist() == [1, 6]
    assert weighted.facts()['samples_per_scale'] == [1, 6] and weighted.pixels == 7 / 4 * plain.pixels
    assert any('TRAIN.SCALE_WEIGHTS 0.5, 3: 1 (14 %), 6 (86 %); 7 in all' in line for line in weighted.table())
    assert not any('SCALE_WEIGHTS' in line for line in plain.table())
