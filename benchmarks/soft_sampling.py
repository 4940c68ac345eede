"""What Soft Sampling does where objects are not marked: python -m benchmarks.soft_sampling [--seeds 3] [options]

A share of the boxes of the synthetic training set is removed at random; the pictures stay. `sniper_tiny` is trained on
what is left as `configs/faster/sniper_tiny_quick.yml` says, from random weights, each way with the same boxes, seed and
schedule, and tested on the whole validation split:

    plain       background counts in full
    soft        TRAIN.SOFT_SAMPLING
    soft_rpn    and TRAIN.SOFT_SAMPLING_RPN
    near        background counts where it overlaps an object by about 0.2 or more, elsewhere hardly (A = 0)

Prints a table of AP and AP50 and a JSON line after every run; runs that are done are not done again.
"""
import argparse
import json
import os
import sys
from typing import Dict, List

import numpy as np

from benchmarks.accuracy import read_metrics, run

CFG = 'configs/faster/sniper_tiny_quick.yml'
DATA = 'data/synthetic'
WAYS: Dict[str, List[str]] = {
    'plain': [], 'soft': ['TRAIN.SOFT_SAMPLING', 'True'],
    'soft_rpn': ['TRAIN.SOFT_SAMPLING', 'True', 'TRAIN.SOFT_SAMPLING_RPN', 'True'],
    'near': ['TRAIN.SOFT_SAMPLING', 'True', 'TRAIN.SOFT_SAMPLING_A', '0']}


def main(argv=None) -> int:
    """Command line -> exit status 0 if Soft Sampling is at least as good as none, by the means of AP."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, default=3, help='trainings of each way (default: %(default)s)')
    parser.add_argument('--removed', type=float, default=0.5, help='share of the boxes (default: %(default)s)')
    parser.add_argument('--ways', nargs='+', choices=list(WAYS), default=['plain', 'soft'])
    parser.add_argument('--out', default='output/soft_sampling', metavar='FOLDER', help='default: %(default)s')
    args = parser.parse_args(argv)
    if not os.path.isdir(DATA):
        run('-m', 'lib.dataset.synthetic', '--out', DATA)
    figures: Dict[str, List[dict]] = {way: [] for way in args.ways}
    for seed in range(args.seeds):
        data = os.path.join(args.out, f'data_{args.removed:g}_{seed}')
        left, all_boxes = thinned(DATA, data, args.removed, seed)
        for way in args.ways:
            figures[way].append(one(os.path.join(args.out, f'{way}_{args.removed:g}_{seed}'), data, seed, WAYS[way]))
            show(figures, left, all_boxes, args.removed)
    means = {way: np.mean([row['AP'] for row in rows]) for way, rows in figures.items()}
    return 0 if means.get('soft', 0) >= means.get('plain', 0) else 1


def thinned(source: str, out: str, removed: float, seed: int):
    """Write a COCO folder with a part of the training boxes of `source` and its whole validation split -> (boxes left,
    boxes there were)."""
    os.makedirs(os.path.join(out, 'annotations'), exist_ok=True)
    images = os.path.join(out, 'images')
    if not os.path.lexists(images):
        os.symlink(os.path.abspath(os.path.join(source, 'images')), images)
    counts = (0, 0)
    for name in ('train', 'val'):
        with open(os.path.join(source, 'annotations', f'instances_{name}.json'), encoding='utf-8') as stream:
            content = json.load(stream)
        if name == 'train':
            rows, rng = content['annotations'], np.random.default_rng(seed)
            kept = np.sort(rng.permutation(len(rows))[:round(len(rows) * (1 - removed))])
            content['annotations'], counts = [rows[row] for row in kept], (len(kept), len(rows))
        with open(os.path.join(out, 'annotations', f'instances_{name}.json'), 'w', encoding='utf-8') as stream:
            json.dump(content, stream)
    return counts


def one(out: str, data: str, seed: int, keys: List[str]) -> dict:
    """Metrics of a training and its test, of an earlier one where it is done."""
    words = ['--set', 'output_path', out, 'dataset.dataset', 'coco', 'dataset.dataset_path', data, 'TRAIN.SEED',
             str(seed), *keys]
    try:
        return read_metrics(out)
    except ValueError:      # there are none
        run('main_train.py', '--cfg', CFG, '--display', '250', *words)
        run('main_test.py', '--cfg', CFG, *words)
    return read_metrics(out)


def show(figures, left, all_boxes, removed):
    """The table so far, and its JSON line."""
    print(f'{left} of {all_boxes} training boxes\n{"way":<10} {"AP":>7} {"AP50":>7}   of each seed')
    table = {}
    for way, rows in figures.items():
        if rows:
            table[way] = {name: [round(row[name], 4) for row in rows] for name in ('AP', 'AP50')}
            print(f'{way:<10} {np.mean(table[way]["AP"]):7.4f} {np.mean(table[way]["AP50"]):7.4f}   '
                  + ', '.join(f'{value:.3f}' for value in table[way]['AP']))
    print(json.dumps(dict(benchmark='soft_sampling', removed=removed, ways=table)), flush=True)


if __name__ == '__main__':
    sys.exit(main())
