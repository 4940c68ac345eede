"""Whatever ends a training, MXNet's threads have ended their work on it before it is let go."""
import contextlib
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

RUNS = 50
PATIENCE = 300  # seconds for what takes twenty on two busy cores


@contextlib.contextmanager
def busy_cores(count=2):
    """So many processes that compute all the time."""
    loads = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(count)]
    try:
        yield
    finally:
        for load in loads:
            load.kill()
            load.wait()


def test_killed_runs_leave_nothing_behind(tmp_path):
    """Without a wait for the engine, the process dies of SIGSEGV or SIGFPE, or libgomp gives up."""
    with busy_cores():
        done = subprocess.run([sys.executable, '-X', 'faulthandler', '-m', 'tests.train.killed_runs', str(tmp_path),
                               str(RUNS)], cwd=ROOT, env=dict(os.environ, OMP_NUM_THREADS='2'), timeout=PATIENCE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()[-3000:]


@pytest.fixture
def failing_wait(monkeypatch):
    """MXNet with an operation that has failed."""
    from sniper_mxnet import mx

    def fail():
        raise mx.MXNetError('Traceback\noperator broken: no such thing')
    monkeypatch.setattr(mx.nd, 'waitall', fail)


def test_failed_operations_are_logged_and_hide_nothing(failing_wait, caplog):
    from lib.engine.devices import waiting_for_engine
    with pytest.raises(KeyError), waiting_for_engine():
        raise KeyError('the first error')
    assert 'operator broken: no such thing' in caplog.text


def test_a_wait_has_an_end_where_others_may_have_died(monkeypatch, caplog):
    import threading

    from lib.engine.devices import wait_for_engine
    from sniper_mxnet import mx
    forever, kept = threading.Event(), object()
    monkeypatch.setattr(mx.nd, 'waitall', forever.wait)
    before = sys.getrefcount(kept)
    wait_for_engine(kept, seconds=0.05)
    assert sys.getrefcount(kept) == before + 1 and 'has not ended' in caplog.text
    forever.set()
