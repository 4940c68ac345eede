"""The operators give the same bits with any number of threads: computed in a process each, compared here."""
import os
import subprocess
import sys

import numpy as np
import pytest

from operator_samples import SAMPLES
from test_deformable_convolution import CASES

THREADS = (1, 3, 8, 20)


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """{threads: {name: array}}."""
    here, folder = os.path.dirname(os.path.abspath(__file__)), tmp_path_factory.mktemp('threads')
    paths = os.pathsep.join([here, os.environ.get('PYTHONPATH', '')])
    found = {}
    for threads in THREADS:
        path = str(folder / f'{threads}.npz')
        subprocess.run([sys.executable, '-W', 'ignore', os.path.join(here, 'thread_results.py'), path, str(threads)],
                       env=dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONPATH=paths), check=True)
        with np.load(path) as arrays:
            found[threads] = dict(arrays)
    return found


def test_every_operator_and_gradient_is_among_them(results):
    names = set(results[1])
    assert {name.split()[0] for name in names} >= set(SAMPLES)
    assert {name.partition(',')[0] for name in names if name.startswith('deformable')} == {
        f'deformable {number}' for number in range(len(CASES))}
    for part, outputs in (('winograd', 1), ('psroi', 4), ('proposals, ', 2), ('masks', 2),
                          ('proposals and targets of 1', 12), ('proposals and targets of 5', 12),
                          ('DeformableConvolution of 3, gradient', 4)):
        assert sum(name.startswith(part) for name in names) == outputs, part


@pytest.mark.parametrize('threads', THREADS[1:])
def test_same_bits(results, threads):
    assert list(results[threads]) == list(results[1])
    for name, array in results[1].items():
        np.testing.assert_array_equal(results[threads][name], array, err_msg=name)
