"""Pickle files read without running anything that they name.

Python's own reader calls whatever a file asks for; this one knows only the instructions that plain data need and leaves
names, calls and states to the kind of file (plain_pickle here, torch_file in lib.weights.conversion), which answers
with records of its own. The format: Python's Lib/pickletools.py, PEP 307 and 3154.
"""
import codecs
import struct

MAX_NUMBER = 64        # characters of a number in protocol 0
PLAIN_KEYS = (int, float, str, bytes)
MAX_KEY = 8            # parts of a tuple that is a key
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
                raise Refused(f'it has the instruction {code!r}, which plain data do not need')
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
