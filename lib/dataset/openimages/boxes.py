"""The boxes of a set as flat arrays, out of a file of any number of rows in any order."""
import collections
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from lib.dataset.base import NAMED_IN_WARNING, AnnotationWarnings, Kind, shortened
from lib.dataset.openimages.classes import UNKNOWN
from lib.dataset.openimages.table import FLAG, NAME, NUMBER, TEXT, Block, Codes, read_blocks
from lib.dataset.roidb import DEPICTION, INSIDE, OCCLUDED, TRUNCATED
from lib.utils.counted import counted
from lib.utils.errors import SniperError

CORNERS = ('XMin', 'YMin', 'XMax', 'YMax')
_WANTED = {'ImageID': NAME, 'LabelName': TEXT, **dict.fromkeys(CORNERS, NUMBER)}
_GROUP = 128
_BITS = {'IsOccluded': OCCLUDED, 'IsTruncated': TRUNCATED, 'IsDepiction': DEPICTION, 'IsInside': INSIDE,
         'IsGroupOf': _GROUP}
_SOURCE = 'Source'
_OPTIONAL = {**dict.fromkeys(_BITS, FLAG), _SOURCE: TEXT}
_CONVERTED = {**_WANTED, 'IsGroupOf': FLAG, 'Height': NUMBER, 'Width': NUMBER}
ROUNDING = 1e-3     # of the side of a picture, that a corner may lie outside
SOURCES = ('', 'xclick', 'activemil', 'freeform', 'verification', 'machine')     # what made a box; '': not told
_SOURCES = Codes(SOURCES)
_CLIPPED = Kind(f'box lies outside its picture by at most {ROUNDING:g} of its side and is cut',
                f'boxes lie outside their picture by at most {ROUNDING:g} of its side and are cut')
_OUTSIDE = Kind('box lies outside its picture and is left out', 'boxes lie outside their picture and are left out')
_EMPTY = Kind('box has no area (XMax <= XMin or YMax <= YMin) and is left out',
              'boxes have no area (XMax <= XMin or YMax <= YMin) and are left out')
_CAUSES = {_OUTSIDE: 'coordinates are shares of the sides of a picture, 0 to 1: are these pixels?',
           _EMPTY: 'are the columns named in the wrong order?'}


class Rows(NamedTuple):
    """n boxes of m pictures in the order of the file.

    names (m,) bytes, ascending; image (n,) int32: number among them; code (n,) int16: place in the list of classes,
    from 0; corners (n, 4) float32: x1 y1 x2 y2, shares of the sides of the picture; group (n,) bool; attributes (n,)
    uint8 (lib.dataset.roidb); source (n,) uint8: place in SOURCES; sizes (m, 2) int32 width and height where the file
    has them, or None; notes: lines about single rows.
    """

    names: np.ndarray
    image: np.ndarray
    code: np.ndarray
    corners: np.ndarray
    group: np.ndarray
    attributes: np.ndarray
    source: np.ndarray
    sizes: Optional[np.ndarray]
    notes: List[str]


class _Gathered:
    """Columns of blocks, and what is wrong with rows."""

    def __init__(self, path, codes):
        self.path, self.codes = path, Codes(codes)
        self.warnings = AnnotationWarnings(path, 'line')
        self.parts: Dict[str, List[np.ndarray]] = collections.defaultdict(list)
        self.unknown: Dict[str, int] = {}   # line of the first row of each
        self.rows = self.of_unknown = 0

    def code(self, block: Block) -> np.ndarray:
        code = self.codes.numbers(block.columns['LabelName'], UNKNOWN)
        unknown = np.flatnonzero(code == UNKNOWN)
        self.of_unknown += len(unknown)
        for row in unknown[:NAMED_IN_WARNING]:
            if len(self.unknown) < NAMED_IN_WARNING:
                self.unknown.setdefault(block.columns['LabelName'][row].decode('latin-1'), block.first + int(row))
        return code

    def usable(self, block: Block, corners: np.ndarray) -> np.ndarray:
        """(n,) bool: rows with a box in the picture; what is wrong with others is counted."""
        beyond = np.maximum(-corners, corners - 1).max(axis=1)
        outside, empty = beyond > ROUNDING, (corners[:, 2:] <= corners[:, :2]).any(axis=1)
        for kind, wrong in ((_OUTSIDE, outside), (_EMPTY, empty & ~outside),
                            (_CLIPPED, (beyond > 0) & ~outside & ~empty)):
            rows = np.flatnonzero(wrong)
            self.warnings.add_many(kind, len(rows), block.lines(rows[:NAMED_IN_WARNING + 1]))
        return ~(outside | empty)

    def take(self, block: Block, corners: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Add the rows `kept`. -> (r,) first row of each run of rows of one picture: names are kept by the run."""
        names = block.names('ImageID')
        new = np.ones(len(names), bool)
        new[1:] = names[1:] != names[:-1]
        starts = np.flatnonzero(new)
        kept_before = np.concatenate([[0], np.cumsum(kept)])
        lengths = np.diff(kept_before[np.append(starts, len(names))])
        bits = block.flags(_BITS)
        columns = {'code': self.code(block), 'corners': corners.astype(np.float32), 'source': _source(block),
                   'group': bits >= _GROUP, 'attributes': bits & np.uint8(_GROUP - 1)}
        for name, values in columns.items():
            self.parts[name].append(values if kept.all() else values[kept])
        self.parts['runs'].append(names[starts])
        self.parts['lengths'].append(lengths)
        self.rows += len(block)
        return starts

    def joined(self, name: str) -> np.ndarray:
        """A column of all blocks, which are given up."""
        return np.concatenate(self.parts.pop(name))

    def check(self) -> List[str]:
        """Notes. SniperError: no rows, a class that the list lacks, or most rows cannot be meant so."""
        if not self.rows:
            raise SniperError(f'{self.path} has no box')
        if self.unknown:
            named = ', '.join(f'{code!r:.40} in line {line}' for code, line in self.unknown.items())
            raise SniperError(f'{self.path}: {counted(self.of_unknown, "box is", "boxes are")} of classes that the '
                              f'list of classes lacks ({named}): take both files from one version of the data')
        self.warnings.refuse_most(self.rows, _CAUSES)
        return self.warnings.lines()


def read_boxes(path: str, codes: Sequence[str], converted: bool = False) -> Rows:
    """codes: of the classes, in the order of their list; converted: the file is the original program's, without header:
    ImageID, LabelName, x1, y1, x2, y2, IsGroupOf, height, width, in pixels: shares times the sides.

    SniperError: the file cannot be used, with the line.
    """
    gathered = _Gathered(path, codes)
    sizes: List[np.ndarray] = []
    for block in _blocks(path, converted):
        corners = np.stack([block.numbers(name) for name in CORNERS], axis=1)
        size = _sizes(block) if converted else None
        if size is not None:
            corners /= np.tile(size, 2)
        kept = gathered.usable(block, corners)
        starts = gathered.take(block, np.clip(corners, 0, 1, out=corners), kept)
        if size is not None:
            sizes.append(size[starts])
    notes = gathered.check()
    names, image_of_run = np.unique(gathered.joined('runs'), return_inverse=True)
    image_of_run = image_of_run.astype(np.int32)
    image = np.repeat(image_of_run, gathered.joined('lengths'))
    of_images = None
    if converted:
        of_images = np.zeros((len(names), 2), np.int32)
        of_images[image_of_run] = np.concatenate(sizes)
    code, corners = gathered.joined('code'), gathered.joined('corners')
    again = repeated(image, code, corners)
    if len(again):
        pictures = [name.decode() for name in names[np.unique(image[again])[:NAMED_IN_WARNING + 1]].tolist()]
        notes.append(f'{path}: ' + counted(
            len(again), 'row repeats picture, class and corners of another and counts as an object of its own',
            'rows repeat picture, class and corners of others and count as objects of their own'
        ) + f' (pictures {shortened(pictures)})')
    return Rows(names, image, code, corners, gathered.joined('group'), gathered.joined('attributes'),
                gathered.joined('source'), of_images, notes)


def repeated(image: np.ndarray, code: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Rows, ascending, that have image (n,), code (n,) and corners (n, 4) of an earlier one."""
    mixed = image.astype(np.uint64) << np.uint64(16) | code.view(np.uint16)
    for column in np.ascontiguousarray(corners, np.float32).view(np.uint32).T:
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    ordered = np.sort(mixed)
    suspects = np.flatnonzero(np.isin(mixed, np.unique(ordered[1:][ordered[1:] == ordered[:-1]])))
    if not len(suspects):
        return suspects
    rows = np.column_stack([image[suspects], code[suspects], corners[suspects]])
    _, first = np.unique(rows, axis=0, return_index=True)
    return np.delete(suspects, first)


def no_boxes(names: np.ndarray) -> Rows:
    """Rows of a set without boxes. names (m,) bytes, ascending."""
    none = np.zeros(0, np.uint8)
    return Rows(names, none.astype(np.int32), none.astype(np.int16), np.zeros((0, 4), np.float32), none.astype(bool),
                none, none, None, [])


def _blocks(path, converted) -> Iterator[Block]:
    if converted:
        return read_blocks(path, 'file of boxes', _CONVERTED, header=False)
    return read_blocks(path, 'file of boxes', _WANTED, _OPTIONAL)


def _source(block: Block) -> np.ndarray:
    if _SOURCE not in block.columns:
        return np.zeros(len(block), np.uint8)
    return _SOURCES.numbers(block.columns[_SOURCE], 0).astype(np.uint8)


def _sizes(block) -> np.ndarray:
    """(n, 2) width and height that the rows of a converted file have."""
    size = np.stack([block.numbers('Width'), block.numbers('Height')], axis=1)
    wrong = np.flatnonzero((size < 1).any(axis=1))
    if len(wrong):
        block.refuse(int(wrong[0]), 'the last two values have to be height and width of the picture')
    return size
