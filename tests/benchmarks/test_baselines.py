"""The straightforward versions that benchmarks compare with compute the same thing."""
import numpy as np
import pytest

from benchmarks.baselines import chip_cover
from lib.chips import candidate_chips, generate_chips


def test_chip_cover_over_sets_equals_a_greedy_pass_in_order_of_construction():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, [1800, 1200], (60, 2))
    boxes = np.hstack([corners, corners + rng.uniform(5, 190, (60, 2))]).astype(np.float32)
    count = len(candidate_chips(2000, 1400, 512, 64))
    np.testing.assert_array_equal(chip_cover.cover(boxes, 2000, 1400, 512, 64),
                                  generate_chips(boxes, 2000, 1400, 512, 64, order=np.arange(count)))


def test_a_compiler_that_is_not_there(monkeypatch):
    monkeypatch.setenv('CXX', '/nowhere/g++')
    chip_cover._library.cache_clear()
    with pytest.raises(RuntimeError, match='install g..'):
        chip_cover.cover(np.zeros((1, 4)), 100, 100, 50, 20)
