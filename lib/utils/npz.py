"""NumPy arrays in one file, with checksums; nothing in it is executed or unpickled.

    bytes 0-15       b'SNIPER arrays 1\\n'
    bytes 16-31      length of the header, then its CRC-32: little-endian uint64 each
    header           JSON: {"facts": anything, "arrays": {name: {"dtype", "shape", "start", "crc"}}}
    arrays           little-endian, C order, each at a multiple of 64 bytes

Written under a temporary name and renamed: readers find all or nothing. It is read, not mapped: a mapped file that
somebody cuts short, or replaces on a network drive, ends the process with a bus error.
"""
import json
import os
import struct
import zlib

import numpy as np

from lib.utils.files import publish, write_temporary

_MAGIC = b'SNIPER arrays 1\n'
_LENGTHS = struct.Struct('<QQ')
_ALIGNMENT = 64
_DTYPES = ('|u1', '|i1', '|b1', '<i2', '<i4', '<i8', '<f4', '<f8')
_BLOCK = 1 << 24  # bytes checked at a time


class DamagedFile(ValueError):
    """The file is not what was written; the message says why."""


def write_arrays(path, facts, arrays):
    """Write dict `arrays` and JSON-able `facts` to `path`. SniperError if the disk refuses."""
    arrays = {name: np.ascontiguousarray(array, array.dtype.newbyteorder('<')) for name, array in arrays.items()}
    table, at = {}, 0
    for name, array in arrays.items():
        if array.dtype.str not in _DTYPES:
            raise ValueError(f'array {name}: type {array.dtype} cannot be stored')
        table[name] = {'dtype': array.dtype.str, 'shape': list(array.shape), 'start': at, 'crc': _crc(array)}
        at = _aligned(at + array.nbytes)
    header = json.dumps({'facts': facts, 'arrays': table}).encode()

    def write(stream):
        stream.write(_MAGIC + _LENGTHS.pack(len(header), zlib.crc32(header)) + header)
        first = _aligned(stream.tell())
        for name, array in arrays.items():
            stream.write(b'\0' * (first + table[name]['start'] - stream.tell()))
            stream.write(memoryview(array).cast('B') if array.size else b'')

    publish(write_temporary(path, write)[0], path)


def read_arrays(path):
    """-> (facts, dict of arrays). Contents are checked. OSError, or DamagedFile."""
    with open(path, 'rb') as stream:
        facts, table, first = _read_header(stream)
        size = os.fstat(stream.fileno()).st_size
        return facts, {name: _read_array(stream, name, entry, first, size) for name, entry in table.items()}


def _read_header(stream):
    start = stream.read(len(_MAGIC) + _LENGTHS.size)
    if len(start) < len(_MAGIC) + _LENGTHS.size or not start.startswith(_MAGIC):
        raise DamagedFile('it does not begin as such a file does')
    length, crc = _LENGTHS.unpack(start[len(_MAGIC):])
    header = stream.read(min(length, os.fstat(stream.fileno()).st_size))
    if len(header) != length or zlib.crc32(header) != crc:
        raise DamagedFile('its header is damaged')
    try:
        content = json.loads(header.decode())
        return content['facts'], content['arrays'], _aligned(stream.tell())
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f'its header is damaged ({error})') from None


def _read_array(stream, name, entry, first, size):
    try:
        shape, start, crc = tuple(entry['shape']), entry['start'], entry['crc']
        if entry['dtype'] not in _DTYPES or not all(isinstance(side, int) and side >= 0 for side in shape + (start,)):
            raise DamagedFile(f'array {name} has an impossible type or shape')
    except (KeyError, TypeError):
        raise DamagedFile(f'array {name} is not described') from None
    dtype, count = np.dtype(entry['dtype']), 1
    for side in shape:
        count *= side
    if first + start + count * dtype.itemsize > size:
        raise DamagedFile('it is cut short')
    if count == 0:
        return np.empty(shape, dtype)
    stream.seek(first + start)
    array = np.fromfile(stream, dtype, count)
    if len(array) != count or _crc(array) != crc:
        raise DamagedFile(f'array {name} is damaged')
    return array.reshape(shape)


def _crc(array):
    crc, content = 0, memoryview(array.reshape(-1)).cast('B') if array.size else b''
    for start in range(0, len(content), _BLOCK):
        crc = zlib.crc32(content[start:start + _BLOCK], crc)
    return crc


def _aligned(position):
    return -(-position // _ALIGNMENT) * _ALIGNMENT
