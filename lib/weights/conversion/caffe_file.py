"""Caffe's files of weights (`.caffemodel`), read without Caffe and without a package for protocol buffers.

A network is a message with a layer in each field 100 (name 1, blobs 7), or, in old files, in each field 2 (name 4,
blobs 6). A blob has its sides in field 7 (a message, sides in field 1) or in the fields 1 to 4, and its numbers in
field 5 (float32) or 8 (float64), packed into one field or one field a number. Source: reference/more_ssh.md.

The file is mapped and not read: an array is a view of it, and what nobody asks for, the 495 MB of VGG-16's fully
connected layers, stays on the disk. Depths are fixed (network, layer, blob, shape), so nothing recurs.
"""
import contextlib
import math
import mmap
import os
from typing import Dict, Iterator, List, NamedTuple

import numpy as np

from lib.utils.errors import SniperError
from lib.weights.conversion.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Broken,
    read_field,
    read_varint,
    signed,
)

ENDING = '.caffemodel'
HDF5_START = b'\x89HDF'
MAX_BYTES = 4 << 30     # of a file: eight times VGG-16
MAX_FIELDS = 50000      # that are looked at; a row of numbers counts as one. A network of 500 layers has 10,000
MAX_NAME = 1000         # bytes
MAX_RANK = 8
LAYER, OLD_LAYER = 100, 2                   # fields of a network
NAME_AND_BLOBS = {LAYER: (1, 7), OLD_LAYER: (4, 6)}     # fields of a layer
OLDEST_LAYER = 1                            # of an old layer: what it was before that
SHAPE, OLD_SIDES = 7, (1, 2, 3, 4)          # fields of a blob
NUMBERS = {5: (FIXED32, '<f4'), 8: (FIXED64, '<f8')}    # of a blob: wire type of one, element type
PARTS = ('weight', 'bias')                  # what the first blobs of a layer are
FIRST_RUN, LONGEST_RUN = 64, 1 << 18        # numbers of a field each that are looked at together


class _Piece(NamedTuple):
    """Numbers in a row: where the first is, how many, and how many bytes lie in front of each."""
    start: int
    length: int
    gap: int


def is_caffe_file(path: str) -> bool:
    """Whether a file is a network of Caffe's by its first fields, or by its name if these say nothing."""
    with contextlib.suppress(Broken), _mapped(path) as content:
        if content[:4] == HDF5_START:
            return True
        at = 0
        for _ in range(MAX_FIELDS):
            number, wire = divmod(read_varint(content, at, len(content))[0], 8)
            if number in NAME_AND_BLOBS and wire == BYTES:
                return True
            if number == 7 or (number == 1 and wire == VARINT):
                break       # graph, version of an ONNX model
            at = read_field(content, at, len(content)).end
    return path.endswith(ENDING)


def read_caffe(path: str) -> Dict[str, np.ndarray]:
    """-> {name: NumPy array, read-only, a view of the file}, float32 or float64, of all layers that have any.

    Names are `<layer>.weight`, `<layer>.bias`, and `<layer>.2` and on for whatever has more. Sides of 1 that the old
    form puts in front of vectors and matrices are left out. SniperError, one line: broken, or no such file.
    """
    try:
        with _mapped(path) as content:
            if content[:4] == HDF5_START:
                raise Broken('it is HDF5: save it in the binary form, snapshot_format: BINARYPROTO')
            return _Reader(content).arrays()
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from None
    except Broken as error:
        raise SniperError(f'{path} is cut off, damaged or no file of a Caffe network ({error})') from None


@contextlib.contextmanager
def _mapped(path) -> Iterator[memoryview]:
    """The file's bytes; the arrays made of them keep the file mapped."""
    with open(path, 'rb') as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MAX_BYTES:
            raise Broken(f'it has {size} bytes, at most {MAX_BYTES} are read')
        yield memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b'')


class _Reader:
    """A network's arrays. Looks at so many fields at most, since each takes time, and memory if it begins a piece."""

    def __init__(self, content):
        self.content, self.left = content, MAX_FIELDS

    def arrays(self):
        """{name: array}; Broken if there are none, or two of a name."""
        found = {}
        for number, start, end in self._layers():
            name, blobs = self._layer(number, start, end)
            if blobs and not name:
                raise Broken('it has a layer without a name')
            for place, (begin, stop) in enumerate(blobs):
                key = f'{name}.{PARTS[place] if place < len(PARTS) else place}'
                if key in found:
                    raise Broken(f'it holds {key[:80]} twice')
                found[key] = self._blob(key, begin, stop)
        if not found:
            raise Broken('it has no layers with weights')
        return found

    def _layers(self):
        """(field number, start, end) of each layer."""
        for field in self._fields(0, len(self.content)):
            if field.number in NAME_AND_BLOBS and field.wire == BYTES:
                yield field.number, field.start, field.end

    def _layer(self, number, start, end):
        """(name, [(start, end)] of its blobs)."""
        name_field, blobs_field = NAME_AND_BLOBS[number]
        name, blobs = '', []
        for field in self._fields(start, end):
            if field.wire != BYTES:
                continue
            if field.number == name_field:
                name = self._name(field)
            elif field.number == blobs_field:
                blobs.append((field.start, field.end))
            elif number == OLD_LAYER and field.number == OLDEST_LAYER:
                raise Broken("it is of the first form of 2013: make it new with Caffe's upgrade_net_proto_binary")
        return name, blobs

    def _name(self, field):
        if field.end - field.start > MAX_NAME:
            raise Broken(f'it has a name of {field.end - field.start} bytes')
        try:
            return bytes(self.content[field.start:field.end]).decode('utf-8')
        except UnicodeDecodeError:
            raise Broken('it has a name that is no text') from None

    def _blob(self, name, at, end):
        """The array that content[at:end] describes."""
        sides: List[int] = []
        old_sides: Dict[int, int] = {}
        pieces: Dict[int, List[_Piece]] = {number: [] for number in NUMBERS}
        while at < end:
            field, at = self._field(at, end)
            if field.number in NUMBERS and field.wire in (BYTES, NUMBERS[field.number][0]):
                piece, at = self._piece(name, field, end)
                pieces[field.number].append(piece)
            elif field.number == SHAPE and field.wire == BYTES:
                self._sides(name, sides, field)
            elif field.number in OLD_SIDES and field.wire == VARINT:
                old_sides[field.number] = signed(field.value)
        kind = 8 if any(piece.length for piece in pieces[8]) else 5      # as Caffe chooses
        shape = tuple(old_sides.get(number, 0) for number in OLD_SIDES) if old_sides else tuple(sides)
        count = sum(piece.length for piece in pieces[kind])
        if any(side < 0 for side in shape) or math.prod(shape) != count:
            raise Broken(f'{name[:80]} of shape {str(shape)[:80]} has {count} numbers')
        if old_sides and shape[:2] == (1, 1):
            shape = shape[3:] if shape[2] == 1 else shape[2:]
        return self._numbers(pieces[kind], NUMBERS[kind][1]).reshape(shape)

    def _sides(self, name, sides, shape):
        """Append the sides in the field `shape`, packed or one by one."""
        for field in self._fields(shape.start, shape.end):
            if field.number != 1 or field.wire not in (VARINT, BYTES):
                continue
            at = field.start
            while at < field.end:
                value, at = read_varint(self.content, at, field.end)
                sides.append(signed(value))
                if len(sides) > MAX_RANK:
                    raise Broken(f'{name[:80]} has more than {MAX_RANK} sides')

    def _piece(self, name, field, end):
        """(piece, where it ends) that the field begins: a packed one, or all the fields like it that follow."""
        size = 4 if NUMBERS[field.number][0] == FIXED32 else 8
        if field.wire == BYTES:
            if (field.end - field.start) % size:
                raise Broken(f'{name[:80]} has {field.end - field.start} bytes of numbers')
            return _Piece(field.start, (field.end - field.start) // size, 0), field.end
        gap = field.start - field.begin
        row = gap + size
        most = (end - field.begin) // row
        keys = np.frombuffer(self.content, np.uint8, most * row, field.begin).reshape(most, row)[:, :gap]
        count, step, same = 1, FIRST_RUN, np.ones(1, bool)
        while same.all() and count < most:
            same = (keys[count:count + step] == keys[0]).all(axis=1)
            count += same.size if same.all() else int(same.argmin())
            step = min(2 * step, LONGEST_RUN)
        return _Piece(field.start, count, gap), field.begin + count * row

    def _numbers(self, pieces, dtype):
        views = []
        for piece in filter(lambda piece: piece.length, pieces):
            row = np.dtype([('key', f'V{piece.gap}'), ('value', dtype)] if piece.gap else [('value', dtype)])
            views.append(np.frombuffer(self.content, row, piece.length, piece.start - piece.gap)['value'])
        if len(views) == 1:
            return views[0]
        return np.concatenate(views) if views else np.zeros(0, dtype)

    def _fields(self, at, end):
        while at < end:
            field, at = self._field(at, end)
            yield field

    def _field(self, at, end):
        """(field, where it ends)"""
        self.left -= 1
        if self.left < 0:
            raise Broken(f'it has more than {MAX_FIELDS} fields')
        field = read_field(self.content, at, end)
        return field, field.end
