"""Which runtime, which device: keys to names, and what is absent or too old."""
import sys
import types

import pytest

from configs import ConfigError, load_config
from configs.checks import check_supported
from lib.engine.engines import MXNET, ONNXRUNTIME, OPENVINO, Device, devices_of, engine_of, load_runtime, num_devices
from lib.engine.onnxruntime_session import chosen_provider
from lib.engine.openvino_session import chosen_device
from lib.export.packages import require
from lib.utils.errors import SniperError


def config_of(*overrides):
    return load_config(None, ['symbol', 'sniper_tiny', *overrides])


def test_engine():
    assert engine_of(config_of()) == MXNET
    assert engine_of(config_of('TEST.ONNX', 'a.onnx')) == ONNXRUNTIME
    assert engine_of(config_of('TEST.ONNX', 'a.onnx', 'TEST.ENGINE', 'openvino')) == OPENVINO
    with pytest.raises(ConfigError, match='TEST.ENGINE'):
        config_of('TEST.ENGINE', 'torch')


@pytest.mark.parametrize('overrides, words', [
    (['TEST.ONNX', 'a.onnx', 'TEST.ENGINE', 'mxnet'], 'ONNX is a.onnx, but TEST.ENGINE is mxnet'),
    (['TEST.OPTIMIZED', 'a', 'TEST.ONNX', 'a.onnx'], 'but TEST.ONNX is a.onnx'),
    (['TEST.OPTIMIZED', 'a', 'TEST.ENGINE', 'openvino'], 'but TEST.ENGINE is openvino')])
def test_keys_that_contradict_each_other(overrides, words):
    with pytest.raises(ConfigError, match=words):
        check_supported(config_of(*overrides), 'test')


@pytest.mark.parametrize('text, devices', [
    ('', [Device('cpu')]), ('cpu', [Device('cpu')]), ('cpu,cpu', [Device('cpu')] * 2), ('auto', [Device('auto')]),
    ('0,1', [Device('gpu', 0), Device('gpu', 1)]), ('cuda:1', [Device('cuda', 1)]),
    ('TensorRT:0', [Device('tensorrt', 0)])])
def test_devices(text, devices):
    config = config_of('gpus', text, 'TEST.ENGINE', 'onnxruntime')
    assert devices_of(config) == devices and num_devices(config) == len(devices)


@pytest.mark.parametrize('text', ['cpu,0', '0,0', 'cuda', 'vulkan:0', '-1'])
def test_devices_that_are_none(text):
    with pytest.raises(SniperError, match='is not understood'):
        devices_of(config_of('gpus', text))


def test_providers_of_onnx_runtime():
    every = ['TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider']
    assert chosen_provider(every, Device('auto')) == ('CUDAExecutionProvider', {'device_id': 0})
    assert chosen_provider(every, Device('gpu', 3)) == ('CUDAExecutionProvider', {'device_id': 3})
    assert chosen_provider(every, Device('tensorrt', 1))[0] == 'TensorrtExecutionProvider'
    assert chosen_provider(every, Device('cpu')) == ('CPUExecutionProvider', {})
    windows = ['DmlExecutionProvider', 'CPUExecutionProvider']
    assert chosen_provider(windows, Device('gpu', 0)) == ('DmlExecutionProvider', {'device_id': 0})
    assert chosen_provider(every[2:], Device('auto')) == ('CPUExecutionProvider', {})
    for kind in ('gpu', 'directml'):
        with pytest.raises(SniperError, match=f'{kind}:0, but this ONNX Runtime has no provider'):
            chosen_provider(every[2:], Device(kind))


def test_devices_of_openvino():
    assert chosen_device(['CPU', 'GPU'], Device('auto')) == 'GPU' and chosen_device(['CPU'], Device('auto')) == 'CPU'
    assert chosen_device(['CPU', 'GPU.0', 'GPU.1'], Device('gpu', 1)) == 'GPU.1'
    assert chosen_device(['CPU', 'GPU'], Device('cpu')) == 'CPU'
    for device in (Device('gpu'), Device('cuda')):
        with pytest.raises(SniperError, match='OpenVINO sees CPU here'):
            chosen_device(['CPU'], device)


def test_runtimes_that_are_absent_or_too_old(monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(SniperError, match='onnxruntime, which is not installed: .*requirements-onnx.txt$'):
        load_runtime(ONNXRUNTIME)
    old = types.ModuleType('openvino')
    old.__version__, old.__spec__ = '2023.3.0-1-abc', object()
    monkeypatch.setitem(sys.modules, 'openvino', old)
    with pytest.raises(SniperError, match='or take the other engine, which is here: --set TEST.ENGINE openvino'):
        load_runtime(ONNXRUNTIME)
    with pytest.raises(SniperError, match='OpenVINO 2023.3.0-1-abc is too old: it takes 2024.4 or later'):
        load_runtime(OPENVINO)
    old.__version__ = None      # a folder of that name on Python's path
    with pytest.raises(SniperError, match='the package openvino that Python finds .* is not OpenVINO: move that away'):
        load_runtime(OPENVINO)
    old.__version__ = '2026.1.0'
    assert load_runtime(OPENVINO) is old


def test_a_broken_installation(tmp_path, monkeypatch):
    """Whatever a package raises when it is imported, one line says so."""
    (tmp_path / 'onnxruntime.py').write_text("raise RuntimeError('bad wheel')")
    monkeypatch.delitem(sys.modules, 'onnxruntime', raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SniperError, match=r'onnxruntime, which does not load \(bad wheel\): .*requirements-onnx.txt'):
        load_runtime(ONNXRUNTIME)
    with pytest.raises(SniperError, match=r'needs the package onnxruntime \(bad wheel\): .*requirements-onnx.txt'):
        require('onnxruntime')
    old = types.ModuleType('onnxruntime')
    old.__version__ = '1.2.0'
    monkeypatch.setitem(sys.modules, 'onnxruntime', old)
    with pytest.raises(SniperError, match='exporting to ONNX needs ONNX Runtime, but ONNX Runtime 1.2.0 is too old'):
        require('onnxruntime')
