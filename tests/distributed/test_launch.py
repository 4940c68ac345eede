"""scripts/launch.py: what the processes are told, their lines, and that all end when one does; no MXNet.

ssh, mpirun and srun are programs on PATH that run here what the real ones run elsewhere. The scheduler and servers are
processes that sleep: lib/distributed/launch/agent.py takes them from a copy of the repository that this test makes.
What an ended process leaves is given less time there to end by itself.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest

from lib.distributed.launch import agent
from lib.distributed.launch.plan import assign_hosts, read_hostfile, scheduler_port, shard_command, with_flags
from lib.distributed.launch.supervisor import Supervisor
from lib.utils.errors import SniperError
from scripts.launch import parse_arguments
from tests.conftest import ROOT
from tests.distributed.launch_programs import FAKE_MPIRUN, FAKE_SERVER, FAKE_SRUN, FAKE_SSH, SHARD, WAITING, WORKER

PATIENCE = 90  # seconds that a run may take on a slow machine; it is ended then
BAR = 30       # seconds in which all must end when one fails


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A copy of the launcher, with fake programs; the current folder has a space in its name."""
    for folder in ('lib', 'scripts'):
        (tmp_path / folder).mkdir()
    rooms = [name for name in os.listdir(os.path.join(ROOT, 'lib')) if name != 'distributed']
    for name in ['configs', 'symbols'] + ['lib/' + name for name in rooms]:
        (tmp_path / name).symlink_to(os.path.join(ROOT, name))
    shutil.copytree(os.path.join(ROOT, 'lib', 'distributed'), str(tmp_path / 'lib' / 'distributed'))
    shutil.copy(os.path.join(ROOT, 'scripts', 'launch.py'), str(tmp_path / 'scripts'))
    server_program(tmp_path).write_text(FAKE_SERVER)
    agent_program = tmp_path / 'lib' / 'distributed' / 'launch' / 'agent.py'
    patient = agent_program.read_text()
    agent_program.write_text(patient.replace('DRAIN_SECONDS = 1.0 ', 'DRAIN_SECONDS = 0.2 '))   # most tests wait for it
    assert agent_program.read_text() != patient
    programs = tmp_path / 'bin'
    programs.mkdir()
    for name, text in (('ssh', FAKE_SSH), ('mpirun', FAKE_MPIRUN), ('srun', FAKE_SRUN)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    folder = tmp_path / "it's a place"
    folder.mkdir()
    (folder / 'worker.py').write_text(WORKER)
    (folder / 'waiting.py').write_text(WAITING)
    (tmp_path / 'done').mkdir()
    monkeypatch.setenv('PATH', f'{programs}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setenv('PS_DONE', str(tmp_path / 'done'))
    monkeypatch.setenv('FAKE_LOG', str(tmp_path / 'log'))
    monkeypatch.setenv('FAKE_RANK', 'OMPI_COMM_WORLD_RANK')
    monkeypatch.setenv('FAKE_VERSION', 'mpirun (Open MPI) 4.1.4')
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.chdir(folder)
    return tmp_path


def server_program(place):
    return place / 'lib' / 'distributed' / 'launch' / 'parameter_server.py'


def launcher(place, *arguments):
    return subprocess.Popen([sys.executable, str(place / 'scripts' / 'launch.py')] + list(arguments),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)


def launch(place, *arguments):
    """-> (exit status, output)."""
    process = launcher(place, *arguments)
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, output


def error(place, *arguments):
    """The one line of a run that is refused."""
    status, output = launch(place, *arguments)
    lines = [line for line in output.splitlines() if line.startswith('error: ')]
    assert status == 1 and len(lines) == 1, output
    return lines[0]


def told(output):
    """What each worker printed: name -> {variable: value}."""
    found = {}
    for name, variable, value in re.findall(r'^\[(worker \d+)\] (\w+)=(.*)$', output, re.MULTILINE):
        found.setdefault(name, {})[variable] = value
    return found


def alive(number):
    try:
        with open(f'/proc/{number}/stat') as stream:
            return stream.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def all_gone(numbers):
    """Whether the processes end, with some patience."""
    deadline = time.monotonic() + BAR
    while any(map(alive, numbers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, numbers))


def numbers_of(process, count):
    """Process numbers that `count` waiting workers print, their children's too."""
    numbers, lines = [], []
    while len(numbers) < 2 * count:
        line = process.stdout.readline()
        assert line, ''.join(lines)
        lines.append(line)
        found = re.search(r'numbers (\d+) (\d+)', line)
        numbers += map(int, found.groups()) if found else []
    return numbers


def ended(process):
    """-> (exit status, rest of the output, seconds it took)."""
    start = time.monotonic()
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, output, time.monotonic() - start


def test_local(place, monkeypatch):
    monkeypatch.setenv('PS_NOTE', "a 'quoted' $note")
    status, output = launch(place, '-n', '2', '-s', '1', sys.executable, 'worker.py', '--set', 'a b', "it's", '$HOME')
    assert status == 0, output
    variables = told(output)
    assert sorted(variables) == ['worker 0', 'worker 1']
    for values in variables.values():
        assert values['DMLC_ROLE'] == 'worker' and values['DMLC_NUM_WORKER'] == '2' and values['DMLC_NUM_SERVER'] == '1'
        assert values['DMLC_PS_ROOT_URI'] == values['DMLC_NODE_HOST'] == '127.0.0.1'
        assert values['OMP_NUM_THREADS'] == str(max(1, agent.num_cores() // 2))
        assert values['PS_NOTE'] == "a 'quoted' $note"
    assert len({values['DMLC_PS_ROOT_PORT'] for values in variables.values()}) == 1
    assert output.count(f"""arguments ['--set', 'a b', "it's", '$HOME'] in {os.getcwd()}""") == 2
    assert '[scheduler] serving' in output and '[server 0] serving' in output


def test_threads_that_are_set_stay(place, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '5')
    assert told(launch(place, '-n', '1', 'python', 'worker.py')[1])['worker 0']['OMP_NUM_THREADS'] == '5'


def test_ssh(place, monkeypatch):
    """The environment and the folder get there, quoted; workers and servers are dealt over the hosts."""
    monkeypatch.setenv('PS_NOTE', "a 'quoted' $note")
    monkeypatch.setenv('OTHER', 'not asked for')
    (place / 'hosts').write_text('# two machines\nuser@one slots=2\n\ntwo:1\n')
    status, output = launch(place, '-n', '4', '-s', '2', '-H', str(place / 'hosts'), '--address', '127.0.0.1', 'python',
                            'worker.py', "it's", '$HOME', 'a"b')
    assert status == 0, output
    variables = told(output)
    assert [variables[f'worker {number}']['FAKE_HOST'] for number in range(4)] == ['user@one', 'user@one', 'two',
                                                                                     'user@one']
    assert {values['PS_NOTE'] for values in variables.values()} == {"a 'quoted' $note"}
    assert {values['DMLC_NODE_HOST'] for values in variables.values()} == {'127.0.0.1'}
    assert variables['worker 2']['OMP_NUM_THREADS'] == str(agent.num_cores())
    assert output.count(f"""arguments ["it's", '$HOME', 'a"b'] in {os.getcwd()}""") == 4
    assert sorted((place / 'log').read_text().split()) == ['two'] + ['user@one'] * 5


@pytest.mark.parametrize('version, rank, expected', [
    ('mpirun (Open MPI) 4.1.4', 'OMPI_COMM_WORLD_RANK',
     '-n 3 --map-by node:OVERSUBSCRIBE --bind-to none --host one:2,two:1 '),
    ('HYDRA build details:\n    Version: 4.0', 'PMI_RANK', '-n 3 -hosts one:2,two:1 ')])
def test_mpi(place, monkeypatch, version, rank, expected):
    monkeypatch.setenv('FAKE_VERSION', version)
    monkeypatch.setenv('FAKE_RANK', rank)
    (place / 'hosts').write_text('one slots=2\ntwo\n')
    status, output = launch(place, '-n', '2', '-s', '1', '--launcher', 'mpi', '-H', str(place / 'hosts'), '--address',
                            '127.0.0.1', 'python', 'worker.py')
    assert status == 0, output
    assert sorted(told(output)) == ['worker 0', 'worker 1'] and '[server 0] serving' in output
    assert {values['DMLC_NUM_WORKER'] for values in told(output).values()} == {'2'}
    assert (place / 'log').read_text().startswith(expected)


def test_unknown_mpi(place, monkeypatch):
    monkeypatch.setenv('FAKE_VERSION', 'some mpirun 1.0')
    assert "neither of Open MPI nor of MPICH (it says 'some mpirun 1.0')" in error(
        place, '-n', '2', '--launcher', 'mpi', 'python', 'worker.py')


def test_slurm(place):
    status, output = launch(place, '-n', '2', '-s', '1', '--launcher', 'slurm', '--address', '127.0.0.1', 'python',
                            'worker.py')
    assert status == 0, output
    assert sorted(told(output)) == ['worker 0', 'worker 1'] and '[server 0] serving' in output
    assert (place / 'log').read_text().startswith('--ntasks=3 --kill-on-bad-exit=1 --input=none ')


def hosts(place):
    (place / 'hosts').write_text('one\ntwo\n')
    return ['-H', str(place / 'hosts'), '--address', '127.0.0.1']


@pytest.mark.parametrize('launcher_name', ['local', 'ssh', 'mpi'])
def test_one_that_fails_ends_all(place, launcher_name):
    more = hosts(place) if launcher_name in ('ssh', 'mpi') else ['--address', '127.0.0.1']
    process = launcher(place, '-n', '3', '-s', '2', '--launcher', launcher_name, '--grace', '1', *more, 'python',
                       'waiting.py', str(place / 'go'))
    numbers = numbers_of(process, 3)
    (place / 'go').write_text('')
    status, output, seconds = ended(process)
    assert status == 1 and seconds < BAR
    last = output.splitlines()[-1]
    if launcher_name in ('local', 'ssh'):
        where = ' on two' if launcher_name == 'ssh' else ''
        assert last == f'error: worker 1{where} ended with exit status 7; all others were ended'
        assert '    the last line' in output.splitlines()
    else:
        program = 'mpirun' if launcher_name == 'mpi' else 'srun'
        assert last.startswith(f'error: {program} ended with exit status 7')
        assert '[worker 1] ended with exit status 7' in output and '[worker 1] the last line' in output
    assert all_gone(numbers)


def test_one_that_is_killed_ends_all(place):
    process = launcher(place, '-n', '2', '-s', '1', '--grace', '1', 'python', 'waiting.py', 'never')
    numbers = numbers_of(process, 2)
    os.kill(numbers[0], signal.SIGKILL)
    status, output, seconds = ended(process)
    assert status == 1 and seconds < BAR
    assert re.match(r'^error: worker \d was killed by signal 9 \(often: out of memory\); all others were ended$',
                    output.splitlines()[-1])
    assert all_gone(numbers)


def test_a_signal_ends_all(place):
    process = launcher(place, '-n', '2', '-s', '1', '--saving', '1', 'python', 'waiting.py', 'never')
    numbers = numbers_of(process, 2)
    process.terminate()
    status, output, seconds = ended(process)
    assert status == 143 and seconds < BAR, output
    assert all_gone(numbers)


@pytest.mark.parametrize('launcher_name', ['ssh', 'slurm'])
def test_a_launcher_that_is_killed_leaves_nothing(place, launcher_name):
    more = hosts(place) if launcher_name == 'ssh' else []
    process = launcher(place, '-n', '2', '-s', '1', '--launcher', launcher_name, '--grace', '1', *more, 'python',
                       'waiting.py', 'never')
    numbers = numbers_of(process, 2)
    process.kill()
    process.wait()
    assert all_gone(numbers[::2]), 'workers'
    assert all_gone(numbers), 'what they had started'


def test_workers_end_before_servers(place):
    """A worker that saves when it is asked to end may need the servers for it."""
    (place / "it's a place" / 'saving.py').write_text(textwrap.dedent('''
        import os, signal, sys, time
        def save(*_):
            time.sleep(1)
            print('saved', flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, save)
        print('numbers %d %d' % (os.getpid(), os.getpid()), flush=True)
        time.sleep(600)
        '''))
    server_program(place).write_text(textwrap.dedent('''
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print('server ends', flush=True), sys.exit(0)))
        time.sleep(600)
        '''))
    process = launcher(place, '-n', '2', '-s', '1', '--grace', '0', 'python', 'saving.py')
    numbers_of(process, 2)
    process.send_signal(signal.SIGINT)
    status, output, _ = ended(process)
    assert status == 130 and output.count('saved') == 2, output
    assert 'server ends' not in output.partition('saved')[0]


def test_unreachable_host(place):
    (place / 'hosts').write_text('one\ngone\n')
    text = error(place, '-n', '2', '-H', str(place / 'hosts'), '--address', '127.0.0.1', '--grace', '1', 'python',
                 'waiting.py', 'never')
    assert text.startswith('error: ssh does not reach gone for ')
    assert 'ssh: connect to host gone port 22: No route to host' in text


def test_program_that_is_not_installed(place, monkeypatch):
    monkeypatch.setenv('PATH', os.path.dirname(sys.executable))
    if shutil.which('srun') or shutil.which('mpirun'):
        pytest.skip('Slurm or MPI lies beside Python')
    assert '--launcher slurm needs the program srun, which is not installed' in error(
        place, '-n', '1', '--launcher', 'slurm', 'python', 'worker.py')
    assert '--launcher mpi needs the program mpirun' in error(
        place, '-n', '1', '--launcher', 'mpi', 'python', 'worker.py')


def test_port_that_is_taken(place):
    with socket.socket() as holder:
        holder.bind(('127.0.0.1', 0))
        holder.listen(1)
        port = holder.getsockname()[1]
        assert f'error: port {port} of 127.0.0.1 cannot be used: Address already in use' in error(
            place, '-n', '1', '-p', str(port), 'python', 'worker.py')
    assert scheduler_port('127.0.0.1', port) == port
    assert scheduler_port('127.0.0.1') > 0


@pytest.mark.parametrize('more', [[], ['-p', '9091']])
def test_address_of_another_machine(place, more):
    assert '--address 192.0.2.1 is not an address of this machine' in error(
        place, '-n', '1', '--address', '192.0.2.1', *more, 'python', 'worker.py')


def test_address_that_is_a_name(place):
    status, output = launch(place, '-n', '1', '--address', 'localhost', 'python', 'worker.py')
    assert status == 0 and told(output)['worker 0']['DMLC_PS_ROOT_URI'] == '127.0.0.1', output
    assert '--address no.such.host.invalid is not known: ' in error(
        place, '-n', '1', '--address', 'no.such.host.invalid', 'python', 'worker.py')


@pytest.mark.parametrize('arguments, message', [
    (['-n', '2'], 'there is no command to run'),
    (['-n', '0', 'python', 'x.py'], '-n 0: there must be at least 1'),
    (['-n', '2', '-s', '0', 'python', 'x.py'], '-s 0: there must be at least 1'),
    (['--shards', '-1', 'python', 'x.py'], '--shards -1: there must be'),
    (['python', 'x.py'], 'say how many workers (-n) or how many shards'),
    (['-n', '2', '--shards', '2', 'python', 'x.py'], 'one of the two'),
    (['--shards', '2', '-s', '1', 'python', 'x.py'], 'shards need no servers'),
    (['-n', '2', '-p', '70000', 'python', 'x.py'], '--port 70000 is no port'),
    (['-n', '2', '--launcher', 'ssh', 'python', 'x.py'], '--launcher ssh needs --hostfile'),
    (['-n', '2', '--launcher', 'slurm', '-H', 'x', 'python', 'x.py'], 'takes no host file: Slurm chooses'),
    (['-n', '2', '--launcher', 'local', '-H', 'x', 'python', 'x.py'], 'takes no host file'),
    (['-n', '2', '--grace', '-1', 'python', 'x.py'], '--grace is -1; it must be 0 or more'),
    (['-n', '2', '--grace', 'nan', 'python', 'x.py'], '--grace is nan'),
    (['-n', '2', '--saving', '-1', 'python', 'x.py'], '--saving is -1; it must be 0 or more'),
    (['-n', '2', 'no-such-program', 'x'], "the command 'no-such-program' is not found")])
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(SniperError) as failure:
        parse_arguments(arguments)
    assert message in str(failure.value)


@pytest.mark.parametrize('content, message', [
    (None, 'cannot be read: No such file'), ('', 'names no host'), ('# none\n\n', 'names no host'),
    ('one\n-oProxyCommand=x\n', 'line 2 of the host file'), ('one two\n', "not understood: 'one two'"),
    ('one:0\n', 'not understood'), ('one slots=x', 'not understood'), ('one;reboot', 'not understood')])
def test_bad_host_files(tmp_path, content, message):
    path = tmp_path / 'hosts'
    if content is not None:
        path.write_text(content)
    with pytest.raises(SniperError) as failure:
        read_hostfile(str(path))
    assert message in str(failure.value) and str(path) in str(failure.value)


def test_host_file(tmp_path):
    path = tmp_path / 'hosts'
    path.write_text('a # first\nuser@b.example.org slots=2\n10.0.0.3:3\n')
    found = read_hostfile(str(path))
    assert found == [('a', 1), ('user@b.example.org', 2), ('10.0.0.3', 3)] and found[1].machine == 'b.example.org'
    assert [host.name for host in assign_hosts(found[:2], 5)] == ['a', 'user@b.example.org', 'user@b.example.org', 'a',
                                                          'user@b.example.org']



@pytest.mark.parametrize('launcher_name', ['ssh', 'slurm'])
def test_shards(place, launcher_name):
    (place / "it's a place" / 'test.py').write_text(SHARD)
    more = hosts(place) if launcher_name == 'ssh' else []
    status, output = launch(place, '--shards', '3', '--launcher', launcher_name, *more, 'python', 'test.py', '--set',
                            'a', 'b')
    assert status == 0, output
    for number in (1, 2, 3):
        assert f"[shard {number}] got ['--shard', '{number}/3', '--set', 'a', 'b']" in output
    assert "[merge] merged ['part1_3', 'part2_3', 'part3_3']" in output
    assert "[merge] got ['--merge', '3', '--set', 'a', 'b']" in output


def test_a_shard_that_fails_leaves_the_others_alone(place, monkeypatch):
    monkeypatch.setenv('PS_BROKEN', '2/3')
    (place / "it's a place" / 'test.py').write_text(SHARD)
    status, output = launch(place, '--shards', '3', 'python', 'test.py', 'a b')
    assert status == 1 and 'merged' not in output
    assert sorted(name for name in os.listdir('.') if name.startswith('part')) == ['part1_3', 'part3_3']
    assert output.splitlines()[-1] == (
        "error: shard 2 ended with exit status 3; run again: python test.py --shard 2/3 'a b'; "
        "merge with: python test.py --merge 3 'a b'")


def test_flags_go_to_the_program():
    assert with_flags(['python', '-u', 'main_test.py', '--set', 'x.py'], ['--shard', '1/2']) == [
        'python', '-u', 'main_test.py', '--shard', '1/2', '--set', 'x.py']
    with pytest.raises(SniperError, match='names no file.py'):
        with_flags(['python', '-m', 'tests'], [])


def test_pictures_are_for_the_merge(place, monkeypatch):
    """--vis of main_test.py; what follows --set are values."""
    monkeypatch.setenv('PS_BROKEN', '2/2')
    (place / "it's a place" / 'test.py').write_text(SHARD)
    command = ['--shards', '2', 'python', 'test.py', '--vis', '--set', 'a', '--vis']
    assert error(place, *command).endswith('run again: python test.py --shard 2/2 --set a --vis; '
                                           'merge with: python test.py --merge 2 --vis --set a --vis')
    monkeypatch.delenv('PS_BROKEN')
    status, output = launch(place, *command)
    assert status == 0 and "[shard 1] got ['--shard', '1/2', '--set', 'a', '--vis']" in output, output
    assert "[merge] got ['--merge', '2', '--vis', '--set', 'a', '--vis']" in output


@pytest.mark.parametrize('flags', [['--shard', '1/2'], ['--shard=1/2'], ['--merge'], ['--merge=2']])
def test_flags_that_the_launcher_gives_are_refused(flags):
    with pytest.raises(SniperError, match=f'^{flags[0]} in the command: with --shards the launcher gives'):
        shard_command(['python', 'main_test.py', '--cfg', 'x'] + flags + ['--set', 'a', 'b'])
    assert shard_command(['python', 'main_test.py', '--set', *flags]) == ['python', 'main_test.py', '--set', *flags]


def test_roles_of_ranks():
    assert [agent.role_of_rank('server=2,worker=2', rank) for rank in range(4)] == [
        ('server', 0), ('server', 1), ('worker', 0), ('worker', 1)]
    with pytest.raises(LookupError):
        agent.role_of_rank('server=2,worker=2', 4)


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Supervisor(1, 1):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
