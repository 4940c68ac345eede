"""The measuring of memory sees what is taken, given back and leaked, also outside Python."""
import os
import subprocess
import sys

import pytest

from benchmarks import memory
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not memory.supported(), reason='needs the memory figures of Linux in /proc')

MEGABYTE = 2 ** 20

SCRIPT = '''
import ctypes
import numpy as np
from benchmarks import memory

def leak():
    ctypes.memset(library.malloc(1024), 1, 1024)

library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
ctypes.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
np.ones(10)
for count in (0, 4, 32):
    print(memory.peak(lambda: np.ones(count * 131072)))
print(memory.growth(lambda: np.ones(131072), calls=200))
print(memory.growth(leak, calls=1000))
'''


def test_figures():
    environment = dict(os.environ, PYTHONPATH=ROOT, **memory.ENVIRONMENT)
    done = subprocess.run([sys.executable, '-c', SCRIPT], env=environment, check=True, stdout=subprocess.PIPE)
    nothing, four, thirty_two, kept, leaked = map(int, done.stdout.split())
    assert nothing < MEGABYTE / 2
    assert abs(four - 4 * MEGABYTE) < MEGABYTE / 2 and abs(thirty_two - 32 * MEGABYTE) < MEGABYTE / 2
    assert kept < MEGABYTE / 2 and leaked > MEGABYTE / 2
