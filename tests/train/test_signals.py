"""SIGINT, SIGTERM and SIGHUP during training: the first asks, a second one of the first two ends the process."""
import os
import signal
import subprocess
import sys

import pytest

from lib.train.signals import StopRequest
from tests.conftest import ROOT

TWICE = '''
import os, signal
from lib.train.signals import StopRequest
with StopRequest() as stop:
    os.kill(os.getpid(), signal.{0})
    print(stop.requested, stop.exit_status, flush=True)
    os.kill(os.getpid(), signal.{1})
    print('not reached', flush=True)
'''


@pytest.mark.parametrize('number, status', [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_first_signal_asks_and_handlers_come_back(number, status):
    before = [signal.getsignal(each) for each in StopRequest.SIGNALS]
    with StopRequest() as stop:
        assert stop.requested == 0 and stop.exit_status == 0
        os.kill(os.getpid(), number)
        assert stop.requested == number and stop.exit_status == status
    assert [signal.getsignal(each) for each in StopRequest.SIGNALS] == before


@pytest.mark.parametrize('first, second', [('SIGINT', 'SIGINT'), ('SIGTERM', 'SIGINT'),
                                           ('SIGHUP', 'SIGTERM')])
def test_second_signal_ends_the_process(first, second):
    process = subprocess.run([sys.executable, '-c', TWICE.format(first, second)], cwd=ROOT, stdout=subprocess.PIPE,
                             text=True)
    number = getattr(signal, first)
    assert process.stdout == f'{number} {128 + number}\n'
    assert process.returncode == -getattr(signal, second)


@pytest.mark.parametrize('first', ['SIGHUP', 'SIGTERM', 'SIGINT'])
def test_a_terminal_that_closes_twice_does_not_insist(first):
    process = subprocess.run([sys.executable, '-c', TWICE.format(first, 'SIGHUP')], cwd=ROOT, stdout=subprocess.PIPE,
                             text=True)
    assert process.returncode == 0 and process.stdout.endswith('not reached\n')


@pytest.mark.parametrize('number', StopRequest.SIGNALS)
def test_what_is_ignored_stays_so(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), number)
            assert not stop.requested and signal.getsignal(number) == signal.SIG_IGN
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)
