"""What must not hang, leak or leave anything behind: lack of memory, killed processes, garbage in mid-epoch."""
import errno
import gc
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lib.iterators import TrainIterator
from lib.utils import shared_memory as shared_arrays
from lib.utils.errors import SniperError
from lib.utils.shared_memory import SharedArray
from tests.iterators.scenes import assert_same_batches, epoch_batches, make_roidb, small_config, snapshot
from tests.iterators.test_pool import HANGS, ROOT, gone_within

PATIENCE = 10  # seconds until an error must be there
PROGRAM = '''
import os, sys, time
from lib.iterators import TrainIterator
from tests.iterators.scenes import make_roidb, small_config

if __name__ == '__main__':
    roidb = make_roidb(sys.argv[1], 6)
    with TrainIterator(roidb, small_config(), 4, num_workers=2) as iterator:
        batches = iterator.start_epoch(0)
        next(iterator)
        print(*iterator.worker_pids, flush=True)
        %s
'''


@pytest.fixture(scope='module')
def roidb(tmp_path_factory):
    return make_roidb(tmp_path_factory.mktemp('images'), 8)


@pytest.fixture
def shm_stays():
    """Fails if the test leaves something of ours in /dev/shm."""
    def listing():
        return {name for name in os.listdir('/dev/shm') if 'sniper' in name or name.startswith('pym')}
    before = listing()
    yield
    assert listing() <= before


def start_program(folder, ending, wrapper=()):
    path = os.path.join(str(folder), 'program.py')
    with open(path, 'w') as stream:
        stream.write(PROGRAM % ending)
    return subprocess.Popen(list(wrapper) + [sys.executable, path, str(folder)], cwd=ROOT, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True, env=dict(os.environ, PYTHONPATH=ROOT))


def test_parent_killed_in_mid_epoch_leaves_nothing(tmp_path, shm_stays):
    process = start_program(tmp_path, 'time.sleep(60)')
    pids = [int(word) for word in process.stdout.readline().split()]
    process.kill()
    process.communicate(timeout=HANGS)
    assert len(pids) == 2 and gone_within(pids, PATIENCE)


def test_worker_killed_in_mid_epoch_is_an_error_in_time(roidb, shm_stays):
    with TrainIterator(roidb, small_config(), 2, num_workers=2) as iterator:
        pids = iterator.worker_pids
        iterator.start_epoch(0)
        next(iterator)
        started = time.monotonic()
        os.kill(pids[0], signal.SIGKILL)
        with pytest.raises(SniperError, match=f'data worker {pids[0]} was killed by signal 9'):
            for epoch in range(3):
                epoch_batches(iterator, epoch)
        assert time.monotonic() - started < PATIENCE
    assert gone_within(pids, PATIENCE)


@pytest.mark.skipif(shutil.which('unshare') is None
                    or subprocess.call(['unshare', '-rm', 'true'], stderr=subprocess.DEVNULL) != 0,
                    reason='needs the right to make a mount namespace')
def test_full_dev_shm_does_no_harm(tmp_path):
    """With a /dev/shm of one page, and that page taken."""
    fill = 'mount -t tmpfs -o size=4k none /dev/shm && head -c 4096 /dev/zero > /dev/shm/full && exec "$@"'
    ending = 'assert os.statvfs("/dev/shm").f_bavail == 0; print(1 + sum(1 for _ in iterator) == batches)'
    process = start_program(tmp_path, ending, ['unshare', '-rm', 'sh', '-c', fill, 'sh'])
    output, errors = process.communicate(timeout=HANGS)
    assert process.returncode == 0, errors
    assert output.splitlines()[-1] == 'True'


def test_too_little_memory_is_one_line(roidb, monkeypatch):
    monkeypatch.setattr(shared_arrays, 'available_memory', lambda: 300000)
    with pytest.raises(SniperError, match=r'^the data need .* MB of shared memory, but 0 MB are free: lower TRAIN'):
        TrainIterator(roidb, small_config(CHIP_SIZE=256), 8, num_workers=0)


def test_memory_refused_by_the_system_is_one_line():
    code = ('import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n'
            'from lib.utils.shared_memory import SharedArray\n'
            'SharedArray((1 << 19,), "u1"); SharedArray((1 << 21,), "u1")')
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, stderr=subprocess.PIPE, text=True,
                          check=False)
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1].startswith(
        'lib.utils.errors.SniperError: memory has no room for the 2 MB that the data need')


def refuse_in(places, monkeypatch):
    """No memfd, and no room in the folders whose file number is the place's in this list."""
    monkeypatch.delattr(os, 'memfd_create', raising=False)
    genuine, calls = os.posix_fallocate, []

    def fallocate(*arguments):
        calls.append(arguments)
        if len(calls) - 1 in places:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        genuine(*arguments)
    monkeypatch.setattr(os, 'posix_fallocate', fallocate)


def test_without_memfd_unnamed_files_serve(roidb, monkeypatch, shm_stays):
    expected = batches_of(roidb, 0)
    refuse_in((), monkeypatch)
    assert_same_batches(batches_of(roidb, 2), expected)


def test_without_memfd_a_full_folder_is_passed_over(monkeypatch, caplog, shm_stays):
    refuse_in((0,), monkeypatch)
    assert SharedArray((10,), np.float32).view().sum() == 0
    assert '/dev/shm has no room for the' in caplog.text
    refuse_in((0, 1), monkeypatch)
    with pytest.raises(SniperError, match='has no room'):
        SharedArray((10,), np.float32)


def batches_of(roidb, workers, **train):
    with TrainIterator(roidb, small_config(**train), 4, num_workers=workers) as iterator:
        return epoch_batches(iterator, 0)


@pytest.mark.parametrize('workers', [1, 4])
def test_batches_do_not_depend_on_workers(roidb, workers):
    """Large batches, so that chips share files; a scale of 0.2, so that files are decoded at reduced size."""
    settings = dict(SCALES=[1.5, 20.0], VALID_RANGES=[(-1, 40), (20, -1)], COLOR_JITTER=0.1, REDUCED_DECODE=True)
    with TrainIterator(roidb, small_config(**settings), 24, num_workers=0) as iterator:
        expected = epoch_batches(iterator, 0)
    with TrainIterator(roidb, small_config(**settings), 24, num_workers=workers) as iterator:
        assert_same_batches(epoch_batches(iterator, 0), expected)


@pytest.mark.parametrize('workers', [0, 2])
def test_garbage_in_mid_epoch_is_a_counted_skip(tmp_path, workers, caplog):
    roidb = make_roidb(tmp_path, 6)
    with TrainIterator(roidb, small_config(), 2, num_workers=workers) as iterator:
        batches = iterator.start_epoch(0)
        next(iterator)
        started = time.monotonic()
        for name, content in ((0, b'garbage' * 1000), (2, b''), (3, b'\xff\xd8\xff\xd9')):
            with open(roidb[name]['image'], 'wb') as stream:
                stream.write(content)
        for epoch in (0, 1):
            rest = [snapshot(batch) for batch in iterator]
            assert len(rest) == batches - (epoch == 0)
            replaced = iterator.epoch_stats['replaced_samples']
            batches = iterator.start_epoch(1)
        assert replaced > 0 and time.monotonic() - started < PATIENCE
    assert 'image000.jpg is damaged or not an image' in caplog.text


def test_memory_and_files_are_given_back(roidb):
    def held():
        gc.collect()
        return len(os.listdir('/proc/self/fd')), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batches_of(roidb, 1)
    before = held()
    for _ in range(5):
        batches_of(roidb, 1, CHIP_SIZE=128)
    files, peak = held()
    assert files <= before[0] and peak - before[1] < 30000  # kB
