"""python -m symbols.cost: facts of all families, the table, what it refuses."""
import csv
import json
import math
import os

import pytest

from configs import load_config
from lib.utils.errors import SniperError
from symbols import cost
from tests.conftest import ROOT
from tests.golden import reference_file

ARM, SLIM = 'arm/sniper_arm_deepv.yml', 'arm/sniper_arm_slim.yml'
TINY = 'faster/sniper_tiny_e2e.yml'


def loaded(path, *overrides):
    config = load_config(os.path.join(ROOT, 'configs', path), ['gpus', 'cpu', 'TRAIN.fp16', 'False', *overrides])
    config.dataset.NUM_CLASSES = config.dataset.NUM_CLASSES or 4
    return config


def million(report, part=''):
    return round(report.total('multiply_adds', part) / 1e6, 1)


@pytest.mark.parametrize('size, trunk, every', [((216, 216), 32.9, 503.2), ((216, 384), 58.5, 894.6)])
def test_arm(size, trunk, every):
    """reference/other_detectors.md, part D."""
    report = cost.report_of(loaded(ARM), size=size)
    assert (million(report, 'trunk'), million(report)) == (trunk, every)
    assert [report.total('parameters', part) for part in ('', 'trunk', 'RPN')] == [677132, 31392, 645740]
    assert report.total('statistics') == 1696


def test_slim_form():
    """An eighth of the work: at most 120 M."""
    assert million(cost.report_of(loaded(SLIM), size=(216, 384))) == 110.8


def test_graphs_of_an_arm_network_with_the_r_cnn_beside_it():
    config = loaded(SLIM)
    feature, export = (cost.report_of(config, graph) for graph in ('feature', 'export'))
    assert feature.parts == export.parts == ['trunk', 'RPN', 'R-CNN']
    assert million(feature) == million(export) > million(cost.report_of(config, 'proposal_test'))


def test_ssh():
    """reference/other_detectors.md, part C: 133.3 G at 640x640."""
    report = cost.report_of(loaded('ssh/ssh_vgg16.yml'), size=(640, 640))
    assert (million(report), report.total('parameters')) == (133328.9, 19768420)
    assert [report.total('parameters', f'module m{number}') for number in (1, 2, 3)] == [335244, 2218764, 2218764]


@pytest.mark.parametrize('path, parameters', [('m2det320_vgg16', 132633140), ('m2det320_vgg16_sfam', 133159604)])
def test_m2det(path, parameters):
    """reference/m2det.md; the modules that are shared count once."""
    report = cost.report_of(loaded(f'm2det/{path}.yml'))
    assert report.total('parameters') == parameters and report.parts == ['trunk', 'MLFPN', 'heads']


@pytest.mark.parametrize('name, path', [
    ('resnet_mx_101_e2e.rcnn_test', 'faster/sniper_res101_e2e.yml'),
    ('resnet_mx_50_e2e.rpn_test', 'faster/sniper_res50_e2e.yml'),
    ('mobilenetv2_e2e.rcnn_train', 'faster/sniper_mobilenetv2_e2e.yml'),
    ('resnet_mx_101_e2e_mask.rcnn_train_autofocus', 'faster/sniper_res101_e2e_mask_autofocus.yml'),
])
def test_manifests(name, path):
    """As many parameters and statistics as the original's arrays have, whatever the size."""
    with open(reference_file(f'networks/{name}.json')) as stream:
        manifest = json.load(stream)
    graph = 'proposal_test' if 'rpn_test' in name else 'train' if 'train' in name else 'test'
    report = cost.report_of(loaded(path, 'TEST.WITH_MASK', 'False', 'TEST.AUTO_FOCUS', 'False'), graph)
    numbers = [sum(math.prod(entry['shape']) for entry in manifest[key]) for key in ('arguments', 'auxiliary_states')]
    assert [report.total('parameters'), report.total('statistics')] == numbers


@pytest.mark.parametrize('path, parts', [
    (TINY, ['trunk', 'RPN', 'R-CNN']), ('openimages/openimages_tiny.yml', ['trunk', 'RPN', 'R-CNN']),
    ('rfcn3k/rfcn3k_tiny.yml', ['trunk', 'RPN', 'R-FCN', 'classes']),
    ('ssh/ssh_tiny.yml', ['trunk', 'module m1', 'module m2', 'module m3']),
    ('faster/sniper_res50_v1_e2e.yml', ['trunk', 'RPN', 'R-CNN'])])
def test_parts(path, parts):
    """In every family, whatever learns multiplies, but for BatchNorms."""
    report = cost.report_of(loaded(path, 'TEST.WITH_MASK', 'False'))
    rows = [row for row in report.rows if row.parameters or row.multiply_adds]
    assert list(dict.fromkeys(row.part for row in rows)) == parts
    assert {row.operator for row in rows if not row.multiply_adds} == {'BatchNorm'}
    assert 0 < report.peak < report.total('memory')


def test_masks_and_focus_pixels():
    config = loaded('faster/sniper_tiny_mask_autofocus.yml', 'TEST.MAX_PER_IMAGE', '10')
    few = cost.report_of(config)
    assert few.parts == ['trunk', 'RPN', 'R-CNN', 'FocusPixels', 'masks'] and few.inputs['mask_rois'] == (10, 5)
    config.TEST.MAX_PER_IMAGE = 20
    assert cost.report_of(config).total('multiply_adds', 'masks') == 2 * few.total('multiply_adds', 'masks')
    config.TEST.WITH_MASK = False
    assert 'masks' not in cost.report_of(config).parts


def test_training_graph():
    config = loaded(TINY)
    report = cost.report_of(config, 'train')
    assert report.peak is None and report.inputs['data'] == (1, 3, 256, 256)
    assert report.total('parameters') == cost.report_of(config, 'test').total('parameters')


def test_program(tmp_path, capsys):
    """Table, sums, both files."""
    figures, lines = str(tmp_path / 'cost.json'), str(tmp_path / 'cost.csv')
    assert cost.main(['--cfg', os.path.join(ROOT, 'configs', SLIM), '--size', '216', '384', '--sort', 'multiply_adds',
                      '--top', '2', '--json', figures, '--csv', lines]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[2:4]] == ['rpn_conv_3x3', 'conv9_pw']
    assert [line.split()[0] for line in printed[5:8]] == ['trunk', 'RPN', 'all'] and '71,852 parameters' in printed[10]
    with open(figures) as stream:
        found = json.load(stream)
    assert found['multiply_adds'] == sum(layer['multiply_adds'] for layer in found['layers']) == 110771712
    assert found['parts']['RPN']['parameters'] == 40460
    with open(lines, newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert sum(int(row['parameters']) for row in rows) == 71852 and rows[0]['output'] == '1x16x108x192'


@pytest.mark.parametrize('arguments, said', [
    (['--cfg', 'configs/none.yml'], 'configs/none.yml does not exist'),
    (['--cfg', SLIM, '--size', '216', 'wide'], '--size: wide is no whole number from 1'),
    (['--cfg', SLIM, '--top', '0'], '--top: 0 is no whole number from 1'),
    (['--cfg', SLIM, '--json', 'cost', '--csv', './cost'], '--json and --csv are both cost'),
    (['--cfg', SLIM, '--size', '7', '216'], 'an input of 7 x 216 is too small for deepv_arm_net: 8 x 8 make one cell'),
    (['--cfg', 'ssh/ssh_vgg16.yml', '--size', '8', '8'], 'an input of 8 x 8 is too small for ssh_vgg16'),
    (['--cfg', 'm2det/m2det_tiny.yml', '--size', '320', '512'], 'm2det takes inputs of 512 x 512: .*M2DET.input_size'),
    (['--cfg', TINY, '--graph', 'train', '--size', '9', '9'], 'training graph of sniper_tiny takes .*TRAIN.CHIP_SIZE'),
    (['--cfg', TINY, '--graph', 'masks'], '--graph masks: sniper_tiny has export, feature, mask'),
    (['--cfg', TINY, '--set', 'symbol', 'tiny'], "unknown detector 'tiny'"),
    (['--cfg', 'faster/sniper_tiny_bccd.yml', '--set', 'dataset.NUM_CLASSES', '0'], 'dataset.NUM_CLASSES is 0'),
    (['--cfg', TINY, '--json', '/proc/none/cost.json'], '/proc/none'),
])
def test_refused(arguments, said):
    folder = os.path.join(ROOT, 'configs')
    arguments = [os.path.join(folder, entry) if entry.endswith('.yml') and 'none' not in entry else entry
                 for entry in arguments]
    with pytest.raises(SniperError, match=said) as error:
        cost.main(arguments)
    assert '\n' not in str(error.value)
