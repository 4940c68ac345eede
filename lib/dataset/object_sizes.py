"""How large the pictures of a roidb and the objects in them are, as flat arrays."""
from typing import NamedTuple, Sequence, Tuple

import numpy as np

from lib.dataset.compact import CompactRoidb

MOST = 4000  # pictures that are looked at; of more, so many that are spread evenly: shares to a per cent need no more


class ObjectSizes(NamedTuple):
    """m pictures, n objects, original pixels."""

    pictures: np.ndarray  # (m, 2) float64 width, height
    image: np.ndarray     # (n,) int64 picture of each object, ascending
    objects: np.ndarray   # (n, 2) float64 width, height, x2 - x1 and y2 - y1 as the valid ranges take them
    total: int            # pictures of the roidb without mirrored copies; only MOST of them are here

    @property
    def sides(self) -> np.ndarray:
        """(n,) square root of width x height."""
        return np.sqrt(self.objects.prod(axis=1))

    @property
    def median_picture(self) -> Tuple[float, float]:
        """Width and height of the picture in the middle, by area; (0, 0) without pictures."""
        return self.picture_at(0.5)

    def picture_at(self, share: float) -> Tuple[float, float]:
        """Width and height of the picture that `share` of all are not larger than, by area."""
        if not len(self.pictures):
            return 0.0, 0.0
        order = np.argsort(self.pictures.prod(axis=1), kind='stable')
        width, height = self.pictures[order[int(round(share * (len(order) - 1)))]].tolist()
        return width, height

    def of_pictures(self, scale_of) -> np.ndarray:
        """(m, ...) scale_of(width, height) of each picture, which is called once a size."""
        if not len(self.pictures):
            return np.zeros((0,))
        sizes, place = np.unique(self.pictures, axis=0, return_inverse=True)
        values = np.array([scale_of(width, height) for width, height in sizes.tolist()], np.float64)
        return values[place.reshape(-1)]


def object_sizes(roidb: Sequence, most: int = MOST) -> ObjectSizes:
    """Sizes of the pictures of a list of records or a CompactRoidb, mirrored copies left out, and of their objects.

    Rows that are no objects, or whose corners are no numbers, are left out.
    """
    compact = roidb if isinstance(roidb, CompactRoidb) else CompactRoidb.from_records(
        record for record in roidb if not (record.get('flipped') or record.get('flipped_vertical')))
    columns, stored = compact.columns, np.unique(compact.image)
    chosen = stored[np.linspace(0, len(stored) - 1, most).astype(np.int64)] if len(stored) > most else stored
    start = columns['row_start']
    counts = start[chosen + 1] - start[chosen]
    image = np.repeat(np.arange(len(chosen)), counts)
    rows = np.arange(len(image)) + np.repeat(start[chosen] - (np.cumsum(counts) - counts), counts)
    boxes = columns['boxes'][rows].astype(np.float64)
    wanted = np.isfinite(boxes).all(axis=1)
    if 'max_overlaps' in columns:
        wanted &= columns['max_overlaps'][rows] == 1
    objects = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return ObjectSizes(columns['size'][chosen].astype(np.float64).reshape(-1, 2), image[wanted], objects[wanted],
                       len(stored))
