"""Arrays of source networks, made from their names, so that PyTorch could be given the same ones."""
import zlib

import numpy as np

from lib.weights.conversion import architectures
from lib.weights.conversion.weight_mapping import backbone_outputs, target_of

MEAN = (123.68, 116.779, 103.939)


def value(name, shape):
    """The array of that name; what the recorded sums in test_convert.py were made with."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if len(shape) > 1:
        array = random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
    elif name.endswith('running_var'):
        array = random.uniform(0.5, 1.5, shape)
    elif name.endswith('.weight'):
        array = random.uniform(0.5, 1, shape)
    else:
        array = random.normal(0, 0.1, shape)
    return array.astype(np.float32)



def architecture(name):
    """Architecture of 'resnet50', 'mobilenet_v2', 'vgg16' with PyTorch's names."""
    if name == 'resnet50':
        names = {f'layer{stage}.{unit}.conv1.weight': np.zeros(1)
                 for stage, count in enumerate((3, 4, 6, 3), start=1) for unit in range(count)}
        names.update({'layer1.0.conv3.weight': np.zeros(1), 'layer1.0.conv2.weight': np.zeros((64, 64, 3, 3))})
        return architectures._torch_resnet(names, 'x')
    if name == 'mobilenet_v2':
        return architectures._torch_mobilenet()
    return architectures._vgg('VGG-16', 'features.%d', False)


def torch_arrays(name):
    """State dictionary of the network, without its classifier."""
    from sniper_mxnet import mx
    source = architecture(name)
    symbol = mx.sym.Group(list(backbone_outputs(target_of(source), source).values()))
    shapes, _, _ = symbol.infer_shape(data=(1, 3, 64, 64))
    shapes = dict(zip(symbol.list_arguments(), shapes))
    arrays = {}
    for layer in source.layers:
        shape = shapes[layer.ours + '_weight']
        names = {layer.source + '.weight': shape}
        if layer.our_norm:
            names.update({f'{layer.source_norm}.{part}': shape[:1] for part in source.norm})
        else:
            names[layer.source + '.bias'] = shape[:1]
        arrays.update({key: value(key, shape) for key, shape in names.items()})
    return arrays


def gluon_arrays(name, prefixed=False):
    """Parameters of a network of MXNet's model zoo, with places or names as keys."""
    from lib.weights.conversion.architectures import gluon_network
    from sniper_mxnet import mx
    network = gluon_network(name)
    network.features.initialize(mx.init.Zero())
    network.features(mx.nd.zeros((1, 3, 32, 32)))
    arrays = {}
    for place, parameter in network._collect_params_with_prefix().items():
        if place.startswith('features.'):
            array = value(place.replace('gamma', 'weight'), parameter.shape)
            fixed = place.startswith('features.0.') and len(parameter.shape) == 1   # the input BN of ResNet v2
            array = np.ones_like(array) if fixed and 'gamma' in place else array
            arrays[parameter.name if prefixed else place] = array
    return arrays
