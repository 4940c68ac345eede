"""What all child processes share: how many to start, their environment, their signals, and how they ended."""
import contextlib
import logging
import math
import os
import resource
import signal
import sys
from multiprocessing import resource_tracker
from typing import Optional

from lib.utils.control_groups import cpu_quota, group_folders, memory_left

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AUTO_LIMIT = 32  # this many workers make more chips than a machine full of GPUs trains on; more only cost memory
_AUTO_MIN_SAMPLES = 16  # below this, starting a process takes longer than the work
_WORKER_MEMORY = 200 << 20  # bytes: measured are 50 MB with the libraries, and 6 a pixel of a picture in work


def num_cores() -> int:
    """Cores this process may use: `granted_cores`, or what Slurm gave the task if that is fewer."""
    of_task = os.environ.get('SLURM_CPUS_PER_TASK', '')
    return max(1, min(granted_cores(), int(of_task) if of_task.isdecimal() else granted_cores()))


def granted_cores() -> int:
    """Cores this process is bound to, or what a quota of its control groups (a container) grants, rounded up, if that
    is fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    quota = cpu_quota(group_folders('cpu'))
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def limit_threads(parts: int = 1) -> None:
    """Give each of `parts` that compute side by side its share of the cores, unless OMP_NUM_THREADS says otherwise.

    To be called before MXNet is loaded, which takes all cores of the machine by itself.
    """
    if not os.environ.get('OMP_NUM_THREADS'):
        os.environ['OMP_NUM_THREADS'] = str(max(1, num_cores() // max(1, parts)))


def resolve_workers(setting, num_samples: int):
    """NUM_PROCESS setting ('auto' or a number) -> number of worker processes; 0 means in-process.

    'auto': one per core, at most 32 and as many as fit into half of the free memory, none for a handful of samples. A
    number is capped to the cores.
    """
    cores = num_cores()
    if setting == 'auto':
        free = available_memory()
        fitting = _AUTO_LIMIT if free is None else max(1, free // (2 * _WORKER_MEMORY))
        return int(min(cores, _AUTO_LIMIT, fitting)) if num_samples >= _AUTO_MIN_SAMPLES else 0
    count = max(0, int(setting))
    if count > cores:
        logger.info('NUM_PROCESS %d is more than the %d cores that this process may use: starting %d workers', count,
                    cores, cores)
        return cores
    return count


def available_memory() -> Optional[int]:
    """Bytes that this process and its children may still take, None if the system does not say.

    The smaller of what the machine has left and what the memory limits of the control groups (a container) leave.
    """
    left = [value for value in (_machine_memory(), memory_left(group_folders('memory'))) if value is not None]
    return max(0, min(left)) if left else None


def peak_memory() -> int:
    """Most bytes of main memory that this process held at a time so far; its children do not count."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024


def _machine_memory():
    """MemAvailable of Linux, else the pages that are free."""
    try:
        with open('/proc/meminfo') as file:
            for line in file:
                if line.startswith('MemAvailable:'):
                    return int(line.split()[1]) * 1024
        return os.sysconf('SC_AVPHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def environment(**values):
    """Environment variables for the processes that start inside the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def signals_held_back():
    """Processes that start inside the block get no signal of STOP_SIGNALS before they have called `leave_signals`.

    What this process gets meanwhile comes afterwards.
    """
    resource_tracker.ensure_running()  # its start would let SIGTERM through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_signals(*ignored: int) -> None:
    """In a process that `signals_held_back` started: ignore these from now on, and let the others through.

    A terminal sends its signals to all processes of a program, and so do batch systems: they concern the parent, which
    may still want to finish a batch before it stops its workers.
    """
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def how_it_ended(exitcode: Optional[int]) -> str:
    """multiprocessing's exit code of an ended process -> 'was killed by signal 15' or 'ended with exit status 1'."""
    if exitcode is not None and exitcode < 0:
        return f'was killed by signal {-exitcode}{" (often: out of memory)" if -exitcode == signal.SIGKILL else ""}'
    return f'ended with exit status {exitcode}'
