"""What SNIPER gains over full images: python -m benchmarks.sniper_gain [--seeds 1 2] [--scale_weights 1 1 3] [options]

Trains the network of a configuration from random weights, with the same number of pixels a part: on chips of all
scales as configured, on these with TRAIN.SCALE_WEIGHTS, and on whole images at the middle scale of the test, where
every object is valid (whole_keys says what makes this fair). Each is tested after every part, as it is meant to be:
on the pyramid, or at the one scale, and trains until that does not get better (benchmarks/plateau.py). What is done
is kept: the same command goes on where it was ended, --show tells how far it is. At the end all are tested both ways,
and on the pyramid without its valid ranges. Prints tables and one JSON line, which also goes to OUT/sniper_gain.json.
Exit status 1 unless one of the trainings on chips has the higher AP on small and on large objects with every seed.
"""
import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from benchmarks.accuracy import ROOT, run
from benchmarks.plateau import PlateauTraining, Stopping, run_all, words
from benchmarks.shown_objects import SIZES, shown_objects
from benchmarks.timing import json_line, table
from configs import load_config
from lib import cli
from lib.chips import scaled_size, test_scale
from lib.utils.errors import SniperError
from lib.utils.files import text_writer

CONFIG = 'benchmarks/cases/sniper_gain.yml'
DATA, MAKE_DATA = 'data/synthetic_gain', ['--train', '600', '--val', '60', '--test-dev', '2']
MIDDLE = 1  # place of the middle scale
DEEPEST_STRIDE = 32
CHIPS, WEIGHTED, WHOLE = 'chips', 'chips, weighted', 'whole images'
FOLDERS = {CHIPS: 'chips', WEIGHTED: 'weighted', WHOLE: 'whole'}
PYRAMID, ONE_SCALE, OPEN_PYRAMID = 'pyramid', 'middle scale', 'pyramid, all sizes valid'
METRICS = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl')


class Arm(NamedTuple):
    """One way to train."""

    name: str
    keys: dict    # configuration key -> value
    batches: int  # a part
    shown: dict   # what the network sees in the first part: pixels, objects (Shown.facts)
    padded: int   # pixels of the network's input in a part

    @property
    def meant(self) -> str:
        """Name of the test that it is trained for."""
        return ONE_SCALE if self.name == WHOLE else PYRAMID


def main(argv=None):
    """-> exit status: 0 if chips are better on small and on large objects."""
    args = parse(argv)
    if args.data == DATA:
        run('-m', 'lib.dataset.synthetic', '--out', DATA, *MAKE_DATA)
    ways, jobs = ways_to_test(load_config(args.cfg, args.set).TEST), []
    arms = make_arms(args)
    for seed in args.seeds:
        for arm in arms:
            keys = dict(arm.keys, **{'TRAIN.SEED': seed})
            folder = os.path.join(args.out, f'{FOLDERS[arm.name]}_seed{seed}')
            jobs.append((arm, seed, PlateauTraining(args.cfg, folder, keys, ways[arm.meant], args.stopping,
                                                    args.set, run)))
    if not args.show:
        for seed in args.seeds:
            run_all([training for _, of, training in jobs if of == seed], args.jobs)
        with ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(lambda job: [job[2].test(name, keys) for name, keys in ways.items()
                                       if name != job[0].meant], jobs))
    return report(args, arms, jobs)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batches', type=int, default=200, metavar='N', help='of chips, a part (default: %(default)s)')
    parser.add_argument('--patience', type=int, default=2, metavar='N',
                        help='parts without a better AP, after which the rate falls (default: %(default)s)')
    parser.add_argument('--most', type=int, default=8, metavar='N',
                        help='parts before the rate falls, at most (default: %(default)s)')
    parser.add_argument('--final', type=int, default=1, metavar='N',
                        help='parts at a tenth of the rate (default: %(default)s)')
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2], metavar='N', help='default: 1 2')
    parser.add_argument('--scale_weights', type=float, nargs='+', default=[1, 1, 3], metavar='W',
                        help='TRAIN.SCALE_WEIGHTS of the second arm (default: 1 1 3)')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='trainings at a time (default: %(default)s)')
    parser.add_argument('--show', action='store_true', help='train nothing, print what is there')
    parser.add_argument('--cfg', default=CONFIG, metavar='FILE', help='default: %(default)s')
    parser.add_argument('--data', default=DATA, metavar='FOLDER', help='default: %(default)s')
    parser.add_argument('--out', default='output/sniper_gain', metavar='FOLDER', help='results (default: %(default)s)')
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], metavar='KEY VALUE',
                        help='configuration keys of trainings and tests; must come last')
    args = parser.parse_args(argv)
    args.stopping = Stopping(args.patience, args.most, args.final)
    return args


def make_arms(args):
    """[Arm]: chips, whole images, weighted chips, whose parts show as many pixels as whole batches allow."""
    from lib.dataset import load_training_roidb
    keys = {'dataset.root_path': args.out, 'dataset.dataset_path': args.data}
    config = load_config(args.cfg, args.set + words(keys))
    roidb, _ = load_training_roidb(config)
    shown = shown_objects(config, roidb)
    if len(shown.pixels) < args.batches:
        raise SniperError(f'an epoch on {args.data} has {len(shown.pixels)} batches of chips: give --batches at most '
                          'that')
    chips = Arm(CHIPS, dict(keys, **{'TRAIN.MAX_BATCHES': args.batches}), args.batches, shown.facts(args.batches),
                padded_pixels(config, args.batches))
    weighted = dict(keys, **{'TRAIN.SCALE_WEIGHTS': args.scale_weights})
    return [chips, as_many_pixels(args, roidb, chips, WHOLE, dict(keys, **whole_keys(config, roidb, chips))),
            as_many_pixels(args, roidb, chips, WEIGHTED, weighted)]


def as_many_pixels(args, roidb, chips, name, keys):
    """The Arm of `keys` whose parts show as many pixels as those of the Arm `chips`; warm-up in proportion."""
    config = load_config(args.cfg, args.set + words(keys))
    shown, wanted = shown_objects(config, roidb), chips.shown['pixels']
    pixels = np.cumsum(shown.pixels)
    if pixels[-1] < wanted:
        raise SniperError(f'an epoch of {name} on {args.data} has {pixels[-1]} pixels, {chips.batches} batches of '
                          f'chips {wanted}: give fewer --batches')
    batches = int(np.abs(pixels - wanted).argmin()) + 1
    warmup = round(config.TRAIN.warmup_step * batches / chips.batches)
    return Arm(name, dict(keys, **{'TRAIN.MAX_BATCHES': batches, 'TRAIN.warmup_step': warmup}), batches,
               shown.facts(batches), padded_pixels(config, batches))


def whole_keys(config, roidb, chips):
    """Keys that train on whole images at the middle test scale in the place of `chips`, an Arm on `config`.

    One scale whose chip is as large as the image: the image is its own and only chip, and holds all objects. A batch
    shows about as many pixels as one of chips, and per pixel there are as many anchors and proposals in the losses.
    No object is passed over because it is small.
    """
    train, scale = config.TRAIN, config.TEST.SCALES[MIDDLE]
    sizes = np.array([scaled_size(entry['width'], entry['height'], test_scale(scale, entry['width'], entry['height']))
                      for entry in roidb])
    pixels = sizes.prod(axis=1).mean()
    chip_pixels = chips.shown['pixels'] / (chips.batches * train.BATCH_IMAGES)
    share = max(1, round(pixels / chip_pixels))  # chips that an image amounts to
    return {'TRAIN.SCALES': [scale], 'TRAIN.VALID_RANGES': [(-1, -1)], 'TRAIN.USE_NEG_CHIPS': False,
            'TRAIN.CHIP_SIZE': int(-(-sizes.max() // DEEPEST_STRIDE) * DEEPEST_STRIDE), 'TRAIN.MIN_OBJECT_SIDE': 1,
            'TRAIN.BATCH_IMAGES': max(1, round(train.BATCH_IMAGES / share)),
            'TRAIN.RPN_BATCH_SIZE': train.RPN_BATCH_SIZE * share, 'TRAIN.BBOX_LOSS_ROIS': train.BBOX_LOSS_ROIS * share,
            'TRAIN.RPN_PRE_NMS_TOP_N': max(-1, train.RPN_PRE_NMS_TOP_N * share),
            'TRAIN.RPN_POST_NMS_TOP_N': train.RPN_POST_NMS_TOP_N * share}


def padded_pixels(config, batches):
    """Pixels of the network's input in so many batches."""
    return batches * config.TRAIN.BATCH_IMAGES * config.TRAIN.CHIP_SIZE ** 2


def ways_to_test(test):
    """{name: configuration keys}; `test` is the section TEST. One scale gets the proposals of the pyramid's scales."""
    count = len(test.SCALES)
    one = {'SCALES': [test.SCALES[MIDDLE]], 'VALID_RANGES': [(-1, -1)], 'BATCH_IMAGES': [test.BATCH_IMAGES[MIDDLE]],
           'DO_PRUNING': [False], 'USE_CACHE': [False], 'CHIP_HYPERPARAMS': [(-1, -1, -1)],
           'RPN_POST_NMS_TOP_N': test.RPN_POST_NMS_TOP_N * count}
    ways = {PYRAMID: {}, ONE_SCALE: one, OPEN_PYRAMID: {'VALID_RANGES': [(-1, -1)] * count}}
    return {name: {'TEST.' + key: value for key, value in keys.items()} for name, keys in ways.items()}


def report(args, arms, jobs):
    """Print and write what was measured -> exit status."""
    header = ['a part of', 'batches', 'megapixels', 'samples by scale', *(f'{size}, a megapixel' for size in SIZES)]
    print('\n'.join(table(header, [[
        arm.name, arm.batches, f'{arm.shown["pixels"] / 1e6:.1f}', ' '.join(map(str, arm.shown['samples'])),
        *arm.shown['objects_per_megapixel']] for arm in arms])))
    print('\n'.join(table(['trained on', 'seed', 'parts', 'AP after each part; low rate in brackets'], [
        [arm.name, seed, len(training.curve), ' '.join(
            f'({point["AP"]:.3f})' if point['low_rate'] else f'{point["AP"]:.3f}' for point in training.curve)]
        for arm, seed, training in jobs])))
    rows = [dict(metrics, training=arm.name, seed=seed, test=name) for arm, seed, training in jobs if training.finished
            for name, metrics in dict({arm.meant: training.curve[-1]}, **training.state['tests']).items()]
    print('\n'.join(table(['trained on', 'seed', 'tested on'] + list(METRICS), [
        [row['training'], row['seed'], row['test']] + [f'{row[name]:.3f}' for name in METRICS] for row in rows])))
    found = verdict(rows, args.seeds)
    curves = [{'training': arm.name, 'seed': seed, 'curve': training.curve} for arm, seed, training in jobs]
    line = json_line('sniper_gain', rows=rows, cfg=args.cfg, arms=[arm._asdict() for arm in arms], curves=curves,
                     **found)
    with text_writer(os.path.join(ROOT, args.out, 'sniper_gain.json')) as stream:
        stream.write(line + '\n')
    print(line)
    return 0 if found['holds'] else 1


def verdict(rows, seeds):
    """Rows of the table -> {gains: {arm: {test of whole images: {seed: {metric: gain}}}}, holds}.

    Gains are those of chips on the pyramid. It holds if an arm is better than whole images at their one scale on small
    and on large objects with all `seeds`; what is not measured does not hold.
    """
    found = {(row['training'], row['seed'], row['test']): row for row in rows}
    gains = {arm: {against: {seed: {name: round(found[arm, seed, PYRAMID][name] - found[WHOLE, seed, against][name], 4)
                                    for name in METRICS}
                             for seed in seeds if (arm, seed, PYRAMID) in found and (WHOLE, seed, against) in found}
                   for against in (ONE_SCALE, PYRAMID, OPEN_PYRAMID)} for arm in (CHIPS, WEIGHTED)}
    holds = any(set(of[ONE_SCALE]) == set(seeds) and all(min(gain['APs'], gain['APl']) > 0
                                                         for gain in of[ONE_SCALE].values()) for of in gains.values())
    return {'gains': gains, 'holds': holds}


if __name__ == '__main__':
    cli.run(main)
