"""Arrays of a source network -> arrays of our backbone that compute the same features.

Our input is R, G, B, or as the target says, minus `pixel_means`, undivided. What the source wants instead goes into the
input BatchNorm `bn_data` of the ResNets, exactly; in networks without one it is folded into the first convolution,
which is exact but for the padding of its border (the padded value is our mean in place of theirs: 0.005 of 255 for
ImageNet's means).
"""
from typing import Any, Dict, NamedTuple, Tuple

import numpy as np

from lib.weights.conversion.architectures import Architecture
from lib.weights.conversion.checks import check_arrays, finite
from symbols.registry import detector_names, get_detector

SIDE = 64       # of the input for which shapes are inferred
PIXEL_MEANS = (123.68, 116.779, 103.939)    # R, G, B: configs' network.PIXEL_MEANS


class Target(NamedTuple):
    """Where the arrays go: our backbone, the detectors on it, and what their configuration must say."""
    backbone: Any
    detectors: tuple
    requires: dict
    prefix: str         # of the parameter file in data/pretrained_model
    norm_eps: float
    order: str = 'RGB'  # of the planes that the detectors give it


def target_of(architecture: Architecture, pixel_means=PIXEL_MEANS) -> Target:
    """Target of an Architecture; pixel_means: that the network is going to run with, R, G, B."""
    options, requires = dict(architecture.options), {'network.PIXEL_MEANS': list(pixel_means)[::-1]}
    backbone: Any
    if architecture.family == 'resnet_v1':
        from symbols.backbones.resnet_v1 import EPS, ResNetV1
        requires['network.STRIDE_IN_1X1'] = options['stride_in_1x1']
        backbone, prefix, eps = ResNetV1(architecture.depth), f'resnet_v1_{architecture.depth}', EPS
    elif architecture.family == 'resnet_v2':
        from symbols.backbones.resnet import EPS, ResNet
        backbone, prefix, eps = ResNet(architecture.depth), f'resnet_mx_{architecture.depth}_gluon', EPS
    elif architecture.family == 'mobilenet_v2':
        from symbols.backbones.mobilenetv2 import EPS, MobileNetV2
        backbone, prefix, eps = MobileNetV2(), 'mobilenetv2', EPS
    else:
        from symbols.backbones.vgg import VGG16
        backbone = VGG16(options['reduced_fc'], options['ceil_pools'])
        prefix, eps = 'vgg16_reducedfc' if options['reduced_fc'] else 'vgg16', 0.0
    return Target(backbone, detectors_on(backbone), requires, prefix, eps)


def detectors_on(backbone) -> Tuple[str, ...]:
    """Names of the detectors that have the same backbone, with the same settings."""
    found = {name: getattr(get_detector(name), 'backbone', None) for name in detector_names()}
    return tuple(name for name, other in found.items()
                 if type(other) is type(backbone) and vars(other) == vars(backbone))


def backbone_outputs(target: Target, architecture: Architecture) -> Dict[str, Any]:
    """{feature: mx.sym.Symbol} of our backbone in float32 on the input `data`."""
    from sniper_mxnet import mx
    from symbols.options import TrunkOptions
    options = TrunkOptions(half_precision=False, bn_momentum=0.9, pretrained=True,
                           stride_in_1x1=dict(architecture.options).get('stride_in_1x1', False))
    return {name: feature.symbol for name, feature in target.backbone(mx.sym.var('data'), options).items()}


def map_weights(architecture: Architecture, arrays, target: Target, path: str, pixel_means=PIXEL_MEANS
                ) -> Tuple[Dict[str, np.ndarray], Dict[str, np.ndarray]]:
    """-> (arg_params, aux_params), dicts of float32 NumPy arrays, names and shapes as our backbone wants them.

    SniperError, naming the arrays, if the file lacks some, has more, others of another shape or of no finite value.
    """
    args, auxs = _shapes(target, architecture)
    _check_arrays(architecture, arrays, args, path)
    source = _Source(arrays, path)
    made = {}
    for layer in architecture.layers:
        if layer.ours:
            made[f'{layer.ours}_weight'] = source.take(f'{layer.source}.weight')
        bias = source.take_if_there(f'{layer.source}.bias') if layer.ours else None
        if layer.our_norm:
            _norm(made, layer, architecture, source, target.norm_eps)
            if bias is not None:    # x + b, then minus the mean
                made[f'{layer.our_norm}_moving_mean'] = made[f'{layer.our_norm}_moving_mean'] - bias
        elif bias is not None:
            made[f'{layer.ours}_bias'] = bias
    for layer in architecture.identity:
        _identity(made, layer, architecture.layers[0], target.norm_eps)
    _normalise_input(made, architecture, target, np.array(pixel_means))
    made = {name: np.ascontiguousarray(array, np.float32) for name, array in made.items()}
    assert {name: array.shape for name, array in made.items()} == dict(args, **auxs)
    return {name: made[name] for name in args}, {name: made[name] for name in auxs}


def _shapes(target, architecture):
    """{name: shape} of our backbone's parameters, without the newly initialised ones, and of its auxiliary states."""
    from sniper_mxnet import mx
    from symbols.layers import new_parameters
    symbol = mx.sym.Group(list(backbone_outputs(target, architecture).values()))
    shapes, _, aux_shapes = symbol.infer_shape(data=(1, 3, SIDE, SIDE))
    new = new_parameters(symbol) | {'data'}
    return ({name: shape for name, shape in zip(symbol.list_arguments(), shapes) if name not in new},
            dict(zip(symbol.list_auxiliary_states(), aux_shapes)))


def _check_arrays(architecture, arrays, shapes, path):
    """SniperError that lists what is missing, of another shape or too much. shapes: of our parameters."""
    wanted = {}
    for layer in architecture.layers:
        if layer.ours:
            shape = shapes[f'{layer.ours}_weight']
            wanted[f'{layer.source}.weight'] = shape
            if f'{layer.source}.bias' in arrays or f'{layer.ours}_bias' in shapes:
                wanted[f'{layer.source}.bias'] = shape[:1]
        if layer.our_norm:
            wanted.update({f'{layer.source_norm}.{name}': shapes[f'{layer.our_norm}_gamma']
                           for name in architecture.norm})
    check_arrays(wanted, {name: np.shape(array) for name, array in arrays.items()}, path, f'a {architecture.name}',
                 architecture.is_foreign)


class _Source:
    """The file's arrays in float64, with errors that name them."""

    def __init__(self, arrays, path):
        self.arrays, self.path = arrays, path

    def take(self, name):
        return finite(self.arrays[name], name, self.path).astype(np.float64)

    def take_if_there(self, name):
        return self.take(name) if name in self.arrays else None


def _norm(made, layer, architecture, source, eps):
    """A BatchNorm; another eps is made up for in gamma, exactly."""
    gamma, beta, mean, var = [source.take(f'{layer.source_norm}.{name}') for name in architecture.norm]
    if layer.our_norm == 'bn_data':     # gamma is fixed to 1 there and here
        gamma = np.ones_like(gamma)
    elif eps != architecture.eps:
        gamma = gamma * np.sqrt((var + eps) / (var + architecture.eps))
    made.update({f'{layer.our_norm}_gamma': gamma, f'{layer.our_norm}_beta': beta,
                 f'{layer.our_norm}_moving_mean': mean, f'{layer.our_norm}_moving_var': var})


def _identity(made, layer, before, eps):
    """A 1x1 convolution and BN that pass non-negative values up to 6 on unchanged (a ReLU6 lies behind)."""
    channels = made[before.ours + '_weight'].shape[0]
    made[f'{layer.ours}_weight'] = np.eye(channels)[:, :, None, None]
    made.update({f'{layer.our_norm}_gamma': np.ones(channels), f'{layer.our_norm}_beta': np.zeros(channels),
                 f'{layer.our_norm}_moving_mean': np.zeros(channels),
                 f'{layer.our_norm}_moving_var': np.full(channels, 1 - eps)})


def _normalise_input(made, architecture, target, means):
    """Make up for what the source wants of its input: (x + means - mean) / std instead of x; all in R, G, B."""
    wanted = architecture.preprocess
    mean, std = np.array(wanted.mean), np.array(wanted.std)
    if architecture.family.startswith('resnet'):
        assert wanted.order == 'RGB'
        if architecture.family == 'resnet_v2':      # its own input BN comes behind
            inner_mean, inner_var = made['bn_data_moving_mean'], made['bn_data_moving_var'] + architecture.eps
        else:
            inner_mean, inner_var = np.zeros(3), np.ones(3)
            made.update(bn_data_gamma=np.ones(3), bn_data_beta=np.zeros(3))
        made['bn_data_moving_mean'] = std * inner_mean - (means - mean)
        made['bn_data_moving_var'] = std ** 2 * inner_var - target.norm_eps
        return
    first = architecture.layers[0]
    weight = made[first.ours + '_weight']
    if wanted.order == 'BGR':
        weight = weight[:, ::-1]
    weight = weight / std[:, None, None]
    shift = (weight * (means - mean)[:, None, None]).sum(axis=(1, 2, 3))
    made[first.ours + '_weight'] = weight[:, ::-1] if target.order == 'BGR' else weight
    if first.our_norm:
        made[first.our_norm + '_moving_mean'] = made[first.our_norm + '_moving_mean'] - shift
    else:
        made[first.ours + '_bias'] = made[first.ours + '_bias'] + shift
