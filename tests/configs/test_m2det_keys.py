"""Maps, steps and sizes that follow from the section M2DET, and keys that do not fit each other."""
import numpy as np
import pytest

from configs import load_config
from configs.m2det_keys import SHIPPED, Pyramid, check_m2det, map_sides, own_size
from configs.schema import ConfigError
from lib.bbox.priors import map_sides as sides_of_steps, ssd_priors
from lib.tasks.registry import check_config
from symbols import get_detector
from symbols.registry import DETECTORS


def config_for(*overrides):
    return load_config(None, ['symbol', 'm2det', 'dataset.NUM_CLASSES', '4', *overrides])


# reference/m2det.md section 1
@pytest.mark.parametrize('size, sides, priors', [(320, (40, 20, 10, 5, 3, 1), 12810),
                                                 (512, (64, 32, 16, 8, 4, 2), 32760),
                                                 (704, (88, 44, 22, 11, 6, 4), 62022),
                                                 (800, (100, 50, 25, 13, 7, 5), 80208)])
def test_the_published_sizes(size, sides, priors):
    config = config_for('M2DET.input_size', str(size))
    pyramid = Pyramid.from_config(config)
    assert (pyramid.sides, pyramid.priors) == (sides, priors)
    assert (pyramid.steps, pyramid.sizes) == SHIPPED[size]
    assert len(ssd_priors(size, pyramid.steps, pyramid.sizes)) == priors
    assert own_size(config) is None


def rule(size):
    """The original's: halve seven times with ceiling, keep the third to the seventh, and append the last minus 2."""
    halves = []
    for _ in range(7):
        size = -(-size // 2)
        halves.append(size)
    return (*halves[2:], halves[-1] - 2)


@pytest.mark.parametrize('size', range(272, 1100, 16))
def test_every_own_size_has_the_maps_of_its_priors(size):
    config = config_for('M2DET.input_size', str(size))
    pyramid = Pyramid.from_config(config)
    assert pyramid.sides == rule(size) == tuple(sides_of_steps(size, pyramid.steps))
    priors = ssd_priors(size, pyramid.steps, pyramid.sizes)
    assert priors.shape == (pyramid.priors, 4) and (priors > 0).all()
    if size not in SHIPPED:
        np.testing.assert_allclose(np.multiply(pyramid.steps, pyramid.sides), size)
        assert f'M2DET.input_size {size} with 6 maps is none of those' in own_size(config)
        assert '320, 512, 704, 800' in own_size(config) and 'refused by the original' in own_size(config)


@pytest.mark.parametrize('size', [288, 400, 432, 624, 752])
def test_own_sizes_give_graphs(size):
    config = config_for('M2DET.input_size', str(size), 'M2DET.planes', '16', 'M2DET.num_levels', '2', 'M2DET.width',
                        '0.125')
    pyramid = Pyramid.from_config(config)
    _, outputs, _ = get_detector('m2det').test_symbol(config).infer_shape(data=(2, 3, size, size))
    assert outputs == [(2, pyramid.priors, 4), (2, pyramid.priors, 4)]


@pytest.mark.parametrize('scales, least', [(2, 32), (3, 48), (4, 80), (5, 144), (6, 272), (7, 528)])
def test_fewer_and_more_maps(scales, least):
    assert map_sides(least, scales)[-1] in (1, 2) and len(map_sides(least, scales)) == scales
    with pytest.raises(ConfigError, match=f'take {least} or more, or fewer maps'):
        map_sides(least - 16, scales)


@pytest.mark.parametrize('overrides, complaint', [
    (('input_size', '300'), r'M2DET.input_size is 300, no multiple of 16, .* take 288 or 304'),
    (('input_size', '256'), r'M2DET.input_size 256 is too small for 6 maps .* take 272 or more'),
    (('step_pattern', '[8, 16]'), 'M2DET.step_pattern has 2 entries, but M2DET.num_scales is 6'),
    (('step_pattern', '[8, 16, 32, 64, 128, 128]'), r'maps of 64 32 16 8 4 4 cells .* have 64 32 16 8 4 2; leave it'),
    (('size_pattern', '[0.1, 0.2]'), 'M2DET.size_pattern has 2 entries, but M2DET.num_scales is 6; .* 7'),
    (('size_pattern', '[0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.8]'), 'it wants growing shares'),
    (('size_pattern', '[0.1, 0.2, 0.3, 0.3, 0.4, 0.5, 0.6]'), 'it wants growing shares'),
    (('size_pattern', '[20, 40, 60, 80, 100, 120, 140]'), r"it wants growing shares .* from 1 pixel \(0.002\) to 8"),
    (('size_pattern', '[1e-30, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]'), 'from 1 pixel'),
    (('init', 'prior', 'neg_pos', '0'), "M2DET.neg_pos is 0, so there is none: set init to 'original'"),
    (('num_scales', '5'), 'M2DET.size_pattern has 7 entries by default, but M2DET.num_scales is 5'),
    (('planes', '33'), 'M2DET.planes is 33; .* must be even'),
    (('sfam', 'True', 'planes', '2', 'num_levels', '3'), 'M2DET.planes x M2DET.num_levels is 6, no multiple of 16'),
    (('width', '0.5', 'backbone', 'resnet50'), 'M2DET.width is 0.5, but resnet50 has one width only'),
    (('width', '0.3'), 'must be a whole number'), (('variance', '[0.1]'), 'M2DET.variance has 1 entries; it wants two'),
    (('backbone', 'resnet51'), 'M2DET.backbone')])
def test_mistakes_are_named_in_one_line(overrides, complaint):
    names = [f'M2DET.{word}' if place % 2 == 0 else word for place, word in enumerate(overrides)]
    with pytest.raises(ConfigError, match=complaint) as error:
        check_m2det(config_for(*names))
    assert '\n' not in str(error.value)


def test_numbers_out_of_range_are_refused_by_the_loader_s_checks():
    config = config_for('M2DET.num_levels', '0')
    config.symbol = next(name for name in DETECTORS if name != 'm2det')     # the limits of keys hold for all families
    with pytest.raises(ConfigError, match='M2DET.num_levels is 0; it must be from 1 to 64'):
        check_config(config, 'train')
