"""A worker of tests/distributed/test_m2det_workers.py: python -m tests.distributed.m2det_program PREFIX START

Trains a small M2Det for UPDATES updates from START-0000.params, since BatchNorms are frozen in files only; worker 0
leaves PREFIX-0001.params.
"""
import os
import sys

import numpy as np

from configs import load_config
from lib.distributed.workers import connect
from lib.tasks import get_task
from tests.conftest import ROOT
from tests.train.tiny import FakeBatch, FakeIterator

UPDATES, BATCH = 6, 2
KEYS = ('gpus', 'cpu', 'network.FIX_BN', 'True', 'M2DET.input_size', '64', 'M2DET.planes', '16', 'M2DET.num_levels',
        '1', 'M2DET.num_scales', '3', 'M2DET.size_pattern', '[0.15, 0.4, 0.7, 0.9]', 'TRAIN.OPTIMIZER', 'sgd',
        'TRAIN.LOSS_MEAN', 'update', 'TRAIN.CLIP_NORM', '0', 'TRAIN.lr', '0.0001', 'TRAIN.warmup', 'False',
        'TRAIN.end_epoch', '1', 'default.worker_timeout', '120')


class PictureBatches(FakeIterator):
    """Inputs and targets of an M2Det that depend on the batch's number alone, divided as FakeIterator does."""

    def __init__(self, config, batch_size, shard):
        super().__init__(batch_size, UPDATES, shard=shard)
        shapes = [(entry.role, (entry.name, (batch_size, *entry.shape))) for entry in get_task(config).inputs()]
        self.provide_data, self.provide_label = ([pair for found, pair in shapes if found == role]
                                                 for role in ('data', 'label'))
        self.classes = config.dataset.NUM_CLASSES

    def __next__(self):
        rng, (rank, count) = np.random.default_rng(self.number), self.shard
        values = {name: rng.standard_normal((count * shape[0], *shape[1:]), np.float32)
                  for name, shape in self.provide_data + self.provide_label}
        chosen = rng.random(values['cls_target'].shape) < 0.05
        values['cls_target'] = chosen * rng.integers(1, self.classes, chosen.shape).astype(np.float32)
        rows = slice(rank * self.batch_size, (rank + 1) * self.batch_size)
        self.number += 1
        return FakeBatch({'data': values.pop('data')[rows]}, {name: value[rows] for name, value in values.items()},
                         [str(row) for row in range(self.batch_size)], self.number - 1)


def config_of(*overrides):
    return load_config(os.path.join(ROOT, 'configs', 'm2det', 'm2det_tiny.yml'), [*KEYS, *overrides])


def train_m2det(prefix, config, workers):
    """The training of one worker, on its part of each batch."""
    from lib.train.run import train
    from sniper_mxnet import mx
    from symbols import get_detector
    iterator = PictureBatches(config, config.TRAIN.BATCH_IMAGES, (workers.rank, workers.count))
    assert train(config, get_detector(config.symbol), iterator, [str(number) for number in range(iterator.classes)],
                 prefix, [mx.cpu()], workers=workers) == 0


def main(prefix, start):
    config = config_of('network.pretrained', start, 'TRAIN.BATCH_IMAGES', str(BATCH), 'default.kvstore', 'dist_sync')
    with connect(config) as workers:
        train_m2det(prefix, config, workers)


if __name__ == '__main__':
    main(*sys.argv[1:])
