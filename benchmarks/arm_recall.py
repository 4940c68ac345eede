"""Recall of the tiny proposal networks: python -m benchmarks.arm_recall --data FOLDER [--networks slim deepv]

FOLDER holds bccd/coco and coco_mini in COCO's layout. Each network is trained on both, as one class, from random
weights, by the schedule of configs/arm/sniper_arm_slim.yml, and tested on the other pictures of each set; so is a
network with random weights, whose batch norms saw the data. Prints recall at 100 proposals and an IoU of 0.5, minutes
of training, and one JSON line. Exit status 1 unless, on bccd, recall is 0.6 or more and three times that of random
weights, after at most 20 minutes of training. Three quarters of an hour on one core.
"""
import argparse
import glob
import json
import os
import sys

from benchmarks import timing
from benchmarks.accuracy import ROOT, minutes, run

# What sniper_arm_slim.yml changes of sniper_arm_deepv.yml beside the width of the head, and fewer epochs: eight times
# the work takes eight times as long.
SCHEDULE = ['network.BN_MOMENTUM', '0.9', 'TRAIN.SCALES', '[1x, 0.5x, 216px]', 'TRAIN.VALID_RANGES',
            '[[0.1, 0.5], [0.1, 0.5], [0.1, 0.5]]', 'TRAIN.IGNORED_OBJECTS', 'ignore', 'TRAIN.BATCH_IMAGES', '16',
            'TRAIN.OPTIMIZER', 'adam', 'TRAIN.lr', '0.002', 'TRAIN.lr_every', '0', 'TRAIN.LR_POLICY', 'cosine',
            'TRAIN.warmup', 'True', 'TRAIN.warmup_lr', '0.0001', 'TRAIN.warmup_step', '50', 'TRAIN.end_epoch', '3',
            'TEST.SCALES', '[1x, 0.5x, 216px]', 'TEST.VALID_RANGES', '[[-1, 130], [36, 260], [100, -1]]',
            'TEST.BATCH_IMAGES', '[2, 4, 8]', 'TEST.MAX_PER_IMAGE', '300']
NETWORKS = {'slim': [], 'deepv': SCHEDULE}
# Weights stay as they are drawn: the rate is next to nothing.
RANDOM = ['TRAIN.OPTIMIZER', 'sgd', 'TRAIN.lr', '1e-12', 'TRAIN.wd', '0', 'TRAIN.warmup', 'False', 'TRAIN.end_epoch',
          '1', 'TRAIN.MAX_BATCHES', '12', 'network.BN_MOMENTUM', '0.5']
TESTS = {'bccd': ('bccd/coco', 'test2017'), 'coco_mini': ('coco_mini', 'val2017')}
LEAST, TIMES, MOST_MINUTES = 0.6, 3, 20


def main(argv=None):
    """-> exit status: 0 if every network holds its bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', required=True, metavar='FOLDER', help='with bccd/coco and coco_mini')
    parser.add_argument('--networks', nargs='+', default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument('--out', default='output/arm_recall', metavar='FOLDER', help='results (default: %(default)s)')
    args = parser.parse_args(argv)
    rows = {name: measured(args, name) for name in args.networks}
    table = [[name, kind, f'{row["minutes"] if kind == "trained" else 0:.1f}', *(f'{row[kind][test]:.3f}'
                                                                                for test in TESTS)]
             for name, row in rows.items() for kind in ('random', 'trained')]
    print('\n'.join(timing.table(['network', 'weights', 'minutes', *TESTS], table)))
    holds = all(holds_bars(row) for row in rows.values())
    print(timing.json_line('arm_recall', rows=rows, holds=holds))
    return 0 if holds else 1


def measured(args, name):
    """Recall of a network with random and with trained weights, by test set, and minutes of training."""
    row = {'random': recalls(args, name, 'random', RANDOM)[0]}
    row['trained'], row['minutes'] = recalls(args, name, 'trained', [])
    return row


def holds_bars(row):
    """Whether recall on bccd is high, also beside random weights, after a short training."""
    recall = row['trained']['bccd']
    return recall >= LEAST and recall >= TIMES * row['random']['bccd'] and row['minutes'] <= MOST_MINUTES


def recalls(args, name, kind, keys):
    """({test set: recall at 100 proposals and IoU 0.5}, minutes of training) of a network that is trained here."""
    out, data = os.path.join(args.out, kind), os.path.abspath(args.data)
    keys = ['--cfg', f'configs/arm/sniper_arm_{name}.yml', '--set', 'dataset.dataset', 'coco', 'dataset.dataset_path',
            f'{data}/bccd/coco+{data}/coco_mini', 'dataset.image_set', 'train2017+val2017,train2017',
            'dataset.CLASS_AGNOSTIC', 'True', 'output_path', out, *NETWORKS[name], *keys]
    training, found = minutes(run('main_train.py', *keys)), {}
    for test, (folder, image_set) in TESTS.items():
        run('main_test.py', *keys, 'dataset.test_dataset_path', f'{data}/{folder}', 'dataset.test_image_set', image_set)
        found[test] = read_recall(out, name)
    return found, training


def read_recall(out, name):
    """Of the test that was written below `out` last."""
    paths = glob.glob(os.path.join(ROOT, out, f'sniper_arm_{name}', '*', 'results', '*', '*', 'metrics_*_object.json'))
    with open(max(paths, key=os.path.getmtime)) as stream:
        return json.load(stream)['recall50']['all']['100']


if __name__ == '__main__':
    sys.exit(main())
