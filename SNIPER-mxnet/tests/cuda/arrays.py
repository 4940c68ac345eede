"""Calling the libraries that libraries.py builds from Python: arrays in their memory, errors as exceptions."""
import ctypes

import numpy as np


class KernelError(Exception):
    """An operator of a library failed; the text is its message."""


class Array:
    """An array in the memory of a library (a GPU's for 'cuda'): shape, dtype, `pointer`; freed with the object."""

    def __init__(self, library, shape, dtype):
        self.library = library
        self.shape = tuple(np.atleast_1d(shape).tolist()) if not isinstance(shape, tuple) else shape
        self.dtype = np.dtype(dtype)
        self.nbytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        self.pointer = ctypes.c_void_p()
        library.call('allocate', self.nbytes, ctypes.byref(self.pointer))

    def __del__(self):
        if getattr(self, 'pointer', None):
            self.library.call('release', self.pointer)
            self.pointer = None

    def write(self, values):
        values = np.ascontiguousarray(values, self.dtype)
        if values.shape != self.shape:
            raise ValueError(f'got the shape {values.shape} for an array of {self.shape}')
        self.library.call('copy', self.pointer, values, self.nbytes)

    def numpy(self):
        """A copy in the host's memory."""
        values = np.empty(self.shape, self.dtype)
        self.library.call('copy', values, self.pointer, self.nbytes)
        return values


class Library:
    """libsniper_<kind>.so at `path`; `kind` is 'cpu', 'emulated' or 'cuda'."""

    def __init__(self, kind, path):
        self.kind = kind
        self._library = ctypes.CDLL(path)
        self._library.sniper_last_error.restype = ctypes.c_char_p
        self._library.sniper_scratch_bytes.restype = ctypes.c_int64

    def call(self, name, *arguments):
        """Runs sniper_<name>: Arrays and other objects with __cuda_array_interface__ (CuPy's, PyTorch's) become
        pointers to their memory, NumPy arrays pointers to the host's, int int64_t, float double. Raises KernelError.
        """
        if getattr(self._library, 'sniper_' + name)(*[_argument(value) for value in arguments]):
            raise KernelError(self._library.sniper_last_error().decode())

    def array(self, values, dtype=np.float32):
        """A copy of `values` in the library's memory."""
        values = np.asarray(values, dtype)
        result = Array(self, values.shape, dtype)
        result.write(values)
        return result

    def output(self, *shape, dtype=np.float32):
        """An array full of garbage (NaN for floats), so that what an operator leaves unwritten shows."""
        result = Array(self, shape, dtype)
        result.write(np.full(result.nbytes, 0xff, np.uint8).view(dtype).reshape(shape))
        return result

    def scratch_bytes(self):
        """Working memory that the last call asked for."""
        return self._library.sniper_scratch_bytes()


def _argument(value):
    if isinstance(value, Array):
        return value.pointer
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    if hasattr(value, '__cuda_array_interface__'):
        return ctypes.c_void_p(value.__cuda_array_interface__['data'][0])
    if isinstance(value, (bool, int, np.integer)):
        return ctypes.c_int64(int(value))
    if isinstance(value, (float, np.floating)):
        return ctypes.c_double(float(value))
    return value
