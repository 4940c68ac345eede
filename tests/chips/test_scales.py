"""Scale factors by hand, and their errors."""
import pytest

from lib.chips import scale_factor, scaled_size, test_scale, training_scales
from lib.utils.errors import SniperError


def test_resolution_pairs():
    assert scale_factor((800, 1280), 1000, 500) == pytest.approx(1.28)  # the long side would exceed 1280
    assert scale_factor((800, 1280), 600, 500) == pytest.approx(1.6)
    assert scale_factor((-1, 512), 600, 1024) == pytest.approx(0.5)
    assert scale_factor((800, -1), 4000, 400) == pytest.approx(2)


def test_numbers_are_factors_except_the_last():
    assert training_scales([3.0, 1.667, 512.0], 640, 480) == [3.0, 1.667, 512.0 / 640]
    assert training_scales([3, 2, 512], 640, 480) == [3, 2, 0.8]
    assert training_scales([512.0], 1024, 480) == [0.5]


def test_truncation_loses_a_pixel():
    assert scaled_size(98, 98, 512.0 / 98) == (511, 511)


def test_float_sizes_of_voc():
    assert scale_factor([480, 512], 500.0, 375.0) == pytest.approx(512 / 500.0)


def test_texts_are_factors_and_pixels():
    assert training_scales(['2x', '1x', '256px'], 640, 480) == training_scales([2.0, 1.0, 256.0], 640, 480)
    assert training_scales(['2x', (480, 640), '0.5x'], 640, 480) == [2, 1, 0.5]
    assert test_scale('0.33x', 4000, 2250) == 0.33 and test_scale(2.0, 4000, 2250) == 2
    assert test_scale('256px', 480, 640) == scale_factor((-1, 256), 480, 640) == 0.4


def test_mistakes_are_named():
    with pytest.raises(SniperError, match='write 512px'):
        training_scales([(800, 1280), 512.0], 640, 480)
    with pytest.raises(SniperError, match='write 0.5x'):
        training_scales(['2x', 0.5], 640, 480)
    with pytest.raises(SniperError, match='above 0'):
        training_scales([0.0, 512.0], 640, 480)
    with pytest.raises(SniperError, match='two'):
        test_scale('two', 640, 480)
    with pytest.raises(SniperError, match='0 x 480'):
        test_scale((800, 1280), 0, 480)
    with pytest.raises(SniperError, match='0 x 480'):
        test_scale('256px', 0, 480)
