"""SSH's files: a whole detector of Caffe's, or a VGG-16, of Caffe's or PyTorch's, to train one from.

A detector's arrays become ours unchanged. Snapshots of a training hold a second tower, whose layers end in `_ohem` and
share the weights of the first: it is left out. Its input, blue, green, red of 0 to 255 minus means of its own, stays
what it was; so it does of Caffe's VGG-16, which the original begins with as it is. PyTorch's takes R, G, B divided and
normalised, and the difference goes into its first layer. Source: reference/more_ssh.md.
"""
from typing import Dict, Optional

import numpy as np

from lib.utils.errors import SniperError
from lib.weights.conversion.architectures import recognise
from lib.weights.conversion.checks import check_arrays, finite, run_network, seeded_picture
from lib.weights.conversion.converted import Converted, FeatureDifference
from lib.weights.conversion.ssh_reference import MODULES, module_outputs
from lib.weights.conversion.verify import MOST, compare_features
from lib.weights.conversion.weight_mapping import Target, map_weights
from lib.weights.parameter_matching import config_of
from symbols.registry import get_detector

NETWORK = 'ssh_vgg16'
SEED, HEIGHT, WIDTH = 20171022, 70, 100     # of the picture; poolings round its sides up
MEANS = (102.9801, 115.9465, 122.7717)      # blue, green, red
REQUIRES = {'network.PIXEL_MEANS': list(MEANS), 'SSH.order': 'BGR'}
TWIN = '_ohem'                              # how the names of layers of the tower that mines end
CLASSES = ('__background__', 'face')
TESTED = 'to test with it: configs/ssh/ssh_vgg16.yml, --set TEST.SHIPPED_MODEL {prefix}'
TRAINED = 'to train from it: configs/ssh/ssh_vgg16.yml, --set network.pretrained {prefix}'


def is_ssh(arrays: Dict[str, np.ndarray], network: Optional[str]) -> bool:
    """Whether a file holds a whole SSH, or is to become one's backbone: `network` asks for it."""
    return network == NETWORK or any(name.startswith('m1@ssh_') for name in arrays)


def convert_ssh(arrays: Dict[str, np.ndarray], path: str) -> Converted:
    """Arrays of a file -> Converted. SniperError, one line: they are neither SSH's nor VGG-16's, or damaged."""
    if is_ssh(arrays, None):
        return _detector(arrays, path)
    return _backbone(arrays, path)


def _detector(arrays, path):
    from sniper_mxnet import mx
    arrays = {name: array for name, array in arrays.items() if not name.rpartition('.')[0].endswith(TWIN)}
    given = {name: np.shape(array) for name, array in arrays.items()}
    detector = get_detector(NETWORK)
    config = config_of(NETWORK, detector.variants(given)[0])
    symbol = detector.test_symbol(config)
    shapes, _, _ = symbol.infer_shape(**detector.input_shapes(config, 1, HEIGHT, WIDTH, 'test'))
    wanted = {name: shape for name, shape in zip(symbol.list_arguments(), shapes) if name != 'data'}
    theirs = {name: '.'.join(name.rsplit('_', 1)) for name in wanted}      # conv1_1_weight: conv1_1.weight
    check_arrays({theirs[name]: shape for name, shape in wanted.items()}, given, path, 'SSH')
    args = {name: np.ascontiguousarray(finite(arrays[entry], entry, path), np.float32)
            for name, entry in theirs.items()}
    data = seeded_picture(SEED, HEIGHT, WIDTH)[:, ::-1] - np.reshape(MEANS, (3, 1, 1))
    layers, internals = ('cls_score', 'bbox_pred'), symbol.get_internals()
    ours = run_network([mx.sym.identity(internals[f'{module}@ssh_{layer}_output']) for module in MODULES
                        for layer in layers], args, {}, data)
    pairs = [(f'{module} {layer}', output) for module, outputs in zip(MODULES, module_outputs(arrays, data))
             for layer, output in zip(layers, outputs)]
    rows = [FeatureDifference.between(name, one, other) for (name, one), other in zip(pairs, ours)]
    return Converted('SSH with VGG-16', NETWORK, args, {}, REQUIRES, rows, MOST, (TESTED, TRAINED), CLASSES)


def _backbone(arrays, path):
    from symbols.backbones.vgg import VGG16
    architecture, arrays = recognise(arrays, path)
    if architecture.family != 'vgg16' or dict(architecture.options)['reduced_fc']:
        raise SniperError(f'{path} is a {architecture.name}; {NETWORK} is a whole SSH, or begins with a plain VGG-16')
    if architecture.preprocess.order == 'BGR':      # Caffe's takes the detector's input, as in the original
        architecture = architecture._replace(preprocess=architecture.preprocess._replace(mean=MEANS[::-1]))
    target = Target(VGG16(), (NETWORK,), REQUIRES, 'vgg16_caffe', 0.0, 'BGR')
    args, auxs = map_weights(architecture, arrays, target, path, MEANS[::-1])
    rows = compare_features(architecture, arrays, target, args, auxs, MEANS[::-1])
    return Converted(f'{architecture.name}, the backbone of SSH', target.prefix, args, auxs, REQUIRES, rows, MOST,
                     (TRAINED,))
