"""Time and memory of choosing an epoch's chips: python -m benchmarks.chips [--images N] [--workers N]

A made-up training set of COCO's size, 118,000 images x 7 boxes with 300 proposals each, goes through what a training
does before its first batch: packing, workers' start, positive chips, assignment of boxes, negative chips, and the
order of the epoch. Prints a table and one JSON line; exit status 1 if a bar is missed.
"""
import argparse
import os
import sys
import threading
import time

import numpy as np

from benchmarks import timing
from benchmarks.roidb_memory import columns
from configs import load_config
from lib.dataset.compact import CompactRoidb
from lib.iterators import TrainIterator
from lib.utils.processes import num_cores

CONFIGURATION = 'configs/faster/sniper_res101_e2e.yml'
IMAGES, BOXES, PROPOSALS = 118000, 7, 300
SECONDS_BAR, BYTES_BAR = 180, 4e9


def main(argv=None):
    """-> exit status: 0 if both bars hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=IMAGES, metavar='N', help='(default: %(default)s)')
    parser.add_argument('--workers', type=int, default=num_cores(), metavar='N', help='(default: one a core)')
    args = parser.parse_args(argv)
    if args.images < 1 or args.workers < 0:
        parser.error('--images wants 1 or more, --workers 0 or more')
    if not os.path.exists('/proc/self/smaps_rollup'):
        parser.error('/proc/self/smaps_rollup is missing: this needs Linux 4.14 or newer')
    figures = measure(args.images, args.workers)
    print('\n'.join(timing.table(('what', 'figure', 'bar'), [
        ('images x boxes, proposals', f'{args.images} x {BOXES}, {PROPOSALS}', ''),
        ('chips, of them negative', f'{figures["chips"]}, {figures["negative_chips"]}', ''),
        ('seconds', f'{figures["seconds"]:.1f}', f'{SECONDS_BAR}'),
        ('peak of all processes, GB', f'{figures["peak_bytes"] / 1e9:.2f}', f'{BYTES_BAR / 1e9:g}')])))
    holds = figures['seconds'] < SECONDS_BAR and figures['peak_bytes'] < BYTES_BAR
    print(timing.json_line('chips', holds=holds, **figures))
    return 0 if holds else 1


def measure(images, workers):
    """Dict of figures for one epoch; the images' files need not exist."""
    # Batch 1 of 1 is asked for: everything is planned, and no image is read.
    config = load_config(CONFIGURATION, ['TRAIN.MAX_BATCHES', '1'])
    roidb = CompactRoidb(training_set(images))
    with PeakMemory() as memory:
        started = time.perf_counter()
        with TrainIterator(roidb, config, 16, num_workers=workers) as iterator:
            iterator.start_epoch(0, first_batch=1)
            seconds = time.perf_counter() - started
            stats = iterator.epoch_stats
    return {'images': images, 'workers': workers, 'seconds': seconds, 'peak_bytes': memory.peak,
            'chips': stats['chips'], 'negative_chips': stats['negative_chips']}


def training_set(images):
    """Arrays of a CompactRoidb: 640x480 images, boxes of 8 to 350 pixels, evenly over the logarithm of their side."""
    made = columns(images, BOXES, PROPOSALS)
    rng = np.random.default_rng(0)
    for name in ('boxes', 'proposals'):
        count = len(made[name])
        sides = np.exp(rng.uniform(np.log(8), np.log(350), (count, 1)) + rng.uniform(-0.3, 0.3, (count, 2)))
        corners = rng.uniform(0, 1, (count, 2)) * ((640, 480) - sides)
        made[name][:, :2] = corners
        made[name][:, 2:] = corners + sides - 1
    return made


class PeakMemory:
    """Largest memory of this process and its children inside the block, in bytes: `peak`.

    Sums proportional set sizes (shared pages are split among their users), four times a second.
    """

    def __enter__(self):
        self.peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _watch(self):
        while True:
            self.peak = max(self.peak, sum(map(proportional_bytes, family(os.getpid()))))
            if self._done.wait(0.25):
                return


def family(pid):
    """`pid` and the processes it started."""
    members = [pid]
    for name in os.listdir('/proc'):
        try:
            if name.isdigit() and int(open_text(f'/proc/{name}/stat').rsplit(')', 1)[1].split()[1]) == pid:
                members.append(int(name))
        except OSError:
            continue  # it ended meanwhile
    return members


def proportional_bytes(pid):
    """Proportional set size of a process in bytes; 0 if it has ended."""
    try:
        text = open_text(f'/proc/{pid}/smaps_rollup')
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith('Pss:'))


def open_text(path):
    with open(path) as stream:
        return stream.read()


if __name__ == '__main__':
    sys.exit(main())
