"""Which processes a distributed run has."""
import os
import sys
from typing import NamedTuple

from lib.utils.errors import SniperError

PYTHONS = ('python', 'python3')
# What processes on other machines inherit of this one's environment, besides what --env names.
PASSED_ON = ('PYTHONPATH', 'LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES')
PASSED_ON_PREFIXES = ('DMLC_', 'PS_', 'MXNET_', 'OMP_', 'KMP_', 'DNNL_', 'NCCL_', 'SNIPER_')
SHARD = '{shard}'
# Flags of main_test.py that the launcher gives itself, and those that only the merge takes.
SHARD_FLAGS = ('--shard', '--merge')
MERGE_FLAGS = ('--vis',)


class Role(NamedTuple):
    """A process to be: its part in the run and its number there."""

    role: str   # 'scheduler', 'server', 'worker', 'shard'
    index: int

    @property
    def name(self):
        """As lines and messages call it; shards count from 1, as --shard does."""
        if self.role == 'scheduler':
            return self.role
        return f'{self.role} {self.index + (self.role == "shard")}'


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


def own_python(command):
    """The command with a bare `python` replaced by the interpreter that runs the launcher."""
    return [sys.executable] + command[1:] if command[0] in PYTHONS else list(command)


def with_flags(command, flags):
    """The command with flags for its program, which come first, as `--set` takes all that follows it.

    SniperError if there is no program.
    """
    first, _ = _own_flags(command)
    return command[:first] + flags + command[first:]


def for_shards(command):
    """The command without the flags that only the merge takes. SniperError for flags that the launcher gives."""
    first, end = _own_flags(command)
    for word in command[first:end]:
        if word.partition('=')[0] in SHARD_FLAGS:
            raise SniperError(f'{word} in the command: with --shards the launcher gives --shard and --merge itself; '
                               'leave '
                              'it out, or run the command without the launcher')
    return command[:first] + [word for word in command[first:end] if word not in MERGE_FLAGS] + command[end:]


def _own_flags(command):
    """Where the flags of the program begin and end; the program is the first word that ends in .py."""
    first = next((number for number, word in enumerate(command, 1) if word.endswith('.py')), None)
    if first is None:
        raise SniperError(('--shards runs a program that knows --shard and --merge, but {!r} names no file.py: '
                          'python main_test.py ...').format(' '.join(command)))
    return first, command.index('--set', first) if '--set' in command[first:] else len(command)


def passed_on(names):
    """Settings NAME -> value for other machines; names: further ones. SniperError if one of those is not set here."""
    for name in names:
        if name not in os.environ:
            raise SniperError(f'--env {name}: there is no such environment variable here')
    return {name: value for name, value in os.environ.items()
            if name in names or name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)}
