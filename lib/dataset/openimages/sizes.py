"""Sizes of pictures: no file of Open Images tells them, so that each picture is asked once, and the answers are kept.

    <dataset.root_path>/cache/<data set>_<place>_sizes.npz     (lib.utils.npz): names, size

A file `<set>-image-sizes.csv` (ImageID, Width, Height) spares the pictures that it names.
"""
import hashlib
import logging
import os
import time
from typing import Sequence, Tuple

import numpy as np

from lib.dataset.coco_images import picture_size
from lib.dataset.openimages.table import NAME, NUMBER, read_blocks
from lib.image.header import read_header
from lib.utils.errors import SniperError
from lib.utils.npz import DamagedFile, StaleFile, read_npz, write_npz
from lib.utils.process_pool import in_order
from lib.utils.processes import num_cores
from lib.utils.progress_bar import ProgressBar

logger = logging.getLogger(__name__)

ENDING = '.jpg'
UNKNOWN = (0, 0)        # size of a picture that is not there
ASKED_AGAIN = 64        # pictures, whose kept sizes must be right
FORMAT = 1
_BEGINNING = 8192       # bytes of a file that mostly tell its size
_CHUNK = 512            # pictures that a process takes at a time
_WORTHWHILE = 16384     # pictures, from which on processes are started: that takes a second
_TOLD_EVERY = 30        # seconds
_MEND = 'sizes are read from the pictures'


def size_of(path: str) -> Tuple[int, int]:
    """(width, height) of the stored pixels; UNKNOWN if it cannot be read."""
    try:
        with open(path, 'rb') as stream:
            size = read_header(stream.read(_BEGINNING)).size
    except (OSError, ValueError):
        return UNKNOWN
    return size or picture_size(path) or UNKNOWN


def read_headers(folder: str, names: Sequence[str], processes: int = 0) -> np.ndarray:
    """(n, 2) int32 width and height of the pictures <folder>/<name>.jpg, read by several processes (one a core) if they
    are many. A line now and then says how far it is."""
    processes = processes or (num_cores() if len(names) >= _WORTHWHILE else 1)
    chunks = [(folder, names[start:start + _CHUNK]) for start in range(0, len(names), _CHUNK)]
    sizes, started = np.zeros((len(names), 2), np.int32), time.monotonic()
    told, done = started, 0
    with ProgressBar() as bar:
        for found in in_order(_sizes_of, chunks, processes, 'sizes are read'):
            sizes[done:done + len(found)] = found
            done += len(found)
            bar.show('sizes of pictures', done, len(names))
            if time.monotonic() - told > _TOLD_EVERY:
                told = time.monotonic()
                logger.info('sizes of %d of %d pictures are read, %.0f a second', done, len(names),
                            done / (told - started))
    return sizes


def _sizes_of(chunk):
    folder, names = chunk
    return [size_of(os.path.join(folder, name + ENDING)) for name in names]


def pictures_in(folder: str) -> np.ndarray:
    """(m,) bytes, ascending: names without ending of the pictures of a folder. SniperError: it has none, or cannot be
    read."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name[:-len(ENDING)] for entry in entries if entry.name.endswith(ENDING)]
    except OSError as error:
        raise SniperError(f'folder {folder} cannot be read: {error.strerror or error}') from None
    names = [name for name in names if name.isascii() and name.strip('.')]
    if not names:
        raise SniperError(f'{folder} holds no picture <ImageID>{ENDING}')
    return np.sort(np.array(names, 'S'))


def sizes_in_file(path: str, names: np.ndarray) -> np.ndarray:
    """(m, 2) int32 of names (m,) bytes, ascending, UNKNOWN where the file has none. SniperError: it is no such file."""
    sizes = np.zeros((len(names), 2), np.int32)
    for block in read_blocks(path, 'file of sizes', {'ImageID': NAME, 'Width': NUMBER, 'Height': NUMBER}):
        size = np.stack([block.numbers('Width'), block.numbers('Height')], axis=1)
        wrong = np.flatnonzero((size < 1).any(axis=1))
        if len(wrong):
            block.refuse(int(wrong[0]), 'width and height have to be pixels')
        place, there = places_of(block.names('ImageID'), names)
        sizes[place[there]] = size[there]
    return sizes


def places_of(wanted: np.ndarray, names: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """(n,) bytes -> (n,) int64 place of each in names (m,), ascending, and (n,) bool whether it is there."""
    if not len(names):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return place, names[place] == wanted


class SizeCache:
    """The file that keeps what pictures of a folder said."""

    def __init__(self, root_path: str, name: str, folder: str):
        place = hashlib.sha256(os.path.abspath(folder).encode('utf-8', 'surrogateescape')).hexdigest()[:8]
        self.path = os.path.join(root_path, 'cache', f'{name}_{place}_sizes.npz')
        self._folder = folder

    def find(self, names: np.ndarray) -> np.ndarray:
        """(m, 2) int32 of names (m,) bytes, ascending: kept ones, and those of the pictures that are not kept."""
        kept_names, kept_sizes = self._load()
        place, there = places_of(names, kept_names)
        sizes = np.zeros((len(names), 2), np.int32)
        sizes[there] = kept_sizes[place[there]]
        asked = np.flatnonzero(~there)
        if len(asked):
            sizes[asked] = read_headers(self._folder, names[asked].astype(str).tolist())
            new = asked[(sizes[asked] > 0).all(axis=1)]     # one that is not there is looked for again next time
            if len(new) and len(names) >= ASKED_AGAIN:
                self._store(np.concatenate([kept_names, names[new]]), np.concatenate([kept_sizes, sizes[new]]))
        return sizes

    def _load(self):
        none = np.zeros(0, 'S1'), np.zeros((0, 2), np.int32)
        try:
            arrays, _ = read_npz(self.path, {'format': FORMAT}, _MEND)
            names, sizes = arrays['names'], arrays['size']
            if names.dtype.kind != 'S' or names.ndim != 1 or sizes.shape != (len(names), 2) or sizes.dtype != np.int32:
                raise DamagedFile(self.path, 'its arrays are no names and sizes', _MEND)
        except FileNotFoundError:
            return none
        except (DamagedFile, StaleFile, OSError, KeyError) as error:
            logger.warning('%s cannot be used (%s): %s', self.path, error, _MEND)
            return none
        if not still_right(self._folder, names, sizes):
            logger.warning('%s: pictures of %s are of other sizes now: %s', self.path, self._folder, _MEND)
            return none
        return names, sizes

    def _store(self, names, sizes):
        order = np.argsort(names)
        try:
            write_npz(self.path, {'names': names[order], 'size': sizes[order]}, {'format': FORMAT})
        except (SniperError, OSError) as error:
            logger.warning('%s: pictures will be asked for their sizes again next time', error)


def still_right(folder: str, names: np.ndarray, sizes: np.ndarray) -> bool:
    """Whether some of the pictures, spread evenly, have these sizes; those that are not there say nothing."""
    chosen = np.unique(np.linspace(0, len(names) - 1, ASKED_AGAIN).astype(np.int64)) if len(names) else []
    found = (size_of(os.path.join(folder, names[place].decode('latin-1') + ENDING)) for place in chosen)
    return all(size in (UNKNOWN, tuple(sizes[place])) for place, size in zip(chosen, found))
