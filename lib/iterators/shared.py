"""What processes share: batches that workers write and the main process reads, and the roidb that they all read."""
from typing import Any, Dict, List, NamedTuple, Sequence

import numpy as np

from lib.chips import Window
from lib.dataset.compact import CompactRoidb
from lib.dataset.proposals import with_proposals
from lib.utils.shared_memory import SharedArray

_ALIGNMENT = 64  # bytes; float rows on cache lines


class Batch(NamedTuple):
    """One batch. Arrays are views of shared memory, valid until the next batch is asked for.

    data, label: tensor name -> float32 array, in the order of the network's inputs
    images: file of each sample
    index: number of the batch in the epoch
    stats: counts; training: dropped_boxes (objects beyond TRAIN.MAX_GT), replaced (samples without an image)
    windows: at test, the Window that each sample shows; its height and width are those in the network's input, its
        level is the entry of TEST.SCALES
    empty: at test, rows that show nothing, as their image cannot be read or has no pixel there
    """

    data: Dict[str, np.ndarray]
    label: Dict[str, np.ndarray]
    images: List[str]
    index: int  # type: ignore[assignment]
    stats: Dict[str, Any]
    windows: Sequence[Window] = ()
    empty: Sequence[int] = ()


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
    def nbytes(self) -> int:
        """Bytes of all slots."""
        return self._shared.nbytes

    def view(self, slot: int, name: str, shape: tuple) -> np.ndarray:
        """Float32 array of `shape` over the area of tensor `name` in batch slot `slot`."""
        start, room = self._start[name]
        count = int(np.prod(shape))
        if count > room:
            raise ValueError(f'tensor {name} of shape {shape} does not fit its slot of {room} floats')
        return self._shared.view()[slot, start:start + count].reshape(shape)


class PackedRoidb:
    """The fields of a roidb that workers need: any sequence of records, compact or not.

    A CompactRoidb that is given is changed to refer to the shared arrays, so that its own can be freed.
    """

    def __init__(self, roidb):
        compact = roidb if isinstance(roidb, CompactRoidb) else CompactRoidb.from_records(roidb)
        self._shared = {}
        for name in list(compact.columns):  # one after another: two copies of one column at a time, not of all
            self._shared[name] = SharedArray.copy_of(compact.columns[name])
            compact.columns[name] = self._shared[name].view()
        self._image, self._flags = SharedArray.copy_of(compact.image), SharedArray.copy_of(compact.flags)
        self._attach()

    def _attach(self):
        self._roidb = CompactRoidb({name: array.view() for name, array in self._shared.items()},
                                   self._image.view(), self._flags.view())

    def __getstate__(self):
        return self._shared, self._image, self._flags

    def __setstate__(self, state):
        self._shared, self._image, self._flags = state
        self._attach()

    def __len__(self):
        return len(self._roidb)

    @property
    def nbytes(self) -> int:
        """Bytes of shared memory."""
        return self._roidb.nbytes

    def column(self, name: str) -> np.ndarray:
        """Array `name` of lib.dataset.columns.gather."""
        return self._roidb.columns[name]

    def path(self, index: int) -> str:
        """File of image `index`."""
        return self._roidb.path(index)

    def entry(self, index: int) -> dict:
        """Image `index` as a roidb record, proposals as rows after the objects. Arrays are not to be written to."""
        return with_proposals(self._roidb[index])
