"""roidb and chips -> batches, made by worker processes in shared memory.

    train.py, test.py            the two iterators
    train_tasks.py, crop_tasks.py  what their workers do
    epoch.py, crop_batches.py    order of chips in an epoch, of crops in a test pass
    prefetch.py                  batches in order, a bounded number ahead
    pool.py, worker.py           processes and how tasks reach them
    shared.py, packed_roidb.py, chip_table.py   what is shared and sent
    seeds.py                     random numbers by purpose, not by worker
"""
from lib.iterators.batch import Batch
from lib.iterators.test import TestIterator
from lib.iterators.train import TrainIterator

__all__ = ['Batch', 'TestIterator', 'TrainIterator']
