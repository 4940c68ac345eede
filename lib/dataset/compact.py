"""A roidb as a few flat arrays: what a list of dicts holds, in a tenth of the memory or less.

Records (lib.dataset.roidb) are made when they are asked for. Mirrored copies, selections and slices share the arrays
and cost five bytes a record; of columns that have their defaults everywhere nothing is stored. The arrays:
lib.dataset.columns.
"""
import collections.abc
from typing import Iterator, Sequence

import numpy as np

from lib.dataset import columns as stored_columns
from lib.dataset.columns import FLIPPED, FLIPPED_VERTICAL, Polygons, gather, read_id, read_path, read_rows
from lib.dataset.roidb import mirrored_boxes

_TURN, _TURN_VERTICAL = 4, 8  # further bits: what has to be done to the stored boxes when a record is made


class CompactRoidb(collections.abc.Sequence):
    """Read-only sequence of roidb records. M stored images, N stored boxes; every record refers to an image.

    columns   dict of arrays, see lib.dataset.columns
    image     (n,) int32, stored image of each record
    flags     (n,) uint8, FLIPPED, FLIPPED_VERTICAL and the bits above
    """

    def __init__(self, columns, image=None, flags=None):
        count = len(columns['row_start']) - 1
        self.columns = columns
        self.image = np.arange(count, dtype=np.int32) if image is None else image
        self.flags = columns.get('flags', np.zeros(count, np.uint8)) if flags is None else flags

    @classmethod
    def from_records(cls, records):
        """Compact form of any iterable of records. Fields other than the columns of lib.dataset.roidb are left out;
        missing ones have their defaults, and boxes none (a bare image for the demo)."""
        return cls(gather(records))

    def __len__(self):
        return len(self.image)

    def __getitem__(self, index):
        """A record for an integer, a CompactRoidb of the same arrays for a slice or an array of record numbers."""
        if isinstance(index, (slice, np.ndarray)):
            return CompactRoidb(self.columns, self.image[index], self.flags[index])
        if not -len(self) <= index < len(self):  # the end of an iteration, too
            raise IndexError(f'record {index} of {len(self)}')
        return self._record(int(self.image[index]), int(self.flags[index]))

    @classmethod
    def concatenate(cls, roidbs):
        """Records of several CompactRoidb one after another; views of the same arrays go on sharing them."""
        stores = list({id(roidb.columns): roidb.columns for roidb in roidbs}.values())
        if len(stores) == 1:
            columns, first = stores[0], {id(stores[0]): 0}
        else:
            columns = stored_columns.concatenate(stores)
            starts = np.cumsum([0] + [len(store['row_start']) - 1 for store in stores])
            first = {id(store): int(start) for store, start in zip(stores, starts)}
        return cls(columns, np.concatenate([roidb.image + np.int32(first[id(roidb.columns)]) for roidb in roidbs]),
                   np.concatenate([roidb.flags for roidb in roidbs]))

    def __reduce__(self):
        """Pickles the images that its records refer to, not those of a roidb that it is a part of."""
        return CompactRoidb.from_records, (list(self),)

    def path(self, index: int) -> str:
        """File of record `index`."""
        return read_path(self.columns, int(self.image[index]))

    def row_counts(self) -> np.ndarray:
        """(n,) int64: boxes of each record, proposals not counted."""
        return np.diff(self.columns['row_start'])[self.image]

    def object_counts(self) -> np.ndarray:
        """(n,) int64: objects of each record, rows of an overlap of 1."""
        if 'max_overlaps' not in self.columns:
            return self.row_counts()
        objects = np.concatenate([[0], np.cumsum(self.columns['max_overlaps'] == 1)])
        return np.diff(objects[self.columns['row_start']])[self.image]

    def image_ids(self) -> list:
        """List of the records' image ids."""
        if 'ids' in self.columns:
            return self.columns['ids'][self.image].tolist()
        return [read_id(self.columns, image) for image in self.image]

    def any_row(self, test):
        """(n,) bool: whether `test`, which takes an array of max_overlaps, holds for any row of each record."""
        start = self.columns['row_start']
        if 'max_overlaps' in self.columns:
            passed = np.concatenate([[0], np.cumsum(test(self.columns['max_overlaps']))])[start]
        else:
            passed = start * int(test(np.ones(1, np.float32))[0])
        return (np.diff(passed) > 0)[self.image]

    @property
    def nbytes(self):
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.columns.values()) + self.image.nbytes + self.flags.nbytes

    def mirrored(self, horizontal, vertical):
        """The records as seen in a mirror; the same arrays."""
        bits = (FLIPPED | _TURN) * bool(horizontal) | (FLIPPED_VERTICAL | _TURN_VERTICAL) * bool(vertical)
        return CompactRoidb(self.columns, self.image, self.flags ^ np.uint8(bits))

    def relabelled(self, labels):
        """The records with label k replaced by labels[k], an array of integers."""
        changed = {name: labels[self.columns[name]].astype(np.int32) for name in ('gt_classes', 'max_classes')
                   if name in self.columns}
        return CompactRoidb(dict(self.columns, **changed), self.image, self.flags)

    def with_proposals(self, boxes, spans):
        """The records with proposals: boxes (K, 4) float32 of unmirrored images, spans (n, 2) int64 rows of each.

        Records that refer to the same image must have the same span.
        """
        stored = np.zeros((len(self.columns['row_start']) - 1, 2), np.int64)
        stored[self.image] = spans
        return CompactRoidb(dict(self.columns, proposals=boxes, proposal_span=stored), self.image, self.flags)

    def _record(self, image, flags):
        columns = self.columns
        width, height = columns['size'][image].tolist()
        mirror = width, height, bool(flags & _TURN), bool(flags & _TURN_VERTICAL)
        record = {'image': read_path(columns, image), 'image_id': read_id(columns, image),
                  'width': _as_written(width), 'height': _as_written(height)}
        record.update(read_rows(columns, image))
        if flags & (_TURN | _TURN_VERTICAL):
            record['boxes'] = mirrored_boxes(record['boxes'], *mirror)
        record['flipped'], record['flipped_vertical'] = bool(flags & FLIPPED), bool(flags & FLIPPED_VERTICAL)
        if 'coordinates' in columns:
            record['gt_masks'] = Polygons(columns, image, *mirror)
        if 'proposal_span' in columns:
            first, end = columns['proposal_span'][image].tolist()
            if end > first:
                record['proposals'] = columns['proposals'][first:end]
        return record


def _as_written(side):
    """A width or height as the annotation file has it: whole numbers stay whole."""
    return int(side) if side == int(side) else side


def select(roidb: Sequence, wanted) -> Sequence:
    """Records of a list or a CompactRoidb for which `wanted`, one truth value each, holds; of the same kind."""
    if isinstance(roidb, CompactRoidb):
        return roidb[np.asarray(wanted, np.bool_)]
    return [record for record, keep in zip(roidb, wanted) if keep]


def take(roidb: Sequence, numbers) -> Sequence:
    """Records of a list or a CompactRoidb at these places; of the same kind."""
    if isinstance(roidb, CompactRoidb):
        return roidb[np.asarray(numbers, np.int64)]
    return [roidb[number] for number in numbers]


def relabelled(roidb: Sequence, labels: np.ndarray) -> Sequence:
    """Records of a list or a CompactRoidb with label k replaced by labels[k]; of the same kind."""
    if isinstance(roidb, CompactRoidb):
        return roidb.relabelled(labels)
    return [dict(record, **{name: labels[record[name]].astype(record[name].dtype)
                            for name in ('gt_classes', 'max_classes')}) for record in roidb]


def image_paths(roidb: Sequence) -> Iterator[str]:
    """Image file of every record of a list or a CompactRoidb: an iterator."""
    if isinstance(roidb, CompactRoidb):
        return (roidb.path(index) for index in range(len(roidb)))
    return (record['image'] for record in roidb)
