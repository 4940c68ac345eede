"""Detections as the text files of ILSVRC DET, millions of lines: '<image> <class> <score> <x1> <y1> <x2> <y2>'.

Images and pixels count from 1. The class is the position among the data set's, from 0, or that of DET, from 1.
Source: reference/other_detectors.md A ("Evaluation").
"""
import os
from typing import NamedTuple

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.base import LARGEST
from lib.utils.errors import SniperError
from lib.utils.files import text_writer

DECIMALS_OF_SCORE, DECIMALS_OF_PIXELS = 6, 2
LINES_A_TIME = 1 << 13
BYTES_A_TIME = 1 << 24
_LINE = '%d %d %.6f %.2f %.2f %.2f %.2f\n'
_FIELDS = 7


class Rows(NamedTuple):
    """n lines. image, label (n,) int64 and box (n, 4), score (n,) float64, all as the file has them."""

    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    box: np.ndarray

    def take(self, index) -> 'Rows':
        """The lines of an index, (n,) bool or positions."""
        return Rows(*(array[index] for array in self))


def as_written(detections: Detections, numbers: np.ndarray) -> Rows:
    """numbers[image]: of each image in the files, from 1. The detections image by image, the best first; class from 0.
    """
    score = np.round(detections.score.astype(np.float64), DECIMALS_OF_SCORE)
    order = np.lexsort([detections.label, -score, detections.image])
    return Rows(np.asarray(numbers, np.int64)[detections.image[order]], detections.label[order].astype(np.int64) - 1,
                score[order], np.round(detections.box[order].astype(np.float64) + 1, DECIMALS_OF_PIXELS))


def write_rows(path: str, rows: Rows) -> None:
    """SniperError: the disk refuses."""
    with text_writer(path) as stream:
        for first in range(0, len(rows.score), LINES_A_TIME):
            part = slice(first, first + LINES_A_TIME)
            table = np.column_stack([rows.image[part], rows.label[part], rows.score[part], rows.box[part]])
            stream.write(_LINE * len(table) % tuple(table.ravel().tolist()))


def read_rows(path: str) -> Rows:
    """A file of this form, whoever wrote it. SniperError: it cannot be read, or a line is another one."""
    tables, number = [np.zeros((0, _FIELDS))], 1
    try:
        with open(path, 'rb') as stream:
            while True:
                lines = stream.readlines(BYTES_A_TIME)
                if not lines:
                    break
                tables.append(_table(path, lines, number))
                number += len(lines)
    except OSError as error:
        raise SniperError(f'detections {path} cannot be read: {error.strerror or error}') from None
    table = np.concatenate(tables)
    return Rows(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3:])


def _table(path, lines, number) -> np.ndarray:
    """(lines, 7); number: of the first line."""
    try:
        table = np.array(b' '.join(lines).split(), np.float64)
        if len(table) == len(lines) * _FIELDS and all(len(line.split()) == _FIELDS for line in lines):
            table = table.reshape(-1, _FIELDS)
            if (np.abs(table) < LARGEST).all() and (table[:, :2] == np.floor(table[:, :2])).all():
                return table
    except ValueError:
        pass
    for place, line in enumerate(lines, number):
        if not _is_row(line.split()):
            raise SniperError(f'detections {path} line {place}: seven numbers are wanted, image, class, score, x1, y1, '
                              f'x2, y2, got {line.decode("utf-8", "replace").strip()!r:.80}')
    raise SniperError(f'detections {path} cannot be read after line {number}')


def _is_row(words) -> bool:
    try:
        values = [float(word) for word in words]
    except ValueError:
        return False
    return len(values) == _FIELDS and all(-LARGEST < value < LARGEST for value in values) and all(
        value == int(value) for value in values[:2])


def prediction_paths(results_dir: str, name: str) -> tuple:
    """(file with classes of the data set, file with those of DET)."""
    return tuple(os.path.join(results_dir, f'{prefix}det_{name}_pred.txt') for prefix in ('', 'modified_'))
