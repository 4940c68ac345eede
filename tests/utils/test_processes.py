"""How many cores and how much memory a container or batch system leaves: files of control groups, made here."""
import os

import pytest

from lib.utils import processes
from lib.utils.control_groups import cpu_quota, group_folders, memory_left


def files(folder, **contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / name.replace('__', '.')).write_text(text + '\n')


def proc(folder, groups, *mounts):
    """/proc/self of a process in `groups`; mounts: (root, folder, type, options)."""
    lines = []
    for number, (root, mount, kind, options) in enumerate(mounts, 30):
        mount = str(mount).replace(' ', r'\040')
        lines.append(f'{number} 20 0:{number} {root} {mount} rw,nosuid shared:9 - {kind} none {options}')
    files(folder / 'proc', cgroup=groups, mountinfo='\n'.join(lines))
    return str(folder / 'proc')


@pytest.mark.parametrize('text, quota', [('50000 100000', 0.5), ('max 100000', None), ('250000 100000', 2.5),
                                         ('', None), ('200000 0', None), ('-1 100000', None)])
def test_a_quota_of_version_2(tmp_path, text, quota):
    files(tmp_path, cpu__max=text)
    assert cpu_quota([str(tmp_path)]) == quota


@pytest.mark.parametrize('quota, period, found', [('150000', '100000', 1.5), ('-1', '100000', None),
                                                  ('50000', '250000', 0.2)])
def test_a_quota_of_version_1(tmp_path, quota, period, found):
    files(tmp_path, cpu__cfs_quota_us=quota, cpu__cfs_period_us=period)
    assert cpu_quota([str(tmp_path)]) == found


def test_the_smallest_of_nested_groups_counts(tmp_path):
    mount = tmp_path / 'a mount'
    files(mount / 'pod' / 'container', cpu__max='max 100000', memory__max='1000', memory__current='300',
          memory__stat='anon 100\ninactive_file 50')
    files(mount / 'pod', cpu__max='150000 100000', memory__max='max', memory__current='300', memory__stat='anon 1')
    files(mount, cpu__max='300000 100000')
    where = proc(tmp_path, '0::/pod/container', ('/', mount, 'cgroup2', 'rw'))
    assert group_folders('cpu', where) == [str(mount / 'pod' / 'container'), str(mount / 'pod'), str(mount)]
    assert cpu_quota(group_folders('cpu', where)) == 1.5 and memory_left(group_folders('memory', where)) == 750


def test_version_1_has_a_mount_a_controller(tmp_path):
    files(tmp_path / 'cpu,cpuacct' / 'slurm' / 'job', cpu__cfs_quota_us='-1', cpu__cfs_period_us='100000')
    files(tmp_path / 'cpu,cpuacct' / 'slurm', cpu__cfs_quota_us='400000', cpu__cfs_period_us='100000')
    files(tmp_path / 'memory' / 'job', memory__limit_in_bytes='500', memory__usage_in_bytes='400',
          memory__stat='total_inactive_file 40')
    where = proc(tmp_path, '4:memory:/job\n3:cpu,cpuacct:/slurm/job\n1:name=systemd:/x\n0::/',
                 ('/', tmp_path / 'cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'),
                 ('/', tmp_path / 'memory', 'cgroup', 'rw,memory'), ('/', tmp_path / 'unified', 'cgroup2', 'rw'))
    assert cpu_quota(group_folders('cpu', where)) == 4 and memory_left(group_folders('memory', where)) == 140


@pytest.mark.parametrize('path, root', [('/docker/abc', '/docker/abc'), ('/docker/abc', '/'), ('/../..', '/')])
def test_a_container_sees_its_own_group_at_the_mount(tmp_path, path, root):
    files(tmp_path / 'cpu', cpu__cfs_quota_us='200000', cpu__cfs_period_us='100000')
    where = proc(tmp_path, f'3:cpu:{path}', (root, tmp_path / 'cpu', 'cgroup', 'rw,cpu'))
    assert cpu_quota(group_folders('cpu', where)) == 2


def test_without_control_groups(tmp_path):
    assert group_folders('cpu', str(tmp_path)) == [] and cpu_quota([]) is None and memory_left([]) is None


@pytest.mark.parametrize('quota, bound, of_task, cores', [
    (None, 8, '', 8), (0.5, 8, '', 1), (1.5, 8, '', 2), (2.0, 8, '', 2), (64.0, 8, '', 8), (0.01, 8, '', 1),
    (None, 8, '3', 3), (2.0, 8, '3', 2), (None, 2, '3', 2), (None, 8, 'all', 8), (None, 8, '0', 1)])
def test_cores_and_threads(monkeypatch, quota, bound, of_task, cores):
    monkeypatch.setattr(processes, 'cpu_quota', lambda folders: quota)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda process: range(bound))
    monkeypatch.setenv('SLURM_CPUS_PER_TASK', of_task)
    assert processes.num_cores() == cores and processes.resolve_workers('auto', 1000) == cores
    for given, parts, threads in (('', 1, cores), ('', 2, max(1, cores // 2)), ('7', 1, 7)):
        monkeypatch.setenv('OMP_NUM_THREADS', given)
        processes.limit_threads(parts)
        assert os.environ['OMP_NUM_THREADS'] == str(threads)


def test_the_most_memory_is_not_forgotten():
    held = b'x' * (64 << 20)
    most = processes.peak_memory()
    assert len(held) < most < 1 << 40
    del held
    assert processes.peak_memory() >= most
