"""Files in the safetensors format: u64 length of the header, the header in JSON, the numbers.

Header: {name: {"dtype", "shape", "data_offsets": [begin, end]}}, offsets from the header's end; `__metadata__` is text.
"""
import json
import os
import struct
from typing import NamedTuple

import numpy as np

from lib.utils.errors import SniperError

MAX_BYTES = 4 << 30
MAX_HEADER = 4 << 20        # forty thousand arrays; JSON takes up to twenty times as much in memory
MAX_DIGITS = 20             # of a number in the header
MAX_RANK = 8
TYPES = {'F64': 'f8', 'F32': 'f4', 'F16': 'f2', 'BF16': 'bf16', 'I64': 'i8', 'I32': 'i4', 'I16': 'i2', 'I8': 'i1',
         'U8': 'u1', 'BOOL': 'b1'}


class _Broken(Exception):
    """What is wrong with the file."""


class _Entry(NamedTuple):
    """Where an array lies, in bytes behind the header."""
    kind: str
    shape: list
    begin: int
    end: int


def is_safetensors(path):
    """Whether a file begins as this format does."""
    with open(path, 'rb') as stream:
        start = stream.read(9)
    return len(start) == 9 and struct.unpack('<Q', start[:8])[0] <= MAX_HEADER and start[8:] == b'{'


def read_safetensors(path):
    """-> {name: NumPy array}. SniperError, one line, if the file is broken; offsets and shapes are checked first."""
    try:
        with open(path, 'rb') as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise _Broken(f'it has {size} bytes, at most {MAX_BYTES} are read')
            entries, start = _header(stream, size)
            return {name: _array(stream, start, entry) for name, entry in entries.items()}
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from None
    except (_Broken, ValueError, KeyError, TypeError, RecursionError, struct.error) as error:
        raise SniperError(f'{path} is damaged or no safetensors file ({" ".join(str(error).split())[:200]})') from None


def _header(stream, size):
    length, = struct.unpack('<Q', stream.read(8))
    if length > min(size - 8, MAX_HEADER):
        raise _Broken(f'its header announces {length} bytes')
    content = json.loads(stream.read(length).decode('utf-8'), parse_int=_number)
    if not isinstance(content, dict):
        raise _Broken('its header is no table')
    content.pop('__metadata__', None)
    start = 8 + length
    entries = {name: _entry(name, entry, size - start) for name, entry in content.items()}
    total = sum(entry.end - entry.begin for entry in entries.values())
    if total > size:        # arrays that share bytes
        raise _Broken(f'its arrays announce {total} bytes')
    return entries, start


def _number(text):
    if len(text) > MAX_DIGITS:      # Python takes the square of their number to read them
        raise _Broken(f'its header has a number of {len(text)} digits')
    return int(text)


def _entry(name, entry, room):
    """Checked description of an array; room: bytes behind the header."""
    shape, (begin, end) = entry['shape'], entry['data_offsets']
    kind = TYPES.get(entry['dtype'])
    if (kind is None or not isinstance(shape, list) or len(shape) > MAX_RANK
            or not all(type(number) is int and number >= 0 for number in shape + [begin, end])):
        raise _Broken(f'array {name[:80]} has the type {entry["dtype"]!r} and shape {str(shape)[:80]}')
    count = 1
    for side in shape:
        count *= side
    if end > room or end - begin != count * (2 if kind == 'bf16' else np.dtype(kind).itemsize):
        raise _Broken(f'array {name[:80]} of shape {shape} does not lie in the file')
    return _Entry(kind, shape, begin, end)


def _array(stream, start, entry):
    kind, shape, begin, end = entry
    stream.seek(start + begin)
    content = stream.read(end - begin)
    if kind == 'bf16':      # the upper half of a float32
        return (np.frombuffer(content, '<u2').astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return np.frombuffer(content, np.dtype(kind).newbyteorder('<')).reshape(shape)
