"""Arrays in memory that parent and worker processes share.

RawArray rather than multiprocessing.shared_memory: the memory has no name that could outlive the
processes, and Python 3.8's resource tracker would destroy a named block under its owner.
"""
from multiprocessing.sharedctypes import RawArray

import numpy as np

_ALIGNMENT = 64  # bytes; float rows on cache lines


class SharedArray:
    """A NumPy array in shared memory. Pickles only on the way to a process being started."""

    def __init__(self, shape, dtype):
        self.shape = tuple(int(side) for side in shape)
        self.dtype = np.dtype(dtype)
        # Never zero bytes: an empty block has no address to map.
        self._memory = RawArray('b', max(1, self._count() * self.dtype.itemsize))

    @classmethod
    def copy_of(cls, array):
        """A shared copy of `array`."""
        shared = cls(array.shape, array.dtype)
        shared.view()[...] = array
        return shared

    def _count(self):
        count = 1
        for side in self.shape:
            count *= side
        return count

    def view(self):
        """The array itself (no copy), valid in every process that holds this object."""
        if self._count() == 0:
            return np.empty(self.shape, self.dtype)
        return np.frombuffer(self._memory, self.dtype, self._count()).reshape(self.shape)


class BatchSlots:
    """Room for `num_slots` batches, each with one float32 area per tensor name.

    `floats` maps tensor name -> largest number of floats a batch needs.
    """

    def __init__(self, num_slots, floats):
        self.num_slots = num_slots
        self._start, at = {}, 0
        for name, count in floats.items():
            self._start[name] = (at, int(count))
            at += -(-int(count) * 4 // _ALIGNMENT) * _ALIGNMENT // 4
        self._shared = SharedArray((num_slots, at), np.float32)

    def view(self, slot, name, shape):
        """Float32 array of `shape` over the area of tensor `name` in batch slot `slot`."""
        start, room = self._start[name]
        count = int(np.prod(shape))
        if count > room:
            raise ValueError('tensor %s of shape %s does not fit its slot of %d floats' % (name, shape, room))
        return self._shared.view()[slot, start:start + count].reshape(shape)
