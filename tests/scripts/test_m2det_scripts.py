"""scripts/m2det/*.sh: their arguments, what they pass on, a run that is alive, and each of them on a tiny data set."""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib.dataset.synthetic import generate
from tests.conftest import ROOT
from tests.scripts.linked_clone import LinkedClone
from tests.scripts.test_scripts import Copy, check_plain_error, write_program
from tests.tasks.test_m2det_programs import SMALL
from tests.weights.conversion.m2det_sources import m2det_arrays
from tests.weights.conversion.test_m2det import torch_file

pytestmark = pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')

COUNTS = {'run_standalone_train': 3, 'run_distributed_train': 4, 'run_distributed_train_gpu': 4, 'run_eval': 3,
          'run_export': 2, 'convert_vgg': 1, 'make': 0}
TINY = ['--cfg', 'configs/m2det/m2det_tiny.yml', '--set'] + [word for pair in dict(
    SMALL, **{'M2DET.backbone': 'vgg16', 'TRAIN.MAX_BATCHES': '1', 'TRAIN.end_epoch': '1', 'TEST.TEST_EPOCH': '1',
              'TRAIN.NUM_PROCESS': '0', 'dataset.root_path': '.', 'output_path': 'out put'}
).items() if pair[0] != 'gpus' for word in pair]
# Four GPUs are seen; the programs print what they are given, and wait where a file says so.
PRETENDED = f'''#!/bin/bash
case "$*" in
*gpu_count*) echo 4 ;;
*fcntl*) exec "{sys.executable}" "$@" ;;
"-m configs"*) exit 0 ;;
*launch.py*) printf '<%s>' "$@"; shift 5; DMLC_TASK_ID=1 exec "$@" ;;
*) printf '<%s>' "$@"; echo " sees $CUDA_VISIBLE_DEVICES"; while [ -e wait ]; do sleep 0.02; done ;;
esac
'''


class Caller:
    """Somebody in another folder than the repository, who names files there."""

    def __init__(self, folder):
        self.clone = LinkedClone(folder)
        self.folder = folder / "the caller's"
        (self.folder / 'data').mkdir(parents=True)
        for name in ('base-0000.params', 'SNIPER-0160.params', 'raw.pth'):
            (self.folder / name).write_text('')

    def start(self, script, *words, **variables):
        command = ['bash', str(self.clone.root / 'scripts' / 'm2det' / (script + '.sh'))] + list(words)
        return subprocess.Popen(command, env=dict(os.environ, OMP_NUM_THREADS='1', **variables), cwd=str(self.folder),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)

    def run(self, script, *words, **variables):
        """-> (status, standard output, standard error)."""
        process = self.start(script, *words, **variables)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def log(self, name):
        """What the program in the background has printed, when it has ended."""
        with open(str(self.clone.root / 'logs' / (name + '.pid')), 'a') as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
        return (self.clone.root / 'logs' / (name + '.log')).read_text()


@pytest.fixture
def caller(tmp_path):
    made = Caller(tmp_path)
    made.clone.python(PRETENDED)
    return made


@pytest.mark.parametrize('script, count', sorted(COUNTS.items()))
def test_another_number_of_arguments(script, count):
    path = os.path.join(ROOT, 'scripts', 'm2det', script + '.sh')
    fewer = [['x'] * (count - 1), ['x'] * (count - 1) + ['--set', 'gpus', 'cpu']] if count else [['--set']]
    for words in [['x'] * (count + 1)] + fewer:
        done = subprocess.run(['bash', path] + words, capture_output=True, text=True)
        line, = done.stderr.splitlines()
        assert done.returncode == 1 and not done.stdout
        assert line.startswith(f'usage: bash scripts/m2det/{script.replace("_gpu", "")}.sh')


@pytest.mark.parametrize('script, words, part', [
    ('run_standalone_train', ['0', 'absent.params', 'data'], "BACKBONE_CKPT is 'absent.params', and there is no such"),
    ('run_standalone_train', ['0', 'raw.pth', 'data'], 'bash scripts/m2det/convert_vgg.sh raw.pth'),
    ('run_standalone_train', ['first', 'none', 'data'], "DEVICE_ID is 'first'"),
    ('run_standalone_train', ['4', 'none', 'data'], 'GPU 4 is wanted, but MXNet sees 4 here'),
    ('run_standalone_train', ['0', 'none', 'data', '--cfg'], '--cfg wants a file'),
    ('run_distributed_train', ['0', '0', 'none', 'data'], "RANK_SIZE is '0'"),
    ('run_distributed_train', ['3', '2', 'none', 'data'], 'GPU 4 is wanted'),
    ('run_eval', ['0', 'SNIPER-0160.params', 'nowhere'], "DATASET is 'nowhere'"),
    ('run_eval', ['0', 'data', 'data'], "CKPT is 'data', and there is no such file"),
    ('run_export', ['0', os.path.join(ROOT, 'README.md')], 'it wants a file of parameters'),
    ('convert_vgg', ['absent.pth'], "PTH is 'absent.pth'")])
def test_mistakes_are_told_before_anything_starts(caller, script, words, part):
    check_plain_error(caller.run(script, *words), part)
    assert not (caller.clone.root / 'logs').exists()


def test_no_environment(caller):
    shutil.rmtree(str(caller.clone.root / '.venv'))
    check_plain_error(caller.run('run_standalone_train', '0', 'none', 'data'), 'run: bash scripts/setup.sh')


def test_a_wrong_key_is_told_before_anything_starts(caller):
    caller.clone.python(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    check_plain_error(caller.run('run_eval', 'cpu', 'SNIPER-0160.params', 'data', '--set', 'TEST.NMSS', '1'),
                      'TEST.NMSS')


def test_what_the_programs_are_given(caller):
    """Files are the caller's; a worker of the distributed training sees its GPU, of those that the caller sees."""
    (caller.folder / 'my.yml').write_text('')
    place = str(caller.folder)
    assert caller.run('run_standalone_train', '3', 'base', 'data', '--resume', '--set', 'a', 'b')[0] == 0
    assert caller.log('train') == (
        '<main_train.py><--cfg><configs/m2det/m2det512_vgg16_port.yml><--resume><--set><gpus><3><network.pretrained>'
        f'<{place}/base><network.pretrained_epoch><0><dataset.dataset_path><{place}/data><a><b> sees \n')
    assert caller.run('run_distributed_train_gpu', '2', '1', 'none', 'data', CUDA_VISIBLE_DEVICES='4,5,7')[0] == 0
    log = caller.log('train')
    assert log.startswith('<scripts/launch.py><-n><2><-s><2><bash><-c>') and log.endswith(' sees 7\n')
    assert "<gpus><0><network.pretrained><''>" in log and '<default.kvstore><dist_sync>' in log
    status, out, _ = caller.run('run_eval', 'cpu', 'SNIPER-0160.params', 'data', '--cfg=my.yml', LOGS='my logs')
    text = (caller.folder / 'my logs' / 'eval.log').read_text()
    assert status == 0 and text in out and text == (
        f'<main_test.py><--cfg><{place}/my.yml><--save_prefix><{place}/SNIPER><--set><gpus><cpu><TEST.TEST_EPOCH><160>'
        f'<dataset.dataset_path><{place}/data> sees \n')


def test_numbers_mean_the_cpu_where_there_is_no_gpu(caller):
    caller.clone.python(PRETENDED.replace('echo 4', 'echo 0'))
    status, out, _ = caller.run('run_distributed_train', '2', '0', 'none', 'data')
    assert status == 0 and out.splitlines()[:2] == ['MXNet sees no GPU here: DEVICE_START 0 means the CPU',
                                                    '2 worker processes on the CPU, which share its cores']
    log = caller.log('train')
    assert log.startswith('<scripts/launch.py><-n><2><-s><1><') and '<--set><gpus><cpu>' in log


def test_a_training_that_is_alive_keeps_its_log(caller):
    wait = caller.clone.root / 'wait'
    wait.write_text('')
    first = caller.start('run_standalone_train', '0', 'none', 'data')
    number = first.stdout.readline().split()[-1]
    log = caller.clone.root / 'logs' / 'train.log'
    while not log.exists() or '<gpus>' not in log.read_text():  # the script speaks before its child opens the file
        time.sleep(0.02)
    for script, words in (('run_distributed_train', ['2', '0']), ('run_standalone_train', ['1'])):
        check_plain_error(caller.run(script, *words, 'none', 'data'), 'still runs', f'(kill {number})', 'LOGS=DIR')
    assert '<gpus><0>' in log.read_text()
    wait.unlink()
    out, _ = first.communicate(timeout=20)
    assert first.returncode == 0 and 'the training is done' in out
    assert caller.run('run_standalone_train', '1', 'none', 'data')[0] == 0 and '<gpus><1>' in caller.log('train')


def test_a_program_that_fails_at_once(caller):
    caller.clone.python(PRETENDED.replace('echo " sees', 'echo; echo "error: no room"; exit 3; echo "'))
    result = caller.run('run_standalone_train', '0', 'none', 'data')
    check_plain_error(result, 'the training ended with status 3', 'train.log')
    assert 'error: no room' in result[2]


def test_make_sets_up(tmp_path):
    clone = Copy(tmp_path)
    write_program(clone.root / 'scripts' / 'setup.sh', '#!/bin/sh\necho "set up $*"\n')
    assert clone.run('m2det/make.sh') == (0, 'set up \n', '')


def test_from_a_file_of_pytorch_to_a_tested_export(tmp_path):
    caller = Caller(tmp_path)
    data, output = caller.folder / 'data', caller.clone.root / 'out put' / 'm2det_tiny' / 'train'
    generate(str(data), counts={'train': 4, 'val': 2, 'test-dev': 1}, processes=1)
    torch_file(Path(str(caller.folder / 'my base.pth')), m2det_arrays(M2DET__num_levels=2, M2DET__num_scales=3))

    status, out, err = caller.run('convert_vgg', 'my base.pth')
    assert status == 0 and 'largest difference' in err and 'run_standalone_train.sh' in out, err

    assert caller.run('run_standalone_train', 'cpu', 'my base-0000.params', 'data', *TINY)[0] == 0
    log = caller.log('train')
    assert 'Trained to epoch 1' in log and f'network.pretrained {caller.folder}/my base' in log, log
    checkpoint = str(output / 'SNIPER-0001.params')

    status, out, err = caller.run('run_export', 'cpu', checkpoint, '--variant', 'test', *TINY)
    assert status == 0 and 'run_eval.sh cpu' in out, err
    assert caller.run('run_eval', 'cpu', str(output / 'SNIPER-0001-0000.params'), 'data', *TINY)[0] == 0
    log = caller.log('eval')
    assert 'optimised, in fp32' in log and 'Average Precision' in log, log
    assert re.search(r' [1-9]\d* detections of 2 images written', log), log


def test_two_workers(tmp_path):
    caller = Caller(tmp_path)
    generate(str(caller.folder / 'data'), counts={'train': 4, 'val': 1, 'test-dev': 1}, processes=1)
    status, out, err = caller.run('run_distributed_train_gpu', '2', 'cpu', 'none', 'data', *TINY)
    assert status == 0 and '2 worker processes on the CPU, which share its cores' in out, err
    log = caller.log('train')
    assert '2 workers and 1 servers' in log and 'Trained to epoch 1' in log, log
