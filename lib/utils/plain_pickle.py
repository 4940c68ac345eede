"""Reads pickles that hold nothing but NumPy arrays and builtin containers, and runs nothing that a file names.

Proposal files of the original are pickles of Python 2, protocols 0 to 2. lib.utils.pickle_machine reads them; the names
that arrays need (`_reconstruct`, `ndarray`, `dtype`; `encode`, `bytes` where Python 3 wrote bytes in such a protocol)
are answered with records, from which arrays are made after checking every number. Text of Python 2 is bytes and stays
bytes.
"""
import os

import numpy as np

from lib.utils.errors import SniperError
from lib.utils.pickle_machine import DAMAGES, PickleMachine, Refused

MAX_BYTES = 32 << 30   # of a file; COCO's 82,783 images with 900 proposals each are 4 GB in protocol 0
MAX_DIMENSIONS = 4
MAX_DEPTH = 8          # of containers in one another
KINDS = {b'f4', b'f8', b'i1', b'i2', b'i4', b'i8', b'u1', b'u2', b'u4', b'u8', b'b1'}
ARRAY_NAMES = {('numpy.core.multiarray', '_reconstruct'), ('numpy._core.multiarray', '_reconstruct'),
               ('numpy', 'ndarray'), ('numpy', 'dtype'), ('_codecs', 'encode'), ('__builtin__', 'bytes')}


class _Name:
    """One of ARRAY_NAMES, by its last part."""

    def __init__(self, name):
        self.name = name


class _Dtype:
    """numpy.dtype to be: 'f4' and, after BUILD, its byte order."""

    def __init__(self, kind):
        self.kind, self.order = kind, b'='


class _Array:
    """numpy.ndarray to be; `value` is there after BUILD."""

    value = None


def read_plain_pickle(path):
    """Content of a pickle file. Arrays are new, writable and in native byte order.

    SniperError, one line: the file is missing, larger than MAX_BYTES, cut short, holds anything but arrays, numbers,
    text, lists, tuples and dicts, or is no pickle.
    """
    try:
        size = os.path.getsize(path)
        if size > MAX_BYTES:
            raise SniperError(f'{path} is too large: {size} bytes, at most {MAX_BYTES} are read')
        with open(path, 'rb') as stream:
            return _finished(_ArrayMachine(stream, size).run())
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from error
    except Refused as refused:
        raise SniperError(f'{path} is not read: {refused}') from None
    except DAMAGES as error:
        raise SniperError(f'{path} is damaged or no pickle file ({type(error).__name__})') from error


class _ArrayMachine(PickleMachine):
    """Knows the names and calls that NumPy arrays need."""

    def named(self, module, name):
        if (module, name) not in ARRAY_NAMES:
            raise Refused(f'it asks for {module[:80]}.{name[:80]}; only arrays and builtin containers are let in')
        self.push(_Name(name))

    def reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise Refused('it calls something other than the makers of arrays')
        if function.name == 'encode' and arguments[1:] in (('latin1',), (b'latin1',)):
            self.push(arguments[0].encode('latin-1'))
        elif function.name == 'bytes' and arguments == ():
            self.push(b'')
        elif function.name == 'dtype':
            kind = arguments[0].encode('latin-1') if isinstance(arguments[0], str) else arguments[0]
            if not isinstance(kind, bytes) or kind not in KINDS:    # hashing a tuple from elsewhere may take for ever
                raise Refused('it holds an array of type '
                              f'{kind[:40] if isinstance(kind, bytes) else type(kind).__name__}; only numbers are read')
            self.push(_Dtype(kind))
        elif function.name == '_reconstruct' and getattr(arguments[0], 'name', None) == 'ndarray':
            self.push(_Array())
        else:
            raise Refused('it makes an array in an unusual way')

    def build(self):
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, _Dtype):
            order = state[1].encode('latin-1') if isinstance(state[1], str) else state[1]
            if order not in (b'<', b'>', b'|', b'=') or any(part is not None for part in state[2:5]):
                raise Refused('it holds an array that is not of plain numbers')
            made.order = order
        elif isinstance(made, _Array) and made.value is None:
            made.value = _make_array(*state)
        else:
            raise Refused('it fills something other than an array')


def _make_array(version, shape, dtype, fortran, content):
    """State of an ndarray -> the array. Every number is checked against the bytes that are there."""
    if not isinstance(dtype, _Dtype) or not isinstance(content, bytes) or not isinstance(shape, tuple):
        raise Refused('it holds an array that is not of plain numbers')
    if len(shape) > MAX_DIMENSIONS or not all(type(side) is int and side >= 0 for side in shape):
        raise Refused('it holds an array of an impossible shape')
    kind = np.dtype((dtype.order + dtype.kind).decode('latin-1'))
    count = 1
    for side in shape:
        count *= side
    if count * kind.itemsize != len(content):
        raise Refused(f'it holds an array of shape {shape} with {len(content)} bytes')
    flat = np.frombuffer(content, kind).astype(kind.newbyteorder('='))
    return flat.reshape(shape, order='F' if fortran else 'C')


def _finished(value, done=None, depth=0):
    """The data with arrays in place of the records that stood for them. done: id -> what it became, so that data which
    share parts, however often, cost no more than they hold."""
    done = {} if done is None else done
    if id(value) in done:
        return done[id(value)][1]
    if depth > MAX_DEPTH:
        raise Refused(f'its containers lie more than {MAX_DEPTH} deep in one another')
    result = value
    if isinstance(value, _Array):
        if value.value is None:
            raise Refused('it holds an array without content')
        result = value.value
    elif isinstance(value, (_Name, _Dtype)):
        raise Refused('it holds a name of NumPy in place of data')
    elif isinstance(value, list):
        done[id(value)] = (value, value)  # a list may hold itself
        value[:] = [_finished(item, done, depth + 1) for item in value]
    elif isinstance(value, tuple):
        result = tuple(_finished(item, done, depth + 1) for item in value)
    elif isinstance(value, dict):
        done[id(value)] = (value, value)
        for key in value:
            value[key] = _finished(value[key], done, depth + 1)
    else:
        return value
    done[id(value)] = (value, result)  # with the value itself, so that its id is not used again
    return result
