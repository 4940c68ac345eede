"""A worker of tests/distributed/test_workers.py: python -m tests.distributed.worker_program FOLDER KVSTORE COMPRESSION

Writes FOLDER/<rank>.json, and what a training leaves to FOLDER/<rank>/.
"""
import json
import os
import signal
import sys

import numpy as np

from lib.distributed import consistency
from lib.distributed.workers import connect
from lib.utils.errors import SniperError
from tests.train.tiny import FakeIterator, TinyDetector, make_config

BATCH, BATCHES = 2, 3


def distributed_config(kvstore, compression='none'):
    config = make_config(BATCH_IMAGES=BATCH, LOSS_MEAN='update')
    config.network.FIX_BN = True
    config.default.kvstore, config.default.gradient_compression = kvstore, compression
    config.default.compression_threshold = 0.01
    config.default.worker_timeout = 120
    if compression != 'none':
        config.TRAIN.end_epoch, config.TRAIN.end_iteration, config.TRAIN.lr_step = 0, 5, ''
        config.TRAIN.SNAPSHOT_ITERATIONS = 2
    return config


def main(folder, kvstore, compression):
    config = distributed_config(kvstore, compression)
    with connect(config) as workers:
        facts = dict(talk(workers), rank=workers.rank, count=workers.count)
        facts['complaints'] = complaints(workers, config)
        facts.update(training(workers, config, os.path.join(folder, str(workers.rank), 'S')))
        if workers.lossy:   # what a resumed run and a validation say
            facts['said'] = said(workers)
        with open(os.path.join(folder, f'{workers.rank}.json'), 'w') as stream:
            json.dump(facts, stream)


def talk(workers):
    """What the calls by which workers talk give."""
    from sniper_mxnet import mx
    rank = workers.rank
    half = mx.nd.array([[rank + 0.5, 2]])
    return {'gathered': workers.gather([10 + rank, rank]).tolist(), 'said': said(workers),
            'mean': workers.mean({'a': half})['a'].asnumpy().tolist()}


def said(workers):
    """What worker 0 tells."""
    from sniper_mxnet import mx
    rank = workers.rank
    return {'first': workers.from_first(mx.nd.array([[rank + 0.5, 2]])).asnumpy().tolist(),
            'half': workers.from_first(mx.nd.array([rank + 0.1], dtype='float16')).asnumpy().tolist(),
            'whole': workers.from_first(mx.nd.array([2 ** 40 + rank], dtype='int64')).asnumpy().tolist(),
            'json': workers.json_from_first({'rank': rank, 'text': 'é' * (3 + rank)}),
            'nothing': workers.json_from_first(None)}


def complaints(workers, config):
    """Errors where worker 1 has another configuration or training set."""
    found = []
    other = make_config(lr=0.25, momentum=0.5) if workers.rank else make_config()
    roidb = [{'boxes': np.ones((1, 4)), 'gt_classes': np.ones(1)}] * (5 + workers.rank)
    for check in (lambda: consistency.check_program(workers, config, 1),
                  lambda: consistency.check_program(workers, other, 1),
                  lambda: consistency.check_program(workers, config, 1 + workers.rank),
                  lambda: consistency.check_data(workers, roidb), lambda: consistency.check_data(workers, roidb[:5])):
        try:
            check()
            found.append('')
        except SniperError as error:
            found.append(str(error))
    return found


def training(workers, config, prefix):
    """Two epochs; worker 1 is asked to stop in the second."""
    from lib.distributed import gradient_sync
    from lib.engine.training import TrainingStep
    from lib.train import run
    from sniper_mxnet import mx
    steps = []

    def on_batch(epoch, number):
        steps.append([epoch, number])
        if workers.rank == 1 and (epoch, number) == (1, 0):
            os.kill(os.getpid(), signal.SIGTERM)
    syncs = []

    def make_gradient_sync(*arguments):
        syncs.append(gradient_sync.make_gradient_sync(*arguments))
        return syncs[0]
    run.make_gradient_sync = make_gradient_sync
    gradient_sync.SAMPLED = 2
    parameters = {}
    TrainingStep.close = lambda step, close=TrainingStep.close: (
        parameters.update({name: array.asnumpy() for name, array in step.parameters()[0].items()}), close(step))
    iterator = FakeIterator(BATCH, BATCHES, on_batch, shard=(workers.rank, workers.count))
    status = run.train(config, TinyDetector(), iterator, ('__background__', 'a'), prefix, [mx.cpu()], display=1,
                       workers=workers)
    return {'status': status, 'steps': steps, 'bytes': [syncs[0].bytes_sent, syncs[0].bytes_received],
            'sizes': [array.size for array in parameters.values()],
            'weights': parameters['stem_weight'].ravel().tolist()}


if __name__ == '__main__':
    main(*sys.argv[1:])
