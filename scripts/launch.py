"""Run a command on several processes or machines: `python scripts/launch.py -n 2 -s 1 python main_train.py ...`.

See docs/distributed.md, or --help.
"""
import argparse
import logging
import os
import shlex
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # so that it runs from any folder

from lib.cli import run, setup_logging
from lib.distributed.launch import launchers, plan
from lib.distributed.launch.supervisor import StopSignal, Supervisor, print_last_lines
from lib.utils.errors import SniperError
from lib.utils.user_path import user_path

logger = logging.getLogger(__name__)

LAUNCHERS = ('local', 'ssh', 'mpi', 'slurm')


def parse_arguments(argv=None):
    """Command line -> namespace, checked. SniperError for what does not fit together."""
    parser = argparse.ArgumentParser(
        prog='launch.py', usage='launch.py (-n WORKERS [-s SERVERS] | --shards N) [options] COMMAND ...',
        description='Run a command on several processes or machines: the workers of a distributed training '
                    '(default.kvstore dist_*), or the shards of a test.')
    parser.add_argument('-n', '--workers', type=int, metavar='WORKERS', help='processes that train')
    parser.add_argument('-s', '--servers', type=int, metavar='SERVERS',
                        help='processes that sum gradients (default: 1 on one machine, else as many as workers)')
    parser.add_argument('--shards', type=int, metavar='N', help='run COMMAND --shard I/N for I from 1 to N, then '
                        'COMMAND --merge N')
    parser.add_argument('-H', '--hostfile', type=user_path, metavar='FILE',
                        help='machines, one a line: name, name:4 or name slots=4')
    parser.add_argument('--launcher', choices=LAUNCHERS, help='default: ssh with a host file, else local')
    parser.add_argument('-p', '--port', type=int, help='of the scheduler, on this machine (default: a free one)')
    parser.add_argument('--address', default='', help='of this machine, for the others (default: found out)')
    parser.add_argument('--env', action='append', default=[], metavar='NAME',
                        help='environment variable that other machines inherit; may be repeated')
    parser.add_argument('--grace', type=float, default=10.0, metavar='SECONDS',
                        help='that the others get to end when a process fails (10)')
    parser.add_argument('--saving', type=float, default=60.0, metavar='SECONDS',
                        help='that workers get to save when Ctrl-C or SIGTERM ends the run (60)')
    parser.add_argument('command', nargs=argparse.REMAINDER, metavar='COMMAND', help='what workers run')
    args = parser.parse_args(argv)
    _check(args)
    return args


def _check(args):
    args.command = args.command[1:] if args.command[:1] == ['--'] else args.command
    args.launcher = args.launcher or ('ssh' if args.hostfile else 'local')
    if not args.command:
        raise SniperError('there is no command to run: launch.py -n 2 -s 1 python main_train.py --cfg FILE ...')
    if (args.workers is None) == (args.shards is None):
        raise SniperError('say how many workers (-n) or how many shards (--shards) to run: one of the two')
    for flag, value in (('-n', args.workers), ('-s', args.servers), ('--shards', args.shards)):
        if value is not None and value < 1:
            raise SniperError(f'{flag} {value}: there must be at least 1')
    if args.shards is not None and args.servers is not None:
        raise SniperError('-s is for training; shards need no servers')
    if args.port is not None and not 0 < args.port < 65536:
        raise SniperError(f'--port {args.port} is no port: choose one from 1 to 65535')
    for flag, seconds in (('--grace', args.grace), ('--saving', args.saving)):
        if not 0 <= seconds < float('inf'):
            raise SniperError(f'{flag} is {seconds:g}; it must be 0 or more seconds')
    if args.hostfile and args.launcher in ('local', 'slurm'):
        raise SniperError('--launcher {} takes no host file{}'.format(
            args.launcher, ': Slurm chooses the machines' if args.launcher == 'slurm' else ''))
    if args.launcher == 'ssh' and not args.hostfile:
        raise SniperError('--launcher ssh needs --hostfile FILE, a line a machine')
    args.command = plan.with_this_python(args.command)
    if args.launcher == 'local' and not shutil.which(args.command[0]):
        raise SniperError(f'the command {args.command[0]!r} is not found')
    if args.servers is None:
        args.servers = 1 if args.launcher == 'local' else args.workers


def main(argv=None):
    """-> exit status 0; 130, 143 or 129 when a signal ended it. SniperError: a mistake, or a process failed."""
    args = parse_arguments(argv)
    setup_logging()
    hosts = plan.read_hostfile(args.hostfile) if args.hostfile else []
    try:
        return run_shards(args, hosts) if args.shards else run_workers(args, hosts)
    except KeyboardInterrupt:
        logger.info('Stopped by Ctrl-C: all processes have ended')
        return 130
    except StopSignal as stopped:
        logger.info('Stopped by a signal: all processes have ended')
        return stopped.status


def run_workers(args, hosts):
    """A ps-lite run: one scheduler here, servers and workers where the launcher puts them."""
    local = args.launcher == 'local'
    address = plan.LOCALHOST if local and not args.address else plan.scheduler_address(hosts, args.address)
    cluster = plan.Cluster(args.workers, args.servers, address, plan.scheduler_port(address, args.port))
    folder = os.getcwd()
    scheduler = launchers.start_locally(plan.Role('scheduler', 0), [], folder, cluster.settings(), 1, address)
    settings = dict({} if local else plan.inherited_settings(args.env), **cluster.settings())
    logger.info('%d workers and %d servers (%s), scheduler at %s:%d', cluster.workers, cluster.servers, args.launcher,
                address, cluster.port)
    if args.launcher in ('mpi', 'slurm'):
        ranks = f'server={cluster.servers},worker={cluster.workers}'
        starts = [_start_by_rank(args, hosts, ranks, args.command, settings, address)]
    else:
        roles = plan.training_roles(cluster.servers, cluster.workers)
        commands = [args.command] * len(roles)
        starts = _start_each(args, hosts, roles, commands, settings, address)
    with Supervisor(args.grace, args.saving) as supervisor:
        supervisor.start([scheduler] + starts)
        failed = supervisor.wait()
    if failed:
        print_last_lines(failed[0])
        raise SniperError(f'{failed[0].failure()}; all others were ended')
    return 0


def run_shards(args, hosts):
    """Shards of a test, which do not need each other, and their merge."""
    folder = os.getcwd()
    one_shard = plan.shard_command(args.command)
    command = plan.with_flags(one_shard, ['--shard', plan.SHARD_PLACE])
    merge = plan.with_flags(args.command, ['--merge', str(args.shards)])
    settings = {} if args.launcher == 'local' else plan.inherited_settings(args.env)
    logger.info('%d shards (%s)', args.shards, args.launcher)
    if args.launcher in ('mpi', 'slurm'):
        starts = [_start_by_rank(args, hosts, f'shard={args.shards}', command, settings, '')]
    else:
        roles = [plan.Role('shard', number) for number in range(args.shards)]
        commands = [[word.replace(plan.SHARD_PLACE, f'{role.number + 1}/{args.shards}') for word in command]
                    for role in roles]
        starts = _start_each(args, hosts, roles, commands, settings, '')
    with Supervisor(args.grace, args.saving) as supervisor:
        supervisor.start(starts)
        failed = supervisor.wait(let_others_finish=True)
    if failed:
        for child in failed:
            print_last_lines(child)
        again = [_as_typed(plan.with_flags(one_shard, ['--shard', child.start.name.split()[-1] + f'/{args.shards}']))
                 for child in failed if not child.start.prefixed]
        raise SniperError('{}{}; merge with: {}'.format(
            ', '.join(child.failure() for child in failed),
            '; run again: ' + ' and '.join(again) if again else '', _as_typed(merge)))
    with Supervisor(args.grace, args.saving) as supervisor:
        supervisor.start([launchers.start_locally(plan.Role('merge', 0), merge, folder, {}, 1)._replace(name='merge')])
        failed = supervisor.wait()
    if failed:
        raise SniperError(f'the merge {failed[0].failure().partition(" ")[2]}; try again with: {_as_typed(merge)}')
    return 0


def _start_each(args, hosts, roles, commands, settings, address):
    """-> Starts of processes that this machine starts itself."""
    if args.launcher == 'ssh':
        return launchers.start_by_ssh(roles, hosts, commands, os.getcwd(), settings, address, args.grace)
    here = sum(role.role in ('worker', 'shard') for role in roles)
    return [launchers.start_locally(role, command, os.getcwd(), settings, here, address, args.grace)
            for role, command in zip(roles, commands)]


def _start_by_rank(args, hosts, ranks, command, settings, address):
    if args.launcher == 'mpi':
        return launchers.start_by_mpi(ranks, hosts, command, os.getcwd(), settings, address, args.grace)
    return launchers.start_by_slurm(ranks, command, os.getcwd(), settings, address, args.grace)


def _as_typed(command):
    return ' '.join(map(shlex.quote, ['python' if word == sys.executable else word for word in command]))


if __name__ == '__main__':
    run(main)
