"""The `gpus` key, half precision, the output folder and the progress line."""
import os
from types import SimpleNamespace

import pytest

from configs import config_name
from lib.engine import devices as devices_module
from lib.engine.devices import contexts
from lib.utils.errors import SniperError
from lib.weights.paths import output_folder
from tests.train.tiny import make_config


def names(config, present, monkeypatch):
    monkeypatch.setattr(devices_module, 'gpu_count', lambda: present)
    return [str(device) for device in contexts(config)]


@pytest.mark.parametrize('gpus, present, expected', [
    ('', 2, ['cpu(0)']), ('cpu', 2, ['cpu(0)']), ('auto', 0, ['cpu(0)']), ('auto', 2, ['gpu(0)', 'gpu(1)']),
    ('1', 2, ['gpu(1)']), ('1,0', 2, ['gpu(1)', 'gpu(0)']), ('cpu,cpu', 0, ['cpu(0)', 'cpu(1)']),
    ('cpu, cpu,cpu', 2, ['cpu(0)', 'cpu(1)', 'cpu(2)'])])
def test_contexts(gpus, present, expected, monkeypatch):
    config = make_config()
    config.gpus = gpus
    assert names(config, present, monkeypatch) == expected


@pytest.mark.parametrize('gpus, present, message', [
    ('0,1,2', 2, 'GPU 2.*MXNet sees 2 GPU'), ('0', 0, 'GPU 0.*no GPU here.*gpus auto'), ('0,0', 2, 'distinct'),
    ('one', 2, 'not understood'), ('-1', 2, 'not understood'), ('cpu,0', 2, 'not understood')])
def test_absent_or_malformed_gpus(gpus, present, message, monkeypatch):
    config = make_config()
    config.gpus = gpus
    with pytest.raises(SniperError, match=message) as error:
        names(config, present, monkeypatch)
    assert '\n' not in str(error.value)


A100, H200, B200 = ('NVIDIA A100', (8, 0)), ('NVIDIA H200', (9, 0)), ('NVIDIA B200', (10, 0))


@pytest.fixture
def machine(monkeypatch):
    """machine(*found, for_cuda, driver): these are the GPUs from then on, and MXNet is one for CUDA or not."""
    from sniper_mxnet import gpus, mx

    def install(*found, for_cuda=True, driver=12080):
        monkeypatch.setattr(devices_module, 'gpu_count', lambda: len(found))
        monkeypatch.setattr(gpus, 'gpus', lambda: [gpus.Gpu(*gpu) for gpu in found])
        monkeypatch.setattr(gpus, 'driver_version', lambda: driver)
        monkeypatch.setattr(mx.runtime, 'Features', lambda: SimpleNamespace(is_enabled=lambda name: for_cuda))
        devices_module._say_once.cache_clear()
    return install


def chosen(gpus):
    config = make_config()
    config.gpus = gpus
    return [str(device) for device in contexts(config)]


@pytest.mark.parametrize('gpus, name', [('0', 'GPU 0, NVIDIA H200 .compute capability 9.0.'),
                                        ('1,2', 'GPU 2, NVIDIA B200 .compute capability 10.0.')])
def test_gpus_without_machine_code_are_refused_by_name(gpus, name, machine):
    machine(H200, A100, B200)
    with pytest.raises(SniperError, match=f"{name}.*5.0 to 8.9.*TEST.ENGINE onnxruntime.*--set gpus cpu") as error:
        chosen(gpus)
    assert '\n' not in str(error.value)
    assert chosen('1') == ['gpu(1)']


def test_auto_passes_over_what_mxnet_cannot_use(machine, caplog):
    machine(H200, A100)
    assert chosen('auto') == chosen('auto') == ['gpu(1)']
    assert [record.getMessage().split('. ')[0] for record in caplog.records] == [
        'gpus auto passes over a GPU: MXNet 1.9.1 has no machine code for GPU 0, NVIDIA H200 (compute capability 9.0), '
        'but for 5.0 to 8.9 alone']
    machine(B200)
    assert chosen('auto') == ['cpu(0)']
    assert 'NVIDIA B200' in caplog.messages[-2]
    assert caplog.messages[-1] == 'gpus auto: there is no GPU here that MXNet can use: running on the CPU'


@pytest.mark.parametrize('settings, reason', [
    (dict(for_cuda=False), 'this MXNet is one for CPUs: GPUs need SNIPER_MXNET=mxnet-cu117 bash scripts/setup.sh'),
    (dict(), "NVIDIA's driver finds none"),
    (dict(driver=10020), "NVIDIA's driver is of CUDA 10.2, and MXNet needs one of 11.0 or later")])
def test_auto_says_in_one_line_that_there_is_none(settings, reason, machine, caplog):
    machine(**settings)
    assert chosen('auto') == chosen('auto') == ['cpu(0)']
    assert caplog.messages == [f'gpus auto: there is no GPU here ({reason}): running on the CPU']
    with pytest.raises(SniperError, match='GPU 0.*no GPU here') as error:
        chosen('0')
    assert reason in str(error.value)


def test_gpus_that_cannot_be_counted(monkeypatch, caplog):
    from sniper_mxnet import mx

    def fail():
        raise mx.MXNetError('Traceback (most recent call last):\n  File "base.h", line 458\nCUDA: unknown error')
    monkeypatch.setattr(mx.context, 'num_gpus', fail)
    devices_module._say_once.cache_clear()
    assert devices_module.gpu_count() == 0
    assert caplog.messages == ['MXNet cannot count the GPUs (CUDA: unknown error): taken as none']


@pytest.mark.parametrize('gpus, before, after', [('cpu,cpu', None, '2'), ('cpu', None, '4'), ('cpu,cpu', '3', '3'),
                                                ('0,1', None, '4'), ('cpu,cpu,cpu,cpu,cpu', None, '1')])
def test_cpu_devices_share_the_cores(gpus, before, after, monkeypatch):
    monkeypatch.setattr('lib.utils.processes.num_cores', lambda: 4)
    monkeypatch.setenv('OMP_NUM_THREADS', before or '')  # so that it is put back
    config = make_config()
    config.gpus = gpus
    devices_module.share_cores(config)
    assert (os.environ['OMP_NUM_THREADS'] or None) == after


def test_half_precision_on_the_cpu_is_refused():
    config = make_config(fp16=True)
    with pytest.raises(SniperError, match='--set TRAIN.fp16 False'):
        devices_module.check_precision(config, contexts(config))


def test_nccl_is_refused_where_it_cannot_run(monkeypatch):
    from sniper_mxnet import mx
    config = make_config()
    config.default.kvstore = 'nccl'

    class Features:
        has_nccl = False

        def is_enabled(self, name):
            return name == 'NCCL' and self.has_nccl
    monkeypatch.setattr(mx.runtime, 'Features', Features)
    with pytest.raises(SniperError, match='no NCCL.*kvstore device'):
        devices_module.check_kvstore(config, [mx.cpu()])
    Features.has_nccl = True
    with pytest.raises(SniperError, match='on the CPU'):
        devices_module.check_kvstore(config, [mx.cpu()])
    config.default.kvstore = 'local'
    devices_module.check_kvstore(config, [mx.cpu()])


def test_output_folder():
    config = make_config()
    config.output_path, config.dataset.image_set = './output/x', 'train2014+val2014'
    assert config_name('configs/faster/a_b.v2.yml') == 'a_b'
    assert output_folder(config, 'configs/a_b.yml') == os.path.join('./output/x', 'a_b', 'train2014_val2014')
