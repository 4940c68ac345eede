"""The parts of M2Det against golden vectors of the original's modules."""
import numpy as np
import pytest

from configs.m2det_keys import map_sides
from sniper_mxnet import mx
from symbols import resizing
from symbols.detectors.m2det import BASE, backbone_features
from symbols.layers import optional_parameters
from symbols.necks.mlfpn import MlfpnOptions, attention, base_feature, leach, tum
from symbols.options import TrunkOptions
from tests.symbols.m2det_recipe import drawn, filled, golden, picture

TRUNK = TrunkOptions(half_precision=False, bn_momentum=0.9, pretrained=True)


def close(found, wanted, bound):
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=bound * max(1, np.abs(wanted).max()))


# Resizing

def pairs():
    return [tuple(map(int, name.split('_to_'))) for name in golden('nearest_upsample_index')]


def test_indices_are_those_of_the_original():
    for name, wanted in golden('nearest_upsample_index').items():
        side, larger = map(int, name.split('_to_'))
        assert resizing.nearest_index(side, larger) == wanted.tolist(), name


@pytest.mark.parametrize('side, wanted', [(1, 3), (3, 5), (4, 6), (5, 7), (6, 11), (5, 10), (4, 4), (2, 7), (7, 5)])
def test_resizing_follows_the_index_forward_and_backward(side, wanted):
    index = [place * side // wanted for place in range(wanted)]
    random = np.random.RandomState(side)
    data, gradient = random.randn(2, 3, side, side), random.randn(2, 3, wanted, wanted)
    executor = resizing.resize_nearest(mx.sym.var('data'), side, wanted, 'larger').simple_bind(mx.cpu(),
                                                                                              data=data.shape)
    output = executor.forward(is_train=True, data=mx.nd.array(data))[0].asnumpy()
    np.testing.assert_array_equal(output, data.astype(np.float32)[:, :, index][:, :, :, index])
    executor.backward([mx.nd.array(gradient)])
    expected = np.zeros_like(data)
    for row, source_row in enumerate(index):
        for column, source_column in enumerate(index):
            expected[:, :, source_row, source_column] += gradient[:, :, row, column]
    np.testing.assert_allclose(executor.grad_dict['data'].asnumpy(), expected, atol=1e-5)


@pytest.mark.parametrize('side', [1, 2, 3, 5, 7, 47, 113])
def test_no_rounding_moves_a_gathered_index(side, monkeypatch):
    monkeypatch.setattr(resizing, 'nearest_index', lambda length, wanted: [])      # always gather
    for wanted in (side + 1, 2 * side - 1, 2 * side, 3 * side + 2):
        data = mx.nd.arange(side * side).reshape((1, 1, side, side))
        symbol = resizing.resize_nearest(mx.sym.var('data'), side, wanted, 'larger')
        if side == wanted:
            continue
        found = symbol.bind(mx.cpu(), {'data': data}).forward()[0].asnumpy()[0, 0]
        index = [place * side // wanted for place in range(wanted)]
        np.testing.assert_array_equal(found, data.asnumpy()[0, 0][index][:, index])


# TUM, FFM, SFAM

@pytest.mark.parametrize('name, size', [('tum_first_40', 320), ('tum_next_64', 512), ('tum_next_88_plain', 704)])
def test_tum(name, size):
    record = golden(name)
    executor = run_tum(record, size, batch=1)
    for place, output in enumerate(executor.forward()):
        close(output.asnumpy(), record[f'out{place}'], 1e-5)


def test_tum_in_training_and_the_statistics_it_leaves():
    record = golden('tum_first_40_train')
    executor = run_tum(record, 320, batch=2)
    outputs = executor.forward(is_train=True)
    for place, output in enumerate(outputs):
        close(output.asnumpy(), record[f'out{place}'], 1e-5)
    executor.backward([mx.nd.ones(output.shape) for output in outputs])
    mx.nd.waitall()
    for name, before in executor.aux_dict.items():
        after, found = record['after/' + name[len('tum.'):]], before.asnumpy()
        if name.endswith('running_var'):    # PyTorch's batch variance is that of a sample: n / (n - 1) of MXNet's
            old = drawn(name[len('tum.'):], found.shape, int(record['seed']), 1.0)
            count = values_behind(name, outputs)
            found = 0.99 * old + (found - 0.99 * old) * count / (count - 1)
        close(found, after, 1e-5)


def values_behind(name, outputs):
    """Values of a channel that a BatchNorm of the module sees in a batch."""
    cells = [output.shape[0] * output.shape[2] * output.shape[3] for output in outputs]
    layer, place = name.split('.')[1:3]
    return {'layers': cells[::-1][1:], 'toplayer': cells[:1], 'latlayer': cells[1:],
            'smooth': cells[1:]}[layer][int(place)]


def run_tum(record, size, batch):
    channels = int(record['input_planes'])
    sides = map_sides(size, 6)
    options = MlfpnOptions(planes=2 * channels, levels=8, sides=sides, smooth=bool(record['smooth']))
    data = picture((2, channels, sides[0], sides[0]), int(record['seed']) + 1)[:batch]
    np.testing.assert_array_equal(data.ravel()[:8], record['x_head'])
    if not record['first_level']:       # the level before it
        before = picture((2, int(record['side_channel']), sides[0], sides[0]), int(record['seed']) + 2)
        data = np.concatenate([data, before[:batch]], axis=1)
    symbol = mx.sym.Group(tum(mx.sym.var('data'), 'tum', options))
    executor = filled(symbol, {'data': data}, int(record['seed']), source=lambda name: name[len('tum.'):],
                      train=bool(record['train']))
    names = set(executor.arg_dict) | set(executor.aux_dict)
    assert {name[len('tum.'):] for name in names - {'data'}} == {
        name for name in record['names'].tolist() if not name.endswith('num_batches_tracked')}
    return executor


def test_ffm_and_leach():
    record = golden('ffm_a')
    options = MlfpnOptions(planes=256, levels=8, sides=(8, 4, 2))
    base = base_feature(mx.sym.var('data'), mx.sym.var('data2'), options)
    inputs = {'data': picture((1, 512, 8, 8), int(record['seed']) + 1),
              'data2': picture((1, 1024, 4, 4), int(record['seed']) + 2)}
    assert inputs['data'].sum(dtype=np.float64) == pytest.approx(record['a_checksum'])
    found = filled(mx.sym.Group([base, leach(base, options)]), inputs, int(record['seed'])).forward()
    close(found[0].asnumpy(), record['base'], 1e-5)
    close(found[1].asnumpy(), record['leach'], 1e-5)


def test_the_leach_moves_its_statistics_once_for_every_level():
    options = MlfpnOptions(planes=4, levels=8, sides=(4, 2, 1), width=1 / 64)
    data = picture((2, 12, 4, 4), 3)
    executor = filled(leach(mx.sym.var('data'), options), {'data': data}, 5, train=True)
    old = executor.aux_dict['leach.0.bn.running_mean'].asnumpy()
    weight = executor.arg_dict['leach.0.conv.weight'].asnumpy()[:, :, 0, 0]
    output = executor.forward(is_train=True)[0]
    executor.backward([mx.nd.ones(output.shape)])
    mx.nd.waitall()
    mean, expected = np.einsum('oi,bihw->bohw', weight, data).mean(axis=(0, 2, 3)), old
    for _ in range(8):
        expected = 0.99 * expected + 0.01 * mean
    np.testing.assert_allclose(executor.aux_dict['leach.0.bn.running_mean'].asnumpy(), expected, rtol=1e-5)


@pytest.mark.parametrize('name', ['sfam_a', 'sfam_b'])
def test_sfam(name):
    record = golden(name)
    channels, seed = int(record['planes'] * record['levels']), int(record['seed'])
    inputs = {f'data{scale}': picture((1, channels, side, side), seed + 1 + scale)
              for scale, side in enumerate(record['sizes'].tolist())}
    symbol = mx.sym.Group(attention([mx.sym.var(key) for key in inputs], channels))
    executor = filled(symbol, inputs, seed, source=lambda name: name[len('sfam_module.'):])
    assert set(executor.arg_dict) - set(inputs) == {f'sfam_module.{key}' for key in record['names'].tolist()}
    for scale, output in enumerate(executor.forward()):
        close(output.asnumpy(), record[f'out{scale}'], 1e-5)


# Backbones

@pytest.mark.parametrize('name', ['vgg16', 'resnet50', 'se_resnet101', 'senet154'])
def test_backbone(name):
    record = golden(f'backbone_{name}_64')
    data = picture((1, 3, 64, 64), int(record['seed']) + 1)
    np.testing.assert_array_equal(data.ravel()[:8], record['x_head'])
    features = backbone_features(name, 1.0, TRUNK)
    symbol = mx.sym.Group([mx.sym.identity(feature.symbol) for feature in features])
    executor = filled(symbol, {'data': data}, int(record['seed']), float(record['gain']))
    for key, step, feature, output in zip(('shallow', 'deep'), (4, 8), features, executor.forward()):
        assert list(output.shape) == record[f'{key}_shape'].tolist() and feature.channels == output.shape[1]
        close(output.asnumpy()[:, ::step], record[key], 1e-5)
        assert output.asnumpy().mean() == pytest.approx(record[f'{key}_mean'], rel=1e-4)


# Of the backbone alone, the classifier of ImageNet included: reference/m2det.md section 2.4
COUNTS = {'vgg16': 20483904, 'vgg16_bn': 20496448, 'resnet18': 11689512, 'resnet34': 21797672,
          'resnet50': 25557032, 'resnet101': 44549160,
          'se_resnet101': 49326872, 'se_resnet152': 66821848, 'se_resnext50_32x4d': 27559896,
          'se_resnext101_32x4d': 48955416, 'senet154': 115088984, 'resnet152': 60192808, 'se_resnet50': 28088024}


@pytest.mark.parametrize('name', sorted(COUNTS))
def test_every_backbone_has_its_parameters_and_strides(name):
    from symbols.detectors.m2det import unused_parameters
    features = backbone_features(name, 1.0, TRUNK)
    symbol = mx.sym.Group([feature.symbol for feature in features])
    shapes, outputs, _ = symbol.infer_shape(data=(2, 3, 96, 96))
    assert outputs == [(2, feature.channels, 96 // feature.stride, 96 // feature.stride) for feature in features]
    assert [feature.stride for feature in features] == [8, 16]
    wanted = dict(zip(symbol.list_arguments(), shapes), **unused_parameters(name))
    assert sum(int(np.prod(shape)) for key, shape in wanted.items() if key != 'data') == COUNTS[name]
    assert all(key.startswith(BASE + '.') for key in wanted if key != 'data') and not optional_parameters(symbol)
