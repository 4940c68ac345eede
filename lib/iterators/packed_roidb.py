"""A roidb in shared memory: one copy for all processes, handed to each worker once instead of pickled per task."""
from lib.dataset.compact import CompactRoidb
from lib.dataset.proposals import with_proposals
from lib.utils.shared_memory import SharedArray


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
    def nbytes(self):
        """Bytes of shared memory."""
        return self._roidb.nbytes

    def column(self, name):
        """Array `name` of lib.dataset.columns.gather."""
        return self._roidb.columns[name]

    def path(self, index):
        """File of image `index`."""
        return self._roidb.path(index)

    def entry(self, index):
        """Image `index` as a roidb record, proposals as rows after the objects. Arrays are not to be written to."""
        return with_proposals(self._roidb[index])
