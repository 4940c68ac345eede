"""Detections as text files, the form in which WIDER FACE takes them: <folder>/<event>/<picture without ending>.txt

    0--Parade/0_Parade_marchingband_1_849.jpg       the picture; it is not read
    2                                               the detections
    449 330 122 149 0.998173                        x y width height score, the best first; lines end in a blank
    12 40 9 11 0.0731

Corners are cut to whole pixels: width is int(x2) - int(x1). Source: reference/other_detectors.md C, more_ssh.md.
"""
import os
from typing import Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.base import LARGEST
from lib.dataset.voc_layout import FileIndex
from lib.dataset.wider.lists import named
from lib.dataset.wider.scoring import Found
from lib.utils.errors import SniperError
from lib.utils.files import new_folder

MOST_BYTES = 1 << 26    # of a file
_MOST_DIGITS = 9        # of the number of detections


class Folder(NamedTuple):
    """What `read_folder` found. missing: pictures without a file; others: files of no picture, '<event>/<picture>'."""

    found: Found
    missing: List[str]
    others: List[str]


def as_written(detections: Detections) -> Found:
    """Boxes and scores as the files hold them: what is scored is what others read. The best of a picture come first."""
    corners = np.trunc(detections.box.astype(np.float64))
    box = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    score = np.array([float(f'{value:g}') for value in detections.score.tolist()], np.float64)
    order = np.lexsort([-score, detections.image])
    return Found(detections.image[order].astype(np.int64), box[order], score[order])


def write_folder(folder: str, names: Sequence[str], found: Found) -> None:
    """A file for each of `names`, '<event>/<picture with ending>', also where nothing was found; of older files in the
    folder none stays. found: what `as_written` gives. SniperError: it cannot be written.
    """
    try:
        with new_folder(folder) as filled:
            for name, lines in _texts(names, found):
                path = os.path.join(filled, os.path.splitext(name)[0] + '.txt')
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, 'w', encoding='utf-8', errors='surrogateescape') as stream:
                    stream.write(lines)
    except OSError as error:
        raise SniperError(f'cannot write {error.filename or folder}: {error.strerror or error}') from error


def _texts(names, found) -> Iterator[Tuple[str, str]]:
    places = np.searchsorted(found.picture, np.arange(len(names) + 1))
    for name, start, end in zip(names, places, places[1:]):
        rows = zip(found.box[start:end].astype(np.int64).tolist(), found.score[start:end].tolist())
        lines = [f'{x} {y} {width} {height} {score:g} \n' for (x, y, width, height), score in rows]
        yield name, f'{name}\n{len(lines)}\n' + ''.join(lines)


def read_folder(folder: str, names: Sequence[str]) -> Folder:
    """The files of `names`, '<event>/<picture without ending>', whoever wrote them.

    SniperError: there is none of them at all, or one is cut short, damaged, or not of this form.
    """
    there = FileIndex(folder, ('.txt',)).stems()
    wanted, found = set(names), set(there)
    missing = [name for name in names if name not in found]
    others = [name for name in there if name not in wanted]
    if len(missing) == len(names):
        said = f'; there are {named(others)}' if others else ''
        raise SniperError(f'{folder} has no file of detections of any of the {len(names)} pictures in the lists '
                          f'({names[0]:.80}.txt){said}: name the folder that holds those of the events')
    rows = [read_file(os.path.join(folder, name + '.txt')) if name in found else np.zeros((0, 5)) for name in names]
    stacked = np.concatenate(rows)
    picture = np.repeat(np.arange(len(names)), [len(of_picture) for of_picture in rows])
    return Folder(Found(picture, stacked[:, :4], stacked[:, 4]), missing, others)


def read_file(path: str) -> np.ndarray:
    """(n, 5) float64 x, y, width, height, score. SniperError: see read_folder."""
    try:
        with open(path, 'rb') as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise SniperError(f'detections {path} cannot be read: {error.strerror or error}') from None
    if len(content) > MOST_BYTES:
        raise SniperError(f'detections {path} have more than {MOST_BYTES >> 20} MB: they are not those of one picture')
    lines = content.decode('utf-8', 'replace').rstrip().splitlines()
    count = lines[1].strip() if len(lines) > 1 else ''
    if not (count.isascii() and count.isdigit() and len(count) < _MOST_DIGITS):
        raise SniperError(f'detections {path} line 2: the number of detections is wanted after the name of the '
                          f'picture, got {count!r:.40}' + ('' if count else ': is the file cut short?'))
    if len(lines) - 2 != int(count):
        raise SniperError(f'detections {path}: {int(count)} by their count and {len(lines) - 2} lines of them' + (
            ': is the file cut short?' if len(lines) - 2 < int(count) else ''))
    rows = [_numbers(line) for line in lines[2:]]
    if not all(rows):
        wrong = next(place for place, row in enumerate(rows) if not row)
        ends = wrong + 1 == len(rows) and len(lines[-1].split()) < 5
        raise SniperError(f'detections {path} line {wrong + 3}: five numbers are wanted, x y width height score, got '
                          f'{lines[wrong + 2]!r:.60}' + (': is the file cut short?' if ends else ''))
    return np.array(rows, np.float64).reshape(-1, 5)


def _numbers(line) -> Sequence[float]:
    """The five of a line; none if it is another one."""
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError:
        return ()
    sensible = len(numbers) == 5 and '_' not in line and all(-LARGEST < number < LARGEST for number in numbers)
    return numbers if sensible else ()
