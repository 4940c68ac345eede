"""Order and shapes of test batches against the original's."""
import numpy as np
import pytest

from lib.iterators.batching import order_crops, scaled_size
from tests.golden import golden_file


@pytest.mark.parametrize('count', [1, 2, 5, 7])
@pytest.mark.parametrize('batch_size', [1, 2, 3, 8, 16])
def test_any_number_of_crops_fills_whole_batches(count, batch_size):
    crops = np.random.default_rng(count).uniform(0, 100, (count, 4))
    crops[:, 2:] += crops[:, :2] + 1
    order = order_crops(crops, batch_size)
    assert len(order) % batch_size == 0
    assert set(order.tolist()) == set(range(count))
    wide = (crops[:, 2] - crops[:, 0] >= crops[:, 3] - crops[:, 1])[order].reshape(-1, batch_size)
    assert (wide.all(axis=1) | ~wide.any(axis=1)).all()


def test_no_crop_no_batch():
    assert order_crops(np.empty((0, 4)), 4).shape == (0,)


def test_tiny_crop_still_has_a_size():
    assert scaled_size((5, 5, 5, 9), 0.1, 0.1) == (1, 1)


def test_golden_order():
    cases = np.load(golden_file('pipeline/test_batching.npz'))
    for number in range(int(cases['n_cases'])):
        prefix = f'{number:03d}/'
        order = order_crops(cases[prefix + 'crops'][:, 1:], int(cases[prefix + 'batch_size']))
        np.testing.assert_array_equal(order, cases[prefix + 'order'], err_msg=prefix)
