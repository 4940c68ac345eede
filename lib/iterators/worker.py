"""A worker process: how it is started, and the loop over tasks from the parent that runs in it.

Tasks are method calls on one object built once per process. Answers are (ticket, value).
A worker ends when the parent closes the connection or dies; Ctrl-C, SIGTERM and SIGHUP concern
the parent alone, which may still want to finish a batch before it stops its workers.
"""
import multiprocessing
import traceback

import cv2

from lib.utils.errors import SniperError
from lib.utils.processes import STOP_SIGNALS, environment, leave_signals, signals_held_back

_CHILD_ENVIRONMENT = {name: '1' for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')}


class TaskFailure:
    """A task that raised: one line for the user, and for a bug (not a SniperError) its traceback."""

    def __init__(self, message, details=''):
        self.message = message
        self.details = details


class Tasks:
    """`factory(*arguments)` and calls of its methods, with exceptions as TaskFailure values."""

    def __init__(self, factory, arguments):
        self._target = None
        self._broken = None
        try:
            self._target = factory(*arguments)
        except Exception as error:  # the answer to every task
            self._broken = _describe(error, None)

    def call(self, method: str, arguments: tuple):
        """Value of `method(*arguments)`, or a TaskFailure."""
        if self._broken is not None:
            return self._broken
        try:
            return getattr(self._target, method)(*arguments)
        except Exception as error:  # reported to the user by the parent, with its traceback
            return _describe(error, getattr(self._target, 'current', None))


def _describe(error, item):
    """The exception being handled as a TaskFailure; `item` is what was being worked on."""
    if isinstance(error, SniperError):
        return TaskFailure(str(error))
    return TaskFailure(f'data worker failed{f" on {item}" if item else ""}: {type(error).__name__}: {error}',
                       traceback.format_exc())


def run_worker(connection, factory, arguments: tuple) -> None:
    """Body of a worker process: serve (ticket, method, arguments) on `factory(*arguments)`."""
    leave_signals(*STOP_SIGNALS)
    cv2.setNumThreads(0)  # parallelism is one process a core
    tasks = Tasks(factory, arguments)
    try:
        while True:
            ticket, method, task_arguments = connection.recv()
            connection.send((ticket, tasks.call(method, task_arguments)))
    except (EOFError, OSError):
        return  # the parent closed the connection, or is gone


def start_workers(factory, arguments: tuple, num_workers: int) -> tuple:
    """Spawn the workers -> (connections, processes)."""
    context = multiprocessing.get_context('spawn')
    connections, processes = [], []
    try:
        with signals_held_back(), environment(**_CHILD_ENVIRONMENT):
            for number in range(num_workers):
                ours, theirs = context.Pipe()
                connections.append(ours)
                process = context.Process(target=run_worker, args=(theirs, factory, arguments),
                                          name=f'sniper-data-{number}', daemon=True)
                process.start()
                processes.append(process)
                theirs.close()  # so that the worker's death closes the connection
    except BaseException:
        for connection in connections:
            connection.close()
        for process in processes:
            process.kill()
        raise
    return connections, processes
