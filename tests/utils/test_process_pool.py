"""One function on many things: in order, in processes, and where there are none."""
import concurrent.futures
import operator
import os
from concurrent.futures.process import BrokenProcessPool

import pytest

from lib.utils.process_pool import in_order

EXPECTED = [3 * number for number in range(20)]


def tripled(processes=2):
    return list(in_order(operator.mul, iter(range(20)), processes, 'numbers are tripled', (3,)))


def test_results_come_in_order(caplog):
    assert tripled(1) == tripled(2) == EXPECTED and not caplog.messages


def test_an_error_of_the_function_is_the_callers(caplog):
    results = in_order(os.stat, ['/', '/is not there'], 2, 'files are looked at')
    assert next(results).st_size >= 0
    with pytest.raises(FileNotFoundError):
        next(results)
    assert not caplog.messages


def no_semaphores(*_):
    raise OSError('no shared semaphores')


class Dying:
    """A pool whose processes die after some tasks."""

    def __init__(self, *_):
        self.count = 0

    def submit(self, run, task):
        self.count += 1
        if self.count > 9:
            raise BrokenProcessPool('it is broken')
        future = concurrent.futures.Future()
        if self.count > 5:
            future.set_exception(BrokenProcessPool('killed'))
        else:
            future.set_result(3 * task)
        return future

    def shutdown(self):
        self.count = -1


@pytest.mark.parametrize('pool, reason', [(no_semaphores, 'no shared semaphores'), (Dying, 'it is broken')])
def test_without_processes_it_goes_on_in_this_one(pool, reason, monkeypatch, caplog):
    monkeypatch.setattr(concurrent.futures, 'ProcessPoolExecutor', pool)
    assert tripled() == EXPECTED
    assert caplog.messages == [f'worker processes are not available ({reason}): numbers are tripled in one process']
