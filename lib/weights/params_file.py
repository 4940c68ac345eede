"""MXNet's file of named arrays (`mx.nd.save`), read and written by NumPy alone.

Files from elsewhere are untrusted: MXNet's own reader trusts the lengths in the file, and its optimiser states are
pickles; and worker processes, which must not load MXNet, read such files too. So this reader is ours. It checks every
length against what the file holds and knows dense arrays only; everything else raises SniperError with the file's name.

Layout, little endian: u64 0x112, u64 0, u64 number of arrays, arrays, u64 number of names, names.
A name: u64 length, bytes. An array: u32 magic, [i32 storage type,] u32 rank, rank x i64, i32 device type,
i32 device number, i32 element type, data. The oldest files have the rank in place of the magic, and u32 sizes.
"""
import os
import struct
import zlib
from typing import Any, Dict, NamedTuple, Tuple

import numpy as np

from lib.utils.errors import SniperError

LIST_MAGIC = 0x112
MAGIC_V1, MAGIC_V2, MAGIC_V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DENSE = 0
MAX_RANK = 32
MAX_BYTES = 4 << 30  # of a file; a sparse file can claim any size. Ten times the largest network here
MAX_ARRAYS = 100000
MAX_NAME = 1000
CPU = 1
TYPES = {0: np.float32, 1: np.float64, 2: np.float16, 3: np.uint8, 4: np.int32, 5: np.int8, 6: np.int64, 7: np.bool_}
FLAGS = {np.dtype(kind): flag for flag, kind in TYPES.items()}


class Entry(NamedTuple):
    """An array in a file: where its numbers start, and what they are."""
    shape: tuple
    dtype: Any
    start: int


def write_arrays(stream, arrays: Dict[str, Any]) -> Tuple[int, int]:
    """Write {name: array-like, rank >= 1, not empty} to a binary stream -> (bytes written, CRC-32 of them).

    Values may be NumPy arrays or anything with `.asnumpy()`, which is fetched one at a time.
    """
    writer = _Writer(stream)
    writer.put(struct.pack('<QQQ', LIST_MAGIC, 0, len(arrays)))
    for name, array in arrays.items():
        array = np.ascontiguousarray(array.asnumpy() if hasattr(array, 'asnumpy') else array)
        if array.ndim == 0 or array.size == 0 or array.dtype not in FLAGS:
            raise ValueError(f'{name}: shape {array.shape}, type {array.dtype} cannot be stored')
        writer.put(struct.pack(f'<IiI{array.ndim}qiii', MAGIC_V2, DENSE, array.ndim, *array.shape,
                               CPU, 0, FLAGS[array.dtype]))
        writer.put(array.data)
    writer.put(struct.pack('<Q', len(arrays)))
    for name in arrays:
        encoded = name.encode('utf-8')
        writer.put(struct.pack('<Q', len(encoded)) + encoded)
    return writer.size, writer.crc


def read_arrays(path: str) -> Dict[str, np.ndarray]:
    """Read a file of named arrays -> {name: NumPy array}. SniperError if it is missing, cut off or not such a file."""
    return _from_file(path, _read_array)


def _from_file(path, read_one):
    try:
        with open(path, 'rb') as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise SniperError(f'{path} has {size} bytes; files of at most {MAX_BYTES} are read')
            return _read(_Reader(stream, size), read_one)
    except OSError as error:
        raise SniperError(f'cannot read {path}: {error.strerror or error}')
    except (_Broken, UnicodeDecodeError) as error:
        raise SniperError(f'{path} is cut off, damaged or not a file of MXNet arrays ({error}): fetch or train it '
                          f'again{_hint(path)}')


def _hint(path):
    """What to do with a file that begins as those of other programs do."""
    with open(path, 'rb') as stream:
        foreign = stream.read(9)
    if foreign.startswith((b'PK', b'\x80\x02')) or foreign[8:] == b'{':
        return '; weights of PyTorch and safetensors files are converted by python -m lib.weights.convert'
    return ''


def index_arrays(path: str) -> Dict[str, Entry]:
    """What a file of named arrays holds, without its numbers -> {name: Entry}. Errors as `read_arrays`."""
    return _from_file(path, _read_entry)


def read_entry(path: str, entry: Entry) -> np.ndarray:
    """Numbers of one Entry of `index_arrays(path)` -> NumPy array."""
    with open(path, 'rb') as stream:
        stream.seek(entry.start)
        return np.fromfile(stream, entry.dtype, int(np.prod(entry.shape, dtype=np.int64))).reshape(entry.shape)


def file_checksum(path: str) -> Tuple[int, int]:
    """(size in bytes, CRC-32) of a file, (-1, 0) if there is none."""
    size, crc = 0, 0
    try:
        with open(path, 'rb') as stream:
            for block in iter(lambda: stream.read(1 << 22), b''):
                size += len(block)
                crc = zlib.crc32(block, crc)
    except OSError:
        return -1, 0
    return size, crc


class _Broken(Exception):
    """What is wrong with the file."""


class _Writer:
    def __init__(self, stream):
        self.stream, self.size, self.crc = stream, 0, 0

    def put(self, block):
        self.stream.write(block)
        self.size += memoryview(block).nbytes
        self.crc = zlib.crc32(block, self.crc)


class _Reader:
    def __init__(self, stream, size):
        self.stream, self.left = stream, size

    def take(self, count):
        if count > self.left:
            raise _Broken(f'{count - self.left} bytes are missing')
        self.left -= count
        return self.stream.read(count)

    def skip(self, count):
        """Position of `count` bytes, which are passed over."""
        if count > self.left:
            raise _Broken(f'{count - self.left} bytes are missing')
        start = self.stream.tell()
        self.left -= count
        self.stream.seek(count, os.SEEK_CUR)
        return start

    def unpack(self, layout):
        return struct.unpack('<' + layout, self.take(struct.calcsize('<' + layout)))


def _read(reader, read_one):
    magic, _, count = reader.unpack('QQQ')
    if magic != LIST_MAGIC:
        raise _Broken('it begins with other bytes')
    if count > min(reader.left, MAX_ARRAYS):  # an array takes more than a byte
        raise _Broken(f'it announces {count} arrays')
    arrays = [read_one(reader) for _ in range(count)]
    names, = reader.unpack('Q')
    if names != count:
        raise _Broken(f'{count} arrays, {names} names')
    result = {}
    for array in arrays:
        length, = reader.unpack('Q')
        if length > MAX_NAME:
            raise _Broken(f'it has a name of {length} bytes')
        name = reader.take(length).decode('utf-8')
        if name in result:
            raise _Broken(f'it holds {name[:80]!r} twice')
        result[name] = array
    if reader.left:
        raise _Broken(f'{reader.left} bytes too many')
    return result


def _read_array(reader):
    shape, dtype, size = _read_header(reader)
    return np.frombuffer(reader.take(size), dtype).reshape(shape)


def _read_entry(reader):
    shape, dtype, size = _read_header(reader)
    return Entry(shape, dtype, reader.skip(size))


def _read_header(reader):
    """(shape, dtype, size in bytes) of the array that follows."""
    magic, = reader.unpack('I')
    if magic in (MAGIC_V2, MAGIC_V3):
        storage, = reader.unpack('i')
        if storage != DENSE:
            raise _Broken('it holds a sparse array')
    if magic in (MAGIC_V1, MAGIC_V2, MAGIC_V3):
        rank, size_code = reader.unpack('I')[0], 'q'
    else:
        rank, size_code = magic, 'I'
    if not 0 < rank <= MAX_RANK:
        raise _Broken(f'it holds an array of rank {rank}')
    shape = reader.unpack(f'{rank}{size_code}')
    _, _, flag = reader.unpack('iii')
    if flag not in TYPES or min(shape) < 1:
        raise _Broken(f'it holds an array of type {flag} and shape {str(shape)[:80]}')
    dtype = np.dtype(TYPES[flag])
    count = 1
    for side in shape:
        count *= side  # Python integers: no overflow
    if count * dtype.itemsize > reader.left:
        raise _Broken(f'it announces an array of shape {str(shape)[:80]} and has {reader.left} bytes left')
    return shape, dtype, count * dtype.itemsize
