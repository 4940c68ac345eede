"""Reads pickles that hold nothing but NumPy arrays and builtin containers, and runs nothing that a file names.

Proposal files of the original are pickles of Python 2, protocols 0 to 2. Python's own reader calls whatever a file
asks for; this one knows only the instructions that plain data need, and answers the names that arrays need
(`_reconstruct`, `ndarray`, `dtype`; `encode`, `bytes` where Python 3 wrote bytes in such a protocol) with records of its
own, from which it makes arrays after checking every number. Text of Python 2 is bytes and stays bytes. The format:
Python's Lib/pickletools.py, PEP 307.
"""
import codecs
import os
import struct

import numpy as np

from lib.errors import SniperError

MAX_BYTES = 32 << 30   # of a file; COCO's 82,783 images with 900 proposals each are 4 GB in protocol 0
MAX_NUMBER = 64        # characters of a number in protocol 0
MAX_DIMENSIONS = 4
MAX_DEPTH = 8          # of containers in one another
KINDS = {b'f4', b'f8', b'i1', b'i2', b'i4', b'i8', b'u1', b'u2', b'u4', b'u8', b'b1'}
ARRAY_NAMES = {('numpy.core.multiarray', '_reconstruct'), ('numpy._core.multiarray', '_reconstruct'),
               ('numpy', 'ndarray'), ('numpy', 'dtype'), ('_codecs', 'encode'), ('__builtin__', 'bytes')}


class _Refused(Exception):
    """Why a file is not read."""


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
            raise SniperError('%s is too large: %d bytes, at most %d are read' % (path, size, MAX_BYTES))
        with open(path, 'rb') as stream:
            return _Machine(stream, size).run()
    except OSError as error:
        raise SniperError('%s cannot be read: %s' % (path, error.strerror or error)) from error
    except _Refused as refused:
        raise SniperError('%s is not read: %s' % (path, refused)) from None
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError, struct.error,
            RecursionError) as error:
        raise SniperError('%s is damaged or no pickle file (%s)' % (path, type(error).__name__)) from error


class _Machine:
    """The stack machine of the format. Instructions: `_INSTRUCTIONS`, byte -> method."""

    def __init__(self, stream, size):
        self.stream, self.left = stream, size
        self.stack, self.marks, self.memo = [], [], {}

    def run(self):
        while True:
            code = self.read(1)
            if code == b'.':
                return _finished(self.stack.pop())
            method = _INSTRUCTIONS.get(code)
            if method is None:
                raise _Refused('it has the instruction %r, which plain data do not need' % code)
            method(self)

    def read(self, count):
        if count < 0 or count > self.left:
            raise _Refused('it is cut short')
        data = self.stream.read(count)
        if len(data) != count:
            raise _Refused('it is cut short')
        self.left -= count
        return data

    def line(self, limit=-1):
        text = self.stream.readline(limit)
        self.left -= len(text)
        if not text.endswith(b'\n'):
            raise _Refused('it is cut short' if self.left <= 0 else 'it has a number of more than %d digits' % limit)
        return text[:-1]

    def unpack(self, form):
        return struct.unpack(form, self.read(struct.calcsize(form)))[0]

    def push(self, value):
        self.stack.append(value)

    def pop_to_mark(self):
        """Values above the last mark; they and the mark leave the stack."""
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def integer(self):
        text = self.line(MAX_NUMBER)
        self.push({b'00': False, b'01': True}.get(text) if text in (b'00', b'01') else int(text.rstrip(b'L')))

    def quoted(self):
        text = self.line()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in b'\'"':
            raise _Refused('it has a text without quotation marks')
        self.push(codecs.escape_decode(text[1:-1])[0])

    def unicode(self, form):
        self.push(self.read(self.unpack(form)).decode('utf-8', 'surrogatepass'))

    def name(self):
        self.named(self.line().decode('latin-1'), self.line().decode('latin-1'))

    def named(self, module, name):
        if (module, name) not in ARRAY_NAMES:
            raise _Refused('it asks for %s.%s; only arrays and builtin containers are let in'
                           % (module[:80], name[:80]))
        self.push(_Name(name))

    def stack_name(self):
        name, module = self.stack.pop(), self.stack.pop()
        self.named(str(module), str(name))

    def reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise _Refused('it calls something other than the makers of arrays')
        if function.name == 'encode' and arguments[1:] in (('latin1',), (b'latin1',)):
            self.push(arguments[0].encode('latin-1'))
        elif function.name == 'bytes' and arguments == ():
            self.push(b'')
        elif function.name == 'dtype':
            kind = arguments[0].encode('latin-1') if isinstance(arguments[0], str) else arguments[0]
            if kind not in KINDS:
                raise _Refused('it holds an array of type %s; only numbers are read' % str(kind)[:40])
            self.push(_Dtype(kind))
        elif function.name == '_reconstruct' and getattr(arguments[0], 'name', None) == 'ndarray':
            self.push(_Array())
        else:
            raise _Refused('it makes an array in an unusual way')

    def build(self):
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, _Dtype):
            order = state[1].encode('latin-1') if isinstance(state[1], str) else state[1]
            if order not in (b'<', b'>', b'|', b'=') or any(part is not None for part in state[2:5]):
                raise _Refused('it holds an array that is not of plain numbers')
            made.order = order
        elif isinstance(made, _Array) and made.value is None:
            made.value = _make_array(*state)
        else:
            raise _Refused('it fills something other than an array')

    def append(self):
        value = self.stack.pop()
        _list(self.stack[-1]).append(value)

    def appends(self):
        values = self.pop_to_mark()
        _list(self.stack[-1]).extend(values)

    def set_items(self, pairs):
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise _Refused('it fills something other than a dict')
        for key, value in zip(pairs[0::2], pairs[1::2]):
            if not isinstance(key, (int, float, str, bytes, tuple)):
                raise _Refused('it has a dict with keys that are no names or numbers')
            target[key] = value

    def set_item(self):
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def make_dict(self):
        pairs = self.pop_to_mark()
        self.push({})
        self.set_items(pairs)

    def take(self, count):
        values = tuple(self.stack[len(self.stack) - count:])
        if len(values) != count:
            raise _Refused('it is damaged')
        del self.stack[len(self.stack) - count:]
        self.push(values)

    def keep(self, number):
        self.memo[number] = self.stack[-1]


def _list(value):
    if type(value) is not list:
        raise _Refused('it appends to something other than a list')
    return value


def _make_array(version, shape, dtype, fortran, content):
    """State of an ndarray -> the array. Every number is checked against the bytes that are there."""
    if not isinstance(dtype, _Dtype) or not isinstance(content, bytes) or not isinstance(shape, tuple):
        raise _Refused('it holds an array that is not of plain numbers')
    if len(shape) > MAX_DIMENSIONS or not all(type(side) is int and side >= 0 for side in shape):
        raise _Refused('it holds an array of shape %s' % str(shape)[:80])
    kind = np.dtype((dtype.order + dtype.kind).decode('latin-1'))
    count = 1
    for side in shape:
        count *= side
    if count * kind.itemsize != len(content):
        raise _Refused('it holds an array of shape %s with %d bytes' % (shape, len(content)))
    flat = np.frombuffer(content, kind).astype(kind.newbyteorder('='))
    return flat.reshape(shape, order='F' if fortran else 'C')


def _finished(value, done=None, depth=0):
    """The data with arrays in place of the records that stood for them. done: id -> what it became, so that data which
    share parts, however often, cost no more than they hold."""
    done = {} if done is None else done
    if id(value) in done:
        return done[id(value)][1]
    if depth > MAX_DEPTH:
        raise _Refused('its containers lie more than %d deep in one another' % MAX_DEPTH)
    result = value
    if isinstance(value, _Array):
        if value.value is None:
            raise _Refused('it holds an array without content')
        result = value.value
    elif isinstance(value, (_Name, _Dtype)):
        raise _Refused('it holds a name of NumPy in place of data')
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


_INSTRUCTIONS = {
    b'\x80': lambda m: m.read(1),                                       # PROTO
    b'(': lambda m: m.marks.append(len(m.stack)),                       # MARK
    b'0': lambda m: m.stack.pop(),                                      # POP
    b'l': lambda m: m.push(m.pop_to_mark()),                            # LIST
    b']': lambda m: m.push([]),                                         # EMPTY_LIST
    b'a': _Machine.append,
    b'e': _Machine.appends,
    b't': lambda m: m.push(tuple(m.pop_to_mark())),                     # TUPLE
    b')': lambda m: m.push(()),                                         # EMPTY_TUPLE
    b'\x85': lambda m: m.take(1),
    b'\x86': lambda m: m.take(2),
    b'\x87': lambda m: m.take(3),
    b'd': _Machine.make_dict,
    b'}': lambda m: m.push({}),                                         # EMPTY_DICT
    b's': _Machine.set_item,
    b'u': lambda m: m.set_items(m.pop_to_mark()),                       # SETITEMS
    b'I': _Machine.integer,
    b'L': _Machine.integer,
    b'J': lambda m: m.push(m.unpack('<i')),                             # BININT
    b'K': lambda m: m.push(m.unpack('<B')),                             # BININT1
    b'M': lambda m: m.push(m.unpack('<H')),                             # BININT2
    b'\x8a': lambda m: m.push(int.from_bytes(m.read(m.unpack('<B')), 'little', signed=True)),  # LONG1
    b'F': lambda m: m.push(float(m.line(MAX_NUMBER))),                  # FLOAT
    b'G': lambda m: m.push(m.unpack('>d')),                             # BINFLOAT
    b'N': lambda m: m.push(None),
    b'\x88': lambda m: m.push(True),
    b'\x89': lambda m: m.push(False),
    b'S': _Machine.quoted,                                              # STRING
    b'T': lambda m: m.push(m.read(m.unpack('<i'))),                     # BINSTRING
    b'U': lambda m: m.push(m.read(m.unpack('<B'))),                     # SHORT_BINSTRING
    b'B': lambda m: m.push(m.read(m.unpack('<I'))),                     # BINBYTES (protocol 3)
    b'C': lambda m: m.push(m.read(m.unpack('<B'))),                     # SHORT_BINBYTES
    b'V': lambda m: m.push(m.line().decode('raw-unicode-escape')),      # UNICODE
    b'X': lambda m: m.unicode('<I'),                                    # BINUNICODE
    b'\x8c': lambda m: m.unicode('<B'),                                 # SHORT_BINUNICODE (protocol 4)
    b'c': _Machine.name,                                                # GLOBAL
    b'\x93': _Machine.stack_name,                                       # STACK_GLOBAL (protocol 4)
    b'R': _Machine.reduce,
    b'b': _Machine.build,
    b'p': lambda m: m.keep(int(m.line(MAX_NUMBER))),                    # PUT
    b'q': lambda m: m.keep(m.unpack('<B')),                             # BINPUT
    b'r': lambda m: m.keep(m.unpack('<I')),                             # LONG_BINPUT
    b'\x94': lambda m: m.keep(len(m.memo)),                             # MEMOIZE (protocol 4)
    b'g': lambda m: m.push(m.memo[int(m.line(MAX_NUMBER))]),            # GET
    b'h': lambda m: m.push(m.memo[m.unpack('<B')]),                     # BINGET
    b'j': lambda m: m.push(m.memo[m.unpack('<I')]),                     # LONG_BINGET
    b'\x95': lambda m: m.read(8),                                       # FRAME (protocol 4)
}
