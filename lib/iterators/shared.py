"""Room for batches in memory that workers write and the training process reads."""
import numpy as np

from lib.utils.shared_memory import SharedArray

_ALIGNMENT = 64  # bytes; float rows on cache lines


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

    @property
    def nbytes(self):
        """Bytes of all slots."""
        return self._shared.nbytes

    def view(self, slot, name, shape):
        """Float32 array of `shape` over the area of tensor `name` in batch slot `slot`."""
        start, room = self._start[name]
        count = int(np.prod(shape))
        if count > room:
            raise ValueError(f'tensor {name} of shape {shape} does not fit its slot of {room} floats')
        return self._shared.view()[slot, start:start + count].reshape(shape)
