"""The launchers (local, ssh, mpi, slurm): from a role to the arguments of a process that this machine starts.

Whatever the launcher, what runs on the machine is agent.py with the same arguments.
"""
import os
import shlex
import shutil
import subprocess
import sys
from typing import Dict, List, NamedTuple, Optional, Sequence

from lib.distributed.launch import agent
from lib.distributed.launch.plan import Host, Role, assign_hosts
from lib.utils.errors import SniperError

SSH = ['ssh', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=15', '-o', 'ServerAliveInterval=5',
       '-o', 'ServerAliveCountMax=3']
SSH_FAILED = 255  # ssh's own exit status
VERSION_SECONDS = 20


class Start(NamedTuple):
    """A process that this machine starts."""

    name: str             # in messages, and before its lines
    arguments: List[str]
    serves: bool = False  # a scheduler or server, which ends after the workers
    host: str = ''        # that ssh goes to, '' = this machine
    prefixed: bool = False  # its lines come with the names of several processes


def agent_arguments(command: Sequence[str], folder: str, settings: Optional[Dict[str, str]] = None, role: str = '',
                    index: int = 0, ranks: str = '', here: int = 1, towards: str = '', watch: bool = True,
                    grace: float = 10.0) -> List[str]:
    """Command line of agent.py; see there."""
    arguments = [sys.executable, os.path.abspath(agent.__file__), '--folder', folder, '--grace', f'{grace:g}']
    arguments += ['--ranks', ranks] if ranks else ['--role', role, '--index', str(index), '--here', str(here)]
    arguments += ['--towards', towards] if towards else []
    arguments += ['--watch'] if watch else []
    for name, value in sorted((settings or {}).items()):
        arguments += ['--set', f'{name}={value}']
    return arguments + ['--'] + list(command)


def start_locally(role: Role, command: Sequence[str], folder: str, settings: Dict[str, str], here: int,
                  towards: str = '', grace: float = 10.0) -> Start:
    """-> Start of a process of a Role here."""
    serves = role.role in agent.PS_ROLES
    arguments = agent_arguments(command, folder, settings, role.role, role.number, here=here, towards=towards,
                                grace=0 if serves else grace)
    return Start(role.name, arguments, serves)


def start_by_ssh(roles: Sequence[Role], hosts: Sequence[Host], commands: Sequence[Sequence[str]], folder: str,
                 settings: Dict[str, str], towards: str, grace: float) -> List[Start]:
    """-> Starts of all `roles`, spread over the hosts, role by role. commands: one a role."""
    _require_program('ssh', 'ssh')
    starts = []
    for part in sorted({role.role for role in roles}):
        members = [(role, command) for role, command in zip(roles, commands) if role.role == part]
        places = assign_hosts(hosts, len(members))
        for (role, command), host in zip(members, places):
            local = start_locally(role, command, folder, settings, places.count(host), towards, grace)
            remote = 'exec ' + ' '.join(map(shlex.quote, local.arguments))
            starts.append(Start(role.name, SSH + [host.name, remote], local.serves, host.name))
    return starts


def start_by_mpi(ranks: str, hosts: Sequence[Host], command: Sequence[str], folder: str, settings: Dict[str, str],
                 towards: str, grace: float) -> Start:
    """-> Start of one mpirun; ranks: see agent.py."""
    program = 'mpirun'
    _require_program(program, 'mpi')
    count = str(_num_ranks(ranks))
    family = _mpi_family(program)
    names = ','.join('{}:{}'.format(*host) for host in hosts)
    if family == 'Open MPI':
        # Each rank has threads of its own, and there are more ranks than hosts where servers are.
        arguments = [program, '-n', count, '--map-by', 'node:OVERSUBSCRIBE', '--bind-to', 'none']
        arguments += ['--host', names] if names else []
    else:
        arguments = [program, '-n', count] + (['-hosts', names] if names else [])
    arguments += agent_arguments(command, folder, settings, ranks=ranks, towards=towards, watch=False, grace=grace)
    return _under_agent(program, arguments, folder)


def start_by_slurm(ranks: str, command: Sequence[str], folder: str, settings: Dict[str, str], towards: str,
                   grace: float) -> Start:
    """-> Start of one srun, in the job's allocation or one that it asks for."""
    _require_program('srun', 'slurm')
    arguments = ['srun', f'--ntasks={_num_ranks(ranks)}', '--kill-on-bad-exit=1', '--input=none', '--unbuffered']
    arguments += agent_arguments(command, folder, settings, ranks=ranks, towards=towards, watch=False, grace=grace)
    return _under_agent('srun', arguments, folder)


def _under_agent(program, arguments, folder):
    """The program under an agent, which ends it when the launcher is gone."""
    return Start(program, agent_arguments(arguments, folder), prefixed=True)


def _num_ranks(ranks):
    return sum(int(part.partition('=')[2]) for part in ranks.split(','))


def _require_program(program, launcher):
    if not shutil.which(program):
        raise SniperError(f'--launcher {launcher} needs the program {program}, which is not installed here')


def _mpi_family(program):
    """'Open MPI' or 'MPICH' (and those that share its mpirun: Intel MPI, MVAPICH)."""
    try:
        done = subprocess.run([program, '--version'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=VERSION_SECONDS)
        text = done.stdout.decode(errors='replace')
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SniperError(f'{program} --version does not answer: {error}') from None
    if 'Open MPI' in text or 'OpenRTE' in text:
        return 'Open MPI'
    if any(name in text for name in ('HYDRA', 'MPICH', 'Intel(R) MPI', 'MVAPICH')):
        return 'MPICH'
    raise SniperError('{} is neither of Open MPI nor of MPICH (it says {!r}): use --launcher ssh or slurm'.format(
        program, (text.strip().splitlines() or [''])[0][:80]))
