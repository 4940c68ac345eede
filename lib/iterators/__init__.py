"""roidb and windows -> batches, made by worker processes in shared memory.

    train.py, test.py   the two iterators
    epoch.py            windows of an epoch of training, and their order
    batching.py         which windows of a test pass make a batch
    prefetch.py         batches in order, a bounded number ahead
    pool.py, worker.py  processes and how work reaches them
    samples.py          what workers do: windows, pixels, targets
    shared.py           what processes share: batches, roidb
"""
from lib.iterators.shared import Batch
from lib.iterators.test import TestIterator
from lib.iterators.train import TrainIterator

__all__ = ['Batch', 'TestIterator', 'TrainIterator']
