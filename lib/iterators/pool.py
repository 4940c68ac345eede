"""Pools that run tasks: in worker processes, or in this process, behind one interface.

    submit(ticket, method, arguments)   queue a call on the pool's object
    get() -> (ticket, value)            the next answer, in any order; raises SniperError
    drain()                             forget what was submitted
    close()                             stop; may be called twice

Each worker has its own connection, so a worker that is killed holds no lock that others wait for:
its connection closes, and get() raises. A thread of the parent keeps the workers fed while the
main thread trains.

Ours rather than concurrent.futures.ProcessPoolExecutor: that takes 2.4 to 3.4 times as long a task (154 to 332 us
against 65 to 97, two workers, two busy cores) and 2 to 3 times the parent's processor time, and when a worker is killed
it says neither which one nor by what signal, and can neither forget tasks nor wait for those in work.
"""
import collections
import logging
import multiprocessing
import queue
import threading
from multiprocessing import util
from multiprocessing.connection import wait
from typing import List, Union

from lib.iterators.worker import TaskFailure, Tasks, start_workers
from lib.utils.errors import SniperError
from lib.utils.processes import how_it_ended

logger = logging.getLogger(__name__)

_TASKS_AHEAD = 2  # per worker: one in work, one waiting in its connection
_STOP_SECONDS = 5.0  # patience with a worker that finishes its task, before it is killed


def make_pool(factory, arguments: tuple, num_workers: int) -> 'Union[SerialPool, WorkerPool]':
    """Pool over `factory(*arguments)`: `num_workers` processes, or this process if 0."""
    if num_workers > 0:
        return WorkerPool(factory, arguments, num_workers)
    return SerialPool(factory, arguments)


def _checked(ticket, value):
    """(ticket, value), unless the value is a failure: then SniperError."""
    if isinstance(value, TaskFailure):
        if value.details:
            logger.error('%s', value.details)
        raise SniperError(value.message)
    return ticket, value


class SerialPool:
    """Runs tasks one by one inside get()."""

    pids = ()  # no process but this one

    def __init__(self, factory, arguments):
        self._tasks = Tasks(factory, arguments)
        self._pending = collections.deque()

    def submit(self, ticket, method: str, arguments: tuple) -> None:
        """Queue `method(*arguments)`."""
        self._pending.append((ticket, method, arguments))

    def get(self) -> tuple:
        """Run the oldest task -> (ticket, value). SniperError if it raised."""
        ticket, method, arguments = self._pending.popleft()
        return _checked(ticket, self._tasks.call(method, arguments))

    def drain(self) -> None:
        """Forget queued tasks."""
        self._pending.clear()

    def close(self) -> None:
        """Nothing to stop; forgets queued tasks."""
        self._pending.clear()


class WorkerPool:
    """Runs tasks in `num_workers` spawned processes; `factory` must be importable by name."""

    def __init__(self, factory, arguments, num_workers):
        self._outstanding = 0
        self._failure = None
        connections, processes = start_workers(factory, arguments, num_workers)
        self._dispatcher = _Dispatcher(connections, processes)
        # Runs at garbage collection and at exit, before multiprocessing joins its children.
        self._stop = util.Finalize(self, _Dispatcher.stop, args=(self._dispatcher,), exitpriority=10)

    @property
    def pids(self) -> List[int]:
        """Process ids of the workers."""
        return [process.pid for process in self._dispatcher.processes]

    def submit(self, ticket, method: str, arguments: tuple) -> None:
        """Queue `method(*arguments)` for the next free worker; `ticket` comes back with the answer."""
        self._check_open()
        self._outstanding += 1
        self._dispatcher.submit((ticket, method, arguments))

    def get(self) -> tuple:
        """Wait for the next answer -> (ticket, value). SniperError if a task raised or a worker died."""
        self._check_open()
        ticket, value = self._dispatcher.results.get()
        if ticket is _POOL_BROKEN:
            self._failure = value
            raise SniperError(value)
        self._outstanding -= 1
        return _checked(ticket, value)

    def _check_open(self):
        if self._failure is not None:
            raise SniperError(self._failure)

    def drain(self) -> None:
        """Forget queued tasks and wait for those in work: afterwards no worker writes anywhere."""
        self._check_open()
        self._outstanding -= self._dispatcher.forget()
        while self._outstanding:
            try:
                self.get()
            except SniperError:
                if self._failure is not None:
                    raise

    def close(self) -> None:
        """End thread and workers."""
        self._stop()
        self._failure = self._failure or 'the data workers were closed'


_POOL_BROKEN = object()  # ticket of the answer that says no more answers will come


class _Dispatcher:
    """Gives pending tasks to the least loaded workers and collects their answers, in its own thread."""

    def __init__(self, connections, processes):
        self.processes = processes
        self.results = queue.Queue()
        self._connections = connections
        self._load = dict.fromkeys(connections, 0)
        self._pending = collections.deque()
        self._lock = threading.Lock()
        self._stopping = False
        self._wake_reader, self._wake_writer = multiprocessing.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._run, name='sniper-data', daemon=True)
        self._thread.start()

    def submit(self, task) -> None:
        """Queue (ticket, method, arguments)."""
        with self._lock:
            self._pending.append(task)
            wake = len(self._pending) == 1
        if wake:  # otherwise the thread has not yet taken the earlier ones and will look again
            self._wake_writer.send_bytes(b'.')

    def forget(self) -> int:
        """Drop tasks not yet given to a worker -> how many."""
        with self._lock:
            count = len(self._pending)
            self._pending.clear()
        return count

    def stop(self) -> None:
        """End the thread and the workers. The workers end when their connection closes."""
        self._stopping = True
        self._wake_writer.send_bytes(b'.')
        self._thread.join()
        for connection in self._connections:
            connection.close()
        for process in self.processes:
            process.join(_STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
        self._wake_reader.close()
        self._wake_writer.close()

    def _run(self):
        try:
            while not self._stopping:
                self._hand_out()
                for ready in wait(self._connections + [self._wake_reader]):
                    if ready is self._wake_reader:
                        ready.recv_bytes()
                    else:
                        self._collect(ready)
        except SniperError as error:
            self.results.put((_POOL_BROKEN, str(error)))
        except Exception as error:  # the main thread must hear of it, or it would wait for ever
            logger.exception('the thread that feeds the data workers failed')
            self.results.put((_POOL_BROKEN, f'feeding the data workers failed: {error}'))

    def _hand_out(self):
        while True:
            worker = min(self._connections, key=self._load.get)
            if self._load[worker] >= _TASKS_AHEAD:
                return
            with self._lock:
                if not self._pending:
                    return
                task = self._pending.popleft()
            try:
                worker.send(task)
            except OSError:
                raise SniperError(self._cause_of_death(worker))
            self._load[worker] += 1

    def _collect(self, worker):
        try:
            answer = worker.recv()
        except (EOFError, OSError):
            raise SniperError(self._cause_of_death(worker))
        self._load[worker] -= 1
        self.results.put(answer)

    def _cause_of_death(self, worker):
        """Why a worker is gone and what to do, in one line."""
        process = self.processes[self._connections.index(worker)]
        process.join(_STOP_SECONDS)
        return (f'data worker {process.pid} {how_it_ended(process.exitcode)}; start again with fewer workers '
                '(TRAIN.NUM_PROCESS, TEST.NUM_PROCESS), or 0 to work in the main process')
