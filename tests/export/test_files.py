"""scripts/export_onnx.py, from the shipped model to a file."""
import json
import os

import numpy as np
import pytest

from lib.utils.errors import SniperError
from scripts.export_onnx import main
from tests.conftest import ROOT

onnx = pytest.importorskip('onnx', reason='onnx is not installed (requirements-onnx.txt)')
CONFIG = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')


def export(folder, *arguments):
    path = str(folder / 'tiny.onnx')
    assert main(['--cfg', CONFIG, '--out', path, *arguments, '--set', 'output_path', str(folder)]) == 0
    return path


def test_the_shipped_model(tmp_path, capsys):
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements-onnx.txt)')
    model = onnx.load(export(tmp_path))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [('', 17)]
    assert {node.domain for node in model.graph.node} == {''}
    facts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}['sniper']
    assert facts['classes'][0] == '__background__' and len(facts['classes']) == 7
    assert (facts['kind'], facts['symbol'], facts['stride']) == ('network', 'sniper_tiny', 8)
    assert facts['inputs'] == [node.name for node in model.graph.input] == ['data', 'im_info']
    assert facts['outputs'] == [node.name for node in model.graph.output]
    assert facts['passed_through'] == ['im_ids', 'im_info', 'chip_ids']
    np.testing.assert_allclose(facts['pixels']['means'], [103.939, 116.779, 123.68])
    assert 'tiny.onnx: rois_output differs by' in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ['tiny.onnx']


def test_a_network_that_gives_something_else_is_not_written(tmp_path, monkeypatch):
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements-onnx.txt)')
    from lib.export import arithmetic, operators
    monkeypatch.setitem(operators.CONVERTERS, 'Activation', arithmetic.CONVERTERS['_copy'])    # no ReLU
    with pytest.raises(SniperError, match='tiny.onnx does not agree with MXNet, so it is not written: .*_output'):
        export(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('arguments, message', (
    (['--out', 'x.pb'], 'has to end in .onnx'),
    (['--out', 'x.onnx', '--set', 'TEST.OPTIMIZED', 'some/prefix'], 'cannot be exported')))
def test_bad_arguments(arguments, message):
    with pytest.raises(SniperError, match=message):
        main(['--cfg', CONFIG, *arguments])


def test_absent_packages_are_named(monkeypatch, tmp_path):
    import builtins
    real = builtins.__import__
    from lib.export.packages import require
    monkeypatch.setattr('importlib.import_module', lambda name: real('no_such_' + name))
    with pytest.raises(SniperError, match='needs the package onnx .*pip install -r requirements-onnx.txt'):
        require('onnx')
