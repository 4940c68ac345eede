"""Classes learnt from a few pictures: python -m benchmarks.fewshot --data FOLDER [options]

--data has the folders `train` and `test`, each with a folder of pictures a class, such as shared/data/grocery_fewshot.
One run of `python -m lib.fewshot` from nothing, timed, with --options; then the top-1 accuracy on `test` of every kind
of features, at the entries --scales of TEST.SCALES, without and with mirrored copies, and of several scales together.
At the end the seconds of learning made-up features: 24 classes of 18 pictures, and 100 of 100.

Prints tables and a JSON line. Exit status 1 if the command's accuracy is below 4 times chance, or it takes 180 s.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, Sequence, Tuple

import numpy as np

from benchmarks.timing import json_line, table
from lib import cli
from lib.fewshot.command import CONFIG, load_named_network
from lib.fewshot.folder import read_class_folder
from lib.fewshot.learn import Extracted, accuracy, extract, learn
from lib.fewshot.linear import fit
from lib.utils.errors import SniperError
from lib.utils.user_path import user_path

BARS = {'times_chance': 4.0, 'seconds': 180.0}
EVERYTHING = 'mean+std+grid'
COLUMNS = {'mean': (0, 1), 'mean+std': (0, 2), 'grid': (2, 6), EVERYTHING: (0, 6)}     # of EVERYTHING's six a channel
LEARNING = ((24, 18, 192), (100, 100, 192), (100, 100, 3072))       # classes, pictures of each, features


def main(argv=None) -> int:
    """-> exit status."""
    args = parse(argv)
    command = run_command(args)
    print(f'python -m lib.fewshot: top-1 {100 * command["top1"]:.1f} %, chance {100 * command["chance"]:.1f} %, '
          f'{command["seconds"]:.0f} s', flush=True)
    rows = measure(args)
    for line in table(['shown at', 'mirrored', *COLUMNS],
                      [[shown, 'yes' if mirrored else 'no', *(f'{100 * row[kind]:.1f}' for kind in COLUMNS)]
                       for (shown, mirrored), row in rows.items()]):
        print(line)
    seconds = {f'{classes} x {count}, {width} features': learning_seconds(classes, count, width)
               for classes, count, width in LEARNING}
    for name, value in seconds.items():
        print(f'learning {name}: {value:.1f} s')
    fine = command['top1'] >= BARS['times_chance'] * command['chance'] and command['seconds'] < BARS['seconds']
    print(json_line('fewshot', command=command, bars=BARS, met=fine, learning_seconds=seconds, cfg=args.cfg,
                    weights=os.path.basename(args.weights),
                    top1=[dict(row, shown=shown, mirrored=mirrored) for (shown, mirrored), row in rows.items()]))
    return 0 if fine else 1


def parse(argv) -> argparse.Namespace:
    """Command line -> namespace."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.fewshot', description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=user_path, required=True, metavar='FOLDER')
    parser.add_argument('--scales', type=int, nargs='+', default=[-1], metavar='I',
                        help='entries of TEST.SCALES to compare (the last)')
    parser.add_argument('--weights', type=user_path, default='', metavar='FILE')
    return cli.add_config_arguments(parser, CONFIG).parse_args(argv)


def run_command(args) -> Dict[str, float]:
    """The whole command in a process of its own."""
    train, test = (os.path.join(args.data, name) for name in ('train', 'test'))
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, '-m', 'lib.fewshot', train, '--test_folder', test, '--out', folder, '--cfg', args.cfg]
        words += ['--weights', args.weights] if args.weights else []
        start = time.perf_counter()
        done = subprocess.run(words + ['--set', *args.overrides], check=False, capture_output=True, text=True)
        seconds = time.perf_counter() - start
    found = re.search(r'top-1 accuracy ([\d.]+) % .*chance ([\d.]+) %', done.stdout)
    if done.returncode or not found:
        raise SniperError(f'python -m lib.fewshot failed: {done.stderr.strip().splitlines()[-1:]}')
    classes = len(read_class_folder(train).classes)
    return {'top1': float(found.group(1)) / 100, 'chance': 1 / classes, 'seconds': round(seconds, 1)}


def measure(args) -> Dict[Tuple[str, bool], Dict[str, float]]:
    """{(shown at, mirrored): {kind: top-1}}."""
    count = len(load_named_network(args, kind='mean', scales=(), mirrored=False).config.TEST.SCALES)
    scales = sorted({scale % count for scale in args.scales})
    network = load_named_network(args, kind=EVERYTHING, scales=scales, mirrored=True)
    parts = [extract(read_class_folder(os.path.join(args.data, name)), network) for name in ('train', 'test')]
    network.close()
    views = [([place], mirrored) for place in range(len(scales)) for mirrored in (False, True)]
    views += [(list(range(len(scales))), True)] if len(scales) > 1 else []
    rows = {}
    for places, mirrored in views:
        name = ' and '.join(str(network.config.TEST.SCALES[scales[place]]) for place in places)
        chosen = [2 * place + flip for place in places for flip in (0, 1)[:1 + mirrored]]
        rows[name, mirrored] = {kind: top1([narrowed(part, chosen, kind) for part in parts]) for kind in COLUMNS}
    return rows


def narrowed(part: Extracted, views: Sequence[int], kind: str) -> Extracted:
    """With some views and the columns of a kind alone."""
    features = part.examples.features[:, views]
    channels = features.shape[2] // COLUMNS[EVERYTHING][1]
    first, end = (edge * channels for edge in COLUMNS[kind])
    return part._replace(examples=part.examples._replace(features=features[:, :, first:end]))


def top1(parts: List[Extracted]) -> float:
    """Learn the one, try the other."""
    return round(accuracy(learn(parts[0], {}), parts[1]).top1, 4)


def learning_seconds(classes: int, count: int, width: int) -> float:
    """Of made-up features, each picture in two views."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), 2 * count)
    features = random.standard_normal((classes, width), dtype=np.float32)[labels]
    features += 3 * random.standard_normal(features.shape, dtype=np.float32)
    start = time.perf_counter()
    fit(features, labels, classes)
    return round(time.perf_counter() - start, 2)


if __name__ == '__main__':
    cli.run(main)
