"""The libraries as fixtures: `cpu`, and `device`, which is each library of kernels that can run here in turn."""
import ctypes.util
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (os.path.dirname(os.path.dirname(HERE)), HERE):  # nvcc.py is beside setup.py
    if folder not in sys.path:
        sys.path.insert(0, folder)

from nvcc import find_compiler  # noqa: E402

from arrays import Library  # noqa: E402
from libraries import build  # noqa: E402


def has_gpu():
    """True if there is a driver of NVIDIA's with a GPU."""
    try:
        driver = ctypes.CDLL('libcuda.so.1')
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


@pytest.fixture(scope='session')
def cpu():
    return Library('cpu', build('cpu'))


@pytest.fixture(scope='session')
def emulated():
    return Library('emulated', build('emulated'))


@pytest.fixture(scope='session')
def cuda():
    if not has_gpu():
        pytest.skip('no NVIDIA GPU here')
    if find_compiler() is None:
        pytest.skip('there is a GPU but no nvcc to compile for it')
    return Library('cuda', build('cuda'))


@pytest.fixture(params=['emulated', 'reversed', 'cuda'])
def device(request):
    """Kernels under emulation, the same with threads and blocks in descending order (races show), on a GPU."""
    if request.param == 'cuda':
        yield request.getfixturevalue('cuda')
        return
    library = request.getfixturevalue('emulated')
    library.call('set_reverse', request.param == 'reversed')
    yield library
    library.call('set_reverse', False)
