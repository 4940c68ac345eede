"""Bytes that a worker of a distributed training exchanges a step, for every shipped network.

    python -m benchmarks.network_bytes [--cfg FILE ...] [--gradient_compression 2bit]

Nothing is measured: the numbers come from the shapes of the parameters that are trained. In a step a worker sends the
gradient of each of them to the servers and receives as much. network.FIXED_PARAMS are neither sent nor received; they
count as trained where network.pretrained is empty, as in training itself.
"""
import argparse
import glob
import os
from typing import NamedTuple

import numpy as np

from benchmarks import timing

CONFIGS = 'configs/faster/*.yml'
COMPRESSED_WORD = 16  # gradients in four bytes with '2bit'
SPLIT = 1000000  # numbers from which MXNet splits an array over all servers: its MXNET_KVSTORE_BIGARRAY_BOUND


class Traffic(NamedTuple):
    """What a worker exchanges a step."""

    keys: int       # arrays
    sent: int       # bytes
    received: int   # bytes
    largest: int = 0  # bytes both ways of the largest array that one server has alone
    split: int = 0  # arrays of which every server has a part

    @property
    def total(self):
        """Bytes both ways."""
        return self.sent + self.received


def traffic(arrays, compressed=False, split=SPLIT):
    """Trained arrays, pairs (numbers in it, bytes a number) -> Traffic."""
    received = [size * width for size, width in arrays]
    sent = [-(-size // COMPRESSED_WORD) * 4 for size, _ in arrays] if compressed else received
    whole = [there + back for there, back, (size, _) in zip(sent, received, arrays) if size < split]
    return Traffic(len(arrays), sum(sent), sum(received), max(whole, default=0), len(arrays) - len(whole))


def trained_arrays(config):
    """(numbers in it, bytes a number) of every array that a training with this configuration changes."""
    from lib.tasks import get_task
    from lib.train.initialise import frozen_parameters
    from symbols import get_detector
    detector = get_detector(config.symbol)
    task = get_task(config)
    inputs = {name: shape for part in task.layout(1) for name, shape in part}
    symbol = detector.symbol(config, task.train_graph)
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(**inputs)[0]))
    types = dict(zip(symbol.list_arguments(), symbol.infer_type(**{name: np.float32 for name in inputs})[0]))
    parameters = [name for name in shapes if name not in inputs]
    frozen = set(frozen_parameters(config, parameters))
    return [(int(np.prod(shapes[name])), np.dtype(types[name]).itemsize) for name in parameters if name not in frozen]


def of_config(config, compressed=False, split=SPLIT):
    """Traffic of a training with this configuration."""
    return traffic(trained_arrays(config), compressed, split)


def main(argv=None):
    """Print the table -> exit status 0."""
    from configs import load_config
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cfg', nargs='+', metavar='FILE', help='configurations (default: all that are shipped)')
    parser.add_argument('--gradient_compression', choices=('none', '2bit'), default='none')
    args = parser.parse_args(argv)
    rows, figures = [], []
    for path in args.cfg or sorted(glob.glob(CONFIGS)):
        config = load_config(path)
        found = of_config(config, args.gradient_compression == '2bit')
        name = os.path.splitext(os.path.basename(path))[0]
        rows.append((name, config.symbol, found.keys, 'mixed' if config.TRAIN.fp16 else 'float32',
                     f'{found.sent / 1e6:.2f}', f'{found.received / 1e6:.2f}'))
        figures.append(dict(found._asdict(), configuration=name))
    print('\n'.join(timing.table(('configuration', 'network', 'arrays', 'precision', 'MB sent', 'MB received'), rows)))
    print(timing.json_line('network_bytes', rows=figures))
    return 0


if __name__ == '__main__':
    from lib.cli import run
    run(main)
