"""The arrays behind a compact roidb (lib.dataset.compact): made from records, joined, and read.

M images with N rows are stored as

    row_start              (M + 1,) int64: rows of image i are row_start[i]..row_start[i + 1] - 1
    <a ROW column>         (N, ...): boxes and gt_classes, and each other one that differs from its default somewhere;
                           integers in the smallest type that holds them
    size                   (M, 2) width, height: float64, or int32 if they are whole
    flags                  (M,) uint8: FLIPPED, FLIPPED_VERTICAL
    folder, paths, path_start   the beginning that all paths share, the rest of each as bytes
    ids                    (M,) int64, or id_text, id_start: JSON of each, if some are texts
    proposals              (K, 4) float32 and proposal_span (M, 2) int64, if a record has proposals

and, if a record has gt_masks, polygons in four flat arrays:

    outline_start  (M + 1,) int64, objects of each image with polygons: rows of ring_start
    ring_start     (objects + 1,) int64, rings of each object: rows of number_start
    number_start   (rings + 1,) int64, numbers x y x y ... of each ring
    coordinates    (numbers,) float32, original pixels of the unmirrored image
"""
import collections.abc
import itertools
import json
import os
from typing import Any, Dict, List

import numpy as np

from lib.dataset.roidb import REQUIRED, ROW_COLUMNS, default_rows, mirrored_points

FLIPPED, FLIPPED_VERTICAL = 1, 2  # bits of `flags`
POLYGONS = ('outline_start', 'ring_start', 'number_start', 'coordinates')
_CHUNK = 4096  # records that are gathered before their arrays are joined


def gather(records) -> dict:
    """Iterable of records -> dict of the arrays above. Columns that a record lacks have their defaults."""
    parts: List[np.ndarray] = []
    seen: Dict[Any, Any] = {}
    chunks, polygons = [_gather_chunk([], parts, seen)], _PolygonGatherer()
    records = iter(records)
    while True:
        chunk = list(itertools.islice(records, _CHUNK))
        if not chunk:
            break
        chunks.append(_gather_chunk(chunk, parts, seen))
        polygons.add(chunk)
    paths, ids = ([value for chunk in chunks for value in chunk.pop(name)] for name in ('paths', 'ids'))
    arrays = {name: np.concatenate([chunk.pop(name) for chunk in chunks]) for name in list(chunks[0])}
    columns = {'row_start': np.concatenate([[0], np.cumsum(arrays['rows'])]).astype(np.int64),
               'flags': arrays['flags'], 'size': _whole(arrays['size'])}
    columns.update(_stored_rows(arrays))
    columns.update(_path_columns(paths))
    columns.update(_id_columns(ids))
    if parts:
        columns.update(proposals=np.concatenate(parts), proposal_span=arrays['proposal_span'])
    columns.update(polygons.columns())
    return columns


def from_rows(folder: str, names: np.ndarray, ending: str, size: np.ndarray, row_start: np.ndarray,
              rows: Dict[str, np.ndarray]) -> dict:
    """The dict of arrays, straight from arrays: for data sets so large that a dict an image takes too long.

    names (M,) bytes: the ids of the images, whose files are <folder>/<name><ending>; size (M, 2) width and height;
    row_start (M + 1,); rows: ROW columns, (N, ...) each, the objects of an image first.
    """
    beginning = os.path.join(folder, '').encode('utf-8', 'surrogateescape')
    paths, path_start = _texts(names, b'', ending.encode())
    ids, id_start = _texts(names, b'"', b'"')
    return {'row_start': row_start.astype(np.int64), 'flags': np.zeros(len(names), np.uint8),
            'size': _whole(size.astype(np.float64)), 'folder': np.frombuffer(beginning, np.uint8),
            'paths': paths, 'path_start': path_start, 'id_text': ids, 'id_start': id_start, **_stored_rows(rows)}


def _texts(names, before, after):
    """(n,) bytes -> (letters of all, one after another, each between two others, (n + 1,) starts)."""
    letters = names.astype(f'S{max(names.itemsize, 1)}').view(np.uint8).reshape(len(names), -1)
    around = [np.broadcast_to(np.frombuffer(text, np.uint8), (len(names), len(text))) for text in (before, after)]
    joined = np.concatenate([around[0], letters, around[1]], axis=1)
    lengths = np.count_nonzero(joined, axis=1)
    return joined[joined > 0], np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def concatenate(stores: list) -> dict:
    """Several dicts of arrays as `gather` makes them -> one, their images one after another."""
    columns = {'flags': np.concatenate([store['flags'] for store in stores]),
               'size': _whole(np.concatenate([store['size'].astype(np.float64) for store in stores])),
               'row_start': _joined_starts([store['row_start'] for store in stores])}
    for name in ROW_COLUMNS:
        if any(name in store for store in stores):
            columns[name] = np.concatenate([_all_rows(store, name) for store in stores])
    columns.update(_path_columns([path for store in stores for path in _all_paths(store)]))
    if all('ids' in store for store in stores):
        columns['ids'] = np.concatenate([store['ids'] for store in stores])
    else:
        columns.update(_id_columns([read_id(store, image) for store in stores
                                    for image in range(len(store['row_start']) - 1)]))
    if any('proposals' in store for store in stores):
        columns.update(_joined_proposals(stores))
    if any('coordinates' in store for store in stores):
        columns.update(_joined_polygons(stores))
    return columns


def read_rows(columns: dict, image: int) -> dict:
    """ROW columns of stored image `image`, those that are not stored with their defaults."""
    start, stop = columns['row_start'][image:image + 2].tolist()
    record: Dict[str, np.ndarray] = {}
    for name, column in ROW_COLUMNS.items():
        record[name] = (columns[name][start:stop].astype(column.dtype, copy=False) if name in columns
                        else default_rows(name, stop - start, record))
    return record


def read_path(columns: dict, image: int) -> str:
    """File of stored image `image`."""
    start, stop = columns['path_start'][image:image + 2]
    content = columns['folder'].tobytes() + columns['paths'][start:stop].tobytes()
    return content.decode('utf-8', 'surrogateescape')


def read_id(columns: dict, image: int):
    """Id of stored image `image`."""
    if 'ids' in columns:
        return columns['ids'][image].item()
    start, stop = columns['id_start'][image:image + 2]
    return json.loads(columns['id_text'][start:stop].tobytes().decode())


def _gather_chunk(records, parts, seen):
    """Arrays of some records; `parts` and `seen` take up proposals, those of an image and its twin once."""
    boxes = [np.asarray(record.get('boxes', ()), np.float32).reshape(-1, 4) for record in records]
    chunk = {'rows': np.array([len(rows) for rows in boxes], np.int64)}
    for name, column in ROW_COLUMNS.items():
        parts_of_column = boxes if name == 'boxes' else [
            record[name] if name in record else default_rows(name, len(rows), record)
            for record, rows in zip(records, boxes)]
        nothing = np.zeros((0,) + column.shape, column.dtype)
        chunk[name] = np.concatenate([nothing] + parts_of_column).astype(column.dtype, copy=False)
    chunk['size'] = np.array([(record['width'], record['height']) for record in records], np.float64).reshape(-1, 2)
    chunk['flags'] = np.array([FLIPPED * bool(record.get('flipped', False))
                               | FLIPPED_VERTICAL * bool(record.get('flipped_vertical', False)) for record in records],
                              np.uint8)
    chunk['proposal_span'] = np.array([_take_in(record.get('proposals'), parts, seen) for record in records],
                                      np.int64).reshape(-1, 2)
    chunk['paths'] = [str(record['image']).encode('utf-8', 'surrogateescape') for record in records]
    chunk['ids'] = [record.get('image_id', 0) for record in records]
    return chunk


def _stored_rows(arrays):
    """The ROW columns that have to be stored, in the smallest type."""
    stored = {}
    for name, column in ROW_COLUMNS.items():
        if name not in arrays:
            continue
        default = arrays[column.default] if column.default in ROW_COLUMNS else column.default
        if column.default is REQUIRED or (arrays[name] != default).any():
            stored[name] = _smallest(arrays[name])
    return stored


def _all_rows(columns, name):
    """ROW column `name` of all stored images."""
    if name in columns:
        return columns[name]
    filled = {other: columns[other] for other in ROW_COLUMNS if other in columns}
    return _smallest(default_rows(name, len(columns['boxes']), filled))


def _smallest(values):
    """Integers in the smallest type that holds them; anything else as it is."""
    if values.dtype.kind == 'i':
        for dtype in (np.uint8, np.int16, np.int32):
            if len(values) == 0 or (values.min() >= np.iinfo(dtype).min and values.max() <= np.iinfo(dtype).max):
                return values.astype(dtype)
    return values


def _whole(sizes):
    """(M, 2) as int32 if nothing is lost."""
    whole = sizes.astype(np.int32)
    return whole if (whole == sizes).all() else sizes


def _path_columns(paths):
    folder = _common_prefix(paths)
    rest = [path[len(folder):] for path in paths]
    return {'folder': np.frombuffer(folder, np.uint8), 'paths': np.frombuffer(b''.join(rest), np.uint8),
            'path_start': np.cumsum([0] + [len(path) for path in rest], dtype=np.int64)}


def _common_prefix(texts):
    if not texts:
        return b''
    low, high = min(texts), max(texts)
    same = next((place for place, (one, other) in enumerate(zip(low, high)) if one != other), min(len(low), len(high)))
    return low[:same]


def _all_paths(columns):
    """Paths of all stored images as bytes."""
    folder, rest, start = columns['folder'].tobytes(), columns['paths'].tobytes(), columns['path_start'].tolist()
    return [folder + rest[first:end] for first, end in zip(start, start[1:])]


def _id_columns(ids):
    if all(isinstance(image_id, (int, np.integer)) and -2 ** 63 <= image_id < 2 ** 63 for image_id in ids):
        return {'ids': np.array(ids, np.int64)}
    texts = [json.dumps(image_id).encode() for image_id in ids]
    return {'id_text': np.frombuffer(b''.join(texts), np.uint8),
            'id_start': np.cumsum([0] + [len(text) for text in texts], dtype=np.int64)}


def _take_in(proposals, parts, seen):
    """Rows (first, end) of an image's proposals among all that `parts` holds."""
    if proposals is None or len(proposals) == 0:
        return 0, 0
    address = (proposals.__array_interface__['data'][0], len(proposals))
    if address not in seen:
        first = seen.get('end', 0)
        parts.append(np.asarray(proposals, np.float32).reshape(-1, 4))
        seen[address], seen['end'] = (first, first + len(proposals)), first + len(proposals)
    return seen[address]


def _joined_proposals(stores):
    none = np.zeros((0, 4), np.float32)
    parts = [store.get('proposals', none) for store in stores]
    first = np.cumsum([0] + [len(part) for part in parts])
    spans = [store['proposal_span'] + start if 'proposals' in store
             else np.zeros((len(store['row_start']) - 1, 2), np.int64) for store, start in zip(stores, first)]
    return {'proposals': np.concatenate(parts), 'proposal_span': np.concatenate(spans)}


def _joined_starts(starts):
    """Several arrays of starts, (n + 1,) each -> those of the joined items."""
    ends = np.cumsum([0] + [start[-1] for start in starts])
    return np.concatenate([start[:-1] + end for start, end in zip(starts, ends)] + [ends[-1:]]).astype(np.int64)


class _PolygonGatherer:
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
        return dict(zip(POLYGONS, starts + [np.concatenate(self._coordinates)]))


def _joined_polygons(stores):
    stores = [store if 'coordinates' in store else _without_polygons(store) for store in stores]
    joined = {name: _joined_starts([store[name] for store in stores]) for name in POLYGONS[:3]}
    return dict(joined, coordinates=np.concatenate([store['coordinates'] for store in stores]))


def _without_polygons(store):
    none = np.zeros(1, np.int64)
    return dict(zip(POLYGONS, (np.zeros(len(store['row_start']), np.int64), none, none, np.zeros(0, np.float32))))


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
