"""What exchanging arrays with ps-lite's servers costs on this machine: python -m benchmarks.gradient_sync

Runs scripts/launch.py with 1 and 2 workers and 1 server, on loopback. Workers push and pull sets of arrays, as a
training step does, the sets in turn; a set's time is the shortest of all rounds, of the slowest worker. The costs of
benchmarks/scaling_model.py are fitted to these times; how far each is off its fit is printed. The last line is JSON.
"""
import argparse
import json
import os
import subprocess
import sys
import time

from benchmarks import timing
from benchmarks.network_bytes import traffic
from benchmarks.scaling_model import exchange_seconds, fit_costs

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Numbers in each array: many small ones, few large ones, and mixtures such as networks have.
SETS = {'100 x 1 K': [1000] * 100, '400 x 1 K': [1000] * 400, '4 x 1 M': [1000000] * 4, '8 x 1 M': [1000000] * 8,
        '100 x 50 K': [50000] * 100, '50 x 1 K and 50 x 100 K': [1000] * 50 + [100000] * 50}
MARK = 'sync-times '


def main(argv=None):
    """-> exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=15, help='(%(default)s)')
    parser.add_argument('--worker', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        return work(args.rounds)
    measured = []
    for workers in (1, 2):
        for name, seconds in launched(workers, args.rounds).items():
            measured.append((name, traffic([(size, 4) for size in SETS[name]]), workers, 1, seconds))
    costs = fit_costs([row[1:] for row in measured])
    rows = [(name, workers, f'{found.total / 1e6:.1f}', f'{seconds * 1e3:.1f}',
             f'{100 * (exchange_seconds(found, workers, servers, costs) / seconds - 1):+.0f} %')
            for name, found, workers, servers, seconds in measured]
    print('\n'.join(timing.table(('arrays', 'workers', 'MB a worker', 'ms', 'model'), rows)))
    print(', '.join('{} {:.3g} s'.format(*pair) for pair in zip(costs._fields[:4], costs)))
    print(timing.json_line('gradient_sync', costs=costs._asdict(), rows=[
        {'set': name, 'workers': workers, 'seconds': seconds} for name, _, workers, _, seconds in measured]))
    return 0


def launched(workers, rounds):
    """Set -> seconds, of the slowest of so many workers."""
    command = [sys.executable, os.path.join('scripts', 'launch.py'), '-n', str(workers), '-s', '1', 'python', '-m',
               'benchmarks.gradient_sync', '--worker', '--rounds', str(rounds)]
    threads = dict(os.environ, OMP_NUM_THREADS='1')  # the same with 1 and 2 workers
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True, env=threads)
    found = [json.loads(line.partition(MARK)[2]) for line in done.stdout.splitlines() if MARK in line]
    assert len(found) == workers, done.stdout
    return {name: max(times[name] for times in found) for name in SETS}


def work(rounds):
    """What each worker does."""
    from sniper_mxnet import mx
    store = mx.kv.create('dist_sync')
    arrays = {}
    for name, sizes in SETS.items():
        arrays[name] = [(f'{name} {number}', mx.nd.ones(size)) for number, size in enumerate(sizes)]
        for key, array in arrays[name]:
            store.init(key, array)
    times = {name: [] for name in SETS}
    for turn in range(rounds + 1):
        for name, pairs in arrays.items():
            mx.nd.waitall()
            store._barrier()
            started = time.perf_counter()
            for index, (key, array) in enumerate(pairs):
                store.pushpull(key, array, out=array, priority=-index)
            mx.nd.waitall()
            if turn:  # the first makes the connections
                times[name].append(time.perf_counter() - started)
            for _, array in pairs:
                array[:] = 1
    print(MARK + json.dumps({name: min(values) for name, values in times.items()}), flush=True)
    store._barrier()
    return 0


if __name__ == '__main__':
    from lib.cli import run
    run(main)
