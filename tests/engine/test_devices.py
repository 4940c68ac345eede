"""The `gpus` key, half precision, the output folder and the progress line."""
import os

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
