"""Two workers train an M2Det as one with the batches of both: BatchNorms are frozen, losses divided by constants."""
import sys

import numpy as np

from lib.distributed.workers import ALONE
from lib.weights.params_file import read_arrays
from tests.distributed.m2det_program import BATCH, config_of, train_m2det
from tests.distributed.test_workers import run_launcher
from tests.inference.random_weights import write_checkpoint


def test_two_workers_train_as_one(tmp_path):
    path = write_checkpoint(config_of('output_path', str(tmp_path)), 'start.yml', None, epoch=0)
    start = path[:-len('-0000.params')]
    done = run_launcher(sys.executable, '-m', 'tests.distributed.m2det_program', str(tmp_path / 'two'), start)
    assert done.returncode == 0, done.stdout.decode()
    train_m2det(str(tmp_path / 'one'), config_of('network.pretrained', start, 'TRAIN.BATCH_IMAGES', str(2 * BATCH)),
                ALONE)
    one, two = (read_arrays(str(tmp_path / f'{name}-0001.params')) for name in ('one', 'two'))
    momentum = read_arrays(str(tmp_path / 'one-0001.states'))
    assert one.keys() == two.keys() and any(np.abs(values).max() > 1e-3 for values in momentum.values())
    before = read_arrays(path)
    assert all(np.array_equal(before[name], values) == name.startswith('aux:') for name, values in one.items()
               if name in before)
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=0, atol=1e-5, err_msg=name)
