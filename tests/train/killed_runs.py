"""A process in which many trainings on two CPU devices die: python -m tests.train.killed_runs FOLDER RUNS

MXNet's Module and KVStore do not wait for their pending operations when they are let go. The network here is small,
but its updates take a while, so that some are pending whenever a run dies.
"""
import os
import sys

from lib.train.run import train
from sniper_mxnet import mx
from tests.train.tiny import FakeIterator, TinyDetector, make_config

LAYERS, WIDTH = 6, 256


class Killed(Exception):
    """What ends a run without a word to the training loop."""


class SlowDetector(TinyDetector):
    """The small network with a branch of its own that keeps the engine busy."""

    def symbol(self, config, variant='proposal_train'):
        symbol = super().symbol(config, variant)
        branch = symbol.get_internals()['data']
        for number in range(LAYERS):
            branch = mx.sym.Convolution(branch, num_filter=64, kernel=(3, 3), pad=(1, 1), name=f'busy{number}')
        branch = mx.sym.FullyConnected(branch, num_hidden=WIDTH, name='wide')
        return mx.sym.Group([*symbol, mx.sym.MakeLoss(mx.sym.mean(branch), grad_scale=1e-6, name='busy')])


def main(folder, runs):
    for number in range(runs):
        config = make_config(BATCH_IMAGES=1)
        config.default.kvstore = ('local', 'device')[number % 2]
        last = 1 + number // 2 % 2

        def die(_epoch, batch, last=last):
            if batch == last:
                raise Killed
        try:
            train(config, SlowDetector(), FakeIterator(2, 3, die), ('__background__', 'a'), os.path.join(folder, 'S'),
                  [mx.cpu(0), mx.cpu(1)], display=1)
        except Killed:
            continue
        raise AssertionError('the run was not killed')


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]))
