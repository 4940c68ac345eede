"""What several devices and workers cost and gain on this machine: python -m benchmarks.distributed [options]

Trains sniper_tiny for some batches of 8 chips, in turns as

    1 thread, 2 threads    one process with one CPU device
    cpu,cpu                one process with two CPU devices of a thread each, 4 chips a device
    half                   one process and one thread with 4 chips: what a worker computes
    2 workers              two workers of a thread each with 4 chips, one server, dist_sync over loopback

and prints seconds a batch, chips a second, and for the workers the seconds and bytes of an exchange: bytes as computed
from the parameters and as counted by the loopback interface, and seconds a batch as the model (compute + exchange)
predicts them and as measured. Nothing else may use the processor or the loopback interface meanwhile. The last line is
JSON; exit status 1 if bytes or seconds are more than 20 % from the model. (benchmarks/gradient_sync.py takes it
apart, benchmarks/scaling_model.py reckons with more workers.)
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

from benchmarks.timing import json_line, table
from lib.utils.processes import environment

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONFIGURATION = 'configs/faster/sniper_tiny_e2e.yml'
CHIPS = 8
WORKERS = 2
BAR = 0.2
# name -> (chips a device, threads, gpus, workers)
CASES = {'1 thread': (8, 1, 'cpu', 0), '2 threads': (8, 2, 'cpu', 0), 'cpu,cpu': (4, 1, 'cpu,cpu', 0),
         'half': (4, 1, 'cpu', 0), '2 workers': (4, 1, 'cpu', WORKERS)}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batches', type=int, default=60, metavar='N', help='of a measurement (default: %(default)s)')
    parser.add_argument('--repeats', type=int, default=2, metavar='N',
                        help='measurements each, the fastest counts (default: %(default)s)')
    args = parser.parse_args(argv)
    figures = measure(args.batches, args.repeats)
    print('\n'.join(case_table(figures)) + '\n')
    figures.update(compare(figures))
    print('exchange of a worker: {exchange_s:.4f} s a batch; {computed_mb:.3f} MB computed, {counted_mb:.3f} MB '
          'counted on loopback'.format_map(figures))
    print('seconds a batch of 2 workers: {predicted_s:.4f} predicted, {measured_s:.4f} measured\n'.format_map(figures))
    print(json_line('distributed', **figures))
    return 0 if figures['holds'] else 1


def measure(batches, repeats):
    """{'cases': {name: fastest seconds a batch}, 'exchange_s', 'computed_mb', 'counted_mb'}."""
    seconds = {name: [] for name in CASES}
    exchanges, counted = [], []
    for _ in range(repeats):
        for name in CASES:
            log, bytes_of_run = train(name, batches)
            seconds[name].append(seconds_a_batch(log))
            if CASES[name][3]:
                short_log, bytes_of_start = train(name, batches // 3)
                counted.append((bytes_of_run - bytes_of_start) / (batches - batches // 3) / WORKERS)
                exchanges.append(exchange_of(log))
    return {'cases': {name: min(values) for name, values in seconds.items()},
            'exchange_s': min(value for _, value in exchanges), 'computed_mb': exchanges[0][0],
            'counted_mb': min(counted) / 1e6}


def compare(figures):
    """Model against measurement."""
    predicted = figures['cases']['half'] + figures['exchange_s']
    measured = figures['cases']['2 workers']
    off = {'bytes_off': figures['counted_mb'] / figures['computed_mb'] - 1, 'seconds_off': measured / predicted - 1}
    return dict(off, predicted_s=predicted, measured_s=measured, holds=max(map(abs, off.values())) <= BAR)


def train(name, batches):
    """Train as case `name` -> (log, bytes that went over the loopback interface meanwhile)."""
    chips, threads, gpus, workers = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, 'main_train.py', '--cfg', CONFIGURATION, '--display', str(max(1, batches // 6)),
                   '--set', 'gpus', gpus, 'TRAIN.BATCH_IMAGES', str(chips), 'TRAIN.MAX_BATCHES', str(batches),
                   'TRAIN.end_epoch', '1', 'TRAIN.NUM_PROCESS', '0', 'TRAIN.LOSS_MEAN', 'update', 'output_path', folder]
        if workers:
            command = [sys.executable, 'scripts/launch.py', '-n', str(workers), '-s', '1'] + command + [
                'default.kvstore', 'dist_sync']
        before = loopback_bytes()
        with environment(OMP_NUM_THREADS=str(threads)):
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        sent = loopback_bytes() - before
        log = done.stdout.decode(errors='replace')
        if done.returncode:
            sys.exit(f'this case failed: {name}\n{log[-2000:]}')
        return log, sent


def seconds_a_batch(log):
    """Of the fastest stretch between two progress lines, the first left out."""
    speeds = [float(speed) for speed in re.findall(r' batch \d+/\d+  ([\d.]+) chips/s', log)][1:]
    chips = WORKERS * CASES['2 workers'][0] if ' MB with the servers' in log else chips_of(log)
    return chips / max(speeds)


def chips_of(log):
    """Chips a batch of a run, from its configuration in the log."""
    images = int(re.search(r'TRAIN.BATCH_IMAGES: (\d+)', log).group(1))
    return images * len(re.search(r"gpus: '(.*)'", log).group(1).split(','))


def exchange_of(log):
    """(MB, seconds) that a batch exchanges."""
    found = re.search(r'exchanges ([\d.]+) MB with the servers in ([\d.]+) s', log)
    return float(found.group(1)), float(found.group(2))


def loopback_bytes():
    """Bytes received on the loopback interface since the machine started (Linux)."""
    with open('/proc/net/dev') as stream:
        return next(int(line.split(':')[1].split()[0]) for line in stream if line.strip().startswith('lo:'))


def case_table(figures):
    """Lines of a table of CASES."""
    rows = []
    for name, (chips, _, gpus, workers) in CASES.items():
        seconds = figures['cases'][name]
        batch = chips * len(gpus.split(',')) * max(1, workers)
        rows.append([name, batch, f'{seconds:.3f}', f'{batch / seconds:.1f}'])
    return table(['what', 'chips a batch', 'seconds a batch', 'chips/s'], rows)


if __name__ == '__main__':
    sys.exit(main())
