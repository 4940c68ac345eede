"""Pickle files read without running anything that they name.

Python's own reader calls whatever a file asks for, and overriding its find_class, as its documentation suggests, still
lets a file that is let to make arrays take any memory, or end the process by deep nesting. So this one is ours: it has
only instructions that plain data need, compares every length with the file's, and leaves names, calls and states to
the kind of file, which answers with records of its own: arrays here (`read_plain_pickle`), PyTorch's tensors in
lib.weights.conversion.torch_file. The format: Python's Lib/pickletools.py, PEP 307 and 3154.
"""
import codecs
import math
import os
import struct

import numpy as np

from lib.utils.errors import SniperError

MAX_NUMBER = 64        # characters of a number in protocol 0
PLAIN_KEYS = (int, float, str, bytes)
MAX_KEY = 8            # parts of a tuple that is a key
MAX_BYTES = 32 << 30   # of a file; COCO's 82,783 images with 900 proposals each are 4 GB in protocol 0
MAX_DIMENSIONS = 4
MAX_DEPTH = 8          # of containers in one another
KINDS = {b'f4', b'f8', b'i1', b'i2', b'i4', b'i8', b'u1', b'u2', b'u4', b'u8', b'b1'}
ARRAY_NAMES = {('numpy.core.multiarray', '_reconstruct'), ('numpy._core.multiarray', '_reconstruct'),
               ('numpy', 'ndarray'), ('numpy', 'dtype'), ('_codecs', 'encode'), ('__builtin__', 'bytes')}
# What reading a damaged pickle may raise, besides Refused.
DAMAGES = (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError, struct.error,
           RecursionError)


class Refused(Exception):
    """Why a file is not read."""


class PickleMachine:
    """The stack machine of the format, without a way to call anything. Instructions: `_INSTRUCTIONS`, byte -> method.

    A kind of file that needs more than containers, numbers and text derives from it and says what a name (`named`), a
    call (`reduce`), a state (`build`) or a persistent id (`persistent`) stands for; here each of them is refused.
    """

    def __init__(self, stream, size):
        self.stream, self.left = stream, size
        self.stack, self.marks, self.memo = [], [], {}

    def run(self):
        """Execute up to the end mark -> what lies on top of the stack then."""
        while True:
            code = self.read(1)
            if code == b'.':
                return self.stack.pop()
            method = _INSTRUCTIONS.get(code)
            if method is None:
                raise Refused(f'it is no pickle of plain data: {code!r} is none of their instructions')
            method(self)

    def read(self, count):
        if count < 0 or count > self.left:
            raise Refused('it is cut short')
        data = self.stream.read(count)
        if len(data) != count:
            raise Refused('it is cut short')
        self.left -= count
        return data

    def line(self, limit=None):
        text = self.stream.readline(self.left if limit is None else min(limit, self.left))
        self.left -= len(text)
        if not text.endswith(b'\n'):
            raise Refused('it is cut short' if self.left <= 0 or limit is None else
                          f'it has a number of more than {limit} digits')
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
            raise Refused('it has a text without quotation marks')
        self.push(codecs.escape_decode(text[1:-1])[0])

    def unicode(self, form):
        self.push(self.read(self.unpack(form)).decode('utf-8', 'surrogatepass'))

    def name(self):
        self.named(self.line().decode('latin-1'), self.line().decode('latin-1'))

    def stack_name(self):
        name, module = self.stack.pop(), self.stack.pop()
        self.named(str(module), str(name))

    def named(self, module, name):
        """A name was asked for: push what stands for it."""
        raise Refused(f'it asks for {module[:80]}.{name[:80]}; only plain data are let in')

    def reduce(self):
        """Call: pop arguments and function, push the result."""
        raise Refused('it calls something')

    def build(self):
        """Pop a state, set it on what is below."""
        raise Refused('it fills something other than plain data')

    def persistent(self):
        """Pop a persistent id, push what it stands for."""
        raise Refused('it refers to data outside of it')

    def append(self):
        value = self.stack.pop()
        _list(self.stack[-1]).append(value)

    def appends(self):
        values = self.pop_to_mark()
        _list(self.stack[-1]).extend(values)

    def set_items(self, pairs):
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise Refused('it fills something other than a dict')
        for key, value in zip(pairs[0::2], pairs[1::2]):
            if not _is_key(key):
                raise Refused('it has a dict with keys that are no names or numbers')
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
            raise Refused('it is damaged')
        del self.stack[len(self.stack) - count:]
        self.push(values)

    def keep(self, number):
        self.memo[number] = self.stack[-1]


def _is_key(value):
    """A name, a number, or a short tuple of these. Not tuples in tuples: hashing a million in one another ends the
    process, and hashing tuples that hold each other many times takes for ever."""
    return isinstance(value, PLAIN_KEYS) or (type(value) is tuple and len(value) <= MAX_KEY
                                             and all(isinstance(part, PLAIN_KEYS) for part in value))


def _list(value):
    if type(value) is not list:
        raise Refused('it appends to something other than a list')
    return value


_INSTRUCTIONS = {
    b'\x80': lambda m: m.read(1),                                       # PROTO
    b'(': lambda m: m.marks.append(len(m.stack)),                       # MARK
    b'0': lambda m: m.stack.pop(),                                      # POP
    b'l': lambda m: m.push(m.pop_to_mark()),                            # LIST
    b']': lambda m: m.push([]),                                         # EMPTY_LIST
    b'a': PickleMachine.append,
    b'e': PickleMachine.appends,
    b't': lambda m: m.push(tuple(m.pop_to_mark())),                     # TUPLE
    b')': lambda m: m.push(()),                                         # EMPTY_TUPLE
    b'\x85': lambda m: m.take(1),
    b'\x86': lambda m: m.take(2),
    b'\x87': lambda m: m.take(3),
    b'd': PickleMachine.make_dict,
    b'}': lambda m: m.push({}),                                         # EMPTY_DICT
    b's': PickleMachine.set_item,
    b'u': lambda m: m.set_items(m.pop_to_mark()),                       # SETITEMS
    b'I': PickleMachine.integer,
    b'L': PickleMachine.integer,
    b'J': lambda m: m.push(m.unpack('<i')),                             # BININT
    b'K': lambda m: m.push(m.unpack('<B')),                             # BININT1
    b'M': lambda m: m.push(m.unpack('<H')),                             # BININT2
    b'\x8a': lambda m: m.push(int.from_bytes(m.read(m.unpack('<B')), 'little', signed=True)),  # LONG1
    b'F': lambda m: m.push(float(m.line(MAX_NUMBER))),                  # FLOAT
    b'G': lambda m: m.push(m.unpack('>d')),                             # BINFLOAT
    b'N': lambda m: m.push(None),
    b'\x88': lambda m: m.push(True),
    b'\x89': lambda m: m.push(False),
    b'S': PickleMachine.quoted,                                              # STRING
    b'T': lambda m: m.push(m.read(m.unpack('<i'))),                     # BINSTRING
    b'U': lambda m: m.push(m.read(m.unpack('<B'))),                     # SHORT_BINSTRING
    b'B': lambda m: m.push(m.read(m.unpack('<I'))),                     # BINBYTES (protocol 3)
    b'C': lambda m: m.push(m.read(m.unpack('<B'))),                     # SHORT_BINBYTES
    b'V': lambda m: m.push(m.line().decode('raw-unicode-escape')),      # UNICODE
    b'X': lambda m: m.unicode('<I'),                                    # BINUNICODE
    b'\x8c': lambda m: m.unicode('<B'),                                 # SHORT_BINUNICODE (protocol 4)
    b'c': PickleMachine.name,                                                # GLOBAL
    b'\x93': PickleMachine.stack_name,                                       # STACK_GLOBAL (protocol 4)
    b'R': lambda m: m.reduce(),                                         # REDUCE
    b'b': lambda m: m.build(),                                          # BUILD
    b'Q': lambda m: m.persistent(),                                     # BINPERSID
    b'p': lambda m: m.keep(int(m.line(MAX_NUMBER))),                    # PUT
    b'q': lambda m: m.keep(m.unpack('<B')),                             # BINPUT
    b'r': lambda m: m.keep(m.unpack('<I')),                             # LONG_BINPUT
    b'\x94': lambda m: m.keep(len(m.memo)),                             # MEMOIZE (protocol 4)
    b'g': lambda m: m.push(m.memo[int(m.line(MAX_NUMBER))]),            # GET
    b'h': lambda m: m.push(m.memo[m.unpack('<B')]),                     # BINGET
    b'j': lambda m: m.push(m.memo[m.unpack('<I')]),                     # LONG_BINGET
    b'\x95': lambda m: m.read(8),                                       # FRAME (protocol 4)
}


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


def read_plain_pickle(path: str):
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
    if math.prod(shape) * kind.itemsize != len(content):
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
