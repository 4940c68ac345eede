"""Arrays in memory that parent and worker processes share.

An anonymous file (memfd) rather than multiprocessing.shared_memory or a file in /dev/shm: it has no name that could
outlive the processes, however they end, and it is not limited by the size of /dev/shm, 64 MB in a container. All of it
is reserved at once, so that a lack of memory is an error here and not a bus error in the middle of an epoch.
"""
import errno
import logging
import math
import mmap
import os
import tempfile
import weakref
from multiprocessing.reduction import DupFd

import numpy as np

from lib.utils.errors import SniperError
from lib.utils.processes import available_memory

logger = logging.getLogger(__name__)

_FALLBACK_FOLDERS = ('/dev/shm', None)  # unnamed files there where there is no memfd; None = tempfile's folder
_FULL = (errno.ENOSPC, errno.ENOMEM, errno.EFBIG, errno.EDQUOT)
_MEND = 'lower TRAIN.PREFETCH, TRAIN.NUM_PROCESS, BATCH_IMAGES or CHIP_SIZE'


class SharedArray:
    """A NumPy array in shared memory, zeros at first. Pickles only on the way to a process being started.

    SniperError if the memory is not to be had.
    """

    def __init__(self, shape, dtype):
        self.shape = tuple(int(side) for side in shape)
        self.dtype = np.dtype(dtype)
        # Never zero bytes: an empty block cannot be mapped.
        self._open(_reserve(max(1, self._count() * self.dtype.itemsize)))

    @classmethod
    def copy_of(cls, array):
        """A shared copy of `array`."""
        shared = cls(array.shape, array.dtype)
        shared.view()[...] = array
        return shared

    def _open(self, descriptor):
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        self._memory = mmap.mmap(descriptor, max(1, self._count() * self.dtype.itemsize))

    def _count(self):
        return math.prod(self.shape)

    @property
    def nbytes(self):
        """Bytes of the array."""
        return self._count() * self.dtype.itemsize

    def view(self):
        """The array itself (no copy), valid in every process that holds this object."""
        return np.frombuffer(self._memory, self.dtype, self._count()).reshape(self.shape)

    def __getstate__(self):
        return self.shape, self.dtype, DupFd(self._descriptor)

    def __setstate__(self, state):
        self.shape, self.dtype, descriptor = state
        self._open(descriptor.detach())


def _reserve(size):
    """File descriptor of `size` bytes of memory, zeros, without a name."""
    free = available_memory()
    if free is not None and size > free:
        raise SniperError(f'the data need {_megabytes(size)} of shared memory, but {_megabytes(free)} are free: '
                          f'{_MEND}')
    if hasattr(os, 'memfd_create'):
        return _allocate(os.memfd_create('sniper-data'), size, 'memory')
    for folder in _FALLBACK_FOLDERS:
        if folder is not None and not os.path.isdir(folder):
            continue
        place = folder or tempfile.gettempdir()
        try:
            descriptor, path = tempfile.mkstemp(prefix='sniper-data-', dir=folder)
            os.unlink(path)
            return _allocate(descriptor, size, place)
        except (OSError, SniperError) as error:
            if folder is _FALLBACK_FOLDERS[-1]:
                raise SniperError(str(error)) from None
            logger.warning('%s; trying the folder for temporary files', error)


def _allocate(descriptor, size, place):
    try:
        if hasattr(os, 'posix_fallocate'):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.ftruncate(descriptor, size)
    except OSError as error:
        os.close(descriptor)
        if error.errno in _FULL:
            raise SniperError(f'{place} has no room for the {_megabytes(size)} that the data need ({error.strerror}): '
                              f'{_MEND}') from None
        raise
    return descriptor


def _megabytes(size):
    return f'{size / 1e6:.0f} MB'
