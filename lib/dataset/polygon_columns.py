"""Polygons of a compact roidb: four flat arrays instead of a list of lists an image.

    outline_start  (M + 1,) int64, objects of each image with polygons: rows of ring_start
    ring_start     (objects + 1,) int64, rings of each object: rows of number_start
    number_start   (rings + 1,) int64, numbers x y x y ... of each ring
    coordinates    (numbers,) float32, original pixels of the unmirrored image
"""
import collections.abc

import numpy as np

from lib.dataset.mirroring import mirrored_points

NAMES = ('outline_start', 'ring_start', 'number_start', 'coordinates')


class PolygonGatherer:
    """Takes in the polygons of some records after another; nothing but arrays is kept."""

    def __init__(self):
        self._objects, self._rings, self._numbers, self._coordinates = [], [], [], []
        self._found = False

    def add(self, records):
        """Records in a list; those without gt_masks have no polygons."""
        outlines = [record.get('gt_masks', ()) for record in records]
        self._found = self._found or any('gt_masks' in record for record in records)
        objects = [rings for of_image in outlines for rings in of_image]
        rings = [ring for of_object in objects for ring in of_object]
        self._objects.append(np.array([len(of_image) for of_image in outlines], np.int64))
        self._rings.append(np.array([len(of_object) for of_object in objects], np.int64))
        self._numbers.append(np.array([len(ring) for ring in rings], np.int64))
        self._coordinates.append(np.concatenate(rings).astype(np.float32) if rings else np.zeros(0, np.float32))

    def columns(self):
        """Dict of the arrays, empty if no record had gt_masks."""
        if not self._found:
            return {}
        counts = (self._objects, self._rings, self._numbers)
        starts = [np.concatenate([[0], np.cumsum(np.concatenate(parts))]).astype(np.int64) for parts in counts]
        return dict(zip(NAMES, starts + [np.concatenate(self._coordinates)]))


def concatenate(stores):
    """Arrays of several dicts of columns, one after another; empty if none has polygons."""
    if not any('coordinates' in store for store in stores):
        return {}
    stores = [store if 'coordinates' in store else _without_polygons(store) for store in stores]
    joined = {name: joined_starts([store[name] for store in stores]) for name in NAMES[:3]}
    return dict(joined, coordinates=np.concatenate([store['coordinates'] for store in stores]))


def joined_starts(starts):
    """Several arrays of starts, (n + 1,) each -> those of the joined items."""
    ends = np.cumsum([0] + [start[-1] for start in starts])
    return np.concatenate([start[:-1] + end for start, end in zip(starts, ends)] + [ends[-1:]]).astype(np.int64)


def _without_polygons(store):
    none = np.zeros(1, np.int64)
    return dict(zip(NAMES, (np.zeros(len(store['row_start']), np.int64), none, none, np.zeros(0, np.float32))))


class Polygons(collections.abc.Sequence):
    """gt_masks of a record: [k] is the list of rings of object k, made when it is asked for."""

    def __init__(self, columns, image, width, height, horizontal, vertical):
        self._columns = columns
        self._first, self._stop = columns['outline_start'][image:image + 2].tolist()
        self._mirror = width, height, horizontal, vertical

    def __len__(self):
        return self._stop - self._first

    def __getitem__(self, index):
        """List of (2k,) float32 arrays, not to be written to."""
        if not -len(self) <= index < len(self):
            raise IndexError(f'object {index} of {len(self)}')
        columns = self._columns
        first, stop = columns['ring_start'][self._first + index % len(self):][:2].tolist()
        starts = columns['number_start'][first:stop + 1].tolist()
        return [mirrored_points(columns['coordinates'][start:end], *self._mirror)
                for start, end in zip(starts, starts[1:])]
