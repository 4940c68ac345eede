"""Which exported file a test runs with, where TEST.ENGINE is not MXNet."""
import os

import pytest

from configs import load_config
from lib.engine.exported_model import graph_settings
from lib.inference.predictors import FEATURE, PredictorFactory
from lib.inference.weights import Weights
from lib.utils.errors import SniperError
from tests.engine import onnx_file
from tests.inference.test_weights import NAMES, find, put, refusal, shipped, warned, write_config  # noqa: F401

RUNTIME = ('TEST.ENGINE', 'onnxruntime')


def export(path, **more):
    return onnx_file.write(path, onnx_file.facts(classes=NAMES, **more))


def test_the_file_that_is_named(tmp_path, shipped, caplog):  # noqa: F811
    path = export(tmp_path / 'net.onnx', seen={'sizes': 1})
    found = find(write_config(tmp_path, shipped), tmp_path, 'TEST.ONNX', path, 'TEST.TEST_EPOCH', '3')
    assert (found.path, found.classes, found.treatment) == (path, tuple(NAMES), 'onnxruntime')
    assert found.side_file()['seen'] == {'sizes': 1} and os.path.basename(found.prefix) == 'net'
    assert 'TEST.TEST_EPOCH 3 has no effect beside TEST.ONNX' in caplog.text
    other = find(write_config(tmp_path, shipped), tmp_path, 'TEST.ONNX', path, 'TEST.ENGINE', 'openvino',
                 'TEST.PRECISION', 'bf16')
    assert other.treatment == 'openvino bf16' and other.digest() != found.digest()
    assert 'is missing' in refusal(write_config(tmp_path, shipped), tmp_path, 'TEST.ONNX', path + '.gone')


def test_the_file_beside_the_checkpoint(tmp_path, shipped, caplog):  # noqa: F811
    path, base = write_config(tmp_path, shipped), str(tmp_path / 'SNIPER-0004')
    put(base, NAMES)
    text = refusal(path, tmp_path, *RUNTIME)
    assert f'there is no {base}.onnx: write it with python scripts/export_onnx.py' in text
    export(base + '.onnx', source_digest=Weights(str(tmp_path / 'SNIPER'), 4, ()).digest())
    found = find(path, tmp_path, *RUNTIME)
    assert (found.path, found.epoch, warned(caplog)) == (base + '.onnx', 4, [])
    with open(base + '.params', 'ab') as stream:
        stream.write(b'trained on')
    assert f'{base}.onnx is not of the weights {base}.params as they are now' in refusal(path, tmp_path, *RUNTIME)
    assert find(path, tmp_path, 'TEST.ONNX', base + '.onnx').path == base + '.onnx', 'it is meant'


def test_the_file_is_enough(tmp_path, shipped, caplog):  # noqa: F811
    """Where there is no MXNet there need not be its files."""
    path = write_config(tmp_path, shipped)
    os.remove(shipped + '-0000.params')
    assert 'is missing too' in refusal(path, tmp_path, *RUNTIME)
    export(shipped + '-0000.onnx')
    assert find(path, tmp_path, *RUNTIME).path == shipped + '-0000.onnx'
    assert 'the shipped model' in warned(caplog)[-1]
    export(tmp_path / 'SNIPER-0004.onnx')
    assert find(path, tmp_path, *RUNTIME).path == str(tmp_path / 'SNIPER-0004.onnx')


def test_one_file_is_one_network_of_detections(tmp_path):
    path = export(tmp_path / 'net.onnx')
    weights = Weights('net', 0, tuple(NAMES), 'onnxruntime', onnx=path)
    several = load_config('configs/ssh/ssh_vgg16_pyramid.yml', ['TEST.ONNX', path])
    with pytest.raises(SniperError, match='TEST.ONNX .*net.onnx is one network, but ssh_vgg16 has several'):
        PredictorFactory(several, weights)
    config = load_config(None, ['symbol', 'sniper_tiny', 'TEST.ONNX', path])
    with pytest.raises(SniperError, match='net.onnx gives detections, and no feature map'):
        PredictorFactory(config, weights, FEATURE)
    with pytest.raises(SniperError, match='net.onnx is the network sniper_tiny_mask, but'):
        export(path, symbol='sniper_tiny_mask', settings=graph_settings(config))
        PredictorFactory(config, weights)()
