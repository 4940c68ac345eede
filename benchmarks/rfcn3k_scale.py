"""Test of 3,130 classes at size: python -m benchmarks.rfcn3k_scale [--pictures N ...] [--spread S ...]

Made-up outputs of R-FCN-3K's test graph (rois in clumps around objects, probabilities of an object, a softmax of random
logits over all classes) stand in for the network; everything after it is a test's own code: lib.inference.detect with
the task's decoding, soft-NMS by class, 200 detections a picture, then the data set's evaluate, up to the official file
and the score. Each row runs in a process of its own. Prints a table and one JSON line; exit status 1 if 1,000 pictures
take 60 s or 2 GB.

    spread      standard deviation of the logits: 1 is nearly flat, and many classes of a proposal pass the least score
    rows        detections of a picture that come out of the decoding, and that are kept
    seconds     reading of the (tiny) pictures left out; by stage
    cpu         time of all threads, reading and making up included: what the rest of the machine does not change
    peak        memory of the process, made-up outputs left out
    growth      bytes that the peak rises by a picture, from the first row of that spread on
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import get_dataset
from lib.inference.detect import detect
from lib.utils.clock import StageClock
from lib.utils.processes import peak_memory

CLASSES, ROIS, SIDE = 3130, 300, 128
OBJECTS = 8             # of a picture, around which rois lie
POOL = 12               # windows with outputs of their own; pictures take them in turn
ALLOWED_SECONDS, ALLOWED_BYTES = 60, 2e9


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pictures', type=int, nargs='+', default=[100, 1000])
    parser.add_argument('--spread', type=float, nargs='+', default=[1.0, 4.0])
    parser.add_argument('--measure', nargs=2, metavar=('PICTURES', 'SPREAD'), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        print(json.dumps(measure(int(args.measure[0]), float(args.measure[1]))))
        return 0
    rows = [run_apart(pictures, spread) for spread in args.spread for pictures in args.pictures]
    for row in rows:
        first = next(other for other in rows if other['spread'] == row['spread'])
        more = row['pictures'] - first['pictures']
        row['growth'] = (row['peak'] - first['peak']) / more if more else None
    print('pictures spread  decoded  kept  decode     NMS   files  in all a picture      cpu  peak MB    growth')
    for row in rows:
        growth = '-' if row['growth'] is None else f'{row["growth"] / 1e3:.1f} kB'
        print(f'{row["pictures"]:>8} {row["spread"]:>6g} {row["decoded"]:>8.0f} {row["kept"]:>5.0f} '
              f'{row["decode"]:>6.1f}s {row["suppression"]:>6.1f}s {row["evaluate"]:>6.1f}s {row["seconds"]:>6.1f}s '
              f'{1e3 * row["seconds"] / row["pictures"]:>6.1f} ms {row["cpu"]:>7.1f}s '
              f'{row["peak"] / 1e6:>8.0f} {growth:>9}')
    holds = all(row['seconds'] < ALLOWED_SECONDS and row['peak'] < ALLOWED_BYTES for row in rows
                if row['pictures'] <= 1000)
    print(json.dumps({'benchmark': 'rfcn3k_scale', 'classes': CLASSES, 'rois': ROIS, 'rows': rows, 'holds': holds},
                     sort_keys=True))
    return 0 if holds else 1


def run_apart(pictures, spread):
    """A row, measured in a fresh process."""
    done = subprocess.run([sys.executable, '-m', 'benchmarks.rfcn3k_scale', '--measure', str(pictures), str(spread)],
                          check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(pictures, spread):
    with tempfile.TemporaryDirectory() as folder:
        make_data(folder, pictures)
        config = load_config('configs/rfcn3k/rfcn3k_tiny.yml', ['TEST.BATCH_IMAGES', '[6]', 'TEST.NUM_PROCESS', '0'])
        dataset = get_dataset('imagenet', 'val', folder, folder)
        roidb, clock, decoded = dataset.roidb(), StageClock(), []
        before = peak_memory()
        network = MadeUp(spread)
        pool = sum(array.nbytes for outputs in network.pool for array in outputs.values())
        cpu = time.process_time()
        found = detect(roidb, lambda: network, config, clock=clock,
                       on_scale=lambda _, result: decoded.append(len(result.detections)))
        begun = time.perf_counter()
        metrics = dataset.evaluate(found, os.path.join(folder, 'out'))
        evaluated, cpu = time.perf_counter() - begun, time.process_time() - cpu
        size = os.path.getsize(os.path.join(folder, 'out', 'det_val_pred.txt'))
    assert isinstance(found, Detections) and metrics is not None
    seconds = {name: clock.seconds[name] for name in ('decode', 'suppression')}
    return dict(seconds, pictures=pictures, spread=spread, decoded=decoded[0] / pictures, kept=len(found) / pictures,
                evaluate=evaluated, seconds=sum(seconds.values()) + evaluated, read=clock.seconds['read'],
                cpu=cpu,
                peak=peak_memory() - pool, before=before, file=size)


def make_data(folder, pictures):
    """A class list and a set `val` of pictures, all the same file, with one box each."""
    names = [f'class {number:04d}' for number in range(CLASSES)]
    with open(os.path.join(folder, 'classes.txt'), 'w') as stream:
        stream.write('\n'.join(names))
    os.makedirs(os.path.join(folder, 'val'))
    first = os.path.join(folder, 'first.jpg')
    Image.fromarray(np.zeros((SIDE, SIDE, 3), np.uint8)).save(first)
    for number in range(pictures):
        stem = os.path.join(folder, 'val', f'{number:06d}')
        os.link(first, stem + '.jpg')
        with open(stem + '.xml', 'w') as stream:
            stream.write(f'<annotation><size><width>{SIDE}</width><height>{SIDE}</height></size><object><name>'
                         f'{names[number % CLASSES]}</name><bndbox><xmin>8</xmin><ymin>8</ymin><xmax>90</xmax>'
                         '<ymax>90</ymax></bndbox></object></annotation>')


class MadeUp:
    """In place of a network: POOL windows with outputs, taken in turn."""

    devices = 1

    def __init__(self, spread, seed=0):
        rng = np.random.default_rng(seed)
        self.pool, self._next = [window_outputs(rng, spread) for _ in range(POOL)], 0

    def predict(self, batch):
        """Outputs of as many windows as the batch has."""
        chosen = [self.pool[(self._next + place) % POOL] for place in range(len(batch.windows))]
        self._next += len(chosen)
        outputs = {name: np.stack([window[name] for window in chosen]) for name in chosen[0]}
        outputs['rois_output'] = outputs['rois_output'].reshape(-1, 5)
        return outputs

    def close(self):
        """Nothing to free."""


def window_outputs(rng, spread):
    """{output: array of one window}: rois in clumps, of which many are no object, and a softmax over the classes."""
    centres, sizes = rng.uniform(20, SIDE - 20, (OBJECTS, 2)), rng.uniform(15, 60, (OBJECTS, 2))
    of_roi = rng.integers(0, OBJECTS, ROIS)
    middle = centres[of_roi] + rng.normal(0, 4, (ROIS, 2))
    half = sizes[of_roi] * np.exp(rng.normal(0, 0.15, (ROIS, 2))) / 2
    rois = np.clip(np.concatenate([middle - half, middle + half], axis=1), 0, SIDE - 1)
    objects = 1 / (1 + np.exp(-rng.normal(-1.5, 2, ROIS)))
    logits = rng.normal(0, spread, (OBJECTS, CLASSES))[of_roi] + rng.normal(0, 0.3 * spread, (ROIS, CLASSES))
    fine = np.exp(logits - logits.max(axis=1, keepdims=True))
    fine /= fine.sum(axis=1, keepdims=True)
    return {'rois_output': np.column_stack([np.zeros(ROIS), rois]).astype(np.float32),
            'cls_prob_reshape_output': np.column_stack([1 - objects, objects]).astype(np.float32),
            'bbox_pred_reshape_output': rng.normal(0, 0.05, (ROIS, 4)).astype(np.float32),
            'subcls_prob_reshape_output': fine.astype(np.float32)}


if __name__ == '__main__':
    sys.exit(main())
