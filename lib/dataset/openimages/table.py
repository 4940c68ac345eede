"""Rows of a CSV file by the block: no row is kept longer than its block, so that a file may have any number."""
import csv
import itertools
from typing import Dict, Iterator, List, NamedTuple, NoReturn, Sequence

import numpy as np

from lib.dataset.base import LARGEST, shortened
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

ROWS = 32768        # of a block
LONGEST_NAME = 128  # letters of a name of an image
_FLAGS = {'1': 1, '0': 0, '-1': 0, '': 0}   # -1: nobody has looked


class Block(NamedTuple):
    """Some rows. columns: {name: a text for each row}; lines (n,) int64: where they stand in the file, from 1."""

    path: str
    columns: Dict[str, Sequence[str]]
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.lines)

    def refuse(self, row: int, why: str) -> NoReturn:
        """SniperError that names file, line and reason."""
        raise SniperError(f'{self.path} line {self.lines[row]}: {why}')

    def names(self, column: str) -> np.ndarray:
        """(n,) bytes of letters that a name of a file may have. SniperError: one has others."""
        texts = self.columns[column]
        longest = max(map(len, texts), default=0)
        try:
            array = np.array(texts if longest <= LONGEST_NAME else (), 'S')
        except UnicodeEncodeError:
            array = np.zeros(0, 'S1')
        letters = array.view(np.uint8)
        if (len(array) < len(texts) or (np.isin(letters, (ord('/'), ord('\\'))) | (letters > 126) | (
                letters < 33) & (letters > 0)).any() or np.isin(array, (b'', b'.', b'..')).any()):
            row = next(row for row, text in enumerate(texts) if not _is_name(text))
            self.refuse(row, f'{column} is {texts[row]!r:.60}, which is no name of a picture')
        return array

    def numbers(self, column: str) -> np.ndarray:
        """(n,) float64. SniperError: something is no number."""
        texts = self.columns[column]
        try:
            values = np.fromiter(map(float, texts), np.float64, len(texts))
        except ValueError:
            row = next(row for row, text in enumerate(texts) if not _is_number(text))
            self.refuse(row, f'{column} is {texts[row]!r:.60}, which is no number: is the file cut short?')
        odd = np.flatnonzero(~(abs(values) < LARGEST))
        if len(odd):
            self.refuse(int(odd[0]), f'{column} is {texts[odd[0]]!r:.60}, which is no number of sensible size')
        return values

    def flags(self, column: str) -> np.ndarray:
        """(n,) uint8 of 1 or 0 = no or unknown; zeros if there is no such column. SniperError: it is something else."""
        if column not in self.columns:
            return np.zeros(len(self), np.uint8)
        texts = self.columns[column]
        try:
            return np.fromiter(map(_FLAGS.__getitem__, texts), np.uint8, len(texts))
        except KeyError:
            row = next(row for row, text in enumerate(texts) if text not in _FLAGS)
            self.refuse(row, f'{column} is {texts[row]!r:.60}, which is none of 1, 0 and -1 (unknown)')

    def known(self, column: str, numbers: Dict[str, int], unknown: int) -> np.ndarray:
        """(n,) int16: what `numbers` has for each text."""
        return np.fromiter(map(numbers.get, self.columns[column], itertools.repeat(unknown)), np.int16, len(self))


def read_blocks(path: str, what: str, columns: Sequence[str], optional: Sequence[str] = (),
                header: bool = True) -> Iterator[Block]:
    """The rows of a file in order.

    what: what the file is, for messages; columns, optional: those that are wanted, by the names in its first line,
    which may name others; without header the file has `columns` and no others. SniperError: it cannot be read, is
    empty, lacks a column, or has a row of another length or with a broken quotation.
    """
    reason = why_unreadable(path)
    if reason:
        raise SniperError(f'{what} {path} {reason}')
    with open(path, encoding='utf-8-sig', newline='') as stream:
        reader = csv.reader(stream, strict=True)
        try:
            first = next(filter(None, reader), None)
            if first is None:
                raise SniperError(f'{what} {path} is empty')
            names = [name.strip() for name in first] if header else list(columns)
            places = _places(path, what, names, columns, optional)
            rows, last = ([] if header else [first]), reader.line_num - (not header)
            while True:
                rows += itertools.islice(reader, ROWS)
                if not rows:
                    return
                yield _block(path, rows, last, reader.line_num, names, places)
                rows, last = [], reader.line_num
        except (csv.Error, UnicodeDecodeError) as error:
            raise _broken(path, what, error) from None


def _places(path, what, names, columns, optional) -> Dict[str, int]:
    """{column: its place}."""
    missing = [name for name in columns if name not in names]
    if missing:
        raise SniperError(f'{what} {path} lacks {"the column" if len(missing) == 1 else "the columns"} '
                          f'{", ".join(missing)}: its first line is {shortened(names, 15)!r:.200}')
    return {name: names.index(name) for name in (*columns, *optional) if name in names}


def _block(path, rows, before, last, names, places) -> Block:
    """before, last: number of the line before the first row, and of the last one."""
    if last - before != len(rows):
        row = next(row for row, texts in enumerate(rows) if any('\n' in text or '\r' in text for text in texts))
        raise SniperError(f'{path} line {before + row + 1}: a quotation mark that nothing ends')
    lines = np.arange(before + 1, last + 1)
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    if (lengths != len(names)).any():
        wrong = np.flatnonzero((lengths != len(names)) & (lengths != 0))
        if len(wrong):
            raise SniperError(f'{path} line {lines[wrong[0]]}: {lengths[wrong[0]]} values where {len(names)} are wanted'
                              f' ({",".join(rows[wrong[0]])!r:.80}): is the file cut short?')
        rows, lines = list(filter(None, rows)), lines[lengths > 0]
    by_column: List[Sequence[str]] = list(zip(*rows)) or [()] * len(names)
    return Block(path, {name: by_column[place] for name, place in places.items()}, lines)


def _broken(path, what, error) -> SniperError:
    """The same with the line at which it begins."""
    number = 0
    if isinstance(error, UnicodeDecodeError):
        with open(path, 'rb') as stream:
            for number, line in enumerate(stream, 1):
                try:
                    line.decode('utf-8')
                except UnicodeDecodeError:
                    break
        return SniperError(f'{what} {path} cannot be read: line {number} is no UTF-8 text; save it as UTF-8')
    with open(path, encoding='utf-8-sig', newline='') as stream:
        reader = csv.reader(stream, strict=True)
        try:
            for _ in reader:
                number = reader.line_num
        except csv.Error:
            pass
    return SniperError(f'{path} line {number + 1}: {error}: is a quotation mark missing, or one too many?')


def _is_name(text):
    return (0 < len(text) <= LONGEST_NAME and text.isascii() and text not in ('.', '..')
            and all(33 <= ord(letter) <= 126 and letter not in '/\\' for letter in text))


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
