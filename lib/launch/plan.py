"""Which processes a distributed run has."""
import os
import sys
from typing import NamedTuple

from lib.errors import SniperError

PYTHONS = ('python', 'python3')
# What processes on other machines inherit of this one's environment, besides what --env names.
PASSED_ON = ('PYTHONPATH', 'LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES')
PASSED_ON_PREFIXES = ('DMLC_', 'PS_', 'MXNET_', 'OMP_', 'KMP_', 'DNNL_', 'NCCL_', 'SNIPER_')
SHARD = '{shard}'


class Role(NamedTuple):
    """A process to be: its part in the run and its number there."""

    role: str   # 'scheduler', 'server', 'worker', 'shard'
    index: int

    @property
    def name(self):
        """As lines and messages call it; shards count from 1, as --shard does."""
        if self.role == 'scheduler':
            return self.role
        return '%s %d' % (self.role, self.index + (self.role == 'shard'))


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

    The program is the first word that ends in .py. SniperError if there is none.
    """
    for number, word in enumerate(command):
        if word.endswith('.py'):
            return command[:number + 1] + flags + command[number + 1:]
    raise SniperError('--shards runs a program that knows --shard and --merge, but %r names no file.py: '
                      'python main_test.py ...' % ' '.join(command))


def passed_on(names):
    """Settings NAME -> value for other machines; names: further ones. SniperError if one of those is not set here."""
    for name in names:
        if name not in os.environ:
            raise SniperError('--env %s: there is no such environment variable here' % name)
    return {name: value for name, value in os.environ.items()
            if name in names or name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)}
