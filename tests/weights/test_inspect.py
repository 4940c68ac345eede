"""The report on a parameter file: arrays, statistics, and which network it fits."""
import os

import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.weights import parameter_matching
from lib.weights.inspect import inspect, main, statistics
from lib.weights.params_file import read_arrays, write_arrays
from symbols.variants import MOST_ANCHORS, MOST_CLASSES
from tests.conftest import ROOT

SHIPPED = os.path.join(ROOT, 'data', 'models', 'sniper_tiny-0000.params')


def changed_copy(tmp_path, change):
    arrays = read_arrays(SHIPPED)
    change(arrays)
    with open(str(tmp_path / 'x.params'), 'wb') as stream:
        write_arrays(stream, arrays)
    return str(tmp_path / 'x.params')


def test_statistics():
    assert statistics(np.array([1, 3], np.float16)) == (1, 3, 2, 1, 0)
    assert statistics(np.array([[1, np.nan], [np.inf, 3]], np.float32)) == (1, 3, 2, 1, 2)
    assert statistics(np.array([np.nan], np.float32)).not_finite == 1


def test_shipped_model(capsys):
    assert main([SHIPPED]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert '114 arrays, 1434541 numbers' in lines[0]
    row = next(line for line in lines if line.startswith('stem_conv_weight')).split()
    values = read_arrays(SHIPPED)['arg:stem_conv_weight']
    assert row[1:4] == ['parameter', '16x3x3x3', 'float32']
    assert [float(text) for text in row[4:]] == pytest.approx(
        [values.min(), values.max(), values.mean(), values.std()], rel=1e-3)
    assert 'fits sniper_tiny, variant rcnn: every array, and no more' in lines


def test_trunk_and_foreign_arrays(tmp_path):
    def without_heads(arrays):
        for name in list(arrays):
            if name.split(':')[1].startswith(('fc_new', 'cls_score', 'bbox_pred')):
                del arrays[name]
    report = list(inspect(changed_copy(tmp_path, without_heads)))
    assert any('fits sniper_tiny, variant rcnn, as network.pretrained' in line for line in report)

    def broken(arrays):
        arrays['arg:renamed'] = arrays.pop('arg:stem_conv_weight')
        arrays['arg:stem_bn_gamma'][0] = np.nan
    report = list(inspect(changed_copy(tmp_path, lambda arrays: (
        arrays.update({'arg:stem_bn_gamma': arrays['arg:stem_bn_gamma'].copy()}), broken(arrays)))))
    assert any(line.startswith('stem_bn_gamma') and '1 NOT FINITE' in line for line in report)
    nearest = report[report.index('fits none of the networks; the nearest:') + 1]
    assert 'sniper_tiny' in nearest and 'missing (stem_conv_weight)' in nearest and 'renamed' in nearest


def test_impossible_heads_are_not_built_and_names_do_not_command_the_terminal(tmp_path, monkeypatch):
    asked = []

    def nothing(_, variant):
        keys = dict(variant.keys)
        if 'network.ANCHOR_SCALES' in keys:     # of the networks that these heads are of
            asked.append((keys['dataset.NUM_CLASSES'], len(keys['network.ANCHOR_SCALES'])))
        return {}, {}
    monkeypatch.setattr(parameter_matching, '_wanted', nothing)
    path = changed_copy(tmp_path, lambda arrays: arrays.update({
        'arg:rpn_cls_score_weight': np.zeros(1 << 22, np.uint8), 'arg:cls_score_weight': np.zeros(1 << 22, np.uint8),
        'arg:conv_new_3_weight': np.zeros(1 << 22, np.uint8),
        'arg:x\x1b[2J': np.zeros(1)}))
    report = list(inspect(path))
    assert all(line.isprintable() for line in report) and any(line.startswith('x?[2J') for line in report)
    assert set(asked) == {(MOST_CLASSES, MOST_ANCHORS)}


def test_gluon_file_and_no_file(tmp_path):
    with open(str(tmp_path / 'g.params'), 'wb') as stream:
        write_arrays(stream, {'features.0.weight': np.ones((2, 2))})
    assert 'lib.weights.convert ' in list(inspect(str(tmp_path / 'g.params')))[-1]
    with pytest.raises(SniperError, match='gone.params'):
        list(inspect(str(tmp_path / 'gone.params')))


@pytest.mark.parametrize('focus', [False, True])
def test_a_network_that_finds_one_class_is_told_from_the_rest(focus):
    """It is asked about files of many classes too, which are others'."""
    from lib.weights.parameter_matching import config_of, match_network
    from symbols import get_detector
    assert not match_network('ssh_tiny', {'cls_score_weight': (21, 1024)})[0].whole.complete
    detector = get_detector('ssh_tiny')
    config = config_of('ssh_tiny', detector.variants({})[focus])
    symbol, inputs = detector.symbol(config, 'test'), detector.input_shapes(config, 1, 64, 64, 'test')
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(**inputs)[0]))
    found = match_network('ssh_tiny', {name: shape for name, shape in shapes.items() if name not in inputs})[focus]
    assert found.variant.name == ('whole_autofocus' if focus else 'whole') and not found.extra
