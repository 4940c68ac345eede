"""What is declared of a configuration key: its kind, which values it may hold, and what it affects.

`Key.affects` says what becomes another one when the key does. All that asks whether two runs may share a cache, a
shard, a checkpoint or an optimised network filters by these words (`configs.keys_affecting`); there is no second list:

    graph       operators, attributes or shapes of a network's graph: of the test graph if the key affects detections
                too, of the training graph if it affects the schedule too
    pixels      what inference shows the network of an image: size, means, decoding
    detections  what inference finds in the same images by the same weights: rows, scores or masks. Whatever affects
                the test graph, pixels or the pyramid affects detections
    pyramid     how the scales of a test work together: where the next one looks, how detections of all are joined. The
                detections of one scale in given windows do not depend on it
    proposals   the proposals that inference extracts from the same images by the same weights
    schedule    the numbers that training arrives at on the same annotations and images: graph, initial weights, data,
                chips, labels, losses, rates, length
    machine     where files lie, processes, devices, waiting: may differ on machines that work together, and does not
                change what comes out. What stands in a file is compared by its digest, not by its name

A key that only says what is shown, written or looked at affects nothing of these.

One `Kind` a type says what it wants and converts to it: `Kind.convert(value)` returns the value to store or raises
ValueError, or SniperError that says what is wrong with it. Conversions are those that lose nothing: a list for a tuple
and the reverse, a list for an array, a number for a text. A path is what a shell would make of it: lib/utils/user_path.
 A whole number for a float stays whole, as the file wrote it (`--set` makes it a float, see
configs/loader.py).
"""
import math
import os
import re
from typing import Any, Callable, FrozenSet, NamedTuple, Optional

import numpy as np

from lib.utils.errors import SniperError
from lib.utils.user_path import user_path

AFFECTED = ('graph', 'pixels', 'detections', 'pyramid', 'proposals', 'schedule', 'machine')
NOTHING = ''
UNUSED = 'unused'  # how the meaning of a key begins that nothing reads

_LARGEST, _LARGEST_INT = float(np.finfo(np.float32).max), 2 ** 31 - 1  # that MXNet's operators take
_SMALLEST = float(np.finfo(np.float32).tiny)
_NAMED_CHECKPOINT = re.compile(r'(best|(last|interrupted|iter\d{1,9}|\d{1,9})(-ema)?)$')   # lib.weights
# YAML 1.1 reads 1e-3 (no dot) as text; people write learning rates that way.
_EXPONENT = re.compile(r'[-+]?\d+(\.\d*)?[eE][-+]?\d+$')


class ConfigError(SniperError):
    """A configuration file or a --set pair is wrong: names the key, the place and the mend."""


class Kind(NamedTuple):
    """`wants` completes the sentence 'KEY wants ...'; `convert(value)` raises ValueError on misfits."""
    wants: str
    convert: Callable


class Limits(NamedTuple):
    """Which numbers a key may hold: `low` or more, `high` or less, more than `above`; None = no such limit."""
    low: Optional[float] = None
    high: Optional[float] = None
    above: Optional[float] = None

    def allow(self, number: float) -> bool:
        """Whether it is within."""
        return ((self.low is None or number >= self.low) and (self.high is None or number <= self.high)
                and (self.above is None or number > self.above))

    def __str__(self) -> str:
        if self.above is not None:
            return f'above {self.above}' + (f', at most {self.high}' if self.high is not None else '')
        if self.low is None or self.high is None:
            return f'{self.low} or more' if self.high is None else f'{self.high} or less'
        return f'from {self.low} to {self.high}'


class Key(NamedTuple):
    """One configuration key: default value, meaning with unit, what it affects, kind, and the only values allowed (or
    ()). per_scale: a list with an entry for each of the section's SCALES. limits: of its number, or of all its numbers
    (configs.checks)."""
    default: Any
    meaning: str
    affects: FrozenSet[str]
    kind: Kind
    choices: tuple = ()
    per_scale: bool = False
    limits: Limits = Limits()

    @property
    def unused(self) -> bool:
        """Whether nothing reads the key, see configs/legacy.py."""
        return self.meaning.startswith(UNUSED)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _exactly(kind):
    def convert(value):
        if type(value) is not kind:  # bool is an int to isinstance, and not meant
            raise ValueError(value)
        return value
    return convert


def _to_float(value):
    if isinstance(value, str) and _EXPONENT.match(value):
        value = float(value)
    if not _is_number(value):
        raise ValueError(value)
    if abs(value) > _LARGEST or 0 < abs(value) < _SMALLEST:
        raise SniperError(f'{value!r:.20} is beyond what single precision holds')
    return value


def _to_int(value):
    if abs(_exactly(int)(value)) > _LARGEST_INT:
        raise SniperError(f'{value!r:.20} is beyond {_LARGEST_INT}')
    return value


def _to_text(value):
    if _is_number(value):
        return str(value)
    if isinstance(value, (list, tuple)) and all(_is_number(x) for x in value):
        return ','.join(str(x) for x in value)
    return _exactly(str)(value)


def _to_path(value):
    return user_path(value if isinstance(value, os.PathLike) else str(value) if _is_number(value) else
                     _exactly(str)(value))


def _to_paths(value):
    """Several in a list are joined by '+', as on a command line."""
    return '+'.join(map(_to_path, value)) if isinstance(value, (list, tuple)) and value else _to_path(value)


def _to_checkpoint(value):
    if not _NAMED_CHECKPOINT.match(_exactly(str)(value)):
        raise ValueError(value)
    return value


def _items(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if not isinstance(value, (list, tuple)):
        raise ValueError(value)
    return value


def list_of(item: Kind, wants: str) -> Kind:
    """Kind of a list, every entry of kind `item`."""
    return Kind(wants, lambda value: [item.convert(x) for x in _items(value)])


def tuple_of(item: Kind, length: int, wants: str) -> Kind:
    """Kind of a tuple of `length` entries of kind `item`."""
    def convert(value):
        if len(_items(value)) != length:
            raise ValueError(value)
        return tuple(item.convert(x) for x in _items(value))
    return Kind(wants, convert)


def array_of(length: int) -> Kind:
    """Kind of a float64 array of `length` numbers."""
    def convert(value):
        if len(_items(value)) != length:
            raise ValueError(value)
        return np.array([_to_float(x) for x in _items(value)], dtype=np.float64)
    return Kind(f'a list of {length} numbers', convert)


def one_of(*kinds: Kind) -> Kind:
    """Kind that takes whatever one of `kinds` takes, tried in order."""
    def convert(value):
        for kind in kinds:
            try:
                return kind.convert(value)
            except ValueError:
                continue
        raise ValueError(value)
    return Kind(' or '.join(kind.wants for kind in kinds), convert)


def word(text: str) -> Kind:
    """Kind of one text alone."""
    def convert(value):
        if value != text:
            raise ValueError(value)
        return value
    return Kind(repr(text), convert)


BOOL = Kind('True or False', _exactly(bool))
INT = Kind('a whole number', _to_int)
FLOAT = Kind('a number', _to_float)
TEXT = Kind('a text', _to_text)
PATH = Kind('a path', _to_path)  # of a file or folder, or the beginning of several files' names
PATHS = Kind('a path, or a list of them', _to_paths)

INTS = list_of(INT, 'a list of whole numbers')
FLOATS = list_of(FLOAT, 'a list of numbers')
TEXTS = list_of(Kind('a text', _exactly(str)), 'a list of texts')
BOOLS = list_of(BOOL, 'a list of True and False')
PAIRS = list_of(tuple_of(FLOAT, 2, ''), 'a list of pairs of numbers')
TRIPLES = list_of(tuple_of(FLOAT, 3, ''), 'a list of triples of numbers')
PROCESSES = one_of(INT, word('auto'))
BOOL_OR_HOW = one_of(BOOL, word('auto'), word('by_name'))
BATCHES = one_of(INT, word('epoch'))
CHECKPOINT = one_of(INT, Kind("'last', 'best', 'interrupted', iter1000, or one with -ema (7-ema)", _to_checkpoint))
INT_OR_INTS = one_of(INT, INTS)
NUMBER_OR_NUMBERS = one_of(FLOAT, FLOATS)

_BY_TYPE = {bool: BOOL, int: INT, float: FLOAT, str: TEXT}


def key(default: Any, meaning: str, affects: str, kind: Optional[Kind] = None, choices: tuple = (),
        per_scale: bool = False, **limits: float) -> Key:
    """Declare a key. affects: words of AFFECTED, or NOTHING; the kind follows from the default where that says enough.
    limits: fields of Limits.
    """
    words = frozenset(affects.split())
    if not words <= set(AFFECTED):
        raise ValueError(f'{sorted(words - set(AFFECTED))}: a key affects {", ".join(AFFECTED)} or nothing')
    return Key(default, meaning, words, kind or _BY_TYPE[type(default)], choices, per_scale,
               Limits(**limits))
