"""Rows of a CSV file by the block: no row is kept longer than its block, so that a file may have any number.

NumPy's reader takes the blocks, in C, a million rows a second. Only where it refuses a block are the rows gone through
one by one, to say which line is wrong and why.
"""
import csv
import itertools
import os
from typing import Dict, Iterator, List, Mapping, NamedTuple, NoReturn, Sequence

import numpy as np

from lib.dataset.base import LARGEST
from lib.dataset.xml_file import number_in
from lib.utils.errors import SniperError
from lib.utils.progress_bar import ProgressBar
from lib.utils.reachable import why_unreadable

TEXT, NUMBER, FLAG = 'S32', 'f8', 'S4'      # what a column holds; longer texts are cut, which NAME alone must not be
NAME = 'S65'
LONGEST_NAME = 64   # letters of a name of an image
BLOCK = 1 << 18     # letters of a block: what stays in the processor's caches


class Block(NamedTuple):
    """Some rows. columns: {name: (n,) array}; first: line of the file, from 1, that the first row stands in, and the
    others in the next ones."""

    path: str
    columns: Mapping[str, np.ndarray]
    first: int

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def lines(self, rows: np.ndarray) -> List[int]:
        """Where rows stand in the file."""
        return (self.first + rows).tolist()

    def refuse(self, row: int, why: str) -> NoReturn:
        """SniperError that names file, line and reason."""
        raise SniperError(f'{self.path} line {self.first + row}: {why}')

    def names(self, column: str) -> np.ndarray:
        """(n,) bytes of letters that a name of a file may have. SniperError: one has others."""
        names = self.columns[column]
        letters = np.ascontiguousarray(names).view(np.uint8).reshape(len(names), -1)
        longest = int(np.flatnonzero(letters.any(axis=0)).max(initial=0)) + 1
        letters = letters[:, :longest]
        wrong = ((letters == ord('/')) | (letters == ord('\\')) | (letters > 126) | (letters < 33) & (letters > 0))
        if wrong.any() or longest > LONGEST_NAME or not letters[:, 0].all() or (letters[:, 0] == ord('.')).any():
            row = int(np.flatnonzero(wrong.any(axis=1) | (letters[:, 0] == 0) | (letters[:, 0] == ord('.')) | (
                np.char.str_len(names) > LONGEST_NAME))[0])
            self.refuse(row, f'{column} is {_text(names[row])!r:.60}, which is no name of a picture')
        return names.astype(f'S{longest}')

    def numbers(self, column: str) -> np.ndarray:
        """(n,) float64. SniperError: one is not finite."""
        values = self.columns[column]
        odd = np.flatnonzero(~(abs(values) < LARGEST))
        if len(odd):
            self.refuse(int(odd[0]), f'{column} is {values[odd[0]]}, which is no number of sensible size')
        return values

    def flags(self, bits: Mapping[str, int]) -> np.ndarray:
        """(n,) uint8: the bits of the columns that say 1; 0 is no, -1 unknown, and a column may be absent.

        SniperError: one says something else.
        """
        found = np.zeros(len(self), np.uint8)
        for column in filter(self.columns.__contains__, bits):
            texts = self.columns[column]
            yes = texts == b'1'
            known = yes | (texts == b'0') | (texts == b'-1') | (texts == b'')
            if not known.all():
                row = int(np.flatnonzero(~known)[0])
                self.refuse(row, f'{column} is {_text(texts[row])!r}, which is none of 1, 0 and -1 (unknown)')
            found |= yes * np.uint8(bits[column])
        return found


class Codes:
    """Numbers of texts."""

    def __init__(self, texts: Sequence[str]):
        """Each has its place as its number."""
        array = np.array([text.encode('ascii', 'replace') for text in texts], 'S')
        self._number = np.argsort(array).astype(np.int16)
        self._sorted = array[self._number]

    def numbers(self, texts: np.ndarray, unknown: int) -> np.ndarray:
        """(n,) bytes -> (n,) int16."""
        place = np.minimum(np.searchsorted(self._sorted, texts), len(self._sorted) - 1)
        return np.where(self._sorted[place] == texts, self._number[place], np.int16(unknown))


def read_blocks(path: str, what: str, columns: Mapping[str, str], optional: Mapping[str, str] = {},
                header: bool = True) -> Iterator[Block]:
    """The rows of a file in order.

    what: what the file is, for messages; columns, optional: those that are wanted and what they hold, by the names in
    its first line, which may name others; without header the file has `columns` and no others. SniperError: it cannot
    be read, is empty, lacks a column, or has a row of another length, something that is no number, or a broken
    quotation.
    """
    reason = why_unreadable(path)
    if reason:
        raise SniperError(f'{what} {path} {reason}')
    number, size, shown = 0, os.path.getsize(path), os.path.basename(path)
    with open(path, encoding='utf-8-sig', newline='') as stream, ProgressBar() as bar:
        try:
            first = stream.readline() if header else ''
            if header and not first.strip():
                raise SniperError(f'{what} {path} is empty')
            names = _names(path, first) if header else list(columns)
            kinds = _kinds(path, what, names, columns, optional)
            number += header
            while True:
                lines = stream.readlines(BLOCK)
                if not lines:
                    break
                for start, rows in _without_blanks(lines):
                    yield Block(path, _parsed(path, number + start + 1, rows, names, kinds), number + start + 1)
                number += len(lines)
                bar.show(shown, os.lseek(stream.fileno(), 0, os.SEEK_CUR), size)
        except UnicodeDecodeError:
            raise _no_text(path, what) from None
    if not number:
        raise SniperError(f'{what} {path} is empty')


def _names(path, line) -> List[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise SniperError(f'{path} line 1: {error}') from None


def _kinds(path, what, names, columns, optional) -> Dict[str, str]:
    """{column: what it holds} of those that are there."""
    missing = [name for name in columns if name not in names]
    if missing:
        raise SniperError(f'{what} {path} lacks {"the column" if len(missing) == 1 else "the columns"} '
                          f'{", ".join(missing)}: its first line is {",".join(names)!r:.200}')
    return {name: kind for name, kind in (*columns.items(), *optional.items()) if name in names}


def _without_blanks(lines):
    """(place of the first, lines) of each run of lines that are not blank; mostly one."""
    if all(map(str.strip, lines)):
        return [(0, lines)]
    runs = itertools.groupby(enumerate(lines), lambda item: bool(item[1].strip()))
    return [(run[0][0], [line for _, line in run]) for wanted, run in ((wanted, list(run)) for wanted, run in runs)
            if wanted]


def _parsed(path, first, lines, names, kinds) -> Dict[str, np.ndarray]:
    """first: the number of the first line. SniperError with the line that is wrong."""
    columns = sorted(kinds, key=names.index)
    rows = None
    try:
        rows = np.loadtxt(lines, np.dtype([(name, kinds[name]) for name in columns]), comments=None, delimiter=',',
                          quotechar='"', usecols=[names.index(name) for name in columns], ndmin=1)
    except (ValueError, UnicodeError):  # said better below
        pass
    # NumPy minds neither columns beyond those that it takes nor rows that go over several lines, and ends texts at NUL.
    text = ''.join(lines)
    if '\0' in text:
        _refuse_nul(path, first, lines, names)
    if rows is None or len(rows) != len(lines) or text.count(',') != (len(names) - 1) * len(lines):
        _refuse_wrong(path, first, lines, names, kinds)
    if rows is None:
        raise SniperError(f'{path} lines {first} to {first + len(lines) - 1} cannot be read')
    return {name: rows[name] for name in columns}


def _refuse_nul(path, first, lines, names) -> NoReturn:
    """SniperError that names the first line with a byte 0, and the column, if it has one."""
    number, line = next((number, line) for number, line in enumerate(lines, first) if '\0' in line)
    column = line[:line.index('\0')].count(',')
    place = f'{names[column]} has' if column < len(names) else 'there is'
    raise SniperError(f'{path} line {number}: {place} a NUL byte, which no text has: is the file damaged?')


def _refuse_wrong(path, first, lines, names, kinds):
    """SniperError that names the first row that cannot be used; nothing if all can."""
    reader, before = csv.reader(lines, strict=True), 0
    try:
        for row in reader:
            place, several, before = f'{path} line {first + before}', reader.line_num > before + 1, reader.line_num
            if several:
                raise SniperError(f'{place}: a quotation mark that nothing ends')
            if len(row) != len(names):
                raise SniperError(f'{place}: {len(row)} values where {len(names)} are wanted ({",".join(row)!r:.80}): '
                                  'is the file cut short?')
            for name, text in zip(names, row):
                if kinds.get(name) == NUMBER and number_in(text) is None:
                    raise SniperError(f'{place}: {name} is {text!r:.60}, which is no number: is the file cut short?')
                if name in kinds and not text.isascii():
                    raise SniperError(f'{place}: {name} is {text!r:.60}, which has other letters than ASCII')
    except csv.Error as error:
        raise SniperError(f'{path} line {first + before}: {error}: is a quotation mark missing, or one too many?'
                          ) from None


def _no_text(path, what) -> SniperError:
    """What is wrong with a file that is no UTF-8, with the line."""
    number = 0
    with open(path, 'rb') as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode('utf-8')
            except UnicodeDecodeError:
                break
    return SniperError(f'{what} {path} cannot be read: line {number} is no UTF-8 text; save it as UTF-8')


def _text(name) -> str:
    return name.decode('latin-1')
