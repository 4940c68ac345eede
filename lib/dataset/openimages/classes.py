"""The list of classes: codes ('/m/0k4j', in Freebase's way) and names for people."""
import collections
import csv
import itertools
import os
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from lib.dataset.base import shortened
from lib.dataset.class_choice import ClassChoice
from lib.dataset.class_list import BACKGROUND, class_key, is_ignored
from lib.dataset.text_list import read_lines
from lib.utils.errors import SniperError

UNKNOWN, LEFT_OUT = -1, -2     # instead of a label: a code that the list lacks, a class that was not chosen
_HEADER = ['LabelName', 'DisplayName']


class Classes(NamedTuple):
    """listed: codes in the order of the file; labels (listed,) int16: of each, LEFT_OUT, or 0 for a class whose
    objects are regions that do not count; names: of the data set, background first; mids: the code of each name, '' for
    the background and for a class that was put together of several; line: what was chosen, or ''."""

    listed: Tuple[str, ...]
    labels: np.ndarray
    names: Tuple[str, ...]
    mids: Tuple[str, ...]
    line: str


def read_classes(path: str, choice: Optional[ClassChoice] = None) -> Classes:
    """`class-descriptions-boxable.csv`, with a header or, as in version 4, without.

    Several codes of one name get them behind it ('Bow (/m/1)'). What is called 'ignore' is no class: its boxes are
    regions that do not count. SniperError: no list, a code twice.
    """
    rows = _rows(path)
    listed = tuple(code for code, _ in rows)
    repeated = [code for code, count in collections.Counter(listed).items() if count > 1]
    if repeated:
        raise SniperError(f'class list {path} names {shortened(repeated)} twice')
    counts = collections.Counter(class_key(name) for _, name in rows)
    names = [f'{name} ({code})' if counts[class_key(name)] > 1 else name for code, name in rows]
    is_class = np.array([not is_ignored(name) for name in names])
    if choice is None:
        return Classes(listed, np.where(is_class, np.cumsum(is_class), 0).astype(np.int16),
                       (BACKGROUND, *itertools.compress(names, is_class)), ('', *itertools.compress(listed, is_class)),
                       '')
    chosen, line = choice.labels(names, path)
    labels = np.array([LEFT_OUT if label is None else label for label in chosen], np.int16)
    labels[~is_class] = 0
    mids = [''] * (len(choice.names) + 1)
    for label in range(1, len(mids)):
        codes = [code for code, of_code in zip(listed, labels) if of_code == label]
        mids[label] = codes[0] if len(codes) == 1 else ''
    return Classes(listed, labels, (BACKGROUND, *choice.names), tuple(mids), line)


def _rows(path) -> List[Tuple[str, str]]:
    """(code, name) of each line."""
    rows: List[Tuple[str, str]] = []
    for number, line in read_lines(path, 'class list'):
        try:
            fields = [field.strip() for field in next(csv.reader([line], strict=True))]
        except csv.Error as error:
            raise SniperError(f'class list {path} line {number}: {error}') from None
        if fields == _HEADER and not rows:
            continue
        if len(fields) != 2 or not all(fields):
            raise SniperError(f'class list {path} line {number}: {line!r:.80} is no code and name of a class, as in '
                              "'/m/0k4j,Car'")
        rows.append((fields[0], fields[1]))
    if not rows:
        raise SniperError(f'class list {path} is empty: it is {os.path.basename(path)} of Open Images')
    return rows
