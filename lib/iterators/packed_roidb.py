"""A roidb as a few flat shared arrays, handed to each worker once instead of pickled per task."""
import numpy as np

from lib.dataset.proposals import with_proposals
from lib.iterators.shared import SharedArray

# field -> (dtype, columns); rows of all images lie one after another
_ROW_FIELDS = {'boxes': (np.float32, (4,)), 'gt_classes': (np.int32, ()),
               'max_classes': (np.int64, ()), 'max_overlaps': (np.float32, ())}
_IMAGE_FIELDS = {'width': np.float64, 'height': np.float64,
                 'flipped': np.bool_, 'flipped_vertical': np.bool_}


class PackedRoidb:
    """The fields of a roidb that workers need (paths, sizes, mirroring, boxes, classes, overlaps, proposals).

    Fields that an entry lacks (a bare image for the demo) count as empty or False. Proposals are stored once for an
    image and its mirrored copies.
    """

    def __init__(self, roidb):
        rows = [len(entry.get('boxes', ())) for entry in roidb]
        self._row_start = SharedArray.copy_of(np.concatenate([[0], np.cumsum(rows)]).astype(np.int64))
        self._rows = {name: SharedArray.copy_of(_stack(roidb, name, rows, dtype, columns))
                      for name, (dtype, columns) in _ROW_FIELDS.items()}
        self._images = {name: SharedArray.copy_of(np.array([entry.get(name, 0) for entry in roidb], dtype))
                        for name, dtype in _IMAGE_FIELDS.items()}
        spans, arrays = _distinct([entry.get('proposals') for entry in roidb])
        self._proposal_span = SharedArray.copy_of(spans)
        self._proposals = SharedArray((int(spans.max(initial=0)), 4), np.float32)
        np.concatenate([np.empty((0, 4), np.float32)] + arrays, out=self._proposals.view())
        paths = [str(entry['image']).encode('utf-8', 'surrogateescape') for entry in roidb]
        self._path_start = SharedArray.copy_of(
            np.concatenate([[0], np.cumsum([len(path) for path in paths])]).astype(np.int64))
        self._paths = SharedArray.copy_of(np.frombuffer(b''.join(paths), np.uint8))

    def __len__(self):
        return self._row_start.shape[0] - 1

    def path(self, index):
        """File of image `index`."""
        start, stop = self._path_start.view()[index:index + 2]
        return self._paths.view()[start:stop].tobytes().decode('utf-8', 'surrogateescape')

    def entry(self, index):
        """Image `index` as a roidb record, proposals as rows after the objects. Arrays are not to be written to."""
        start, stop = self._row_start.view()[index:index + 2]
        record = {name: field.view()[start:stop] for name, field in self._rows.items()}
        record.update((name, field.view()[index].item()) for name, field in self._images.items())
        record['image'] = self.path(index)
        start, stop = self._proposal_span.view()[index]
        return with_proposals(dict(record, proposals=self._proposals.view()[start:stop])) if stop > start else record


def _stack(roidb, name, rows, dtype, columns):
    """Field `name` of all entries, one below the other; zeros for entries that lack it."""
    out = np.zeros((sum(rows),) + columns, dtype)
    start = 0
    for entry, count in zip(roidb, rows):
        if name in entry:
            out[start:start + count] = entry[name]
        start += count
    return out


def _distinct(arrays):
    """Arrays (k, 4), or None, some of them the same object -> (n, 2) int64 first and last + 1 row of each when the
    distinct ones lie one below the other, and the list of these."""
    spans, distinct, at, known = np.zeros((len(arrays), 2), np.int64), [], 0, {}
    for index, array in enumerate(arrays):
        if array is None:
            continue
        if id(array) not in known:
            known[id(array)] = (at, at + len(array))
            distinct.append(array)
            at += len(array)
        spans[index] = known[id(array)]
    return spans, distinct
