"""Does our backbone with the converted arrays compute what the source network computes?

Here are the source networks as their authors wrote them down, evaluated from the file's own arrays. They are written
without a look at the mapping in `architectures`: layers are found by the names they have in the file. Gluon's networks
are MXNet's own. Stage 4 of a ResNet keeps the stride of stage 3 and is dilated by 2 instead, as it is in our detectors;
with zero offsets our deformable convolutions are plain ones.
"""
from typing import Dict, List, Sequence

import numpy as np

from lib.weights.conversion.architectures import Architecture, gluon_network
from lib.weights.conversion.checks import run_network, seeded_picture
from lib.weights.conversion.converted import FeatureDifference
from lib.weights.conversion.torch_layers import TorchLayers, with_border
from lib.weights.conversion.weight_mapping import Target, backbone_outputs

SEED, SIDE = 20180523, 96
MOST = 1e-4         # of the largest magnitude that counts as the same function: float32 through a hundred layers
DILATE = 2          # of stage 4


def compare_features(architecture: Architecture, arrays, target: Target, args, auxs, pixel_means,
                     seed: int = SEED) -> List[FeatureDifference]:
    """Both networks on one seeded image -> list of FeatureDifference. arrays: the source's; args, auxs: ours.

    Without an input BatchNorm zeros around our image stand for our means, which the source is shown around its own.
    """
    from sniper_mxnet import mx
    image = seeded_picture(seed, SIDE, SIDE)
    theirs = reference_features(architecture, arrays, image, _border(architecture, pixel_means))
    outputs = backbone_outputs(target, architecture)
    names = sorted(theirs)
    data = (image - np.reshape(pixel_means, (3, 1, 1)))[:, ::-1 if target.order == 'BGR' else 1]
    # What is not among args are offsets of deformable convolutions, which are zeros.
    ours = run_network([mx.sym.identity(outputs[name]) for name in names], args, auxs, data)
    return [FeatureDifference.between(name, theirs[name], array) for name, array in zip(names, ours)]


def _border(architecture, pixel_means):
    """What the source sees where our first convolution has zeros around the picture, R, G, B: our means, as it wants
    them. An input BatchNorm in front of ours makes them the zeros of the source."""
    if architecture.family.startswith('resnet'):
        return np.zeros(3)
    return np.subtract(pixel_means, architecture.preprocess.mean) / architecture.preprocess.std


def reference_features(architecture: Architecture, arrays, image: np.ndarray, border: Sequence[float] = (0, 0, 0)
                       ) -> Dict[str, np.ndarray]:
    """Features of `image` (1, 3, H, W), R, G, B of 0 to 255 -> {our name of the feature: NumPy array}.

    border: what is around the normalised image, R, G, B; Gluon's ResNets have zeros.
    """
    wanted = architecture.preprocess
    data = (image - np.reshape(wanted.mean, (3, 1, 1))) / np.reshape(wanted.std, (3, 1, 1))
    if wanted.order == 'BGR':
        data, border = data[:, ::-1], border[::-1]
    if architecture.layout == 'gluon':
        return _gluon(architecture, arrays, data, border)
    net = TorchLayers(arrays)
    features = {'resnet_v1': _torch_resnet, 'mobilenet_v2': _torch_mobilenet, 'vgg16': _torch_vgg}[architecture.family](
        net, data, architecture, border)
    return {name: feature.asnumpy() for name, feature in features.items()}


def _torch_resnet(net, data, _, border):
    data = net.nd.relu(net.norm(net.first_conv(data, 'conv1', border, stride=2), 'bn1'))
    data = net.pool(data, 3, 2, 1)
    features = {}
    for stage in (1, 2, 3, 4):
        block, dilate = 0, DILATE if stage == 4 else 1
        while f'layer{stage}.{block}.conv1.weight' in net.arrays:
            name = f'layer{stage}.{block}.'
            stride = 2 if block == 0 and stage in (2, 3) else 1
            body = net.nd.relu(net.norm(net.conv(data, name + 'conv1'), name + 'bn1'))
            body = net.conv(body, name + 'conv2', stride=stride, pad=dilate, dilate=dilate)
            body = net.nd.relu(net.norm(body, name + 'bn2'))
            body = net.norm(net.conv(body, name + 'conv3'), name + 'bn3')
            if name + 'downsample.0.weight' in net.arrays:
                data = net.norm(net.conv(data, name + 'downsample.0', stride=stride), name + 'downsample.1')
            data = net.nd.relu(body + data)
            block += 1
        features[f'stage{stage}'] = data
    return features


def _torch_mobilenet(net, data, _, border):
    def layer(data, conv, norm, active=True, **settings):
        data = net.norm(net.conv(data, conv, **settings), norm)
        return net.nd.clip(data, 0, 6) if active else data

    data = net.nd.clip(net.norm(net.first_conv(data, 'features.0.0', border, stride=2), 'features.0.1'), 0, 6)
    for block in range(1, 18):
        name, body = f'features.{block}.conv.', data
        widens = name + '3.weight' in net.arrays        # conv.2 is a convolution then, conv.3 its BN
        if widens:
            body = layer(body, name + '0.0', name + '0.1')
        depthwise, linear = (name + '1', name + '2') if widens else (name + '0', name + '1')
        body = layer(body, depthwise + '.0', depthwise + '.1', stride=2 if block in (2, 4, 7, 14) else 1, pad=1,
                     groups=body.shape[1])
        body = layer(body, linear, name + ('3' if widens else '2'), active=False)
        data = body + data if body.shape == data.shape else body
    return {'last': layer(data, 'features.18.0', 'features.18.1')}


def _torch_vgg(net, data, architecture, border):
    reduced, caffe = dict(architecture.options)['reduced_fc'], 'conv1_1.weight' in net.arrays
    pattern = '%d' if reduced else 'features.%d'
    place, features = 0, {}
    for block, count in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(1, count + 1):
            name = f'conv{block}_{number}' if caffe else pattern % place
            data = net.nd.relu(net.conv(data, name, pad=1) if place else net.first_conv(data, name, border))
            place += 2
        if block > 2:
            features[f'conv{block}_3'] = data
        if block < 5:
            data = net.pool(data, 2, 2, ceil=caffe or (reduced and block == 3))
        place += 1
    if reduced:
        data = net.pool(data, 3, 1, 1)
        data = net.nd.relu(net.conv(data, '31', pad=6, dilate=6))
        features['fc7'] = net.nd.relu(net.conv(data, '33'))
    return features


def _gluon(architecture, arrays, data, border):
    """MXNet's own network with the file's arrays; its stages' outputs."""
    from sniper_mxnet import mx
    name = {'resnet_v1': 'resnet%d_v1', 'resnet_v2': 'resnet%d_v2'}.get(architecture.family)
    network = gluon_network(name % architecture.depth if name else 'mobilenet_v2_1_0')
    network.features.initialize(mx.init.Zero())
    for place, parameter in network._collect_params_with_prefix().items():
        if place.startswith('features.'):
            parameter.set_data(mx.nd.array(np.asarray(arrays[place], np.float32)))
    parts = list(network.features._children.values())
    if not name:
        parts[0]._kwargs['pad'] = (0, 0)
        data = mx.nd.array(with_border(data, 1, border))
        for part in parts[:-1]:     # without the global pooling
            data = part(data)
        return {'last': data.asnumpy()}
    first = 4 if architecture.family == 'resnet_v1' else 5
    _dilate_last_stage(parts[first + 3], architecture.family)
    data, features = mx.nd.array(data), {}
    for index, part in enumerate(parts[:first + 4]):
        data = part(data)
        if index >= first:
            features[f'stage{index - first + 1}'] = data.asnumpy()
    return features


def _dilate_last_stage(stage, family):
    """Stride 1 and 3x3 convolutions dilated by 2, in place."""
    for unit in stage._children.values():
        if family == 'resnet_v1':
            convolutions = [unit.body[0], unit.body[3]] + ([unit.downsample[0]] if unit.downsample else [])
        else:
            convolutions = [unit.conv1, unit.conv2] + ([unit.downsample] if unit.downsample else [])
        for convolution in convolutions:
            settings = convolution._kwargs
            settings['stride'] = (1, 1)
            if settings['kernel'] == (3, 3):
                settings['dilate'] = settings['pad'] = (DILATE, DILATE)
