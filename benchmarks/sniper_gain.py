"""What SNIPER gains over full images: python -m benchmarks.sniper_gain [--batches N] [options]

Trains the network of a configuration twice from the same random weights, with the same number of pixels: on chips of
all scales as configured, and on whole images at the middle scale of the test, where every object is valid (whole_keys
says what makes this fair). Both are tested at the middle scale and on the pyramid, with and without its valid ranges.
Prints a table and one JSON line, which also goes to OUT/sniper_gain.json. Exit status 1 unless chips give the higher AP
on small and on large objects, each training tested as it is meant to be: on the pyramid, and at the one scale.
"""
import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from benchmarks.accuracy import ROOT, minutes, read_metrics, run
from benchmarks.timing import json_line, table
from configs import load_config
from lib import cli
from lib.chips import scaled_size, test_scale
from lib.utils.errors import SniperError
from lib.utils.files import text_writer

CONFIG = 'configs/faster/sniper_tiny_e2e.yml'
TRAINING_SET, TEST_SET = 'data/synthetic_large', 'data/synthetic'
MAKE_TRAINING_SET = ['--train', '2400', '--val', '8', '--test-dev', '2', '--seed', '1']
MIDDLE = 1  # place of the middle scale
DEEPEST_STRIDE = 32
CHIPS, WHOLE = 'chips of all scales', 'whole images, middle scale'
PYRAMID, ONE_SCALE, OPEN_PYRAMID = 'pyramid', 'middle scale', 'pyramid, all sizes valid'
METRICS = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl')


class Training(NamedTuple):
    """One way to train."""

    name: str
    keys: dict    # configuration key -> value
    batches: int
    shown: int    # pixels of pictures that the network sees: its input without padding
    padded: int   # pixels of its input


def main(argv=None):
    """-> exit status: 0 if chips are better on small and on large objects."""
    args = parse(argv)
    if args.train_data == TRAINING_SET:
        run('-m', 'lib.dataset.synthetic', '--out', TRAINING_SET, *MAKE_TRAINING_SET)
    if args.test_data == TEST_SET:
        run('-m', 'lib.dataset.synthetic', '--out', TEST_SET)
    ways = trainings(args)
    with ThreadPoolExecutor(2 if args.side_by_side else 1) as pool:
        took = list(pool.map(lambda way: train(args, way), ways))
    rows = [dict(test(args, way, keys), training=way.name, test=name) for way in ways
            for name, keys in ways_to_test(load_config(args.cfg, args.set).TEST).items()]
    print('\n'.join(table(['trained on', 'tested on'] + list(METRICS), [
        [row['training'], row['test']] + [f'{row[name]:.3f}' for name in METRICS] for row in rows])))
    found = verdict(rows)
    line = json_line('sniper_gain', rows=rows, cfg=args.cfg, **found,
                     trainings=[dict(way._asdict(), minutes=minutes(seconds)) for way, seconds in zip(ways, took)])
    with text_writer(os.path.join(ROOT, args.out, 'sniper_gain.json')) as stream:
        stream.write(line + '\n')
    print(line)
    return 0 if found['holds'] else 1


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batches', type=int, default=1600, metavar='N', help='of chips (default: %(default)s)')
    parser.add_argument('--side_by_side', action='store_true', help='both trainings at a time')
    parser.add_argument('--resume', action='store_true', help='go on with trainings that were interrupted')
    parser.add_argument('--cfg', default=CONFIG, metavar='FILE', help='default: %(default)s')
    parser.add_argument('--train_data', default=TRAINING_SET, metavar='FOLDER', help='default: %(default)s')
    parser.add_argument('--test_data', default=TEST_SET, metavar='FOLDER', help='default: %(default)s')
    parser.add_argument('--out', default='output/sniper_gain', metavar='FOLDER', help='results (default: %(default)s)')
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], metavar='KEY VALUE',
                        help='configuration keys of trainings and tests; must come last')
    return parser.parse_args(argv)


def trainings(args):
    """[Training] on chips and on whole images, with as many pixels shown as whole batches allow."""
    from lib.dataset import load_training_roidb
    keys = {'TRAIN.end_epoch': 1, 'dataset.root_path': args.out, 'dataset.dataset_path': args.train_data}
    config = load_config(args.cfg, args.set + words(keys))
    roidb, _ = load_training_roidb(config)
    shown = batch_pixels(config, roidb)
    if len(shown) < args.batches:
        raise SniperError(f'an epoch on {args.train_data} has {len(shown)} batches of chips: give --batches at most '
                          'that')
    chips = Training(CHIPS, dict(keys, **{'TRAIN.MAX_BATCHES': args.batches}), args.batches,
                     int(shown[:args.batches].sum()), padded_pixels(config, args.batches))
    keys.update(whole_keys(config, roidb, chips))
    config = load_config(args.cfg, args.set + words(keys))
    shown = np.cumsum(batch_pixels(config, roidb))
    if shown[-1] < chips.shown:
        raise SniperError(f'an epoch of whole images on {args.train_data} has {shown[-1]} pixels, {args.batches} '
                          f'batches of chips {chips.shown}: give fewer --batches')
    batches = int(np.abs(shown - chips.shown).argmin()) + 1
    keys.update({'TRAIN.MAX_BATCHES': batches,
                 'TRAIN.warmup_step': round(config.TRAIN.warmup_step * batches / args.batches)})
    return [chips, Training(WHOLE, keys, batches, int(shown[batches - 1]), padded_pixels(config, batches))]


def whole_keys(config, roidb, chips):
    """Keys that train on whole images at the middle test scale in the place of `chips`, a Training on `config`.

    One scale whose chip is as large as the image: the image is its own and only chip, and holds all objects. A batch
    shows about as many pixels as one of chips, and per pixel there are as many anchors and proposals in the losses.
    No object is passed over because it is small.
    """
    train, scale = config.TRAIN, config.TEST.SCALES[MIDDLE]
    pixels = np.mean([np.prod(scaled_size(entry['width'], entry['height'],
                                          test_scale(scale, entry['width'], entry['height']))) for entry in roidb])
    share = max(1, round(pixels * chips.batches * train.BATCH_IMAGES / chips.shown))  # chips that an image amounts to
    return {'TRAIN.SCALES': [scale], 'TRAIN.VALID_RANGES': [(-1, -1)], 'TRAIN.USE_NEG_CHIPS': False,
            'TRAIN.CHIP_SIZE': -(-max(scale) // DEEPEST_STRIDE) * DEEPEST_STRIDE, 'TRAIN.MIN_OBJECT_SIDE': 1,
            'TRAIN.BATCH_IMAGES': max(1, round(train.BATCH_IMAGES / share)),
            'TRAIN.RPN_BATCH_SIZE': train.RPN_BATCH_SIZE * share, 'TRAIN.BBOX_LOSS_ROIS': train.BBOX_LOSS_ROIS * share,
            'TRAIN.RPN_POST_NMS_TOP_N': train.RPN_POST_NMS_TOP_N * share}


def batch_pixels(config, roidb):
    """Pixels of pictures in every batch of the first epoch, (batches,) int64."""
    from lib.iterators import TrainIterator
    size, pixels = config.TRAIN.CHIP_SIZE, []
    with TrainIterator(roidb, config, config.TRAIN.BATCH_IMAGES, num_workers=0) as iterator:
        iterator.start_epoch(0)
        for image, chip in iterator.epoch_chips():
            entry = roidb[image]
            width, height = scaled_size(entry['width'], entry['height'], chip.scale)
            pixels.append(min(width, chip.width, size) * min(height, chip.height, size))
    return np.array(pixels, np.int64).reshape(-1, config.TRAIN.BATCH_IMAGES).sum(axis=1)


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


def train(args, way):
    """Run a training -> seconds."""
    return run('main_train.py', '--cfg', args.cfg, *['--resume'] * args.resume, '--set', *args.set,
               *words(dict(way.keys, output_path=folder(args, way))))


def test(args, way, keys):
    """Test a training with `keys` -> metrics."""
    fixed = {'output_path': folder(args, way), 'dataset.root_path': args.out, 'dataset.dataset_path': args.test_data,
             'TEST.TEST_EPOCH': 1, 'TEST.SHIPPED_MODEL': ''}
    run('main_test.py', '--cfg', args.cfg, '--set', *args.set, *words(dict(fixed, **keys)))
    metrics = read_metrics(folder(args, way))
    return {name: metrics[name] for name in METRICS}


def folder(args, way):
    """Output folder of a training."""
    return os.path.join(args.out, 'chips' if way.name == CHIPS else 'whole')


def words(keys):
    """{key: value} -> list for --set."""
    return [str(word) for pair in keys.items() for word in pair]


def verdict(rows):
    """Rows of the table -> differences in AP of chips on the pyramid, and whether the claim holds."""
    found = {(row['training'], row['test']): row for row in rows}
    ours = found[CHIPS, PYRAMID]
    gains = {against: {name: ours[name] - found[WHOLE, against][name] for name in METRICS}
             for against in (ONE_SCALE, PYRAMID, OPEN_PYRAMID)}
    return {'gains': gains, 'holds': gains[ONE_SCALE]['APs'] > 0 and gains[ONE_SCALE]['APl'] > 0}


if __name__ == '__main__':
    cli.run(main)
