"""What a distributed run consists of: its processes, the machines they run on, and the commands they are given."""
import errno
import os
import re
import socket
import sys
from typing import Dict, List, NamedTuple, Optional, Sequence

from lib.distributed.launch.agent import address_towards
from lib.utils.errors import SniperError

PYTHONS = ('python', 'python3')
# What processes on other machines inherit of this one's environment, besides what --env names.
INHERITED = ('PYTHONPATH', 'LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES')
INHERITED_PREFIXES = ('DMLC_', 'PS_', 'MXNET_', 'OMP_', 'KMP_', 'DNNL_', 'NCCL_', 'SNIPER_')
SHARD_PLACE = '{shard}'
# Flags of main_test.py that the launcher gives itself, and those that only the merge takes.
SHARD_FLAGS = ('--shard', '--merge')
MERGE_FLAGS = ('--vis',)
LOCALHOST = '127.0.0.1'
# A name that begins with '-' would be an option of ssh.
_HOSTFILE_LINE = re.compile(r'^(?P<name>(?:[\w.-]+@)?[A-Za-z0-9_][\w.-]*)(?:\s*:\s*|\s+slots\s*=\s*|$)(?P<slots>\d*)$')
_OUTSIDE_ADDRESS = '192.0.2.1'  # an address of documentation (RFC 5737): the way there is the way out


class Role(NamedTuple):
    """A process to be: its part in the run and its number there."""

    role: str   # 'scheduler', 'server', 'worker', 'shard'
    number: int

    @property
    def name(self):
        """As lines and messages call it; shards count from 1, as --shard does."""
        if self.role == 'scheduler':
            return self.role
        return f'{self.role} {self.number + (self.role == "shard")}'


class Cluster(NamedTuple):
    """Numbers of a ps-lite run and where its scheduler listens."""

    workers: int
    servers: int
    address: str
    port: int

    def settings(self):
        """Environment of all its processes."""
        return {'DMLC_PS_ROOT_URI': self.address, 'DMLC_PS_ROOT_PORT': str(self.port),
                'DMLC_NUM_WORKER': str(self.workers), 'DMLC_NUM_SERVER': str(self.servers)}


def training_roles(servers: int, workers: int) -> List[Role]:
    """-> list of Role: the servers, then the workers."""
    return ([Role('server', number) for number in range(servers)]
            + [Role('worker', number) for number in range(workers)])


def with_this_python(command: List[str]) -> List[str]:
    """The command with a bare `python` replaced by the interpreter that runs the launcher."""
    return [sys.executable] + command[1:] if command[0] in PYTHONS else list(command)


def with_flags(command: List[str], flags: List[str]) -> List[str]:
    """The command with flags for its program, which come first, as `--set` takes all that follows it.

    SniperError if there is no program.
    """
    first, _ = _program_flags(command)
    return command[:first] + flags + command[first:]


def shard_command(command: List[str]) -> List[str]:
    """The command without the flags that only the merge takes. SniperError for flags that the launcher gives."""
    first, end = _program_flags(command)
    for word in command[first:end]:
        if word.partition('=')[0] in SHARD_FLAGS:
            raise SniperError(f'{word} in the command: with --shards the launcher gives --shard and --merge itself; '
                              'leave it out, or run the command without the launcher')
    return command[:first] + [word for word in command[first:end] if word not in MERGE_FLAGS] + command[end:]


def inherited_settings(names: Sequence[str]) -> Dict[str, str]:
    """Settings NAME -> value for other machines; names: further ones. SniperError if one of those is not set here."""
    for name in names:
        if name not in os.environ:
            raise SniperError(f'--env {name}: there is no such environment variable here')
    return {name: value for name, value in os.environ.items()
            if name in names or name in INHERITED or name.startswith(INHERITED_PREFIXES)}


class Host(NamedTuple):
    """A machine: its name as ssh takes it, user@ included, and how many workers it is given in turn."""

    name: str
    slots: int

    @property
    def machine(self):
        """The name without a user."""
        return self.name.rpartition('@')[2]


def read_hostfile(path: str) -> List[Host]:
    """Lines `name`, `name:4` or `name slots=4`; `#` begins a comment. -> list of Host, not empty."""
    try:
        with open(path, encoding='utf-8') as stream:
            lines = stream.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise SniperError(f'host file {path} cannot be read: {reason}') from None
    hosts = []
    for number, line in enumerate(lines, 1):
        line = line.partition('#')[0].strip()
        if not line:
            continue
        match = _HOSTFILE_LINE.match(line)
        if not match or match.group('slots') == '0' or not (match.group('slots') or match.group('name') == line):
            raise SniperError(f'line {number} of the host file {path} is not understood: {line!r}; write a name, '
                              'name:4 or name slots=4')
        hosts.append(Host(match.group('name'), int(match.group('slots') or 1)))
    if not hosts:
        raise SniperError(f'host file {path} names no host: write one a line')
    return hosts


def assign_hosts(hosts: Sequence[Host], count: int) -> List[Host]:
    """Hosts for `count` processes: each as often as it has slots, in turn, and from the first again -> list of Host."""
    turn = [host for host in hosts for _ in range(host.slots)]
    return [turn[number % len(turn)] for number in range(count)]


def scheduler_address(hosts: Sequence[Host], given: str = '') -> str:
    """IPv4 address of this machine under which the hosts reach it; `given` wins. ps-lite takes numbers only."""
    if given:
        return _resolve(given)
    for host in hosts:
        try:
            address = address_towards(host.machine)
        except OSError:  # a name that only ssh's own configuration knows
            continue
        if not address.startswith('127.'):
            return address
    try:
        return address_towards(_OUTSIDE_ADDRESS)
    except OSError:
        return LOCALHOST


def scheduler_port(address: str, given: Optional[int] = None) -> int:
    """A free port of this machine; `given` must be one. SniperError if it is taken, or the address another's."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if given is not None:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what ps-lite sets too
        try:
            probe.bind((address, given or 0))
        except (OSError, OverflowError) as error:
            if getattr(error, 'errno', None) == errno.EADDRNOTAVAIL:
                raise SniperError(f'--address {address} is not an address of this machine, where the scheduler runs: '
                                  'give one that is, or leave it out to have one found') from None
            reason = getattr(error, 'strerror', None) or error
            raise SniperError(f'port {given} of {address} cannot be used: {reason}; choose another with --port, or '
                              'none for a free one') from None
        return probe.getsockname()[1]


def _program_flags(command):
    """Where the flags of the program begin and end; the program is the first word that ends in .py."""
    first = next((number for number, word in enumerate(command, 1) if word.endswith('.py')), None)
    if first is None:
        raise SniperError(('--shards runs a program that knows --shard and --merge, but {!r} names no file.py: '
                           'python main_test.py ...').format(' '.join(command)))
    return first, command.index('--set', first) if '--set' in command[first:] else len(command)


def _resolve(name):
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        raise SniperError(f'--address {name} is not known: {error.strerror or error}') from None
