"""Runs processes side by side: their lines with a name in front, and the end of all when one fails.

Processes are agents (agent.py) that end when their standard input does, here or at the other end of an ssh connection.
"""
import collections
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import List

from lib.distributed.launch.launchers import SSH_FAILED
from lib.utils.errors import SniperError
from lib.utils.processes import how_it_ended

POLL_INTERVAL = 0.1   # seconds
LAST_LINES = 15       # of a failed process that are shown again
SERVER_GRACE = 30.0   # seconds that servers get when all workers have ended
AGENT_GRACE = 6.0     # seconds beyond its grace that an agent takes to end what it runs
STOP_SIGNALS = {signal.SIGTERM: 143, signal.SIGHUP: 129}


class StopSignal(BaseException):
    """A signal asks the launcher to end; `status` is its exit status."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Child:
    """A started process: its lines are passed on by a thread, the last ones are kept."""

    def __init__(self, start, lock):
        self.start = start
        self.last_lines = collections.deque(maxlen=LAST_LINES)
        self._lock = lock
        self._prefix = b'' if start.prefixed else (f'[{start.name}] ').encode()
        # A session of its own: Ctrl-C reaches the launcher alone, and what it leaves behind can be found.
        self.process = subprocess.Popen(start.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self._reader = threading.Thread(target=self._forward_lines, daemon=True)
        self._reader.start()

    def _forward_lines(self):
        for line in self.process.stdout:
            line = line.rstrip(b'\r\n')
            self.last_lines.append(line.decode(errors='replace'))
            with self._lock, contextlib.suppress(OSError):  # nobody reads, or the terminal is closed: run on
                sys.stdout.buffer.write(self._prefix + line + b'\n')
                sys.stdout.buffer.flush()

    @property
    def status(self):
        """Exit status, None while it runs; negative = the signal that ended it."""
        status = self.process.poll()
        return status if status is None or not 128 < status < 128 + 65 else 128 - status

    def request_end(self, seconds):
        """Tell its agent to end it, and to kill it after so long; see agent.py."""
        with contextlib.suppress(OSError, ValueError):  # it has ended, or was asked before
            self.process.stdin.write(b'%g' % seconds)
            self.process.stdin.close()

    def finish_reading(self):
        """Wait a moment for the lines that are on their way."""
        self._reader.join(1.0)

    def kill(self):
        """Kill it and all of its session, its agent dead or alive."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        for process in processes_of_session(self.process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)

    def failure(self):
        """How it ended, for a message."""
        status, start = self.status, self.start
        if start.host and status == SSH_FAILED:
            reason = f': {self.last_lines[-1]}' if self.last_lines else ''
            return f'ssh does not reach {start.host} for {start.name}, or lost it (exit status 255){reason}'
        where = f' on {start.host}' if start.host else ''
        of_rank = [line for line in self.last_lines if start.prefixed and '] was killed by' in line]
        more = f' ({of_rank[-1]})' if of_rank else ''
        return f'{start.name}{where} {how_it_ended(status)}{more}'


class Supervisor:
    """Starts processes and stays with them. Use as a context manager: whatever happens, none outlives it.

    grace: seconds that the others get to end when one fails; saving: when a signal ends the run, and all can save.
    """

    def __init__(self, grace, saving):
        self.children = []
        self._grace, self._saving = grace, saving
        self._lock = threading.Lock()
        self._handlers = {}

    def __enter__(self):
        def stop(number, _):
            raise StopSignal(STOP_SIGNALS[number])
        self._handlers = {number: signal.signal(number, stop) for number in STOP_SIGNALS
                          if signal.getsignal(number) != signal.SIG_IGN}  # as under nohup
        return self

    def __exit__(self, kind, *_):
        if signal.SIGHUP in self._handlers:  # a terminal that closes sends it twice: that shall not hasten the end
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            self.stop(self._saving if kind in (KeyboardInterrupt, StopSignal) else self._grace)
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def start(self, starts):
        """Start processes, a list of Start."""
        for start in starts:
            try:
                self.children.append(Child(start, self._lock))
            except OSError as error:
                raise SniperError(f'{start.name} cannot be started: {error}') from None

    def wait(self, let_others_finish=False):
        """Until all have ended -> list of Child that failed.

        At the first that fails the rest is ended, unless `let_others_finish`: then the others go on.
        """
        deadline = None
        while True:
            failed = [child for child in self.children if child.status not in (None, 0)]
            running = [child for child in self.children if child.status is None]
            if failed and not let_others_finish:
                self.stop(self._grace)
                return failed[:1]
            if not running or deadline is not None and time.monotonic() > deadline:
                for child in self.children:
                    child.finish_reading()
                return failed
            if deadline is None and all(child.start.serves for child in running):
                deadline = time.monotonic() + SERVER_GRACE  # they end by themselves, if all went well
            time.sleep(POLL_INTERVAL)

    def stop(self, seconds):
        """End all that still run: workers first, as they may need the servers to save. A signal hastens it."""
        try:
            for serves, grace in ((False, seconds), (True, 0)):
                ours = [child for child in self.children if child.start.serves == serves]
                for child in ours:
                    child.request_end(grace)
                _wait_for(ours, grace + AGENT_GRACE)
        except (KeyboardInterrupt, StopSignal):
            pass
        finally:
            for child in self.children:
                child.kill()
            for child in self.children:
                child.process.wait()
                child.finish_reading()


def print_last_lines(child: Child) -> None:
    """Of a failed process, again, as those of others may follow them above."""
    if child.last_lines:
        print(f'last lines of {child.start.name}:', file=sys.stderr)
        for line in child.last_lines:
            print('    ' + line, file=sys.stderr)


def processes_of_session(session: int) -> List[int]:
    """Numbers of the processes of a session (Linux; elsewhere none)."""
    found = []
    for name in os.listdir('/proc') if os.path.isdir('/proc') else ():
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f'/proc/{name}/stat', 'rb') as stream:
                    fields = stream.read().rpartition(b')')[2].split()  # the name before may hold anything
                if int(fields[3]) == session and fields[0] != b'Z':
                    found.append(int(name))
    return found


def _wait_for(children, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(child.status is None for child in children):
        time.sleep(POLL_INTERVAL)
