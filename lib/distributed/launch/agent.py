"""Runs one process of a distributed run on its machine, and ends it when the launcher is gone.

    python lib/distributed/launch/agent.py --role worker --folder DIR [--watch] [--set NAME=VALUE ...] -- command ...

Run by its path, with Python's standard library alone, as nothing else is known of the machine. Exit status: that of the
process, 128 + N if signal N ended it.

Being gone shows by standard input (--watch), which the launcher or the ssh connection holds open, or by a signal. The
process then gets SIGTERM, and `--grace` seconds later it and all that it started are killed. A launcher that is still
there may write another number of seconds before it closes standard input.
"""
import argparse
import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Dict, List, Optional, Tuple

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..', '..'))
sys.path.insert(0, ROOT)
from lib.utils.processes import granted_cores, num_cores  # noqa: E402  that needs Python's standard library alone

RANK_NAMES = ('OMPI_COMM_WORLD_RANK', 'PMIX_RANK', 'PMI_RANK', 'SLURM_PROCID')  # Open MPI, PMIx, MPICH, Slurm
LOCAL_SIZE_NAMES = ('OMPI_COMM_WORLD_LOCAL_SIZE', 'MPI_LOCALNRANKS', 'SLURM_STEP_TASKS_PER_NODE')
PS_ROLES = ('scheduler', 'server')  # run lib.distributed.launch.parameter_server and not the command
DRAIN_SECONDS = 1.0  # for what an ended process has started to end by itself, and as many after SIGTERM
POLL_INTERVAL = 0.05  # seconds
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def parse_arguments(argv: Optional[List[str]] = None) -> argparse.Namespace:
    """Command line -> namespace; `command` is a list."""
    parser = argparse.ArgumentParser(description='Run one process of a distributed run.')
    parser.add_argument('--role', default='', help="ps-lite's: scheduler, server or worker; shard; or none")
    parser.add_argument('--index', type=int, default=0, help='number of the process in its role')
    parser.add_argument('--ranks', default='', metavar='ROLE=N,...',
                        help='take role and index from the rank that mpirun or srun gives: the first N ranks are ROLE')
    parser.add_argument('--folder', default='.', help='working folder')
    parser.add_argument('--here', type=int, default=1, metavar='N',
                        help='processes that share the cores of the machine')
    parser.add_argument('--towards', default='', metavar='ADDRESS',
                        help="the scheduler's, to find this machine's own by")
    parser.add_argument('--watch', action='store_true', help='end when standard input does')
    parser.add_argument('--grace', type=float, default=10.0, help='seconds between SIGTERM and SIGKILL')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE', dest='settings')
    parser.add_argument('command', nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    args.command = args.command[1:] if args.command[:1] == ['--'] else args.command
    return args


def main(argv: Optional[List[str]] = None) -> int:
    """-> exit status."""
    args = parse_arguments(argv)
    name = ''
    try:
        if args.ranks:
            args.role, args.index = role_of_rank(args.ranks, int(_first_of(RANK_NAMES)))
            args.here = int(_first_of(LOCAL_SIZE_NAMES, '1').split('(')[0].split(',')[0])
            name = f'{args.role} {args.index + (args.role == "shard")}'  # shards count from 1
            shard = f'{args.index + 1}/{args.ranks.rpartition("=")[2]}'
            args.command = [word.replace('{shard}', shard) for word in args.command]
        return run(args, name)
    except (LookupError, ValueError, OSError) as error:
        print(f'{f"[{name}] " if name else ""}{error}', flush=True)
        return 127


def role_of_rank(ranks: str, rank: int) -> Tuple[str, int]:
    """('server=2,worker=4', 3) -> ('worker', 1)."""
    for part in ranks.split(','):
        role, _, count = part.partition('=')
        if rank < int(count):
            return role, rank
        rank -= int(count)
    raise LookupError('this is one process more than the launcher asked for')


def run(args: argparse.Namespace, name: str) -> int:
    """Start the process and stay with it. name: prefix of its lines, '' = they pass as they are. -> exit status."""
    command, folder = args.command, args.folder
    if args.role in PS_ROLES:
        command, folder = [sys.executable, '-m', 'lib.distributed.launch.parameter_server'], ROOT
    stops = StopRequests(args.watch)
    libc = ctypes.CDLL(None)

    def prepare():  # in the child, before it becomes the process
        os.setpgid(0, 0)
        if hasattr(libc, 'prctl'):
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    process = subprocess.Popen(command, cwd=folder, env=environment(args), stdin=subprocess.DEVNULL, preexec_fn=prepare,
                               stdout=subprocess.PIPE if name else None, stderr=subprocess.STDOUT if name else None)
    lines = LinePrefixer(process.stdout, name) if name else None
    asked_at = killed_at = None
    while process.poll() is None:
        stops.wait(lines)
        now = time.monotonic()
        if stops.requested and asked_at is None:
            asked_at = now
            if args.role not in PS_ROLES:  # these serve the workers until those have ended
                process.terminate()
        grace = args.grace if stops.grace is None else stops.grace
        if asked_at is not None and killed_at is None and now - asked_at > grace:
            process.kill()
            killed_at = now
    drain_group(process.pid)
    if lines:
        lines.take(to_the_end=True)
    status = process.returncode
    if name and status:
        how = f'was killed by signal {-status}' if status < 0 else f'ended with exit status {status}'
        print(f'[{name}] {how}', flush=True)
    return 128 - status if status < 0 else status


def environment(args: argparse.Namespace) -> Dict[str, str]:
    """Environment of the process."""
    values = dict(os.environ)
    values.update(setting.partition('=')[::2] for setting in args.settings)
    share = max(1, granted_cores() // max(1, args.here))
    values.setdefault('OMP_NUM_THREADS', str(min(share, num_cores())))
    values['PYTHONUNBUFFERED'] = '1'
    if args.role in PS_ROLES + ('worker',):
        values['DMLC_ROLE'] = args.role
        values['DMLC_TASK_ID'] = str(args.index)
        if args.towards and 'DMLC_INTERFACE' not in values:
            values['DMLC_NODE_HOST'] = address_towards(args.towards)
    return values


def address_towards(address: str) -> str:
    """This machine's address on the way to `address`. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return probe.getsockname()[0]


class StopRequests:
    """Waits for what can end the process: signals, its own end, the end of standard input."""

    def __init__(self, watch):
        self.requested = False
        self.grace = None  # seconds, if standard input says
        self._watched = [sys.stdin.fileno()] if watch else []
        for number in STOP_SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._on_signal)

    def _on_signal(self, *_):
        self.requested = True

    def wait(self, lines):
        """For a moment, less if something comes."""
        streams = self._watched + ([lines.stream] if lines and not lines.ended else [])
        ready = select.select(streams, [], [], POLL_INTERVAL)[0]
        if lines and lines.stream in ready:
            lines.take()
        if self._watched and self._watched[0] in ready:
            words = os.read(self._watched[0], 64)
            if words:
                self.grace = float(words)
            else:
                self._watched = []
                self.requested = True


class LinePrefixer:
    """Passes a stream on, line by line, with a prefix."""

    def __init__(self, stream, name):
        self.stream, self.ended = stream, False
        self._prefix, self._rest = (f'[{name}] ').encode(), b''
        os.set_blocking(stream.fileno(), False)

    def take(self, to_the_end=False):
        """What has come; `to_the_end`: what is left too, line or not."""
        while True:
            block = self.stream.read(65536)
            if not block:
                self.ended = block == b''
                break
            self._rest += block
        *lines, self._rest = self._rest.split(b'\n')
        if to_the_end and self._rest:
            lines.append(self._rest)
            self._rest = b''
        if lines:
            with contextlib.suppress(OSError):  # nobody reads any more: the process runs on
                sys.stdout.buffer.write(b''.join(self._prefix + line + b'\n' for line in lines))
                sys.stdout.buffer.flush()


def drain_group(group: int) -> None:
    """Wait until the process group is empty; what is left after a while is asked to end, then killed.

    The wait lets multiprocessing's own helpers see that their parent is gone and free its shared memory.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + DRAIN_SECONDS
        while _alive(group) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _alive(group):
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _first_of(names, default=None):
    for name in names:
        if os.environ.get(name):
            return os.environ[name]
    if default is None:
        raise LookupError(f'the launcher gave this process no rank (none of {", ".join(names)} is set)')
    return default


if __name__ == '__main__':
    sys.exit(main())
