"""Whose weights they are that do not fit, and what would make them fit."""
import pytest

from configs import load_config
from lib.utils.errors import SniperError
from lib.weights.misfit import other_keys, whose_weights
from lib.weights.trained_with import check_requirements
from tests.weights.conversion.m2det_sources import m2det_shapes

SMALL = {'M2DET.width': 0.125, 'M2DET.planes': 16, 'M2DET.num_levels': 2, 'M2DET.num_scales': 3}


def config_for(*overrides):
    return load_config(None, ['symbol', 'm2det', 'dataset.NUM_CLASSES', '81', *overrides])


def small_config(**other):
    keys = dict(SMALL, **{key.replace('__', '.'): value for key, value in other.items()})
    return config_for(*(str(word) for pair in keys.items() for word in pair))


@pytest.mark.parametrize('other, mend', [
    ({'M2DET__planes': 32}, 'M2DET.planes 16'), ({'M2DET__num_levels': 3}, 'M2DET.num_levels 2'),
    ({'M2DET__num_scales': 2}, 'M2DET.num_scales 3'), ({'M2DET__smooth': False}, 'M2DET.smooth True'),
    ({'M2DET__sfam': True}, 'M2DET.sfam False'), ({'M2DET__width': 0.25}, 'M2DET.width 0.125'),
    ({'M2DET__backbone': 'resnet18', 'M2DET__width': 1.0}, 'M2DET.backbone vgg16 M2DET.width 0.125')])
def test_weights_of_another_m2det(other, mend):
    """The side of the input is not among the keys: weights do not depend on it."""
    shapes = m2det_shapes(**{key.replace('.', '__'): value for key, value in SMALL.items()})
    config = small_config(M2DET__input_size=64, **other)
    assert other_keys(config, shapes) == f'--set {mend}'
    assert whose_weights(config, shapes) == f'they are of another m2det: --set {mend}'
    assert other_keys(small_config(M2DET__input_size=512), shapes) == ''


def test_other_classes_and_other_networks():
    shapes = m2det_shapes(dataset__NUM_CLASSES=5, **{key.replace('.', '__'): value for key, value in SMALL.items()})
    assert whose_weights(small_config(), shapes) == 'they know 5 classes with background, and 81 are wanted'
    tiny = load_config(None, ['symbol', 'sniper_tiny'])
    assert whose_weights(tiny, shapes, 'm2det').startswith('they are of m2det, not of sniper_tiny: ')
    for unknown in ('', 'resnet', None, ['m2det']):
        assert whose_weights(tiny, shapes, unknown) == ''
    assert whose_weights(small_config(), {'x': (3,)}) == ''


def test_requirements_name_all_that_is_otherwise():
    wanted = {'M2DET.planes': 16, 'M2DET.smooth': True, 'network.PIXEL_MEANS': [104, 117, 123], 'M2DET.no_key': 3}
    with pytest.raises(SniperError, match=r'the weights x are made for M2DET.planes 16, the configuration says 256; '
                                          r'network.PIXEL_MEANS .*: add --set M2DET.planes 16 network.PIXEL_MEANS '
                                          r'\[104,117,123\]$'):
        check_requirements(config_for(), wanted, 'the weights x')
    for nothing in (None, [], 'text', {'M2DET.planes': 256}, {'symbol.x': 1}):
        check_requirements(config_for(), nothing, 'the weights x')
