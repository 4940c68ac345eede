"""MATLAB's files (.mat) of level 5, those of MATLAB 5 to 7.2: cells, numbers and texts, nothing else.

The files are untrusted. SciPy's reader trusts the lengths in them and goes as deep as cells lie in cells, which ends a
process; this one stays within the bytes that are there, and below a depth. Source: MathWorks, MAT-File Format.
"""
import math
import struct
import zlib
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from lib.utils.errors import SniperError

MOST_BYTES = 1 << 26    # of a file, and of what is packed in it; the largest list of WIDER FACE takes about 5 MB
MOST_DEPTH = 4          # of cells in cells
HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8', 13: 'u8'}
_LETTERS = {1: 'latin-1', 2: 'latin-1', 4: 'utf-16', 16: 'utf-8', 17: 'utf-16', 18: 'utf-32'}
_ORDERED = ('utf-16', 'utf-32')     # need to know which byte comes first
_CELL, _TEXT, _FIRST_NUMBER, _LAST_NUMBER = 1, 4, 6, 15     # classes of matrices
_NOTHING = np.zeros((0, 0))
_NOTHING.flags.writeable = False


class _OtherForm(Exception):
    """What of the file is not as it should be, in words."""


def read_mat(path: str, names: Sequence[str]) -> Dict[str, Any]:
    """The variables of these names, as far as they are there.

    A cell array is a list, column by column; numbers are a float64 array (an empty one may have any shape), a text is a
    str. SniperError: the file cannot be read, is of another kind or level, is damaged, or a variable holds other things
    than these.
    """
    try:
        with open(path, 'rb') as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from None
    try:
        order = _byte_order(content)
        found: Dict[str, Any] = {}
        for matrix in _variables(memoryview(content)[HEADER:], order):
            kind, shape, name, rest = _head(matrix, order)
            if name in names:
                found[name] = _value(kind, shape, rest, order, 0)
        return found
    except _OtherForm as wrong:
        raise SniperError(f'{path} cannot be read as a MATLAB file: {wrong}') from None


def _byte_order(content) -> str:
    if len(content) > MOST_BYTES:
        raise _OtherForm(f'it has more than {MOST_BYTES >> 20} MB')
    if content.startswith(b'version https://git-lfs'):
        raise _OtherForm('it is a pointer of Git LFS, not the file: run git lfs pull')
    order = {b'IM': '<', b'MI': '>'}.get(content[HEADER - 2:HEADER], '')
    if content.startswith(b'MATLAB 7.3') or content.startswith(b'\x89HDF'):
        raise _OtherForm("it is of version 7.3 (HDF5): save it in MATLAB with the option '-v7'")
    if len(content) < HEADER or not order:
        raise _OtherForm('it is none of level 5' if content else 'it is empty')
    return order


def _variables(data, order) -> Iterator[memoryview]:
    """The matrices of a file, unpacked."""
    left = MOST_BYTES
    for kind, part in _elements(data, order):
        if kind == _COMPRESSED:
            try:
                unpacked = zlib.decompressobj().decompress(part, left + 1)
            except zlib.error:
                raise _OtherForm('its packed data are damaged') from None
            left -= len(unpacked)
            if left < 0:
                raise _OtherForm(f'unpacked it has more than {MOST_BYTES >> 20} MB')
            kind, part = next(_elements(memoryview(unpacked), order), (0, part))
        if kind != _MATRIX:
            raise _OtherForm('something other than a variable stands in it: it is damaged')
        yield part


def _elements(data, order) -> Iterator[Tuple[int, memoryview]]:
    """(type, bytes) of one element after the other."""
    place = 0
    while place < len(data):
        if place + 8 > len(data):
            raise _OtherForm('it is cut short')
        kind, size = struct.unpack_from(order + 'II', data, place)
        first, small = place + 8, kind >> 16
        if small:   # type, size and content share eight bytes
            kind, size, first = kind & 0xffff, small, place + 4
        if first + size > len(data) or small > 4:
            raise _OtherForm('it is cut short, or a length in it is wrong')
        place += 8 if small else 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        yield kind, data[first:first + size]


def _head(matrix, order) -> Tuple[int, Tuple[int, ...], str, Iterator[Tuple[int, memoryview]]]:
    """(class, shape, name, what follows) of a matrix."""
    elements = _elements(matrix, order)
    head = [part for _, part in (next(elements, (0, matrix[:0])) for _ in range(3))]
    if len(head[0]) != 8 or len(head[1]) % 4 or not 8 <= len(head[1]) <= 32:
        raise _OtherForm('the head of a variable is damaged')
    shape = tuple(np.frombuffer(head[1], order + 'i4').tolist())
    if min(shape) < 0:
        raise _OtherForm('a variable has a negative size')
    kind = struct.unpack_from(order + 'I', head[0])[0] & 0xff
    return kind, shape, bytes(head[2]).decode('latin-1'), elements


def _value(kind, shape, elements, order, depth):
    count = math.prod(shape)
    if kind == _CELL:
        if depth >= MOST_DEPTH:
            raise _OtherForm(f'cells lie more than {MOST_DEPTH} deep in cells')
        cells: List[Any] = [_cell(kind, part, order, depth + 1) for kind, part in elements]
        if len(cells) != count:
            raise _OtherForm(f'an array of {count} cells holds {len(cells)}')
        return cells
    stored, part = next(elements, (2, b''))
    if kind == _TEXT and stored in _LETTERS:
        return _text(stored, part, shape, order)
    if not _FIRST_NUMBER <= kind <= _LAST_NUMBER or stored not in _NUMBERS:
        raise _OtherForm('it holds something other than cells, numbers and texts')
    dtype = np.dtype(order + _NUMBERS[stored])
    if len(part) != count * dtype.itemsize:
        raise _OtherForm(f'an array of {count} numbers holds {len(part) // dtype.itemsize}')
    return np.frombuffer(part, dtype).astype(np.float64).reshape(shape, order='F') if count else _NOTHING


def _cell(kind, part, order, depth):
    if kind != _MATRIX:
        raise _OtherForm('a cell holds no variable: it is damaged')
    if not len(part):
        return _NOTHING
    kind, shape, _, elements = _head(part, order)
    return _value(kind, shape, elements, order, depth)


def _text(stored, part, shape, order) -> str:
    if sum(side > 1 for side in shape) > 1:
        raise _OtherForm('a text has several lines')
    encoding = _LETTERS[stored]
    if encoding in _ORDERED:
        encoding += '-le' if order == '<' else '-be'
    try:
        return bytes(part).decode(encoding)
    except UnicodeDecodeError:
        raise _OtherForm(f'a text is not {encoding}') from None
