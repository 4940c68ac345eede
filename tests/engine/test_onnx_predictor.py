"""Batches through an exported file, with a stand-in for the runtime."""
import types

import numpy as np
import pytest

from lib.engine import onnx_predictor
from lib.engine.engines import ONNXRUNTIME, OPENVINO, Device
from lib.engine.onnx_predictor import OnnxPredictor
from lib.engine.onnx_proof import proof_inputs, summary
from lib.utils.errors import SniperError
from tests.engine import onnx_file

CPU = Device('cpu')


class FakeSession:
    """Sums an image."""

    made, shape = 0, ('n', 3, 'h', 'w')

    def __init__(self, path, device, precision):
        FakeSession.made += 1
        self.device, self.precision, self.inputs = device, precision, {'data': self.shape}

    def run(self, feeds):
        data = feeds['data']
        if data.max() > 1e6:
            raise RuntimeError('Failed to allocate memory for a buffer')
        if data.min() < -1e6:
            raise ValueError('a shape does not fit\nat node 7')
        return {'sum_output': data.sum(axis=(1, 2, 3)) + self.device.number}


@pytest.fixture(autouse=True)
def runtime(monkeypatch):
    monkeypatch.setattr(onnx_predictor, 'SESSIONS', dict.fromkeys((ONNXRUNTIME, OPENVINO), FakeSession))
    monkeypatch.setattr(onnx_predictor, 'load_runtime', lambda engine: types.SimpleNamespace(__version__='1.23.2-rc'))
    monkeypatch.setattr(FakeSession, 'made', 0)


@pytest.fixture
def path(tmp_path):
    return onnx_file.write(tmp_path / 'a.onnx', onnx_file.facts())


def batch(count=4, **more):
    data = np.arange(count * 3 * 2 * 2, dtype=np.float32).reshape(count, 3, 2, 2)
    return types.SimpleNamespace(data={'data': data, 'im_ids': np.arange(count), 'chip_ids': np.ones(count), **more})


def test_outputs_and_what_is_handed_on(path):
    predictor = OnnxPredictor(path, ONNXRUNTIME, [CPU])
    wanted, found = batch(), predictor.predict(batch())
    assert sorted(found) == ['im_ids', 'sum_output'] and predictor.devices == 1
    assert np.array_equal(found['sum_output'], wanted.data['data'].sum(axis=(1, 2, 3)))
    assert np.array_equal(found['im_ids'], wanted.data['im_ids'])
    predictor.close()


@pytest.mark.parametrize('devices, made', [([CPU, CPU], 1), ([Device('gpu', 0), Device('gpu', 1)], 2)])
def test_a_batch_is_split_over_devices(path, devices, made):
    predictor = OnnxPredictor(path, ONNXRUNTIME, devices)
    found = predictor.predict(batch())['sum_output']
    assert predictor.devices == 2 and FakeSession.made == made
    of_device = np.repeat([device.number for device in devices], 2)
    assert np.array_equal(found, batch().data['data'].sum(axis=(1, 2, 3)) + of_device)
    predictor.close()


def test_what_does_not_fit(path, monkeypatch):
    predictor = OnnxPredictor(path, ONNXRUNTIME, [CPU], advice=lambda missing: f': {len(missing)} missing')
    with pytest.raises(SniperError, match='wants the inputs data, which nothing provides: 1 missing'):
        predictor.predict(types.SimpleNamespace(data={}))
    with pytest.raises(SniperError, match='takes data of anyx3xanyxany, and is shown 2x4x8x8'):
        predictor.predict(types.SimpleNamespace(data={'data': np.zeros((2, 4, 8, 8))}))
    with pytest.raises(SniperError, match=r'a.onnx: ONNX Runtime 1.23.2 fails for data 1x3x2x2: a shape does not fit$'):
        predictor.predict(types.SimpleNamespace(data={'data': np.full((1, 3, 2, 2), -2e6, np.float32)}))
    with pytest.raises(MemoryError):
        predictor.predict(types.SimpleNamespace(data={'data': np.full((1, 3, 2, 2), 2e6, np.float32)}))
    monkeypatch.setattr(FakeSession, 'shape', ('n', 3, 320, 320))
    with pytest.raises(SniperError, match='takes data of anyx3x320x320, and is shown 4x3x2x2'):
        OnnxPredictor(path, ONNXRUNTIME, [CPU]).predict(batch())
    monkeypatch.setattr(onnx_predictor, 'available_memory', lambda: 100)
    with pytest.raises(SniperError, match='memory is too small for .*a.onnx'):
        OnnxPredictor(path, ONNXRUNTIME, [CPU])


def test_a_file_that_the_runtime_refuses(path, tmp_path, monkeypatch):
    other = onnx_file.write(tmp_path / 'b.onnx', onnx_file.facts(inputs=['data', 'im_info']))
    with pytest.raises(SniperError, match='b.onnx is damaged: it has no input im_info'):
        OnnxPredictor(other, ONNXRUNTIME, [CPU])

    def refuse(*_):
        raise RuntimeError('Exception from a/core.cpp:84:\nCheck \'false\' failed at b.cpp:1:\n'
                           'FrontEnd API failed with OpConversionFailure:\nProtobuf parsing failed.\n')
    monkeypatch.setitem(onnx_predictor.SESSIONS, OPENVINO, refuse)
    with pytest.raises(SniperError, match='a.onnx: OpenVINO 1.23.2 cannot load it .export it again .*TEST.ENGINE.: '
                                          'Protobuf parsing failed.'):
        OnnxPredictor(path, OPENVINO, [CPU])


def test_precisions(path, tmp_path):
    with pytest.raises(SniperError, match='bf16, which ONNX Runtime has not: add --set TEST.ENGINE openvino'):
        OnnxPredictor(path, ONNXRUNTIME, [CPU], precision='bf16')
    with pytest.raises(SniperError, match='int8, but .* was exported in fp32: export it with --precision int8'):
        OnnxPredictor(path, OPENVINO, [CPU], precision='int8')
    int8 = onnx_file.write(tmp_path / 'b.onnx', onnx_file.facts(precision='int8'))
    for predictor in (OnnxPredictor(int8, ONNXRUNTIME, [CPU], precision='int8'),
                      OnnxPredictor(path, OPENVINO, [CPU], precision='bf16')):
        assert predictor.predict(batch())['sum_output'].shape == (4,)


def test_the_picture_of_the_proof(tmp_path, monkeypatch):
    """A runtime that computes something else, or weights that changed on the way, are found when a file is loaded."""
    right = FakeSession('', CPU, 'fp32').run(proof_inputs({'data': ('n', 3, 'h', 'w')}))
    path = onnx_file.write(tmp_path / 'a.onnx', onnx_file.facts(proof=summary(right)))
    OnnxPredictor(path, ONNXRUNTIME, [CPU])
    for factor in (1.2, float('nan')):
        monkeypatch.setattr(FakeSession, 'run', lambda self, feeds: {'sum_output': right['sum_output'] * factor})  # noqa: B023
        with pytest.raises(SniperError, match='a.onnx gives something else here than where it was exported, in ONNX '
                                              'Runtime 1.23.2: sum_output is'):
            OnnxPredictor(path, ONNXRUNTIME, [CPU])


def test_the_proofs_inputs_are_those_of_any_network():
    found = proof_inputs({'data': ('n', 3, 320, 320), 'im_info': ('n', 3), 'rois': ('n', 'r', 5)})
    assert found['data'].shape == (1, 3, 320, 320) and found['data'].std() > 30
    assert found['im_info'].tolist() == [[320, 320, 1]]
    rois = found['rois']
    assert rois.shape == (1, 8, 5) and (rois[..., 3:] > rois[..., 1:3]).all() and rois.max() < 320
