"""M2Det's files: a whole detector, or a backbone to train one from, under the names that our network has.

A detector's file is what `torch.save` wrote of the original network: 887 entries for VGG-16 and eight levels. Its
arrays become ours unchanged, and its input, blue, green, red of 0 to 255 minus VGG's means, stays what it was. A
backbone's file is one that such a training starts from: the reduced VGG-16, which takes that input itself, or a ResNet
or a relative of it, into whose first layer the difference between that input and its own is folded.
"""
from typing import Dict, Optional

import numpy as np

from configs.keys import default_values
from configs.m2det_keys import VGG_BACKBONES
from lib.utils.errors import SniperError
from lib.weights.conversion.architectures import IMAGENET_MEAN, IMAGENET_STD
from lib.weights.conversion.checks import check_arrays, finite, run_network, seeded_picture
from lib.weights.conversion.converted import Converted, FeatureDifference
from lib.weights.conversion.m2det_names import original_names, our_name
from lib.weights.conversion.m2det_reference import backbone_maps, raw_outputs
from lib.weights.parameter_matching import config_of, override
from symbols.registry import get_detector

NETWORK = 'm2det'
SEED, SIDE = 20190129, 96               # of the picture for a backbone; a detector's is as small as its maps allow
MOST = 1e-4                             # of the largest magnitude: float32 through a hundred layers
MEANS = (104.0, 117.0, 123.0)           # blue, green, red
BASE = 'base.'
TESTED = 'to test with it: symbol m2det, --set TEST.SHIPPED_MODEL {prefix}'
TRAINED = 'to train from it: symbol m2det, --set network.pretrained {prefix}'


def is_m2det(arrays: Dict[str, np.ndarray], network: Optional[str]) -> bool:
    """Whether a file holds a whole M2Det, or is to become one's backbone: `network` asks for it."""
    return network == NETWORK or {'unet1.layers.0.conv.weight', 'loc.0.weight', 'conf.0.weight'} <= set(arrays)


def convert_m2det(arrays: Dict[str, np.ndarray], path: str) -> Converted:
    """Arrays of a file -> Converted. SniperError, one line: they are none of M2Det's, or damaged."""
    if 'unet1.layers.0.conv.weight' in arrays:
        return _detector(arrays, path)
    return _backbone(arrays, path)


def _detector(arrays, path):
    detector = get_detector(NETWORK)
    given = {name: np.shape(array) for name, array in arrays.items()}
    variant = detector.variants(given)[0]
    config = config_of(NETWORK, variant)
    symbol = detector.test_symbol(config)
    shapes, _, aux_shapes = symbol.infer_shape(**detector.input_shapes(config, 1, 0, 0, 'test'))
    wanted = {name: shape for name, shape in zip(symbol.list_arguments(), shapes) if name != 'data'}
    wanted.update(zip(symbol.list_auxiliary_states(), aux_shapes))
    levels, scales = config.M2DET.num_levels, config.M2DET.num_scales
    names = {name: original_names(name, levels, scales) for name in wanted}
    _check({entry: wanted[name] for name, entries in names.items() for entry in entries}, given, path,
           f'M2Det with {config.M2DET.backbone}')
    for first, *copies in names.values():
        for copy in copies:
            if not np.array_equal(arrays[first], arrays[copy]):
                raise SniperError(f'{path}: {copy} is not equal to {first}, but all levels and scales share one layer '
                                  'there: it is no M2Det as the authors have it')
    made = {name: _finite(arrays[name], name, path) for name in wanted}
    args = {name: made[name] for name in wanted if name not in symbol.list_auxiliary_states()}
    auxs = {name: made[name] for name in symbol.list_auxiliary_states()}
    size = config.M2DET.input_size
    data = seeded_picture(SEED, size, size)[:, ::-1] - np.reshape(MEANS, (3, 1, 1))
    theirs = raw_outputs(arrays, data, config.M2DET.backbone)
    ours = run_network(list(detector.outputs(config)), args, auxs, data)
    rows = [FeatureDifference.between(name, one, other[0]) for name, one, other in zip(('loc', 'conf'), theirs, ours)]
    keys = {key: value for key, value in variant.keys if key.startswith('M2DET.') and key in _SAID}
    return Converted(f'M2Det with {config.M2DET.backbone}, {config.dataset.NUM_CLASSES} classes with background',
                     f'm2det_{config.M2DET.backbone}', args, auxs, dict(keys, **{'network.PIXEL_MEANS': list(MEANS)}),
                     rows, MOST, (_use(TESTED, keys), _use(TRAINED, keys)))


_SAID = ('M2DET.backbone', 'M2DET.width', 'M2DET.planes', 'M2DET.num_levels', 'M2DET.num_scales', 'M2DET.smooth',
         'M2DET.sfam')


def _backbone(arrays, path):
    from sniper_mxnet import mx
    from symbols.detectors.m2det import backbone_features, unused_parameters
    from symbols.detectors.m2det_variants import backbone_of
    from symbols.options import TrunkOptions
    given = {name: np.shape(array) for name, array in arrays.items()}
    name = backbone_of(given)
    features = backbone_features(name, 1.0, TrunkOptions(half_precision=False, bn_momentum=0.9, pretrained=True))
    outputs = [mx.sym.identity(feature.symbol) for feature in features]
    symbol = mx.sym.Group(outputs)
    shapes, _, aux_shapes = symbol.infer_shape(data=(1, 3, SIDE, SIDE))
    wanted = {key: shape for key, shape in zip(symbol.list_arguments(), shapes) if key != 'data'}
    wanted.update(zip(symbol.list_auxiliary_states(), aux_shapes))
    unused = {key[len(BASE):] for key in unused_parameters(name)}
    _check({key[len(BASE):]: shape for key, shape in wanted.items()},
           {key: shape for key, shape in given.items() if key not in unused}, path, f'{name}, a backbone of M2Det')
    made = {key: _finite(arrays[key[len(BASE):]], key[len(BASE):], path) for key in wanted}
    picture, border = seeded_picture(SEED, SIDE, SIDE), (0, 0, 0)
    data = given_data = picture[:, ::-1] - np.reshape(MEANS, (3, 1, 1))
    if name not in VGG_BACKBONES:
        data = (picture - np.reshape(IMAGENET_MEAN, (3, 1, 1))) / np.reshape(IMAGENET_STD, (3, 1, 1))
        border = np.subtract(MEANS[::-1], IMAGENET_MEAN) / IMAGENET_STD     # what zeros around ours stand for
        _fold_input(made, BASE if f'{BASE}conv1.weight' in made else f'{BASE}layer0.')
    theirs = backbone_maps(arrays, data, name, border=border)
    auxs = {key: made.pop(key) for key in symbol.list_auxiliary_states()}
    ours = run_network(outputs, made, auxs, given_data)
    rows = [FeatureDifference.between(key, one.asnumpy(), other)
            for key, one, other in zip(('shallow', 'deep'), theirs, ours)]
    keys = {'M2DET.backbone': name}
    return Converted(f'{name}, a backbone of M2Det', f'm2det_base_{name}', made, auxs,
                     dict(keys, **{'network.PIXEL_MEANS': list(MEANS)}), rows, MOST, (_use(TRAINED, keys),))


def _use(text, keys):
    """The line, with the keys that are not as usual."""
    usual = default_values(keys)
    return ' '.join([text] + [override(*pair) for pair in keys.items() if pair[1] != usual[pair[0]]])


def _check(wanted, given, path, name):
    check_arrays(wanted, given, path, name, lambda entry: our_name(entry) is not None)


def _finite(array, name, path):
    return np.ascontiguousarray(finite(array, name, path), np.float32)


def _fold_input(made, stem):
    """Make the first convolution of a network that wants (R, G, B - mean) / std take B, G, R - MEANS. Only what zeros
    around the picture stand for changes: by less than one of 255."""
    weight = made[f'{stem}conv1.weight'].astype(np.float64) / np.reshape(IMAGENET_STD, (3, 1, 1))
    shift = (weight * np.reshape(np.subtract(MEANS[::-1], IMAGENET_MEAN), (3, 1, 1))).sum(axis=(1, 2, 3))
    made[f'{stem}conv1.weight'] = np.ascontiguousarray(weight[:, ::-1], np.float32)
    made[f'{stem}bn1.running_mean'] = (made[f'{stem}bn1.running_mean'] - shift).astype(np.float32)
