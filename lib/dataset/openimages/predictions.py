"""Detections as the official CSV of Open Images: ImageID,LabelName,Score,XMin,XMax,YMin,YMax, in shares of the sides.

Source: reference/other_detectors.md B ("Metric").
"""
import csv
import io
import logging
from typing import List, NamedTuple, Sequence

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.base import NAMED_IN_WARNING, shortened
from lib.dataset.openimages.boxes import CORNERS, ROUNDING
from lib.dataset.openimages.classes import UNKNOWN
from lib.dataset.openimages.records import to_pixels, to_shares
from lib.dataset.openimages.sizes import places_of
from lib.dataset.openimages.table import NAME, NUMBER, Codes, read_blocks
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.files import text_writer

logger = logging.getLogger(__name__)

HEADER = ('ImageID', 'LabelName', 'Score', 'XMin', 'XMax', 'YMin', 'YMax')
_COLUMNS = {'ImageID': NAME, 'Score': NUMBER, **dict.fromkeys(CORNERS, NUMBER)}
DECIMALS = 6
_LINE = '%s,%s,%.6f,%.6f,%.6f,%.6f,%.6f\n'
_LINES_A_TIME = 1 << 13


class Pictures(NamedTuple):
    """names (m,) bytes, ascending: ids of the pictures; sizes (m, 2): width and height, pixels."""

    names: np.ndarray
    sizes: np.ndarray


def write_predictions(path: str, detections: Detections, pictures: Pictures, codes: Sequence[str]) -> Detections:
    """The detections picture by picture, the best first -> what stands in the file, bit for bit as read_predictions
    gives it. codes: of each label. SniperError: the disk refuses."""
    score = np.round(detections.score.astype(np.float64), DECIMALS)
    order = np.lexsort([-score, detections.image])
    order = order[detections.label[order] > 0]
    found, score = detections.replace(mask=None).take(order), score[order]
    box = np.empty_like(found.box)
    names = [name.decode() for name in pictures.names.tolist()]
    written = [_quoted(code) for code in codes]
    with text_writer(path) as stream:
        stream.write(','.join(HEADER) + '\n')
        for first in range(0, len(found), _LINES_A_TIME):
            part = slice(first, first + _LINES_A_TIME)
            sizes = pictures.sizes[found.image[part]]
            shares = np.round(np.clip(to_shares(found.box[part], sizes), 0, 1), DECIMALS)
            box[part] = to_pixels(shares, sizes)
            rows = zip(found.image[part].tolist(), found.label[part].tolist(), score[part].tolist(), shares.tolist())
            stream.write(''.join(_LINE % (names[image], written[label], score, x1, x2, y1, y2)
                                 for image, label, score, (x1, y1, x2, y2) in rows))
    return found.replace(box=box, score=score)


def _quoted(text: str) -> str:
    """A field of a CSV file."""
    stream = io.StringIO()
    csv.writer(stream).writerow([text])
    return stream.getvalue().rstrip('\r\n')


def read_predictions(path: str, pictures: Pictures, codes: Sequence[str]) -> Detections:
    """A file of this form, whoever wrote it; other columns may stand among these. Detections of other pictures are
    passed over, with a warning.

    SniperError: it cannot be used: a column is missing, a label is none of `codes`, a corner lies outside of its
    picture, a score is no number; or it names no picture of the set.
    """
    labels, parts, strangers, rows = Codes(codes), [Detections.empty()], _Strangers(), 0
    # A letter more than the longest, lest a longer text be cut to a code.
    kind = f'S{1 + max(map(len, codes))}'
    for block in read_blocks(path, 'file of predictions', {**_COLUMNS, 'LabelName': kind}):
        label = labels.numbers(block.columns['LabelName'], UNKNOWN).astype(np.int64)
        if (label == UNKNOWN).any():
            row = int(np.flatnonzero(label == UNKNOWN)[0])
            block.refuse(row, f'LabelName is {block.columns["LabelName"][row].decode("latin-1")!r:.60}, which is no '
                              'class of the data set')
        score = block.numbers('Score')
        shares = np.stack([block.numbers(name) for name in CORNERS], axis=1)
        beyond = np.maximum(-shares, shares - 1).max(axis=1) > ROUNDING
        if beyond.any():
            row = int(np.flatnonzero(beyond)[0])
            block.refuse(row, f'{", ".join(CORNERS)} are {shares[row].tolist()}: shares of the sides, 0 to 1, are '
                              'wanted')
        inside_out = (shares[:, 2:] < shares[:, :2]).any(axis=1)
        if inside_out.any():
            block.refuse(int(np.flatnonzero(inside_out)[0]), 'XMax is below XMin, or YMax below YMin')
        names = block.names('ImageID')
        image, there = places_of(names, pictures.names)
        strangers.add(names[~there])
        rows += len(names)
        parts.append(Detections(image[there], label[there], to_pixels(np.clip(shares[there], 0, 1), pictures.sizes[
            image[there]]), score[there]))
    strangers.report(path, rows)
    if not rows:
        logger.warning('%s has no row but its header: nothing was found, so that every score is 0', path)
    return Detections.concatenate(parts)


class _Strangers:
    """Pictures that the set does not have."""

    def __init__(self):
        self.rows, self.named = 0, {}

    def add(self, names: np.ndarray) -> None:
        """Rows of these names."""
        self.rows += len(names)
        for name in np.unique(names)[:NAMED_IN_WARNING + 1].tolist():
            if len(self.named) <= NAMED_IN_WARNING:
                self.named[name.decode()] = None

    def report(self, path: str, rows: int) -> None:
        """A warning. SniperError: all are."""
        if not self.rows:
            return
        which: List[str] = list(self.named)
        if self.rows == rows:
            raise SniperError(f'{path} has detections of other pictures alone ({shortened(which)}): is it of another '
                              'set?')
        logger.warning('%s of pictures that the set does not have and passed over: %s',
                       counted(self.rows, f'detection in {path} is', f'detections in {path} are'), shortened(which))
