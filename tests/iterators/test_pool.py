"""Pools: answers, failures, killed workers, and that nothing stays behind."""
import os
import signal
import subprocess
import sys
import time

import pytest

from lib.iterators.pool import SerialPool, WorkerPool, make_pool
from lib.utils.errors import SniperError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Arithmetic:
    """Tasks for the tests; importable by the workers."""

    def __init__(self, base):
        if base is None:
            raise SniperError('no base was given')
        self.base = base
        self.current = f'the number {base}'

    def add(self, number):
        return self.base + number

    def nap(self, seconds):
        time.sleep(seconds)
        return seconds

    def fail(self, message):
        raise SniperError(message)

    def crash(self):
        return 1 // 0

    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def modules(self):
        return sorted(name for name in sys.modules if name in ('mxnet', 'sniper_mxnet'))

    def interrupt(self):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        return 'still here'

    def environment(self):
        import cv2
        return os.environ['OMP_NUM_THREADS'], cv2.getNumThreads()


def alive(pid):
    """True if the process exists and is not a zombie."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def gone_within(pids, seconds):
    """True once none of the processes is left."""
    limit = time.time() + seconds
    while any(alive(pid) for pid in pids):
        if time.time() > limit:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope='module')
def workers():
    pool = WorkerPool(Arithmetic, (10,), 2)
    yield pool
    pool.close()


@pytest.fixture(params=['serial', 'workers'])
def pool(request):
    if request.param == 'serial':
        return SerialPool(Arithmetic, (10,))
    return request.getfixturevalue('workers')


def test_every_task_is_answered_with_its_ticket(pool):
    for number in range(50):
        pool.submit(('t', number), 'add', (number,))
    assert dict(pool.get() for _ in range(50)) == {('t', number): 10 + number for number in range(50)}


def test_sniper_error_arrives_as_it_is_and_the_pool_goes_on(pool):
    pool.submit(0, 'fail', ('file x is broken; mend it',))
    with pytest.raises(SniperError, match='^file x is broken; mend it$'):
        pool.get()
    pool.submit(1, 'add', (1,))
    assert pool.get() == (1, 11)


def test_bug_is_one_line_naming_the_item_and_logs_its_traceback(pool, caplog):
    pool.submit(0, 'crash', ())
    with pytest.raises(SniperError) as caught:
        pool.get()
    assert str(caught.value).startswith('data worker failed on the number 10: ZeroDivisionError')
    assert '\n' not in str(caught.value)
    assert 'Traceback' in caplog.text


def test_drain_forgets_everything(pool):
    for number in range(20):
        pool.submit(number, 'nap', (0.005,))
    pool.submit('bad', 'fail', ('forgotten',))
    pool.drain()
    pool.submit('after', 'add', (1,))
    assert pool.get() == ('after', 11)


def test_workers_do_not_load_mxnet_and_are_single_threaded(workers):
    workers.submit(0, 'modules', ())
    assert workers.get() == (0, [])
    workers.submit(0, 'environment', ())
    assert workers.get()[1] == ('1', 1)


def test_workers_leave_signals_to_the_parent(workers):
    workers.submit(0, 'interrupt', ())
    assert workers.get() == (0, 'still here')


@pytest.mark.parametrize('num_workers', [0, 1])
def test_broken_factory_is_an_error_not_a_hang(num_workers):
    pool = make_pool(Arithmetic, (None,), num_workers)
    pool.submit(0, 'add', (1,))
    with pytest.raises(SniperError, match='no base was given'):
        pool.get()
    pool.close()


def test_killed_worker_is_an_error_not_a_hang():
    pool = WorkerPool(Arithmetic, (0,), 2)
    pids = pool.pids
    pool.submit(0, 'die', ())
    for number in range(30):
        pool.submit(number, 'nap', (0.01,))
    with pytest.raises(SniperError, match='data worker {} was killed by signal 9.*NUM_PROCESS'.format('|'.join(
            str(pid) for pid in pids))):
        for _ in range(31):
            pool.get()
    for call in (pool.get, pool.drain, lambda: pool.submit(0, 'add', (1,))):
        with pytest.raises(SniperError, match='killed by signal 9'):
            call()
    pool.close()
    assert gone_within(pids, 5)


def test_idle_worker_killed_is_noticed():
    pool = WorkerPool(Arithmetic, (0,), 1)
    pool.submit(0, 'add', (1,))
    pool.get()
    os.kill(pool.pids[0], signal.SIGKILL)
    with pytest.raises(SniperError, match='killed by signal 9'):
        pool.submit(1, 'add', (1,))
        pool.get()
    pool.close()


def test_failure_of_the_feeding_thread_is_heard():
    pool = WorkerPool(Arithmetic, (0,), 1)
    pool.submit(0, 'add', (lambda: 0,))  # cannot be pickled
    with pytest.raises(SniperError, match='feeding the data workers failed'):
        pool.get()
    pool.close()


def test_close_twice_and_use_after_close():
    pool = WorkerPool(Arithmetic, (0,), 2)
    pids = pool.pids
    pool.submit(0, 'nap', (0.1,))
    pool.close()
    pool.close()
    assert not any(alive(pid) for pid in pids)
    with pytest.raises(SniperError, match='closed'):
        pool.get()


def test_dropped_pool_stops_its_workers():
    pool = WorkerPool(Arithmetic, (0,), 1)
    pids = pool.pids
    del pool
    assert gone_within(pids, 5)


HANGS = 120     # seconds after which a program hangs, however busy the machine is
PROGRAM = '''
import sys, time
from lib.iterators.pool import WorkerPool
from tests.iterators.test_pool import Arithmetic

if __name__ == '__main__':
    pool = WorkerPool(Arithmetic, (0,), 2)
    pool.submit(0, 'add', (1,))
    pool.get()
    pool.submit(1, 'nap', (0.3,))
    print(*pool.pids, flush=True)
    %s
'''


def start_program(tmp_path, ending):
    """A program with two busy workers, in a process group of its own -> (process, pids of its workers)."""
    path = tmp_path / 'program.py'
    path.write_text(PROGRAM % ending)
    process = subprocess.Popen([sys.executable, str(path)], cwd=ROOT, env=dict(os.environ, PYTHONPATH=ROOT),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    return process, [int(word) for word in process.stdout.readline().split()]


@pytest.mark.parametrize('ending, code', [('pass', 0), ('raise SystemExit(3)', 3)])
def test_workers_end_with_the_interpreter(tmp_path, ending, code):
    process, pids = start_program(tmp_path, ending)
    _, errors = process.communicate(timeout=HANGS)
    assert len(pids) == 2 and process.returncode == code and errors == ''
    assert gone_within(pids, 5)


def test_workers_end_when_the_parent_is_killed(tmp_path):
    process, pids = start_program(tmp_path, 'time.sleep(60)')
    process.kill()
    process.communicate(timeout=HANGS)
    assert len(pids) == 2 and gone_within(pids, 5)


def test_ctrl_c_gives_no_worker_tracebacks(tmp_path):
    process, pids = start_program(tmp_path, 'pool.get(); pool.get()')  # the second waits for ever
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: the whole group gets it
    _, errors = process.communicate(timeout=HANGS)
    assert len(pids) == 2 and gone_within(pids, 5)
    assert errors.count('Traceback') == 1 and errors.rstrip().endswith('KeyboardInterrupt'), errors
