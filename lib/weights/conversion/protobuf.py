"""Protocol buffers on the wire: the fields of a message, one after the other, without the package of that name.

A message is a row of fields; a field is a key, number * 8 + wire type, and a value. What a number means, and whether
bytes are text, an array or a message in their turn, the format says that is read.
"""
from typing import Iterator, NamedTuple, Tuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_NUMBER = (1 << 29) - 1


class Broken(Exception):
    """What is wrong with a file, as the end of a sentence."""


class Field(NamedTuple):
    """number, wire: of its key. begin: where the key is; start, end: where the value is, without its length. value: the
    number of a VARINT, unsigned, 64 bits; else 0."""
    number: int
    wire: int
    begin: int
    start: int
    end: int
    value: int = 0


def fields(content, at: int, end: int) -> Iterator[Field]:
    """Fields of content[at:end], a message; content: bytes, a memoryview or a mapped file. Broken where there is none.
    """
    while at < end:
        field = read_field(content, at, end)
        at = field.end
        yield field


def read_field(content, at: int, end: int) -> Field:
    """The field whose key is at `at`, within content[at:end]. Broken if it is not whole, or of a type of old."""
    key, start = read_varint(content, at, end)
    number, wire, value = key >> 3, key & 7, 0
    if not 0 < number <= MAX_NUMBER:
        raise Broken(f'it has a field with the number {number}')
    if wire == VARINT:
        value, stop = read_varint(content, start, end)
    elif wire == BYTES:
        length, start = read_varint(content, start, end)
        stop = start + length
    elif wire in (FIXED32, FIXED64):
        stop = start + (4 if wire == FIXED32 else 8)
    else:
        raise Broken(f'it has a field of wire type {wire}')
    if stop > end:
        raise Broken(f'{stop - end} bytes are missing')
    return Field(number, wire, at, start, stop, value)


def read_varint(content, at: int, end: int) -> Tuple[int, int]:
    """(number, where it ends), unsigned, 64 bits. Broken if it is cut off or does not end."""
    if at < end and content[at] < 128:      # most
        return content[at], at + 1
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise Broken('it is cut short')
        byte = content[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value & (1 << 64) - 1, at
    raise Broken('it has a number of more than ten bytes')


def signed(value: int) -> int:
    """A VARINT as an int64."""
    return value - (1 << 64) if value >> 63 else value
