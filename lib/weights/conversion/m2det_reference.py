"""M2Det as its authors wrote it down, evaluated from a file's own arrays: what a converted file is compared with.

Written from reference/m2det.md without a look at symbols/. Each level and scale reads its own entry of a shared layer.
"""
import numpy as np

from configs.m2det_keys import VGG_BACKBONES
from lib.weights.conversion.torch_layers import TorchLayers

GROUPS = {'resnet': 1, 'se_resnet': 1, 'se_resnext': 32, 'senet': 64}      # groups of the 3x3 convolutions


def backbone_maps(arrays, data, backbone, prefix='', border=(0, 0, 0)):
    """(shallow, deep) of an input (1, 3, H, W); arrays {name: array}, whose names begin with `prefix`.

    border: what a ResNet's first layer sees around the picture, a number a channel.
    """
    net = TorchLayers(arrays)
    if backbone in VGG_BACKBONES:
        return _vgg(net, net.nd.array(data), prefix)
    return _residual(net, data, backbone, prefix, border)


def raw_outputs(arrays, data, backbone):
    """(offsets (P, 4), logits (P, C)) as NumPy arrays, of an input (1, 3, S, S)."""
    net = TorchLayers(arrays)
    shallow, deep = backbone_maps(arrays, data, backbone, 'base.')
    base = net.nd.concat(_cbr(net, shallow, 'reduce', pad=1),
                         _resized(net, _cbr(net, deep, 'up_reduce'), shallow.shape[2]), dim=1)
    levels = sum(name.startswith('unet') and name.endswith('.layers.0.conv.weight') for name in arrays)
    scales = sum(name.startswith('loc.') and name.endswith('.weight') for name in arrays)
    pyramids = []
    for level in range(levels):
        entry = _cbr(net, base, f'leach.{level}')
        if pyramids:
            entry = net.nd.concat(entry, pyramids[-1][-1], dim=1)
        pyramids.append(_tum(net, entry, f'unet{level + 1}.', scales))
    sources = [net.nd.concat(*[pyramid[scales - 1 - scale] for pyramid in pyramids], dim=1) for scale in range(scales)]
    if 'sfam_module.fc1.0.weight' in arrays:
        sources = [_attended(net, source, scale) for scale, source in enumerate(sources)]
    sources[0] = net.norm(sources[0], 'Norm')
    return tuple(np.concatenate([_rows(net, source, f'{head}.{scale}', cell) for scale, source in enumerate(sources)])
                 for head, cell in (('loc', 4), ('conf', arrays['conf.0.weight'].shape[0] // 6)))


def _rows(net, source, name, columns):
    return net.conv(source, name, pad=1).transpose((0, 2, 3, 1)).reshape((-1, columns)).asnumpy()


def _cbr(net, data, name, **settings):
    return net.nd.relu(net.norm(net.conv(data, f'{name}.conv', **settings), f'{name}.bn'))


def _resized(net, data, wanted):
    index = net.nd.array(np.arange(wanted) * data.shape[2] // wanted)
    return net.nd.take(net.nd.take(data, index, axis=2), index, axis=3)


def _tum(net, data, name, scales):
    """Maps, smallest first."""
    encoded = [data]
    for index in range(scales - 2):
        encoded.append(_cbr(net, encoded[-1], f'{name}layers.{index}', stride=2, pad=1))
    last = _cbr(net, encoded[-1], f'{name}layers.{scales - 2}')
    decoded = [_cbr(net, last, name + 'toplayer.0')]
    for index in range(scales - 1):
        lateral = _cbr(net, encoded[scales - 2 - index], f'{name}latlayer.{index}', pad=1)
        decoded.append(_resized(net, decoded[-1], lateral.shape[2]) + lateral)
    if name + 'smooth.0.conv.weight' not in net.arrays:
        return decoded
    return decoded[:1] + [_cbr(net, body, f'{name}smooth.{index}') for index, body in enumerate(decoded[1:])]


def _attended(net, source, scale):
    body = net.nd.relu(net.conv(source.mean(axis=(2, 3), keepdims=True), f'sfam_module.fc1.{scale}'))
    return source * net.nd.sigmoid(net.conv(body, f'sfam_module.fc2.{scale}'))


def _vgg(net, data, prefix):
    """The list of 35 layers, or of 50 with BatchNorms; maps behind the 22nd and the 34th, or the 32nd and the 49th."""
    norm = f'{prefix}1.running_mean' in net.arrays
    place, maps = 0, []

    def layer(data, pad=1, dilate=1):
        nonlocal place
        data = net.conv(data, f'{prefix}{place}', pad=pad, dilate=dilate)
        data = net.nd.relu(net.norm(data, f'{prefix}{place + 1}') if norm else data)
        place += 3 if norm else 2
        return data

    for block, count in enumerate((2, 2, 3, 3, 3)):
        data = net.pool(data, 2, 2, ceil=block == 3) if block else data
        for _ in range(count):
            data = layer(data)
        maps.append(data)
        place += 1      # the pooling
    return maps[3], layer(layer(net.pool(data, 3, 1, 1), 6, 6), 0)


def _residual(net, data, backbone, prefix, border):
    """Stages 2 and 4 of a network whose stages have strides 1, 2, 1, 2."""
    family = next(kind for kind in sorted(GROUPS, key=len, reverse=True) if backbone.startswith(kind))
    excited = f'{prefix}layer1.0.se_module.fc1.weight' in net.arrays
    stem = f'{prefix}layer0.' if excited else prefix
    data = net.nd.relu(net.norm(net.first_conv(data, f'{stem}conv1', border, stride=2), f'{stem}bn1'))
    for number in (2, 3):
        if f'{stem}conv{number}.weight' in net.arrays:
            data = net.nd.relu(net.norm(net.conv(data, f'{stem}conv{number}', pad=1), f'{stem}bn{number}'))
    data = net.pool(data, 3, 2, ceil=True) if excited else net.pool(data, 3, 2, 1)
    maps = []
    for stage, strides in enumerate((1, 2, 1, 2), start=1):
        unit = 0
        while f'{prefix}layer{stage}.{unit}.conv1.weight' in net.arrays:
            data = _unit(net, data, f'{prefix}layer{stage}.{unit}.', 1 if unit else strides, family)
            unit += 1
        maps.append(data)
    return maps[1], maps[3]


def _unit(net, data, name, stride, family):
    body, count = data, 3 if name + 'conv3.weight' in net.arrays else 2
    strided = 1 if family == 'se_resnet' or count == 2 else 2
    for number in range(1, count + 1):
        kernel = net.arrays[f'{name}conv{number}.weight'].shape[2]
        body = net.conv(body, f'{name}conv{number}', stride=stride if number == strided else 1, pad=kernel // 2,
                        groups=GROUPS[family] if count == 3 and number == 2 else 1)
        body = net.norm(body, f'{name}bn{number}')
        body = net.nd.relu(body) if number < count else body
    if name + 'se_module.fc1.weight' in net.arrays:
        factor = net.nd.relu(net.conv(body.mean(axis=(2, 3), keepdims=True), name + 'se_module.fc1'))
        body = body * net.nd.sigmoid(net.conv(factor, name + 'se_module.fc2'))
    if name + 'downsample.0.weight' in net.arrays:
        kernel = net.arrays[name + 'downsample.0.weight'].shape[2]
        data = net.norm(net.conv(data, name + 'downsample.0', stride=stride, pad=kernel // 2), name + 'downsample.1')
    return net.nd.relu(body + data)
