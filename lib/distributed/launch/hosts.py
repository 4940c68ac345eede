"""Where processes run: the host file, addresses and ports."""
import errno
import re
import socket
from typing import NamedTuple

from lib.utils.errors import SniperError
from lib.distributed.launch.agent import address_towards

HERE = '127.0.0.1'
# A name that begins with '-' would be an option of ssh.
_LINE = re.compile(r'^(?P<name>(?:[\w.-]+@)?[A-Za-z0-9_][\w.-]*)(?:\s*:\s*|\s+slots\s*=\s*|$)(?P<slots>\d*)$')
_OUTSIDE = '192.0.2.1'  # an address of documentation (RFC 5737): the way there is the way out


class Host(NamedTuple):
    """A machine: its name as ssh takes it, user@ included, and how many workers it is given in turn."""

    name: str
    slots: int

    @property
    def machine(self):
        """The name without a user."""
        return self.name.rpartition('@')[2]


def read_hostfile(path):
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
        match = _LINE.match(line)
        if not match or match.group('slots') == '0' or not (match.group('slots') or match.group('name') == line):
            raise SniperError(f'line {number} of the host file {path} is not understood: {line!r}; write a name, '
                              'name:4 or name slots=4')
        hosts.append(Host(match.group('name'), int(match.group('slots') or 1)))
    if not hosts:
        raise SniperError(f'host file {path} names no host: write one a line')
    return hosts


def deal(hosts, count):
    """`count` processes over the hosts: each its slots in turn, and from the first again. -> list of Host."""
    turn = [host for host in hosts for _ in range(host.slots)]
    return [turn[number % len(turn)] for number in range(count)]


def scheduler_address(hosts, given=''):
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
        return address_towards(_OUTSIDE)
    except OSError:
        return HERE


def scheduler_port(address, given=None):
    """A free port of this machine; `given` must be one. SniperError if it is taken, or the address another's."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if given is not None:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what ps-lite sets too
        try:
            probe.bind((address, given or 0))
        except (OSError, OverflowError) as error:
            if getattr(error, 'errno', None) == errno.EADDRNOTAVAIL:
                raise SniperError(f'--address {address} is not an address of this machine, where the scheduler runs: '
                                   'give one '
                                  'that is, or leave it out to have one found') from None
            raise SniperError('port {} of {} cannot be used: {}; choose another with --port, or none for a free one'
                .format(given, address, getattr(error, 'strerror', None) or error)) from None
        return probe.getsockname()[1]


def _resolve(name):
    try:
        return socket.gethostbyname(name)
    except OSError as error:
        raise SniperError(f'--address {name} is not known: {error.strerror or error}') from None
