"""Initialisers of an ONNX model: its weights by name, and nothing of its graph.

Only what they need of protocol buffers is read here: fields are (number, wire type) and a value, messages lie in one
another. ModelProto.graph is field 7, GraphProto.initializer 5; of a TensorProto: dims 1, data_type 2, float_data 4,
int32_data 5, int64_data 7, name 8, raw_data 9, double_data 10, data_location 14 (numbers in another file).
"""
import os

import numpy as np

from lib.utils.errors import SniperError

MAX_BYTES = 2 << 30     # protocol buffers' own limit
MAX_RANK = 8
MAX_TENSORS = 100000
MAX_SPELT = 1 << 20     # numbers of a tensor written one by one, of variable length, as exporters do for short lists
GRAPH, INITIALIZER = 7, 5
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
TYPES = {1: 'f4', 2: 'u1', 3: 'i1', 5: 'i2', 6: 'i4', 7: 'i8', 9: 'b1', 10: 'f2', 11: 'f8'}
HALF = 10
TYPED_FIELDS = {4: '<f4', 10: '<f8'}
WIRE_TYPES = {1: (VARINT, BYTES), 2: (VARINT,), 4: (FIXED32, BYTES), 5: (VARINT, BYTES), 7: (VARINT, BYTES),
              8: (BYTES,), 9: (BYTES,), 10: (FIXED64, BYTES), 14: (VARINT,)}


class _Broken(Exception):
    """What is wrong with the file."""


def read_onnx(path):
    """-> {name: NumPy array} of all initialisers. SniperError, one line: broken, no ONNX model, or without weights."""
    try:
        size = os.path.getsize(path)
        if size > MAX_BYTES:
            raise _Broken(f'it has {size} bytes, at most {MAX_BYTES} are read')
        with open(path, 'rb') as stream:
            content = memoryview(stream.read())
        arrays = {}
        for number, wire, graph in _fields(content):
            if number == GRAPH and wire == BYTES:
                for inner, inner_wire, tensor in _fields(graph):
                    if inner == INITIALIZER and inner_wire == BYTES:
                        name, array = _tensor(tensor)
                        arrays[name] = array
                        if len(arrays) > MAX_TENSORS:
                            raise _Broken(f'it has more than {MAX_TENSORS} initialisers')
        if not arrays:
            raise _Broken('it holds no initialisers')
        return arrays
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from None
    except (_Broken, ValueError, OverflowError) as error:
        raise SniperError(f'{path} is damaged or no ONNX model ({error})') from None


def _fields(content):
    """Yield (field number, wire type, value) of a message: an int, or a memoryview."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(content, at)
        elif wire in (BYTES, FIXED32, FIXED64):
            length, at = _varint(content, at) if wire == BYTES else (4 if wire == FIXED32 else 8, at)
            if length > len(content) - at:
                raise _Broken(f'{length - len(content) + at} bytes are missing')
            value, at = content[at:at + length], at + length
        else:
            raise _Broken(f'it has a field of wire type {wire}')
        yield number, wire, value


def _varint(content, at):
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise _Broken('it is cut short')
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise _Broken('it has a number of more than ten bytes')


def _tensor(content):
    """TensorProto -> (name, array)."""
    dims, kind, name, raw, typed, typed_as, whole = [], 0, '', None, bytearray(), None, []
    for number, wire, value in _fields(content):
        if wire not in WIRE_TYPES.get(number, (wire,)):
            raise _Broken('a tensor has a field of another type')
        if number == 1:
            _extend(dims, value, wire, MAX_RANK)
        elif number == 2:
            kind = value
        elif number in TYPED_FIELDS:
            typed_as = TYPED_FIELDS[number]
            typed += value
        elif number in (5, 7):
            _extend(whole, value, wire, MAX_SPELT)
        elif number == 8:
            name = bytes(value).decode('utf-8')
        elif number == 9:
            raw = value
        elif number == 14 and value:
            raise _Broken('its weights lie in another file: save it as one file')
    if kind not in TYPES:
        raise _Broken(f'array {name[:80]} has the type {kind}')
    dtype = np.dtype(TYPES[kind]).newbyteorder('<')
    if raw is not None:
        flat = np.frombuffer(raw, dtype) if len(raw) % dtype.itemsize == 0 else np.empty(0, dtype)
    elif typed:
        flat = np.frombuffer(typed, typed_as).astype(dtype)
    elif kind == HALF:      # as numbers of 16 bits
        flat = np.array(whole, np.uint64).astype('<u2').view('<f2')
    else:
        flat = np.array(whole, np.uint64).view(np.int64).astype(dtype)
    count = 1
    for side in dims:
        count *= side
    if count != flat.size:
        raise _Broken(f'array {name[:80]} of shape {str(tuple(dims))[:80]} has {flat.size} numbers')
    return name, flat.reshape(dims)


def _extend(numbers, value, wire, most):
    """Append the number, or those of a packed field, to a list that may have `most`."""
    if wire == VARINT:
        numbers.append(value)
    at = 0
    while wire == BYTES and at < len(value) and len(numbers) <= most:
        number, at = _varint(value, at)
        numbers.append(number)
    if len(numbers) > most:
        raise _Broken(f'an array in it has more than {most} {"sides" if most == MAX_RANK else "spelt numbers"}')
