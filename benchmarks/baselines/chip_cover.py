"""The loop over std::set of chip_cover.cc, compiled when it is first called (g++ -O2, or the compiler in CXX)."""
import atexit
import ctypes
import functools
import os
import shlex
import shutil
import subprocess
import tempfile

import numpy as np

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'chip_cover.cc')


def cover(boxes, width, height, chip_size, stride):
    """(N, 4) float32 boxes inside a width x height image -> (M, 4) float32 chips in the order of choice."""
    boxes = np.ascontiguousarray(boxes, dtype=np.float32)
    chips = np.empty_like(boxes)
    count = _library().cover_with_sets(_pointer(boxes), len(boxes), width, height, chip_size, stride, _pointer(chips))
    return chips[:count]


def _pointer(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


@functools.lru_cache(maxsize=None)
def _library():
    folder = tempfile.mkdtemp(prefix='sniper-baseline-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = os.path.join(folder, 'chip_cover.so')
    compiler = shlex.split(os.environ.get('CXX', 'g++'))
    try:
        subprocess.run(compiler + ['-std=c++11', '-O2', '-fPIC', '-shared', SOURCE, '-o', path], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f'{SOURCE} does not compile ({error}): install g++, or name a compiler in CXX')
    return ctypes.CDLL(path)
