"""Whole conversions: what is written computes what the source computes, and what does not fit is refused by name."""
import json
import os

import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.weights import convert
from lib.weights.conversion.architectures import recognise
from lib.weights.conversion.verify import SEED, SIDE, compare_features, reference_features
from lib.weights.conversion.weight_mapping import map_weights, target_of
from lib.weights.params_file import read_arrays, write_arrays
from tests.symbols.helpers import config_for, shapes_of
from tests.weights.conversion import torch_pickle
from tests.weights.conversion.sources import MEAN, gluon_arrays, torch_arrays
from tests.weights.conversion.test_formats import onnx_of

# (sum, L2 norm) of the features that torchvision 0.28 on PyTorch 2.13 gave for the arrays of sources.py here
# and the image of lib.weights.conversion.verify; stage 4 with stride 1 and dilated by 2.
TORCHVISION = {
    'resnet50': {'stage1': (272082.283126, 1118.94600006), 'stage2': (190751.591882, 1086.04696798),
                 'stage3': (219608.314671, 1665.75725816), 'stage4': (480830.954198, 2721.57520198)},
    'mobilenet_v2': {'last': (2795.0486568, 47.7526026996)},
    'vgg16': {'conv3_3': (196454.1150998, 921.01749215), 'conv4_3': (121002.012054, 810.138463725),
              'conv5_3': (30812.8865012, 409.688291716)}}


def as_file(path, arrays, kind):
    """Write arrays in a format -> path."""
    if kind == 'pth':
        pickled, storages = torch_pickle.state_dict(arrays)
        content = torch_pickle.zip_file(pickled, storages)
    elif kind == 'onnx':
        pytest.importorskip('onnx', reason='requirements-optional.txt is not installed')
        content = onnx_of(arrays)
    if kind == 'params':
        with open(str(path), 'wb') as stream:
            write_arrays(stream, arrays)
    else:
        path.write_bytes(content)
    return str(path)


def first_lines(error):
    text = str(error.value)
    assert '\n' not in text
    return text


@pytest.mark.parametrize('name', sorted(TORCHVISION))
def test_our_rendering_of_torchvision_agrees_and_so_does_the_converted_network(name):
    arrays = torch_arrays(name)
    architecture, arrays = recognise(arrays, 'x')
    image = np.random.RandomState(SEED).randint(0, 256, (1, 3, SIDE, SIDE)).astype(np.float64)
    features = reference_features(architecture, arrays, image)
    assert set(features) == set(TORCHVISION[name])
    for feature, (total, norm) in TORCHVISION[name].items():
        found = features[feature].astype(np.float64)
        assert found.sum() == pytest.approx(total, rel=1e-5) and np.linalg.norm(found) == pytest.approx(norm, rel=1e-5)
    target = target_of(architecture)
    # Without an input BN zeros around the image are our means, which the source is shown there; with its own it has
    # zeros too.
    for means in [MEAN] if name == 'resnet50' else [MEAN, architecture.preprocess.mean]:
        args, auxs = map_weights(architecture, arrays, target, 'x', means)
        rows = compare_features(architecture, arrays, target, args, auxs, means)
        assert max(row.relative for row in rows) < 2e-5


@pytest.mark.parametrize('name, prefixed, family', [('resnet50_v1', True, 'resnet_v1_50_e2e'),
                                                    ('resnet50_v2', False, 'resnet_mx_50_e2e'),
                                                    ('mobilenet_v2_1_0', False, 'mobilenetv2_e2e')])
def test_gluon(tmp_path, name, prefixed, family):
    path = as_file(tmp_path / 'g.params', gluon_arrays(name, prefixed), 'params')
    prefix, rows = convert.convert_file(path, str(tmp_path / 'out'), family)
    assert len(rows) in (1, 4) and max(row.relative for row in rows) < 1e-4
    facts = json.loads((tmp_path / 'out-0000.json').read_text())
    assert facts['requires'] == dict({'network.STRIDE_IN_1X1': True} if name.endswith('v1') else {},
                                     **{'network.PIXEL_MEANS': [103.939, 116.779, 123.68]})


@pytest.mark.parametrize('kind', ['pth', 'onnx'])
def test_written_file_serves_as_pretrained_weights(tmp_path, kind, caplog):
    from lib.train.initialise import pretrained_values
    from symbols import get_detector
    path = as_file(tmp_path / ('m.' + kind), torch_arrays('mobilenet_v2'), kind)
    with caplog.at_level('INFO'):
        assert convert.main([path, '--to', str(tmp_path / 'm')]) == 0
    config = config_for('mobilenetv2_e2e', 'network.pretrained', str(tmp_path / 'm'))
    detector = get_detector('mobilenetv2_e2e')
    symbol = detector.train_symbol(config)
    inputs = shapes_of(detector, config, 1, 64, 64, 'train')
    shapes, _, aux_shapes = symbol.infer_shape(**inputs)
    wanted = {key: shape for key, shape in zip(symbol.list_arguments(), shapes) if key not in inputs}
    states = dict(zip(symbol.list_auxiliary_states(), aux_shapes))
    args, auxs, _ = pretrained_values(config, wanted, states, detector.new_parameters(symbol))
    assert len(args) > 150 and len(auxs) == 106
    assert {array.dtype for array in read_arrays(str(tmp_path / 'm-0000.params')).values()} == {np.dtype('float32')}


def test_the_difference_is_printed(tmp_path, capsys):
    convert.main([as_file(tmp_path / 'm.pth', torch_arrays('mobilenet_v2'), 'pth'), '--to', str(tmp_path / 'm')])
    assert 'largest difference' in capsys.readouterr().err


def test_what_a_file_requires_of_the_configuration(tmp_path):
    from lib.train.initialise import pretrained_values
    (tmp_path / 'v1-0000.params').write_bytes(b'')
    (tmp_path / 'v1-0000.json').write_text(json.dumps({'requires': {'network.STRIDE_IN_1X1': True}}))
    config = config_for('resnet_v1_50_e2e', 'network.pretrained', str(tmp_path / 'v1'))
    with pytest.raises(SniperError, match='made for network.STRIDE_IN_1X1 True, .* --set network.STRIDE_IN_1X1 True'):
        pretrained_values(config, {}, {}, ())


def test_a_wrong_mapping_is_found_out_and_nothing_is_written(tmp_path, monkeypatch):
    def swapped(arrays, path):
        architecture, arrays = recognise(arrays, path)
        layers = list(architecture.layers)
        first, second = [index for index, layer in enumerate(layers)
                         if 'seq-4-block' in layer.ours and 'exp' in layer.ours][1:3]
        layers[first], layers[second] = [layers[one]._replace(source=layers[other].source) for one, other in
                                         ((first, second), (second, first))]
        return architecture._replace(layers=tuple(layers)), arrays
    monkeypatch.setattr(convert, 'recognise', swapped)
    path = as_file(tmp_path / 'm.pth', torch_arrays('mobilenet_v2'), 'pth')
    with pytest.raises(SniperError, match='differ by .* nothing was written'):
        convert.convert_file(path, str(tmp_path / 'm'))
    assert os.listdir(str(tmp_path)) == ['m.pth']


def changed(arrays, **changes):
    arrays = dict(arrays)
    for name, array in changes.items():
        name = name.replace('__', '.')
        arrays.pop(name) if array is None else arrays.update({name: array})
    return arrays


def resnet_names(units, bottleneck=True, width=64):
    names = {f'layer{stage}.{unit}.conv1.weight': np.zeros((1,), np.float32)
             for stage, count in enumerate(units, start=1) for unit in range(count)}
    if bottleneck:
        names['layer1.0.conv3.weight'] = np.zeros((1,), np.float32)
        names['layer1.0.conv2.weight'] = np.zeros((width, width, 3, 3), np.float32)
    return names


@pytest.mark.parametrize('arrays, complaint', [
    (resnet_names((2, 2, 2, 2), False), 'ResNet-18 with units'), (resnet_names((3, 4, 6, 3), False), 'ResNet-34'),
    (resnet_names((3, 8, 36, 3)), 'ResNet-152'), (resnet_names((3, 4, 6, 3), width=128), 'ResNeXt or wide'),
    ({'onnx::Conv_497': np.zeros(3, np.float32)}, 'names were lost when BatchNorms were folded'),
    ({'stem.weight': np.zeros(3, np.float32)}, 'none of the networks that can be converted')])
def test_other_networks_are_refused_by_name(tmp_path, arrays, complaint):
    with pytest.raises(SniperError, match=complaint) as error:
        convert.convert_file(as_file(tmp_path / 'x.onnx', arrays, 'onnx'), str(tmp_path / 'out'))
    assert 'x.onnx' in first_lines(error) and os.listdir(str(tmp_path)) == ['x.onnx']


def test_post_activation_weights_do_not_become_a_pre_activation_network(tmp_path):
    path = as_file(tmp_path / 'r.onnx', changed(resnet_names((3, 4, 6, 3))), 'onnx')
    with pytest.raises(SniperError, match='cannot become resnet_mx_50_e2e: resnet_mx_50_e2e is pre-activation.*'
                                          'it fits resnet_v1_50_e2e') as error:
        convert.convert_file(path, network='resnet_mx_50_e2e')
    first_lines(error)
    with pytest.raises(SniperError, match='known: '):
        convert.convert_file(path, network='no_such_network')
    with pytest.raises(SniperError, match='order BGR is not known'):
        convert.convert_file(path, order='BGR')


@pytest.mark.parametrize('changes, complaint', [
    ({'features__5__conv__3__bias': None, 'features__9__conv__2__weight': None},
     r'2 parameters are missing \(features.5.conv.3.bias, features.9.conv.2.weight\)'),
    ({'features__0__0__weight': np.zeros((16, 3, 3, 3), np.float32)},
     'features.0.0.weight is 16x3x3x3, the network wants 32x3x3x3'),
    ({'features__4__se__fc1__weight': np.zeros((8, 24, 1, 1), np.float32)},
     r'looks like a MobileNetV2 .* it has 1 more \(features.4.se.fc1.weight\)'),
    ({'features__0__1__running_mean': np.full(32, np.nan, np.float32)}, 'running_mean holds no finite numbers'),
    ({'features__0__1__running_var': np.full(32, -1, np.float32)}, 'negative variances')])
def test_damaged_weights_are_named(tmp_path, changes, complaint):
    path = as_file(tmp_path / 'm.pth', changed(torch_arrays('mobilenet_v2'), **changes), 'pth')
    with pytest.raises(SniperError, match=complaint) as error:
        convert.convert_file(path, str(tmp_path / 'out'))
    first_lines(error)
    assert os.listdir(str(tmp_path)) == ['m.pth']


def test_our_own_files_need_no_conversion():
    from tests.weights.test_inspect import SHIPPED
    with pytest.raises(SniperError, match='lib.weights.inspect'):
        convert.convert_file(SHIPPED)
