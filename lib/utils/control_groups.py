"""What a container or batch system grants this process: limits of its Linux control groups, versions 1 and 2.

A limit holds for all groups below, so the smallest from the process's own group up to the topmost that can be seen
counts. Python's standard library alone, as lib/distributed/launch/agent.py reads this too.
"""
import os
from typing import List, Optional


def group_folders(controller: str, proc: str = '/proc/self') -> List[str]:
    """Folders of the groups that a controller ('cpu', 'memory') has this process in, its own first; [] for none.

    proc: folder with the process's files cgroup and mountinfo.
    """
    paths, folders = _group_paths(proc), []
    for line in _lines(os.path.join(proc, 'mountinfo')):
        before, _, after = line.partition(' - ')
        root, mount = (_unescaped(word) for word in before.split()[3:5])
        kind, _, options = after.split()[:3]
        name = controller if kind == 'cgroup' and controller in options.split(',') else ''
        if (name or kind == 'cgroup2') and name in paths:
            folders += _upwards(mount, paths[name], root)
    return folders


def cpu_quota(folders: List[str]) -> Optional[float]:
    """Smallest number of processors, fractions too, that groups (of `group_folders('cpu')`) grant; None = no quota."""
    quotas = []
    for folder in folders:
        for names in (('cpu.max',), ('cpu.cfs_quota_us', 'cpu.cfs_period_us')):
            try:
                quota, period = ' '.join(_lines(os.path.join(folder, name))[0] for name in names).split()
                quotas += [int(quota) / int(period)] if int(quota) > 0 else []
            except (IndexError, ValueError, ZeroDivisionError):  # no such file, 'max'
                continue
    return min(quotas, default=None)


def memory_left(folders: List[str]) -> Optional[int]:
    """Bytes that the memory limits of groups (of `group_folders('memory')`) leave; file cache counts as free.
    None = no limit."""
    left = []
    for folder in folders:
        for limit, used, cache in (('memory.max', 'memory.current', 'inactive_file'),
                                   ('memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file')):
            try:
                numbers = [int(_lines(os.path.join(folder, name))[0]) for name in (limit, used)]
                statistics = dict(line.split() for line in _lines(os.path.join(folder, 'memory.stat')))
                left.append(numbers[0] - numbers[1] + int(statistics.get(cache, '0')))
            except (IndexError, ValueError):  # no such file, 'max'
                continue
    return min(left, default=None)


def _group_paths(proc):
    """{controller: path of the group}; '' = version 2."""
    paths = {}
    for line in _lines(os.path.join(proc, 'cgroup')):
        _, controllers, path = line.split(':', 2)
        paths.update(dict.fromkeys(controllers.split(','), path))
    return paths


def _upwards(mount, path, root):
    """The folder of a group and those above it, up to the mount.

    root: the group that is mounted there. In a container without a name space of its own, the path leads to what the
    mount does not show: then the part that is there counts.
    """
    inside = path[len(root):] if root != '/' and path.startswith(root) else path
    parts = [part for part in inside.split('/') if part]
    if '..' in parts:
        parts = []
    found = [os.path.join(mount, *parts[:count]) for count in range(len(parts), -1, -1)]
    return [folder for folder in found if os.path.isdir(folder)]


def _lines(path):
    """Lines of a small file, [] if it cannot be read."""
    try:
        with open(path, errors='replace') as stream:
            return stream.read().splitlines()
    except OSError:
        return []


def _unescaped(word):
    return word.replace('\\040', ' ').replace('\\134', '\\')
