"""Files of the original M2Det and of its backbones become ours, or are refused by name."""
import json
import os

import numpy as np
import pytest

from configs.m2det_keys import BACKBONES
from lib.utils.errors import SniperError
from lib.weights import convert
from lib.weights.conversion import m2det
from lib.weights.conversion.m2det_names import original_names, our_name
from lib.weights.inspect import inspect
from lib.weights.params_file import read_arrays
from symbols.detectors.m2det_variants import backbone_of, settings_of
from tests.golden import reference_file
from tests.weights.conversion import torch_pickle
from tests.weights.conversion.m2det_sources import backbone_arrays, m2det_arrays, m2det_shapes


def torch_file(path, arrays, legacy=False):
    pickled, storages = torch_pickle.state_dict(arrays)
    path.write_bytes(torch_pickle.legacy_file(pickled, storages, [array.size for array in arrays.values()]) if legacy
                     else torch_pickle.zip_file(pickled, storages))
    return str(path)


@pytest.mark.parametrize('name', ['m2det320_vgg', 'm2det320_vgg_sfam', 'm2det320_resnet101'])
def test_the_names_of_a_whole_file(name):
    """All its entries have a place or a reason, and ours give all of them back."""
    with open(reference_file(f'm2det/{name}.json')) as stream:
        record = json.load(stream)
    entries = list(record['parameters']) + list(record['buffers']) + list(record['aliases'])
    assert len(set(entries)) == record['state_entries']
    counters = {entry for entry in entries if entry.endswith('num_batches_tracked')}
    classifier = {entry for entry in entries if entry.startswith('base.fc.')}
    assert {entry for entry in entries if our_name(entry) is None} == counters | classifier
    for copy, first in record['aliases'].items():
        assert our_name(copy) == our_name(first) == (None if first in counters else first)
    ours = {our_name(entry) for entry in entries} - {None}
    assert {entry for name in ours for entry in original_names(name, 8, 6)} == set(entries) - counters - classifier


@pytest.mark.parametrize('legacy', [False, True])
def test_a_whole_detector(tmp_path, legacy, capsys):
    arrays = m2det_arrays()
    assert len(arrays) == 887
    path = torch_file(tmp_path / 'm2det.pth', {'module.' + name: array for name, array in arrays.items()}, legacy)
    assert convert.main([path, '--to', str(tmp_path / 'out')]) == 0
    said = capsys.readouterr().err
    assert 'M2Det with vgg16, 81 classes with background' in said and 'largest difference' in said
    assert f'symbol m2det, --set TEST.SHIPPED_MODEL {tmp_path / "out"} M2DET.width 0.125 M2DET.planes 16' in said
    written = read_arrays(str(tmp_path / 'out-0000.params'))
    assert len(written) == 449 + 264
    for key, array in written.items():
        kind, _, name = key.partition(':')
        assert kind == ('aux' if '.running_' in name else 'arg')
        np.testing.assert_array_equal(array, arrays[name])
    facts = json.loads((tmp_path / 'out-0000.json').read_text())
    assert facts['requires'] == {
        'M2DET.backbone': 'vgg16', 'M2DET.width': 0.125, 'M2DET.planes': 16, 'M2DET.num_levels': 8,
        'M2DET.num_scales': 6, 'M2DET.smooth': True, 'M2DET.sfam': False, 'network.PIXEL_MEANS': [104, 117, 123]}
    assert 'fits m2det, variant whole: every array, and no more' in list(inspect(str(tmp_path / 'out-0000.params')))


@pytest.mark.parametrize('settings', [
    dict(M2DET__sfam=True, M2DET__num_levels=3, M2DET__smooth=False, dataset__NUM_CLASSES=21),
    dict(M2DET__backbone='resnet18', M2DET__num_levels=2, M2DET__num_scales=4, M2DET__width=1.0),
    dict(M2DET__backbone='se_resnext50_32x4d', M2DET__num_levels=1, M2DET__num_scales=3, M2DET__width=1.0)])
def test_other_detectors(settings):
    arrays = m2det_arrays(**settings)
    found = settings_of({name: array.shape for name, array in arrays.items()})
    assert {name: found[name.replace('__', '.')] for name in settings} == settings
    converted = m2det.convert_m2det(arrays, 'x')
    assert [row.feature for row in converted.rows] == ['loc', 'conf']
    assert max(row.relative for row in converted.rows) < converted.most
    assert min(row.magnitude for row in converted.rows) > 1e-3


@pytest.mark.parametrize('name', BACKBONES)
def test_every_backbone_is_told_by_its_arrays(name):
    shapes = m2det_shapes(M2DET__backbone=name, M2DET__width=1.0, M2DET__num_levels=1)
    assert settings_of(shapes)['M2DET.backbone'] == name
    alone = {entry[len('base.'):]: shape for entry, shape in shapes.items() if entry.startswith('base.')}
    assert backbone_of(alone) == name


@pytest.mark.parametrize('change, complaint', [
    (lambda arrays: arrays['leach.5.conv.weight'].__setitem__((0, 0), 3), 'leach.5.conv.weight is not equal to leach'),
    (lambda arrays: arrays['sfam_module.fc2.3.bias'].__setitem__(0, 3), 'fc2.3.bias is not equal to sfam_module.fc2.0'),
    (lambda arrays: arrays.pop('leach.1.bn.running_mean'), r'1 parameter is missing \(leach.1.bn.running_mean\)'),
    (lambda arrays: arrays.update({'unet9.layers.0.bn.weight': np.ones(3, np.float32)}),
     r'it has 1 more \(unet9.layers.0.bn.weight\)'),
    (lambda arrays: arrays.update({'Norm.weight': np.ones(3, np.float32)}), 'Norm.weight is 3, the network wants 128'),
    (lambda arrays: arrays['conf.0.bias'].__setitem__(0, np.nan), 'conf.0.bias holds no finite numbers'),
    (lambda arrays: arrays['Norm.running_var'].__setitem__(0, -1), 'Norm.running_var has negative variances')])
def test_damaged_detectors_are_named(tmp_path, change, complaint):
    arrays = m2det_arrays(M2DET__sfam=True)
    change(arrays)
    path = torch_file(tmp_path / 'm2det.pth', arrays)
    with pytest.raises(SniperError, match=complaint) as error:
        convert.convert_file(path, str(tmp_path / 'out'))
    assert '\n' not in str(error.value) and 'm2det.pth' in str(error.value)
    assert os.listdir(str(tmp_path)) == ['m2det.pth']


def test_a_wrong_mapping_is_found_out(monkeypatch, tmp_path):
    monkeypatch.setattr(m2det, 'raw_outputs', lambda *_: [np.zeros(1, np.float32)] * 2)
    path = torch_file(tmp_path / 'm2det.pth', m2det_arrays(M2DET__num_levels=2))
    with pytest.raises(SniperError, match='differ by inf of the largest value in loc .* nothing was written'):
        convert.convert_file(path, str(tmp_path / 'out'))


@pytest.mark.parametrize('name', ['vgg16', 'vgg16_bn', 'resnet18', 'se_resnet50'])
def test_backbones(tmp_path, name):
    arrays = backbone_arrays(name)
    path = torch_file(tmp_path / 'base.pth', arrays)
    prefix, rows = convert.convert_file(path, str(tmp_path / 'out'), 'm2det')
    assert max(row.relative for row in rows) < 1e-4
    facts = json.loads((tmp_path / 'out-0000.json').read_text())
    assert facts['requires'] == {'M2DET.backbone': name, 'network.PIXEL_MEANS': [104, 117, 123]}
    if name == 'resnet18':
        assert any('fits m2det, variant whole, as network.pretrained' in line
                   for line in inspect(prefix + '-0000.params'))
    if name == 'vgg16':     # a renaming and no more
        written = read_arrays(prefix + '-0000.params')
        assert len(written) == 30
        for key, array in written.items():
            np.testing.assert_array_equal(array, arrays[key[len('arg:base.'):]])


def test_input_is_no_choice(tmp_path):
    path = torch_file(tmp_path / 'v.pth', {'loc.0.weight': np.zeros(3, np.float32)})
    for settings in (dict(order='RGB'), dict(pixel_means=(1, 2, 3))):
        with pytest.raises(SniperError, match='leave out --pixel_means and --order'):
            convert.convert_file(path, network='m2det', **settings)


def test_a_file_of_something_else_does_not_become_a_backbone(tmp_path):
    path = torch_file(tmp_path / 'x.pth', {'stem.weight': np.zeros((3, 3), np.float32)})
    with pytest.raises(SniperError, match='looks like vgg16, a backbone of M2Det, but is another network: 30 param'):
        convert.convert_file(path, str(tmp_path / 'out'), 'm2det')


def pretrained(tmp_path, path, *overrides):
    """(names from the file, all names) of a training that starts from a converted file."""
    from lib.train.initialise import pretrained_values
    from symbols import get_detector
    from symbols.layers import optional_parameters
    from tests.symbols.m2det_recipe import config_for
    prefix, _ = convert.convert_file(path, str(tmp_path / 'out'), 'm2det')
    config = config_for('network.pretrained', prefix, 'network.PIXEL_MEANS', '[104, 117, 123]', *overrides)
    detector = get_detector('m2det')
    symbol = detector.train_symbol(config)
    shapes, _, aux_shapes = symbol.infer_shape(data=(1, 3, 320, 320), cls_target=(1, 12810), loc_target=(1, 12810, 4))
    shapes = {name: shape for name, shape in zip(symbol.list_arguments(), shapes) if '.' in name}
    statistics = dict(zip(symbol.list_auxiliary_states(), aux_shapes))
    args, auxs, _ = pretrained_values(config, shapes, statistics, detector.new_parameters(symbol),
                                      optional_parameters(symbol))
    return set(args) | set(auxs), set(shapes) | set(statistics)


def modules(names):
    return {name.split('.')[0] for name in names}


def test_training_from_a_backbone(tmp_path):
    found, names = pretrained(tmp_path, torch_file(tmp_path / 'v.pth', backbone_arrays('vgg16')))
    assert found == {name for name in names if name.startswith('base.')}


def test_training_from_a_detector_with_other_classes(tmp_path):
    path = torch_file(tmp_path / 'd.pth', m2det_arrays(dataset__NUM_CLASSES=4))
    small = ('M2DET.width', '0.125', 'M2DET.planes', '16')
    found, names = pretrained(tmp_path, path, *small)
    assert modules(names - found) == {'loc', 'conf'}
    with pytest.raises(SniperError, match='made for M2DET.planes 16, the configuration says 256'):
        pretrained(tmp_path, path, 'M2DET.width', '0.125')
    found, names = pretrained(tmp_path, path, *small, 'dataset.NUM_CLASSES', '4', 'network.KEEP_HEADS', 'True')
    assert found == names
