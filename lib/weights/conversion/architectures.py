"""Which network an array file is of, and where each layer of it lies in the file.

A layout is told by names that only it has, a depth by the number of units; everything else is left to the comparison of
all shapes in lib.weights.conversion.weight_mapping. What is known not to fit is refused by name, with the reason.

Gluon's model zoo has names of two forms. `save_parameters` writes places in the structure ('features.0.weight');
`export` and ONNX files made from it write the names of parameters ('resnetv10_conv0_weight'), whose prefix counts the
networks made in a process. The latter become the former by way of MXNet's own model zoo.
"""
import re
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from lib.utils.errors import SniperError

TORCH_NORM = ('weight', 'bias', 'running_mean', 'running_var')
GLUON_NORM = ('gamma', 'beta', 'running_mean', 'running_var')
DEPTHS = {(3, 4, 6, 3): 50, (3, 4, 23, 3): 101}
OTHER_DEPTHS = {(2, 2, 2, 2): 18, (3, 8, 36, 3): 152}
GLUON_NETWORKS = {'resnetv1': ('resnet50_v1', 'resnet101_v1', 'resnet152_v1', 'resnet34_v1', 'resnet18_v1'),
                  'resnetv2': ('resnet50_v2', 'resnet101_v2', 'resnet152_v2', 'resnet34_v2', 'resnet18_v2'),
                  'mobilenetv2': ('mobilenet_v2_1_0',), 'vgg': ('vgg16',)}
IMAGENET_MEAN = tuple(255 * value for value in (0.485, 0.456, 0.406))   # R, G, B
IMAGENET_STD = tuple(255 * value for value in (0.229, 0.224, 0.225))
CAFFE_MEAN = (123.68, 116.779, 103.939)


class Preprocess(NamedTuple):
    """What a network wants of an R, G, B image of 0 to 255: channels in `order`, (value - mean) / std, R, G, B."""
    order: str = 'RGB'
    mean: Tuple[float, ...] = IMAGENET_MEAN
    std: Tuple[float, ...] = IMAGENET_STD


class Layer(NamedTuple):
    """One convolution and the BatchNorm behind it, by prefixes: of ours and in the file; None where there is none."""
    ours: Optional[str]
    source: Optional[str]
    our_norm: Optional[str] = None
    source_norm: Optional[str] = None


class Architecture(NamedTuple):
    """A source network.

    family: 'resnet_v1', 'resnet_v2', 'mobilenet_v2', 'vgg16'; depth of a ResNet. layout: 'torch' or 'gluon', whose
    names, and evaluation, it has. layers: list of Layer in order; identity: our layers that must do nothing.
    norm: names of a BatchNorm's arrays in the file. eps: of its BatchNorms. options: of our backbone and of the source.
    trunk: pattern of the names that this network's features depend on, but for `unused` ones.
    """
    name: str
    family: str
    layout: str
    layers: Tuple[Layer, ...]
    preprocess: Preprocess = Preprocess()
    depth: int = 0
    norm: Tuple[str, ...] = TORCH_NORM
    eps: float = 1e-5
    identity: Tuple[Layer, ...] = ()
    options: Any = ()
    trunk: str = r'features\.'
    unused: str = r'.*\.num_batches_tracked$'

    def is_foreign(self, name):
        """Whether a `name` of the file that is none of the layers' is of something that such a network has not."""
        return bool(re.match(self.trunk, name) and not re.match(self.unused, name))


def gluon_network(name: str):
    """A network of Gluon's model zoo, without values."""
    from sniper_mxnet import mx
    return getattr(mx.gluon.model_zoo.vision, name)()


def recognise(arrays: Dict[str, np.ndarray], path: str) -> Tuple[Architecture, Dict[str, np.ndarray]]:
    """{name: array} -> (Architecture, arrays under the layout's own names). SniperError: none of the known ones."""
    arrays = _structural_names(arrays)
    if 'layer1.0.conv1.weight' in arrays:
        return _torch_resnet(arrays, path), arrays
    if 'features.1.conv.0.0.weight' in arrays:
        return _torch_mobilenet(), arrays
    if 'features.4.0.body.0.weight' in arrays:
        return _gluon_resnet_v1(arrays, path), arrays
    if 'features.5.0.bn1.gamma' in arrays:
        return _gluon_resnet_v2(arrays, path), arrays
    if 'features.3.out.0.weight' in arrays:
        return _gluon_mobilenet(), arrays
    if {'0.weight', '28.weight', '33.weight'} <= set(arrays):
        return _vgg('VGG-16 with reduced fully connected layers', '%d', True), arrays
    if {'features.0.weight', 'features.28.weight', 'features.28.bias'} <= set(arrays):
        return _vgg('VGG-16', 'features.%d', False), arrays
    if {'conv1_1.weight', 'conv5_3.weight'} <= set(arrays):
        return _caffe_vgg(), arrays
    raise SniperError(('{} holds none of the networks that can be converted (ResNet-50 and -101, MobileNetV2, VGG-16; '
                       'docs/weights.md); it has {} arrays: {} ...{}').format(
                      path, len(arrays), ', '.join(list(arrays)[:4])[:200], _hint(arrays)))


def _structural_names(arrays):
    """Arrays {name: array} with names of parameters are named by places in the structure; others stay as they are."""
    plain = {name.split(':', 1)[1] if name.startswith(('arg:', 'aux:')) else name: array
             for name, array in arrays.items()}
    match = re.match(r'(resnetv1|resnetv2|mobilenetv2|vgg)\d*_', next(iter(plain), ''))
    if not match:
        return arrays
    prefix = match.group(0)
    suffixes = {name[len(prefix):]: array for name, array in plain.items() if name.startswith(prefix)}
    for candidate in GLUON_NETWORKS[match.group(1)]:
        network = gluon_network(candidate)
        places = {parameter.name[len(network.prefix):]: place
                  for place, parameter in network._collect_params_with_prefix().items()}
        trunk = {suffix: place for suffix, place in places.items() if not place.startswith('output.')}
        if set(trunk) <= set(suffixes) and not any(_is_trunk(suffix) for suffix in set(suffixes) - set(places)):
            return {places[suffix]: array for suffix, array in suffixes.items() if suffix in places}
    return arrays


def _is_trunk(suffix):
    return 'conv' in suffix or 'batchnorm' in suffix


def _hint(arrays):
    if any(name.startswith('onnx::') for name in arrays):
        return ('; their names were lost when BatchNorms were folded: export with do_constant_folding=False and '
                'training=TrainingMode.PRESERVE')
    if any(name.startswith(('arg:', 'aux:')) for name in arrays):
        return '; it is a parameter file already: python -m lib.weights.inspect shows what it fits'
    return ''


def _depth(arrays, pattern, path, bottleneck):
    """Depth of a ResNet from its units; pattern: a name of each, with groups for stage and unit, from `first`."""
    found = {}
    for name in arrays:
        match = re.match(pattern, name)
        if match:
            found.setdefault(int(match.group(1)), set()).add(int(match.group(2)))
    units = tuple(len(found[stage]) for stage in sorted(found))
    if units in DEPTHS and bottleneck in arrays:
        return DEPTHS[units]
    depth = 34 if units in DEPTHS else OTHER_DEPTHS.get(units)
    raise SniperError(('{} is a ResNet{} with units {}; ResNet-50 and ResNet-101 with three convolutions a unit can be '
                       'converted').format(path, f'-{depth}' if depth else '', units))


def _resnet_v1_layers(depth, stem, source_of, convolutions):
    """Layers of a post-activation ResNet, by our names and the source's.

    stem: (convolution, norm) of the first layer; source_of(stage, index): what the names of a unit begin with;
    convolutions: (convolution, norm) of a unit's three.
    """
    from symbols.backbones.resnet_v1 import unit_names
    layers = [Layer('conv1', stem[0], 'bn_conv1', stem[1])]
    for stage in range(1, 5):
        for index, unit in enumerate(unit_names(depth, stage)):
            source = source_of(stage, index)
            layers.extend(Layer(f'res{unit}_branch2{letter}', source + convolution, f'bn{unit}_branch2{letter}',
                                source + norm) for letter, (convolution, norm) in zip('abc', convolutions))
            if index == 0:
                layers.append(Layer(f'res{unit}_branch1', source + 'downsample.0', f'bn{unit}_branch1',
                                    source + 'downsample.1'))
    return layers


def _torch_resnet(arrays, path):
    if 'layer1.0.conv3.weight' in arrays and arrays['layer1.0.conv2.weight'].shape[:2] != (64, 64):
        raise SniperError(('{} is a ResNeXt or wide ResNet (layer1.0.conv2.weight is {}); only the plain ResNet-50 and '
                           '-101 can be converted').format(path, arrays['layer1.0.conv2.weight'].shape))
    depth = _depth(arrays, r'layer(\d)\.(\d+)\.conv1\.weight$', path, 'layer1.0.conv3.weight')
    layers = _resnet_v1_layers(depth, ('conv1', 'bn1'), lambda stage, index: f'layer{stage}.{index}.',
                               [(f'conv{number}', f'bn{number}') for number in (1, 2, 3)])
    return Architecture(f'ResNet-{depth} (post-activation, stride in the 3x3 convolutions, PyTorch)', 'resnet_v1',
                        'torch', tuple(layers), depth=depth, options=(('stride_in_1x1', False),),
                        trunk=r'(conv1|bn1|layer\d+)\.')


def _gluon_resnet_v1(arrays, path):
    depth = _depth(arrays, r'features\.(\d)\.(\d+)\.body\.0\.weight$', path, 'features.4.0.body.6.weight')
    layers = _resnet_v1_layers(depth, ('features.0', 'features.1'),
                               lambda stage, index: f'features.{stage + 3}.{index}.',
                               [(f'body.{at}', f'body.{at + 1}') for at in (0, 3, 6)])
    return Architecture(f'ResNet-{depth} (post-activation, stride in the 1x1 convolutions, Gluon)', 'resnet_v1',
                        'gluon', tuple(layers), depth=depth, norm=GLUON_NORM, options=(('stride_in_1x1', True),))


def _gluon_resnet_v2(arrays, path):
    depth = _depth(arrays, r'features\.(\d)\.(\d+)\.conv1\.weight$', path, 'features.5.0.conv3.weight')
    layers = [Layer(None, None, 'bn_data', 'features.0'), Layer('conv0', 'features.1', 'bn0', 'features.2')]
    units = next(units for units, known in DEPTHS.items() if known == depth)
    for stage, count in enumerate(units, start=1):
        for index in range(count):
            source, ours = f'features.{stage + 4}.{index}.', f'stage{stage}_unit{index + 1}_'
            for number in (1, 2, 3):
                layers.append(Layer(None, None, ours + f'bn{number}', source + f'bn{number}'))
                layers.append(Layer(ours + f'conv{number}', source + f'conv{number}'))
            if index == 0:
                layers.append(Layer(ours + 'sc', source + 'downsample'))
    return Architecture(f'ResNet-{depth} (pre-activation, Gluon)', 'resnet_v2', 'gluon', tuple(layers), depth=depth,
                        norm=GLUON_NORM, unused=r'features\.9\.')     # the BatchNorm that closes it


def _mobilenet_units():
    """(our prefix, number of the block, whether it widens) of every block of MobileNetV2."""
    from symbols.backbones.mobilenetv2 import SEQUENCES
    number = 0
    for sequence, (expansion, _, blocks, _) in enumerate(SEQUENCES):
        for block in range(blocks):
            number += 1
            yield f'seq-{sequence}-block{block}-', number, expansion > 1


def _mobilenet_layer(ours, source, norm):
    return Layer(ours + '-conv2d', source, ours + '-batchnorm', norm)


def _torch_mobilenet():
    layers = [_mobilenet_layer('first-3x3-conv', 'features.0.0', 'features.0.1')]
    identity = []
    for ours, number, widens in _mobilenet_units():
        source = f'features.{number}.conv.'
        if widens:
            layers.append(_mobilenet_layer(ours + 'exp', source + '0.0', source + '0.1'))
        else:       # PyTorch's has no such layer
            identity.append(_mobilenet_layer(ours + 'exp', None, None))
        at = 1 if widens else 0
        layers.append(_mobilenet_layer(ours + 'depthwise', source + f'{at}.0', source + f'{at}.1'))
        layers.append(_mobilenet_layer(ours + 'linear', source + f'{at + 1}', source + f'{at + 2}'))
    layers.append(_mobilenet_layer('last-1x1-conv', 'features.18.0', 'features.18.1'))
    return Architecture('MobileNetV2 (PyTorch)', 'mobilenet_v2', 'torch', tuple(layers), identity=tuple(identity))


def _gluon_mobilenet():
    layers = [_mobilenet_layer('first-3x3-conv', 'features.0', 'features.1')]
    for ours, number, _ in _mobilenet_units():
        layers.extend(_mobilenet_layer(ours + part, f'features.{number + 2}.out.{at}',
                                       f'features.{number + 2}.out.{at + 1}')
                      for part, at in (('exp', 0), ('depthwise', 3), ('linear', 6)))
    layers.append(_mobilenet_layer('last-1x1-conv', 'features.20', 'features.21'))
    return Architecture('MobileNetV2 (Gluon)', 'mobilenet_v2', 'gluon', tuple(layers), norm=GLUON_NORM)


def _caffe_vgg():
    """The first release: B, G, R minus means, no division, and every pooling rounds up."""
    from symbols.backbones.vgg import layer_names
    return Architecture('VGG-16 (Caffe)', 'vgg16', 'torch', tuple(Layer(name, name) for name in layer_names()),
                        Preprocess('BGR', CAFFE_MEAN, (1.0, 1.0, 1.0)), trunk='', unused=r'fc\d',
                        options=(('reduced_fc', False), ('ceil_pools', (1, 2, 3, 4))))


def _vgg(name, pattern, reduced_fc):
    from symbols.backbones.vgg import layer_names
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28) + ((31, 33) if reduced_fc else ())
    layers = tuple(Layer(ours, pattern % place) for ours, place in zip(layer_names(reduced_fc), places))
    # The reduced one comes from the first release: B, G, R, means as in SSD, no division.
    preprocess = Preprocess('BGR', (123.0, 117.0, 104.0), (1.0, 1.0, 1.0)) if reduced_fc else Preprocess()
    return Architecture(name, 'vgg16', 'torch', layers, preprocess, trunk=r'\d+\.' if reduced_fc else r'features\.',
                        options=(('reduced_fc', reduced_fc), ('ceil_pools', (3,) if reduced_fc else ())))
