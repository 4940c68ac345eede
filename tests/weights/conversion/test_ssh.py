"""Files of SSH and of VGG-16 become what SSH is tested with or trained from, or are refused by name."""
import json
import os

import numpy as np
import pytest

from configs import load_config
from lib.utils.errors import SniperError
from lib.weights import convert
from lib.weights.conversion import ssh
from lib.weights.conversion.architectures import IMAGENET_MEAN, IMAGENET_STD
from lib.weights.conversion.weight_mapping import detectors_on
from lib.weights.parameter_matching import config_of, match_network
from lib.weights.params_file import read_arrays
from symbols import get_detector
from symbols.backbones.resnet import ResNet
from symbols.backbones.vgg import layer_names, layer_places
from tests.golden import reference_file
from tests.weights.conversion.caffe_sources import blob, layer, network

VGG_LAYERS = layer_names()
FC = {'fc6.weight': np.zeros((2, 512), 'f4'), 'fc8_faces.bias': np.zeros(2, 'f4')}


def ssh_shapes():
    """{'<layer>.weight': shape} of the published network."""
    detector = get_detector('ssh_vgg16')
    symbol = detector.test_symbol(config_of('ssh_vgg16', detector.variants({})[0]))
    shapes, _, _ = symbol.infer_shape(data=(1, 3, 64, 64))
    return {'.'.join(name.rsplit('_', 1)): shape for name, shape in zip(symbol.list_arguments(), shapes)
            if name != 'data'}


def numbers(shapes):
    """Arrays of a good size for ReLUs, cut from one row of random numbers."""
    row, found = np.random.RandomState(6).normal(size=1 << 18).astype('f4'), {}
    for place, (name, shape) in enumerate(shapes.items()):
        scale = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
        found[name] = np.resize(np.roll(row, -997 * place), shape) * np.float32(scale)
    return found


def zeros(shapes):
    """Arrays of any size that take no memory."""
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}


@pytest.fixture(scope='module')
def arrays():
    return numbers(ssh_shapes())


@pytest.fixture(scope='module')
def snapshot(arrays, tmp_path_factory):
    """A snapshot of a training, in which layers have twins."""
    twins = {'{}_ohem.{}'.format(*name.rsplit('.', 1)): array for name, array in arrays.items()
             if name.startswith('m1@ssh_')}
    path = tmp_path_factory.mktemp('ssh') / 'SSH_iter_21000.caffemodel'
    path.write_bytes(network(dict(arrays, **twins)))
    return str(path)


def test_the_layers_are_the_published_ones():
    with open(reference_file('other_detectors_layers.json')) as stream:
        record = json.load(stream)['ssh_vgg16']
    wanted = {}
    for name, kind, _, kernel, _, _, inputs, outputs, *_ in record['rows']:
        if kind == 'conv':
            wanted[name + '.weight'], wanted[name + '.bias'] = (outputs, inputs, kernel, kernel), (outputs,)
        elif kind.startswith('deconv'):
            wanted[name + '.weight'] = (outputs, 1, kernel, kernel)
    assert ssh_shapes() == wanted
    assert sum(map(np.prod, wanted.values())) == record['parameters'] == 19768420


def test_a_whole_detector(tmp_path, snapshot, arrays, capsys):
    from lib.train.initialise import pretrained_values
    assert convert.main([snapshot, '--to', str(tmp_path / 'out')]) == 0
    said = capsys.readouterr().err
    assert said.count('largest difference') == 6 and 'm3 bbox_pred' in said
    assert f'configs/ssh/ssh_vgg16.yml, --set TEST.SHIPPED_MODEL {tmp_path / "out"}' in said
    written = read_arrays(str(tmp_path / 'out-0000.params'))
    assert len(written) == len(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(written['arg:' + '_'.join(name.rsplit('.', 1))], array)
    facts = json.loads((tmp_path / 'out-0000.json').read_text())
    assert facts['requires'] == {'network.PIXEL_MEANS': [102.9801, 115.9465, 122.7717], 'SSH.order': 'BGR'}
    shapes = {name[len('arg:'):]: array.shape for name, array in written.items()}
    match, _ = match_network('ssh_vgg16', shapes)       # the other one has FocusPixels
    assert match.whole.complete and not match.extra
    config = load_config('configs/ssh/ssh_vgg16.yml', ['network.pretrained', str(tmp_path / 'out')])
    new = {name for name in shapes if '@ssh_' in name}
    kept = pretrained_values(config, shapes, {}, new, classes=('__background__', 'face'))
    assert set(kept.args) | set(kept.rows) == set(shapes)
    with pytest.raises(SniperError, match='made for SSH.order BGR, the configuration says RGB'):
        pretrained_values(load_config('configs/ssh/ssh_vgg16.yml', ['network.pretrained', str(tmp_path / 'out'),
                                                                    'SSH.order', 'RGB']), shapes, {}, new)


def test_a_wrong_reading_is_found_out(tmp_path, snapshot, monkeypatch):
    monkeypatch.setattr(ssh, 'module_outputs', lambda *_: [(np.zeros(1, np.float32),) * 2] * 3)
    with pytest.raises(SniperError, match='differ by inf of the largest value in m1 cls_score .* nothing was written'):
        convert.convert_file(snapshot, str(tmp_path / 'out'))
    assert not os.listdir(str(tmp_path))


@pytest.mark.parametrize('change, complaint', [
    (lambda arrays: arrays.pop('m2@ssh_7x7-1.bias'), r'1 parameter is missing \(m2@ssh_7x7-1.bias\)'),
    (lambda arrays: arrays.update({'conv6.weight': np.zeros(3)}), r'it has 1 more \(conv6.weight\)'),
    (lambda arrays: arrays.update({'conv4_128.weight': np.zeros((256, 512, 1, 1))}),
     'conv4_128.weight is 256x512x1x1, the network wants 128x512x1x1'),
    (lambda arrays: arrays.update({'conv1_1.bias': np.full(64, np.nan)}), 'conv1_1.bias holds no finite numbers')])
def test_damaged_detectors_are_named(change, complaint):
    arrays = zeros(ssh_shapes())
    change(arrays)
    with pytest.raises(SniperError, match='x.caffemodel.*' + complaint):
        ssh.convert_ssh(arrays, 'x.caffemodel')


def vgg(arrays):
    """Arrays of VGG-16 alone."""
    return {name: array for name, array in arrays.items() if name.split('.')[0] in VGG_LAYERS}


def test_caffes_vgg_stays_as_it_is(arrays):
    arrays = vgg(arrays)
    converted = ssh.convert_ssh(dict(arrays, **FC), 'x')
    assert max(row.relative for row in converted.rows) < 1e-6 and converted.prefix == 'vgg16_caffe'
    assert converted.requires == ssh.REQUIRES
    for name, array in arrays.items():
        np.testing.assert_array_equal(converted.args['_'.join(name.rsplit('.', 1))], array)


def test_pytorchs_vgg_sees_what_it_was_trained_on(arrays):
    places = layer_places()
    arrays = {f'features.{places[name.split(".")[0]]}.{name.split(".")[1]}': array
              for name, array in vgg(arrays).items()}
    converted = ssh.convert_ssh(arrays, 'x')
    assert max(row.relative for row in converted.rows) < 2e-5
    patch = np.random.RandomState(5).randint(0, 256, (3, 3, 3)).astype(np.float64)      # R, G, B
    theirs = (arrays['features.0.weight'] * ((patch.T - IMAGENET_MEAN) / IMAGENET_STD).T).sum((1, 2, 3))
    ours = (converted.args['conv1_1_weight'] * (patch[::-1].T - ssh.MEANS).T).sum((1, 2, 3))
    np.testing.assert_allclose(ours + converted.args['conv1_1_bias'], theirs + arrays['features.0.bias'], atol=1e-5)


@pytest.mark.parametrize('change, complaint', [
    (dict.clear, r'none of the networks that can be converted'),
    (lambda arrays: arrays.pop('conv3_2.bias'), r'looks like a VGG-16 \(Caffe\).*1 parameter is missing'),
    (lambda arrays: arrays.update({'conv5_4.weight': np.zeros(3)}), r'it has 1 more \(conv5_4.weight\)'),
    (lambda arrays: arrays.update({'rpn_conv/3x3.weight': np.zeros(3)}), r'it has 1 more \(rpn_conv/3x3.weight\)')])
def test_other_backbones_are_named(change, complaint):
    arrays = vgg(zeros(ssh_shapes()))
    change(arrays)
    with pytest.raises(SniperError, match=complaint):
        ssh.convert_ssh(dict(arrays, **FC), 'x')


def test_what_does_not_go_together(tmp_path):
    path = tmp_path / 'x.caffemodel'
    path.write_bytes(layer('m1@ssh_3x3', [blob(np.zeros(3, 'f4'))]))
    for settings, complaint in ((dict(network='m2det'), 'M2Det'), (dict(order='RGB'), '--order'),
                                (dict(network='sniper_tiny'), 'is a whole SSH and cannot become sniper_tiny'),
                                (dict(network='no_such'), 'known: '),
                                (dict(), 'looks like SSH, but is another network')):
        with pytest.raises(SniperError, match=complaint):
            convert.convert_file(str(path), str(tmp_path / 'out'), **settings)
    resnet = {'layer1.0.conv1.weight': np.zeros(1)}
    with pytest.raises(SniperError, match='ResNet'):
        ssh.convert_ssh(resnet, 'x')
    reduced = zeros({f'{place}.weight': (1,) for place in (0, 28, 33)})
    with pytest.raises(SniperError, match='reduced fully connected layers; ssh_vgg16 is a whole SSH, or begins with a'):
        ssh.convert_ssh(reduced, 'x')


def test_the_residual_one_begins_with_weights_that_others_begin_with():
    assert detectors_on(ResNet(50)) == ('resnet_mx_50_e2e', 'ssh_res50')
