"""scripts/export_onnx.py, from the shipped model to a file."""
import json
import os
import types

import cv2
import numpy as np
import pytest

from lib.export.proof import drawn_picture
from lib.utils.errors import SniperError
from scripts.export_onnx import main
from tests.conftest import ROOT

onnx = pytest.importorskip('onnx', reason='onnx is not installed (requirements-onnx.txt)')
CONFIG = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')


def export(folder, *arguments, name='tiny.onnx', more=()):
    path = str(folder / name)
    assert main(['--cfg', CONFIG, '--out', path, *arguments, '--set', 'output_path', str(folder), *more]) == 0
    return path


def test_the_shipped_model(tmp_path, capsys):
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements-onnx.txt)')
    named = ['TEST.ENGINE', 'openvino', 'TEST.ONNX', str(tmp_path / 'tiny.onnx')]   # as the configuration of its tests
    model = onnx.load(export(tmp_path, more=named))
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
    (['--out', '/proc/x.onnx'], 'cannot write /proc/x.onnx'),
    (['--out', 'x.onnx', '--set', 'TEST.OPTIMIZED', 'some/prefix'], 'cannot be exported')))
def test_bad_arguments(arguments, message):
    with pytest.raises(SniperError, match=message):
        main(['--cfg', CONFIG, *arguments])


def test_a_place_that_cannot_be_written_is_found_first(tmp_path, monkeypatch):
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements-onnx.txt)')
    monkeypatch.setattr('lib.export.files.export_network', None)    # is not reached
    (tmp_path / 'folder.onnx').mkdir()
    (tmp_path / 'file').touch()
    for name, words in (('folder.onnx', 'cannot write .*folder.onnx: Is a directory'),
                        ('file/a.onnx', 'cannot write .*a.onnx: ')):
        for arguments in ((), ('--with-postprocessing', '--set', 'TEST.SCALES', '[1x]')):
            with pytest.raises(SniperError, match=words):
                main(['--cfg', CONFIG, '--out', str(tmp_path / name), *arguments])


def test_a_network_that_is_refused_leaves_the_earlier_file(tmp_path, monkeypatch):
    from lib.export import files
    (tmp_path / 'a.onnx').write_bytes(b'earlier')

    def too_large():
        raise ValueError('beyond 2 GiB')
    small = types.SimpleNamespace(model=types.SimpleNamespace(SerializeToString=lambda: b'new'))
    large = types.SimpleNamespace(model=types.SimpleNamespace(SerializeToString=too_large))
    with pytest.raises(ValueError, match='beyond'):
        files._write([(str(tmp_path / 'a.onnx'), small), (str(tmp_path / 'b.onnx'), large)])
    assert (tmp_path / 'a.onnx').read_bytes() == b'earlier' and os.listdir(tmp_path) == ['a.onnx']


def test_absent_packages_are_named(monkeypatch, tmp_path):
    import builtins
    real = builtins.__import__
    from lib.export.packages import require
    monkeypatch.setattr('importlib.import_module', lambda name: real('no_such_' + name))
    with pytest.raises(SniperError, match='needs the package onnx .*pip install -r requirements-onnx.txt'):
        require('onnx')


@pytest.mark.parametrize('precision, smaller', (('fp16', 1.8), ('int8', 3.3)))
def test_fewer_bits(precision, smaller, tmp_path):
    """Smaller, still of standard operators, and nearly the same (the proof)."""
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements-onnx.txt)')
    cv2.imwrite(str(tmp_path / 'a.png'), drawn_picture(96, 128))
    calibrate = ['--calibrate', str(tmp_path)] if precision == 'int8' else []
    path = export(tmp_path, '--precision', precision, *calibrate)
    model = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [('', 17)]
    facts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}['sniper']
    assert facts['precision'] == precision and facts['proof']
    weights = os.path.getsize(os.path.join(ROOT, 'data', 'models', 'sniper_tiny-0000.params'))
    assert os.path.getsize(path) < weights / smaller
    kept = {node.name: node for node in model.graph.node if node.op_type in ('Conv', 'Gemm')}
    assert len(kept) > 20 and {node.input[1] for name, node in kept.items() if name.startswith(
        ('cls_score', 'rpn_bbox_pred'))} == {'cls_score_weight', 'rpn_bbox_pred_weight'}     # as they were


def test_with_postprocessing(tmp_path):
    """Runs by itself on a picture; a test has more than one scale, such a file has not."""
    runtime = pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements-onnx.txt)')
    path = str(tmp_path / 'whole.onnx')
    arguments = ['--cfg', CONFIG, '--out', path, '--with-postprocessing']
    with pytest.raises(SniperError, match="looks at one scale: give it, such as --set TEST.SCALES"):
        main(arguments)
    assert main([*arguments, '--set', 'output_path', str(tmp_path), 'TEST.SCALES', '[1x]', 'TEST.ENGINE',
                 'onnxruntime']) == 0       # the engine that a configuration names is that of its tests
    session = runtime.InferenceSession(path, providers=['CPUExecutionProvider'])
    boxes, classes, scores = session.run(None, {'image': drawn_picture(120, 160)})
    assert boxes.shape == (len(classes), 4) and boxes.min() >= 0 and (boxes[:, 2:] <= [159, 119]).all()
    facts = json.loads(session.get_modelmeta().custom_metadata_map['sniper'])
    assert facts['kind'] == 'pictures' and set(classes) <= set(range(1, len(facts['classes'])))


def test_calibration_is_for_int8(tmp_path):
    with pytest.raises(SniperError, match='--calibrate is for --precision int8'):
        main(['--cfg', CONFIG, '--out', 'x.onnx', '--calibrate', str(tmp_path)])
