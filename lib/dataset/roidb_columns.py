"""The arrays behind a compact roidb (lib.dataset.compact): made from records, joined, and read."""
import itertools
import json

import numpy as np

from lib.dataset import polygon_columns
from lib.dataset.polygon_columns import joined_starts

FLIPPED, FLIPPED_VERTICAL = 1, 2  # bits of `flags`
_CHUNK = 4096  # records that are gathered before their arrays are joined


def gather(records):
    """Iterable of records -> dict of arrays:

    row_start (M + 1,) int64; boxes (N, 4) float32; gt_classes (N,), the smallest integers that hold them
    max_classes (N,), max_overlaps (N,) float32: only if they differ from gt_classes, from 1
    size (M, 2) width, height: float64, or int32 if they are whole
    folder, paths, path_start: the beginning that all paths share, the rest of each as bytes
    ids (M,) int64, or id_text, id_start: JSON of each, if some are texts
    flags (M,) uint8; proposals (K, 4) float32 and proposal_span (M, 2) int64, if a record has proposals
    those of polygon_columns, if a record has gt_masks
    """
    chunks, parts, seen, polygons = [], [], {}, polygon_columns.PolygonGatherer()
    records = iter(records)
    while True:
        chunk = list(itertools.islice(records, _CHUNK))
        if not chunk:
            break
        chunks.append(_gather_chunk(chunk, parts, seen))
        polygons.add(chunk)
    joined = {name: [value for chunk in chunks for value in chunk[name]] for name in ('paths', 'ids')}
    arrays = {name: np.concatenate([chunk[name] for chunk in chunks] or [_EMPTY[name]]) for name in _EMPTY}
    del chunks
    columns = {'row_start': np.concatenate([[0], np.cumsum(arrays['rows'])]).astype(np.int64),
               'boxes': arrays['boxes'], 'gt_classes': _smallest(arrays['gt_classes']), 'flags': arrays['flags'],
               'size': _whole(arrays['size'])}
    if (arrays['max_classes'] != arrays['gt_classes']).any():
        columns['max_classes'] = _smallest(arrays['max_classes'])
    if (arrays['max_overlaps'] != 1).any():
        columns['max_overlaps'] = arrays['max_overlaps']
    columns.update(_path_columns(joined['paths']))
    columns.update(_id_columns(joined['ids']))
    if parts:
        columns.update(proposals=np.concatenate(parts), proposal_span=arrays['proposal_span'])
    columns.update(polygons.columns())
    return columns


def concatenate(stores):
    """Several dicts of arrays as `gather` makes them -> one, their images one after another."""
    columns = {name: np.concatenate([store[name] for store in stores]) for name in ('boxes', 'gt_classes', 'flags')}
    columns['size'] = _whole(np.concatenate([store['size'].astype(np.float64) for store in stores]))
    columns['row_start'] = joined_starts([store['row_start'] for store in stores])
    if any('max_classes' in store for store in stores):
        columns['max_classes'] = np.concatenate([store.get('max_classes', store['gt_classes']) for store in stores])
    if any('max_overlaps' in store for store in stores):
        columns['max_overlaps'] = np.concatenate([
            store.get('max_overlaps', np.ones(len(store['boxes']), np.float32)) for store in stores])
    columns.update(_path_columns([path for store in stores for path in _all_paths(store)]))
    if all('ids' in store for store in stores):
        columns['ids'] = np.concatenate([store['ids'] for store in stores])
    else:
        columns.update(_id_columns([read_id(store, image) for store in stores
                                    for image in range(len(store['row_start']) - 1)]))
    if any('proposals' in store for store in stores):
        columns.update(_joined_proposals(stores))
    columns.update(polygon_columns.concatenate(stores))
    return columns


def read_path(columns, image):
    """File of stored image `image`."""
    start, stop = columns['path_start'][image:image + 2]
    content = columns['folder'].tobytes() + columns['paths'][start:stop].tobytes()
    return content.decode('utf-8', 'surrogateescape')


def read_id(columns, image):
    if 'ids' in columns:
        return columns['ids'][image].item()
    start, stop = columns['id_start'][image:image + 2]
    return json.loads(columns['id_text'][start:stop].tobytes().decode())


_EMPTY = {'rows': np.zeros(0, np.int64), 'boxes': np.zeros((0, 4), np.float32), 'gt_classes': np.zeros(0, np.int64),
          'max_classes': np.zeros(0, np.int64), 'max_overlaps': np.zeros(0, np.float32),
          'size': np.zeros((0, 2)), 'flags': np.zeros(0, np.uint8), 'proposal_span': np.zeros((0, 2), np.int64)}
_ROW_DEFAULTS = {'gt_classes': 0, 'max_classes': 0, 'max_overlaps': 0}


def _gather_chunk(records, parts, seen):
    """Arrays of some records; `parts` and `seen` take up proposals, those of an image and its twin once."""
    boxes = [np.asarray(record.get('boxes', ()), np.float32).reshape(-1, 4) for record in records]
    chunk = {'rows': np.array([len(rows) for rows in boxes], np.int64), 'boxes': np.concatenate(boxes)}
    for name, default in _ROW_DEFAULTS.items():
        chunk[name] = np.concatenate([record[name] if name in record else np.full(len(rows), default)
                                      for record, rows in zip(records, boxes)]).astype(_EMPTY[name].dtype)
    chunk['size'] = np.array([(record['width'], record['height']) for record in records], np.float64)
    chunk['flags'] = np.array([FLIPPED * bool(record.get('flipped', False))
                               | FLIPPED_VERTICAL * bool(record.get('flipped_vertical', False)) for record in records],
                              np.uint8)
    chunk['proposal_span'] = np.array([_take_in(record.get('proposals'), parts, seen) for record in records], np.int64)
    chunk['paths'] = [str(record['image']).encode('utf-8', 'surrogateescape') for record in records]
    chunk['ids'] = [record.get('image_id', 0) for record in records]
    return chunk


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


def _id_columns(ids):
    if all(isinstance(image_id, (int, np.integer)) and -2 ** 63 <= image_id < 2 ** 63 for image_id in ids):
        return {'ids': np.array(ids, np.int64)}
    texts = [json.dumps(image_id).encode() for image_id in ids]
    return {'id_text': np.frombuffer(b''.join(texts), np.uint8),
            'id_start': np.cumsum([0] + [len(text) for text in texts], dtype=np.int64)}


def _smallest(labels):
    """Integers in the smallest type that holds them."""
    for dtype in (np.uint8, np.int16, np.int32):
        if len(labels) == 0 or (labels.min() >= np.iinfo(dtype).min and labels.max() <= np.iinfo(dtype).max):
            return labels.astype(dtype)
    return labels


def _whole(sizes):
    """(M, 2) as int32 if nothing is lost."""
    whole = sizes.astype(np.int32)
    return whole if (whole == sizes).all() else sizes


def _joined_proposals(stores):
    none = np.zeros((0, 4), np.float32)
    parts = [store.get('proposals', none) for store in stores]
    first = np.cumsum([0] + [len(part) for part in parts])
    spans = [store['proposal_span'] + start if 'proposals' in store
             else np.zeros((len(store['row_start']) - 1, 2), np.int64) for store, start in zip(stores, first)]
    return {'proposals': np.concatenate(parts), 'proposal_span': np.concatenate(spans)}


def _all_paths(columns):
    """Paths of all stored images as bytes."""
    folder, rest, start = columns['folder'].tobytes(), columns['paths'].tobytes(), columns['path_start'].tolist()
    return [folder + rest[first:end] for first, end in zip(start, start[1:])]
