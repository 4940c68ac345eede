"""What SSH takes for one large picture: python -m benchmarks.ssh_picture [--height 1200 --width 1600] [options]

A picture of noise, random weights, each way in a process of its own: `ssh_vgg16` at one scale, its image pyramid (the
third module left out at the largest scale), and `ssh_tiny` at one scale. Prints a table of seconds and of the most main
memory that the process had, and one JSON line; exit status 1 where a process needs more than --most GB.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.timing import json_line, table
from configs import load_config
from lib.tasks import get_task

WAYS = {'ssh_vgg16, one scale': 'ssh_vgg16', 'ssh_vgg16, pyramid': 'ssh_vgg16_pyramid',
        'ssh_tiny, one scale': 'ssh_tiny'}
EPOCH = 1


def main(argv=None) -> int:
    """-> exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--height', type=int, default=1200, metavar='PIXELS', help='default: %(default)s')
    parser.add_argument('--width', type=int, default=1600, metavar='PIXELS', help='default: %(default)s')
    parser.add_argument('--ways', nargs='+', default=list(WAYS.values()), choices=list(WAYS.values()))
    parser.add_argument('--most', type=float, default=24, metavar='GB', help='that a process may need (%(default)g)')
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], dest='overrides', metavar='KEY VALUE')
    parser.add_argument('--one', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        print(json.dumps(measure(args.one, args.height, args.width, args.overrides)))
        return 0
    figures = {name: in_own_process(config, args) for name, config in WAYS.items() if config in args.ways}
    print('\n'.join(table(['what', 'seconds', 'GB at most', 'at the sizes'],
                          [[name, f'{row["seconds"]:.1f}', f'{row["gigabytes"]:.1f}', row['sizes']]
                           for name, row in figures.items()])))
    holds = all(row['gigabytes'] <= args.most for row in figures.values())
    print(json_line('ssh_picture', ways=figures, picture=[args.height, args.width], holds=holds))
    return 0 if holds else 1


def in_own_process(config, args) -> dict:
    """Figures of a way; ends the program with the message of a process that fails."""
    command = [sys.executable, '-m', 'benchmarks.ssh_picture', '--one', config, '--height', str(args.height), '--width',
               str(args.width), '--set', *args.overrides]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f'this command failed with status {done.returncode}: {" ".join(command)}')
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, height: int, width: int, overrides=()) -> dict:
    """seconds of a call of lib.api's Detector on a picture in memory, its network made before; gigabytes: peak of the
    process; sizes: of the network's inputs, height x width."""
    from lib.api import Detector
    from lib.utils.processes import peak_memory
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(os.path.join('configs', 'ssh', name + '.yml'), [
            'gpus', 'cpu', 'TEST.NUM_PROCESS', '0', 'TEST.TEST_EPOCH', EPOCH, *overrides])
        prefix = os.path.join(folder, 'random')
        write_random_weights(config, f'{prefix}-{EPOCH:04d}')
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
        task = get_task(config, 'test')
        factors = [task.test_scales(index, width, height) for index in range(len(config.TEST.SCALES))]
        with Detector.load(config, save_prefix=prefix) as detector:
            detector.detect(pixels[:64, :64])   # the network is made, and its kernels are chosen
            started = time.monotonic()
            detector.detect(pixels)
            seconds = time.monotonic() - started
    return {'seconds': round(seconds, 2), 'gigabytes': round(peak_memory() / 1e9, 2),
            'sizes': ' '.join(f'{round(height * y)}x{round(width * x)}' for x, y in factors)}


def write_random_weights(config, path) -> None:
    """path.params, the network's parameters drawn at random with seed 0, and its side file path.json."""
    from sniper_mxnet import mx
    from symbols import get_detector
    detector = get_detector(config.symbol)
    symbol = detector.symbol(config, 'test')
    inputs = detector.input_shapes(config, 1, 64, 64, 'test')
    shapes, _, statistics = symbol.infer_shape(**inputs)
    attributes, initialise, arrays = symbol.attr_dict(), detector.initializer(), {}
    mx.random.seed(0)
    for kind, names, sizes in (('arg', symbol.list_arguments(), shapes),
                               ('aux', symbol.list_auxiliary_states(), statistics)):
        for name, shape in zip(names, sizes):
            if name not in inputs:
                arrays[f'{kind}:{name}'] = mx.nd.zeros(shape)
                initialise(mx.init.InitDesc(name, attributes.get(name, {})), arrays[f'{kind}:{name}'])
    mx.nd.save(path + '.params', arrays)
    with open(path + '.json', 'w') as stream:
        json.dump({'classes': ['__background__', 'face']}, stream)


if __name__ == '__main__':
    raise SystemExit(main())
