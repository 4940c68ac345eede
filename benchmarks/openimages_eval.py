"""Scoring a test of the size of Open Images: python -m benchmarks.openimages_eval [--detections 4000000] [options]

Synthetic truths, image labels and detections as many as the validation set of version 4 has them (41,620 pictures, 600
classes, 300,000 boxes, of which one in twenty is around a group), and a hierarchy of four levels; half of the
detections are near a box of their class. Both forms are scored. Prints seconds, those of the processor, memory and a
JSON line. Bars: 120 s, 8 GB.
"""
import argparse
import sys
import time

import numpy as np

from benchmarks.timing import json_line
from lib.bbox.detections import Detections
from lib.dataset.openimages.evaluation import score
from lib.dataset.openimages.hierarchy import Hierarchy
from lib.dataset.openimages.labels import VerifiedLabels
from lib.dataset.truth import Truth
from lib.utils.processes import peak_memory

PICTURES, CLASSES, BOXES, LABELS = 41620, 600, 300000, 500000
MOST_SECONDS, MOST_GIGABYTES = 120, 8


def main(argv=None) -> int:
    """Command line -> exit status 0 if the bars hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--detections', type=int, default=4000000, help='default: %(default)s')
    args = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    truth = Truth.of(rng.integers(0, PICTURES, BOXES), 1 + (rng.pareto(1, BOXES) * 8).astype(int) % CLASSES,
                     boxes(rng, BOXES), crowd=rng.random(BOXES) < 0.05)
    detections = near(rng, truth, args.detections)
    pairs = np.unique(np.stack([rng.integers(0, PICTURES, LABELS), rng.integers(1, CLASSES + 1, LABELS)], 1), axis=0)
    labels = VerifiedLabels(pairs[:, 0], pairs[:, 1], rng.random(len(pairs)) < 0.3)
    before, started, busy = peak_memory() / 1e9, time.perf_counter(), time.process_time()
    scores = score(truth, detections, labels, hierarchy())
    seconds, busy, memory = time.perf_counter() - started, time.process_time() - busy, peak_memory() / 1e9
    print(f'{args.detections} detections, {BOXES} boxes, {PICTURES} pictures: both forms in {seconds:.1f} s '
          f'({busy:.1f} s of the processor), at most {memory:.2f} GB of memory ({before:.2f} GB before); mean AP '
          f'{scores.plain.mean:.3f} and {scores.challenge.mean:.3f}')
    holds = seconds <= MOST_SECONDS and memory <= MOST_GIGABYTES
    print(json_line('openimages_eval', seconds=round(seconds, 1), processor=round(busy, 1), gigabytes=round(memory, 2),
                    detections=args.detections, holds=holds))
    return 0 if holds else 1


def boxes(rng, count) -> np.ndarray:
    """(count, 4) in pictures of 1024 x 768."""
    corners = rng.uniform(0, (800, 600), (count, 2))
    return np.concatenate([corners, corners + rng.uniform(10, 200, (count, 2))], 1)


def near(rng, truth, count) -> Detections:
    """Half near boxes of their class, half anywhere."""
    chosen, anywhere = rng.integers(0, len(truth.image), count), rng.random(count) < 0.5
    box = np.where(anywhere[:, None], boxes(rng, count), truth.box[chosen] + rng.normal(0, 8, (count, 4)))
    box[:, 2:] = np.maximum(box[:, 2:], box[:, :2])
    return Detections(truth.image[chosen], np.where(anywhere, rng.integers(1, CLASSES + 1, count), truth.label[chosen]),
                      box.astype(np.float32), rng.random(count))


def hierarchy() -> Hierarchy:
    """Class c is below c // 8, and so on up."""
    above = {}
    for label in range(1, CLASSES + 1):
        parents, parent = [], label // 8
        while parent:
            parents.append(parent)
            parent //= 8
        above[label] = tuple(sorted(parents))
    below = {label: tuple(other for other, parents in above.items() if label in parents) for label in above}
    return Hierarchy(above, below)


if __name__ == '__main__':
    sys.exit(main())
