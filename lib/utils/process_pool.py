"""One function on many things, in several processes, with results in order."""
import collections
import concurrent.futures
import logging
import multiprocessing
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, Deque, Iterable, Iterator, List, Tuple

logger = logging.getLogger(__name__)

_AHEAD = 4              # tasks a process that are on their way or wait to be taken
_kept: List[Any] = []   # of a worker process: the function and what it shares, sent once and not with every task


def in_order(function: Callable, tasks: Iterable, processes: int, what: str, shared: Tuple = ()) -> Iterator:
    """function(task, *shared) of one task after another, by so many processes; with 1 in this one.

    function: of a module, as it is looked up there by its name. A few tasks are ahead of what is taken, not all. Where
    processes are not available, a warning says so, and `what` ('sizes are read') happens in this process.
    """
    if processes < 2:
        for task in tasks:
            yield function(task, *shared)
        return
    workers = _Workers(function, processes, what, shared)
    try:
        waiting: Deque[Tuple[Any, Any]] = collections.deque()
        for task in tasks:
            waiting.append((task, workers.submitted(task)))
            if len(waiting) >= _AHEAD * processes:
                yield workers.result(*waiting.popleft())
        while waiting:
            yield workers.result(*waiting.popleft())
    finally:
        workers.close()


class _Workers:
    """A pool of processes, or this process where there is none, or no more."""

    def __init__(self, function, processes, what, shared):
        self._function, self._shared, self._what = function, shared, what
        self._pool, self._told = None, False
        try:
            self._pool = concurrent.futures.ProcessPoolExecutor(processes, multiprocessing.get_context('spawn'), _keep,
                                                                (function, *shared))
        except OSError as error:    # no shared semaphores, as in some containers
            self._tell(error)

    def submitted(self, task):
        """A future, or None if `result` is to do it."""
        try:
            return self._pool.submit(_run, task) if self._pool else None
        except (OSError, BrokenProcessPool) as error:   # processes are started by the first tasks
            return self._tell(error)

    def result(self, task, future):
        try:
            if future is not None:
                return future.result()
        except BrokenProcessPool as error:  # killed, or a main module that cannot be imported again
            self._tell(error)
        return self._function(task, *self._shared)

    def close(self):
        if self._pool:
            self._pool.shutdown()

    def _tell(self, error):
        if not self._told:
            logger.warning('worker processes are not available (%s): %s in one process', error, self._what)
        self._told = True


def _keep(*kept):
    _kept[:] = kept


def _run(task):
    function, *shared = _kept
    return function(task, *shared)
