"""Several workers: real ones on this machine, and the parts of it by themselves."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from lib.distributed import consistency
from lib.distributed.workers import ALONE, connect
from lib.utils.errors import SniperError
from lib.weights.params_file import read_arrays
from tests.conftest import ROOT
from tests.distributed.worker_program import BATCH, BATCHES, distributed_config
from tests.train.tiny import FakeIterator, TinyDetector, make_config

PATIENCE = 240  # seconds for what takes five on a quiet machine
SAID = {'first': [[0.5, 2]], 'half': [float(np.float16(0.1))], 'whole': [2 ** 40], 'nothing': None,
        'json': {'rank': 0, 'text': 'ééé'}}     # by worker 0


# Workers of different kinds write what they are told to FOLDER/<index>.json.
KINDS = '''
import json, os, sys
from lib.utils.errors import SniperError
from lib.distributed import consistency
from lib.distributed.workers import connect
from tests.distributed.worker_program import distributed_config
index = int(os.environ['DMLC_TASK_ID'])
config = distributed_config(%r[index])
with connect(config) as workers:
    rank = workers.rank
    try:
        consistency.check_program(workers, config, 1)
        told = ''
    except SniperError as error:
        told = str(error)
    with open(os.path.join(sys.argv[1], '%%d.json' %% index), 'w') as stream:
        json.dump([rank, told], stream)
'''


def run_launcher(*command, **variables):
    """Two workers and a server run the command -> CompletedProcess."""
    return subprocess.run([sys.executable, os.path.join(ROOT, 'scripts', 'launch.py'), '-n', '2', '-s', '1', *command],
                          cwd=ROOT, env=dict(os.environ, OMP_NUM_THREADS='1', **variables), timeout=PATIENCE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def launch(folder, kvstore, compression='none'):
    """Two workers and a server run tests/distributed/worker_program.py -> their facts by rank."""
    done = run_launcher(sys.executable, '-m', 'tests.distributed.worker_program', str(folder), kvstore, compression)
    assert done.returncode == 0, done.stdout.decode()
    return [json.loads((folder / (f'{rank}.json')).read_text()) for rank in range(2)]


def train_alone(prefix, config, resume=False):
    """One worker with the batches of both."""
    from lib.train.run import train
    from sniper_mxnet import mx
    config.TRAIN.BATCH_IMAGES = 2 * BATCH
    config.default.kvstore = 'device'
    assert train(config, TinyDetector(), FakeIterator(2 * BATCH, BATCHES), ('__background__', 'a'), str(prefix),
                 [mx.cpu()], display=1, resume=resume) == 0
    return {kind: read_arrays(f'{prefix}-0002.{kind}') for kind in ('params', 'states')}


def assert_close(one, other, tolerance=1e-5):
    assert one.keys() == other.keys()
    for name in one:
        scale = max(np.abs(one[name]).max(), 1e-6)
        np.testing.assert_allclose(other[name] / scale, one[name] / scale, rtol=0, atol=tolerance, err_msg=name)


@pytest.fixture(scope='module')
def synchronous(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sync')
    return folder, launch(folder, 'dist_sync')


def test_workers_talk(synchronous):
    for rank, facts in enumerate(synchronous[1]):
        assert (facts['rank'], facts['count']) == (rank, 2)
        assert facts['gathered'] == [[10, 0], [11, 1]]
        assert facts['said'] == SAID
        assert facts['mean'] == [[1.0, 2.0]]


def test_workers_that_differ_are_all_told(synchronous):
    for rank, facts in enumerate(synchronous[1]):
        alike, configuration, devices, data, same_data = facts['complaints']
        assert alike == '' and same_data == ''
        assert 'rank 1 and rank 0 do not agree in TRAIN.lr (here {}), TRAIN.momentum (here {})'.format(
            *(('0.25', '0.5') if rank else ('0.1', '0.9'))) in configuration
        assert f'number of devices in gpus (here {1 + rank})' in devices
        assert f'training set (here {5 + rank} images' in data
        assert not any('\n' in complaint for complaint in facts['complaints'])


def test_one_stops_all_at_the_same_step_and_worker_0_saves(synchronous):
    folder, (first, second) = synchronous
    assert first['status'] == second['status'] == 143
    assert first['steps'] == second['steps'] and first['steps'][-1][0] == 1
    assert not (folder / '1').exists()
    sidecar = json.loads((folder / '0' / 'S-interrupted.json').read_text())
    assert [1, sidecar['batch'] - 1] == first['steps'][-1] and sidecar['batch_size'] == 2 * BATCH
    assert first['weights'] == second['weights']  # to the bit


def test_bytes_are_those_of_the_parameters(synchronous):
    for facts in synchronous[1]:
        assert facts['bytes'] == [4 * sum(facts['sizes'])] * 2


def test_workers_find_what_one_with_their_batches_finds(synchronous, tmp_path):
    """The first epoch, and after --resume with one worker instead of two the second."""
    folder, _ = synchronous
    straight = train_alone(tmp_path / 'S', distributed_config('device'))
    for kind in ('params', 'states'):
        base = 'S-0001.' + kind
        assert_close(read_arrays(str(tmp_path / base)), read_arrays(str(folder / '0' / base)))
    resumed = train_alone(folder / '0' / 'S', distributed_config('device'), resume=True)
    for kind in ('params', 'states'):
        assert_close(straight[kind], resumed[kind])


def test_asynchronous_workers_end_with_the_same_weights(tmp_path):
    first, second = launch(tmp_path, 'dist_async')
    # Worker 0 may be through before it hears that worker 1 stops.
    assert len(first['steps']) > BATCHES and second['status'] == 143 and first['status'] in (0, 143)
    assert np.isfinite(first['weights']).all()
    once = read_arrays(str(tmp_path / '0' / 'S-0001.params'))['arg:stem_weight'].ravel()
    assert np.abs(np.asarray(first['weights']) - once).max() > 0  # it went on after the first epoch
    assert first['bytes'] == [4 * sum(first['sizes'])] * 2


def test_gradients_of_2_bits(tmp_path):
    first, second = launch(tmp_path, 'dist_sync', '2bit')
    assert first['weights'] == second['weights'] and first['steps'] == second['steps']
    assert first['said'] == second['said'] == SAID  # whole, although gradients are not
    sent, received = first['bytes']
    assert received == 4 * sum(first['sizes'])
    assert sent == sum(4 * -(-size // 16) for size in first['sizes'])
    # Checkpoints by iterations: the stop of iteration 4 is seen where its checkpoint is due.
    assert first['status'] == second['status'] == 143 and len(first['steps']) == 4 and not (tmp_path / '1').exists()
    assert sorted(path.name for path in (tmp_path / '0').glob('*.params')) == ['S-iter2.params', 'S-iter4.params']
    last = read_arrays(str(tmp_path / '0' / 'S-iter4.params'))
    assert last['arg:stem_weight'].ravel().tolist() == first['weights']
    assert json.loads((tmp_path / '0' / 'S-iter4.json').read_text())['batch'] == 1


def test_two_devices_are_one_with_their_batches(tmp_path):
    from lib.train.run import train
    from sniper_mxnet import mx
    straight = train_alone(tmp_path / 'one', distributed_config('device'))
    config = distributed_config('device')
    assert train(config, TinyDetector(), FakeIterator(2 * BATCH, BATCHES), ('__background__', 'a'),
                 str(tmp_path / 'two'), [mx.cpu(0), mx.cpu(1)], display=1) == 0
    for kind in ('params', 'states'):
        assert_close(straight[kind], read_arrays(str(tmp_path / ('two-0002.' + kind))))


def test_device_means_are_summed_as_in_the_original():
    """Nothing is divided by the number of devices, unless LOSS_MEAN says so."""
    from lib.train.schedule import learning_rate, optimiser_settings
    config = make_config()
    assert optimiser_settings(config, learning_rate(config, 8, 2), parts=4)['rescale_grad'] == 1.0
    config.TRAIN.LOSS_MEAN = 'update'
    assert optimiser_settings(config, learning_rate(config, 8, 2), parts=4)['rescale_grad'] == 0.25


@pytest.mark.parametrize('missing', ['DMLC_ROLE', 'DMLC_NUM_SERVER'])
def test_distributed_run_without_launcher(missing, monkeypatch):
    for name in ('DMLC_ROLE', 'DMLC_PS_ROOT_URI', 'DMLC_PS_ROOT_PORT', 'DMLC_NUM_WORKER', 'DMLC_NUM_SERVER'):
        monkeypatch.setenv(name, '1')
    monkeypatch.delenv(missing)
    with pytest.raises(SniperError, match=f'{missing} is not set: start the run with .*launch.py'):
        connect(distributed_config('dist_sync'))


@pytest.mark.parametrize('count', ['1', '2'])
def test_launcher_without_a_distributed_kvstore(count, monkeypatch, tmp_path):
    """Nothing is written."""
    import main_train
    monkeypatch.setenv('DMLC_ROLE', 'worker')
    monkeypatch.setenv('DMLC_NUM_WORKER', count)
    with pytest.raises(SniperError, match="^default.kvstore is 'device', but .*: add `--set default.kvstore dist_sync"):
        main_train.main(['--cfg', os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml'), '--set',
                         'output_path', str(tmp_path / 'output')])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('kinds', [('dist_sync', 'dist_async'), ('dist_async', 'dist_sync')])
def test_workers_of_different_kvstores_are_told_so(kinds, tmp_path):
    (tmp_path / 'program.py').write_text(KINDS % (kinds,))
    done = run_launcher(sys.executable, str(tmp_path / 'program.py'), str(tmp_path), PYTHONPATH=ROOT)
    told = [json.loads((tmp_path / (f'{index}.json')).read_text()) for index in range(2)]
    for (rank, complaint), kind in zip(told, kinds):
        assert f"do not agree in default.kvstore (here '{kind}')" in complaint, done.stdout.decode()
    assert sorted(rank for rank, _ in told) == [0, 1]


def test_a_wait_in_vain_ends_the_process():
    program = ('import logging, time; logging.basicConfig()\n'
               'from lib.distributed.workers import Watch\n'
               'watch = Watch(0.5)\n'
               'with watch.over("short"): pass\n'
               'with watch.over("the other workers"), watch.over("inner"):\n'
               f'    time.sleep({PATIENCE})')
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, timeout=PATIENCE, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert b'waited 0.5 seconds for the other workers' in done.stderr and b'--resume' in done.stderr


def test_code_has_a_hash_and_boxes_a_number(tmp_path, monkeypatch):
    before = consistency.code_hash()
    assert before == consistency.code_hash()
    monkeypatch.setattr(consistency, 'CODE', consistency.CODE + ('main_test.py',))
    assert consistency.code_hash() != before
    roidb = [{'boxes': np.full((2, 4), 3.0), 'gt_classes': np.ones(2)}]
    other = [{'boxes': np.full((2, 4), 3.5), 'gt_classes': np.ones(2)}]
    assert consistency.boxes_number(roidb) != consistency.boxes_number(other)
    assert 0 <= consistency.boxes_number(roidb) < 2 ** consistency.BITS


def test_alone_there_is_nobody_to_talk_to():
    assert ALONE.gather([1, 2]).tolist() == [[1, 2]] and ALONE.json_from_first({'a': 1}) == {'a': 1}
    with ALONE.waiting():
        ALONE.barrier()
    consistency.check_program(ALONE, make_config(), 1)
