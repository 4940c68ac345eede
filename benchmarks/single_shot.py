"""What a single-shot detector does besides its network, and what that takes: python -m benchmarks.single_shot

At the size of M2Det-512, 32,760 priors and 81 classes, medians of calls in turn, milliseconds:

    forward, step   m2det512_vgg16, one picture, a forward pass and a training step (--forward MS --step MS: as given)
    loss            targets of 7 objects a picture, mining, losses, gradients, of 7 pictures and of one, and in NumPy
    augmentation    a picture of 640 x 480 with 7 objects, all steps (lib.targets.ssd_augmentation); mean over draws
    matching        7 objects to all priors (lib.targets.prior_matching)
    decoding        scores and offsets of a picture to rows above a score (lib.bbox.ssd_detections)
    suppression     of these rows, linear soft-NMS at 0.3 with 50 a class, or hard at 0.45 (lib.inference.aggregate)

The last two are made for scenes: objects that a number of neighbouring priors see, everything else background; or
nothing but scores that are all nearly the same, as of a network that has learned nothing.
Prints a table and one JSON line. Exit status 1 if a bar is missed: the loss at least 5 times as fast as in NumPy, and
for one picture at most a tenth of a training step; decoding and soft-NMS at the published score, 0.1, at most a tenth
of the forward pass.
"""
import argparse

import numpy as np

from benchmarks.cases import single_shot as cases
from benchmarks.timing import interleaved, json_line, table
from configs import load_config
from configs.m2det_keys import SHIPPED
from lib.bbox import ssd_priors, ssd_rows
from lib.bbox.detections import Detections
from lib.inference.aggregate import Suppression, aggregate
from lib.targets.prior_matching import PriorTargets
from lib.targets.ssd_augmentation import SsdAugmentation
from lib.utils.draws import Draws

CONFIG = 'configs/m2det/m2det512_vgg16.yml'
SIDE, CLASSES = 512, 81
STEPS, SIZES = SHIPPED[SIDE]
PICTURE = 480, 640
OBJECTS = 7
BATCH = 7           # pictures of a step, as the documented port has it
DRAWS = 40          # pictures that the mean of the augmentation is over
SHARE = 0.1         # of the forward pass, of the training step
FASTER = 5          # than NumPy
PUBLISHED = 0.1     # score from which on detections count
# name -> (objects, priors that see each, lowest score); without objects all scores are nearly the same
SCENES = {'usual': (20, 15, PUBLISHED), 'crowded': (100, 30, PUBLISHED), 'low scores': (100, 30, 0.01),
          'flat': (0, 0, 0.01)}
SUPPRESSIONS = {'soft': Suppression('linear', 0.3, 0.45, 0.001, 50), 'hard': Suppression('hard', 0.45, 0, 0, 50)}


def main(argv=None):
    """-> exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('forward', 'step'):
        parser.add_argument(f'--{name}', type=float, metavar='MS', help='with both given, no network is run')
    parser.add_argument('--seconds', type=float, default=6, help='for the measurements of a scene (6)')
    args = parser.parse_args(argv)
    priors = ssd_priors(SIDE, STEPS, SIZES)
    rows = loss_rows(priors, args.seconds)
    network = network_rows(priors, 5 * args.seconds) if args.forward is None or args.step is None else []
    rows += network + training_rows(priors, args.seconds)
    for name, (objects, seen_by, lowest) in SCENES.items():
        rows += scene_rows(name, priors, scene(priors, objects, seen_by), lowest, args.seconds)
    print('\n'.join(table(['what', 'scene', 'rows', 'ms'],
                          [[row['step'], row['scene'], row['rows'], f'{row["ms"]:.2f}'] for row in rows])))
    times = {row['step']: row['ms'] for row in network}
    figures = reached(rows, args.forward or times['forward'], args.step or times['training step'])
    print(json_line('single_shot', rows=rows, **figures))
    return 0 if figures['holds'] else 1


def reached(rows, forward, step):
    """Figures of the bars, milliseconds and ratios, and `holds`."""
    def of(scene, *names):
        return sum(row['ms'] for row in rows if row['scene'] == scene and row['step'] in names)
    after = {name: of(name, 'decoding', 'soft') for name, (_, _, lowest) in SCENES.items() if lowest == PUBLISHED}
    faster = of(f'batch of {BATCH}', 'loss, numpy') / of(f'batch of {BATCH}', 'loss, ours')
    share = of('batch of 1', 'loss, ours') / step
    return dict(forward_ms=forward, step_ms=step, post_processing_ms=after, loss_faster_than_numpy=faster,
                loss_share_of_step=share, holds=bool(faster >= FASTER and share <= SHARE and
                                                     all(ms <= SHARE * forward for ms in after.values())))


def loss_rows(priors, seconds):
    """Rows of the table: targets, losses and gradients, ours and in NumPy."""
    return [dict(step=f'loss, {name}', scene=f'batch of {images}', rows=images * OBJECTS, ms=1e3 * value)
            for images in (BATCH, 1)
            for name, value in interleaved(cases.losses(priors, images, OBJECTS, CLASSES), seconds).items()]


def network_rows(priors, seconds):
    """Rows of the table: the network's forward pass and a training step."""
    config = load_config(CONFIG, ['gpus', 'cpu'])
    times = interleaved(cases.network(config, 1, OBJECTS, priors), seconds, most=7)
    return [dict(step={'step': 'training step'}.get(name, name), scene='batch of 1', rows='', ms=1e3 * value)
            for name, value in times.items()]


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
    if objects:
        logits[:, 0] += 10
    else:
        logits *= 0.05
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
