"""What a single-shot detector does with arrays besides its network: python -m benchmarks.single_shot [--forward MS]

At the size of M2Det-512, 32,760 priors and 81 classes, one process, milliseconds a picture:

    augmentation    a picture of 640 x 480 with 7 objects, all steps (lib.targets.ssd_augmentation); mean over draws
    matching        7 objects to all priors (lib.targets.prior_matching)
    decoding        scores and offsets to rows above a score (lib.bbox.ssd_detections)
    suppression     of these rows, linear soft-NMS at 0.3 with 50 a class, or hard at 0.45 (lib.inference.aggregate)

The last two are made for scenes: objects that a number of neighbouring priors see, everything else background.
Prints a table and one JSON line. Exit status 1 if decoding and suppression together take more than a tenth of --forward
in a scene at the published score, 0.1. The default of that is less than any M2Det-512 needs on a CPU.
"""
import argparse

import numpy as np

from benchmarks.timing import interleaved, json_line, table
from lib.bbox import ssd_priors, ssd_rows
from lib.bbox.detections import Detections
from lib.inference.aggregate import Suppression, aggregate
from lib.targets.prior_matching import PriorTargets
from lib.targets.ssd_augmentation import SsdAugmentation
from lib.utils.draws import Draws

SIDE, CLASSES = 512, 81
STEPS, SIZES = (8, 16, 32, 64, 128, 256), (.06, .15, .33, .51, .69, .87, 1.05)
PICTURE = 480, 640
OBJECTS = 7
DRAWS = 40          # pictures that the mean of the augmentation is over
SHARE = 0.1         # of the forward pass
PUBLISHED = 0.1     # score from which on detections count
# name -> (objects, priors that see each, lowest score)
SCENES = {'usual': (20, 15, PUBLISHED), 'crowded': (100, 30, PUBLISHED), 'low scores': (100, 30, 0.01)}
SUPPRESSIONS = {'soft': Suppression('linear', 0.3, 0.45, 0.001, 50), 'hard': Suppression('hard', 0.45, 0, 0, 50)}


def main(argv=None):
    """-> exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--forward', type=float, default=100, metavar='MS', help='of the network, a picture (100)')
    parser.add_argument('--seconds', type=float, default=6, help='for the measurements of a scene (6)')
    args = parser.parse_args(argv)
    priors = ssd_priors(SIDE, STEPS, SIZES)
    rows = training_rows(priors, args.seconds)
    for name, (objects, seen_by, lowest) in SCENES.items():
        rows += scene_rows(name, priors, scene(priors, objects, seen_by), lowest, args.seconds)
    print('\n'.join(table(['step', 'scene', 'rows', 'ms'],
                          [[row['step'], row['scene'], row['rows'], f'{row["ms"]:.2f}'] for row in rows])))
    worst = {name: sum(row['ms'] for row in rows if row['scene'] == name and row['step'] in ('decoding', 'soft'))
             for name, (_, _, lowest) in SCENES.items() if lowest == PUBLISHED}
    holds = all(ms <= SHARE * args.forward for ms in worst.values())
    print(json_line('single_shot', forward_ms=args.forward, rows=rows, post_processing_ms=worst, holds=holds))
    return 0 if holds else 1


def training_rows(priors, seconds):
    """Rows of the table: augmentation and matching."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*PICTURE, 3)).astype(np.uint8)
    corners = np.sort(rng.uniform(0, 1, (OBJECTS, 2, 2)), axis=1).reshape(-1, 4)
    labels = rng.integers(1, CLASSES, OBJECTS)
    boxes, truths = corners * np.tile(PICTURE[::-1], 2), np.column_stack([corners, labels])
    augmentation, targets = SsdAugmentation(SIDE), PriorTargets(priors)

    def augment():
        for seed in range(DRAWS):
            augmentation(pixels, boxes, labels, Draws(np.random.default_rng(seed)))

    times = interleaved({'augmentation': augment, 'matching': lambda: targets.match(truths)}, seconds)
    times['augmentation'] /= DRAWS
    return [dict(step=name, scene='', rows=OBJECTS, ms=1e3 * value) for name, value in times.items()]


def scene(priors, objects, seen_by):
    """-> scores (P, C), offsets (P, 4): `objects` of them, each with `seen_by` priors around it that say so."""
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((len(priors), CLASSES)).astype(np.float32)
    logits[:, 0] += 10
    offsets = rng.standard_normal((len(priors), 4)).astype(np.float32) * 0.3
    for centre in rng.integers(0, len(priors), objects):
        near = np.argsort(np.abs(priors - priors[centre]).sum(axis=1), kind='stable')[:seen_by]
        logits[near, rng.integers(1, CLASSES)] += rng.uniform(9, 14, seen_by)
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True), offsets


def scene_rows(name, priors, outputs, lowest, seconds):
    """Rows of the table: decoding and suppression."""
    found = ssd_rows(*outputs, priors, lowest)
    detections = Detections(np.zeros(len(found.label)), found.label, found.box * np.tile(PICTURE[::-1], 2), found.score)
    functions = {'decoding': lambda: ssd_rows(*outputs, priors, lowest)}
    for method, suppress in SUPPRESSIONS.items():
        functions[method] = lambda suppress=suppress: aggregate([detections], [(-1, -1)], suppress, 0)
    return [dict(step=step, scene=name, rows=len(found.label), ms=1e3 * value)
            for step, value in interleaved(functions, seconds).items()]


if __name__ == '__main__':
    raise SystemExit(main())
