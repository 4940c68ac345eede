"""What a feature map says of regions, beside sums cell by cell."""
import numpy as np
import pytest

from lib.fewshot.pooling import KINDS, describe, region_weights

MAP = np.random.RandomState(3).normal(5, 2, (4, 6, 9)).astype(np.float32)


def fine(feature, region, times=8):
    """Values of a region, sampled `times` a cell and side."""
    larger = feature.repeat(times, axis=1).repeat(times, axis=2)
    x1, y1, x2, y2 = (round(edge * times) for edge in region)
    return larger[:, y1:y2, x1:x2].reshape(len(feature), -1)


@pytest.mark.parametrize('region', [(0, 0, 9, 6), (1.5, 2, 4.25, 3.5), (2.25, 1.5, 2.75, 1.75)])
def test_means_and_deviations(region):
    values = fine(MAP, region)
    found = describe(MAP, [region], 'mean+std')[0]
    np.testing.assert_allclose(found[:4], values.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found[4:], values.std(axis=1), rtol=1e-3, atol=2e-5)


def test_quarters():
    found = describe(MAP, [(1, 1, 5, 5)], 'grid')[0].reshape(4, 4)
    for quarter, region in zip(found, [(1, 1, 3, 3), (3, 1, 5, 3), (1, 3, 3, 5), (3, 3, 5, 5)]):
        np.testing.assert_allclose(quarter, fine(MAP, region).mean(axis=1), rtol=1e-5)


def test_padding_does_not_count():
    padded = np.pad(MAP, [(0, 0), (0, 3), (0, 5)], constant_values=1e6)
    for kind in KINDS:
        np.testing.assert_allclose(describe(padded[:, :6, :9], [(0, 0, 9, 6)], kind),
                                   describe(MAP, [(0, 0, 9, 6)], kind))
    np.testing.assert_allclose(describe(padded, [(0, 0, 8.5, 5.5)], 'mean'), describe(MAP, [(0, 0, 8.5, 5.5)], 'mean'),
                               rtol=1e-5)


def test_odd_regions_have_a_cell():
    regions = [(-4, -4, -1, -1), (3, 3, 3, 3), (20, 1, 30, 2), (5, 4, 2, 1), (-1, -1, 40, 40)]
    weights = region_weights(np.array(regions, float), 6, 9)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert (weights >= 0).all() and weights[0].argmax() == 0 and weights[1].argmax() == 3 * 9 + 3


def test_lengths_and_unknown_kinds():
    for kind, numbers in KINDS.items():
        assert describe(MAP, [(0, 0, 1, 1)] * 3, kind).shape == (3, 4 * numbers)
    with pytest.raises(ValueError, match='unknown features'):
        describe(MAP, [(0, 0, 1, 1)], 'max')
