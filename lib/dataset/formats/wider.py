"""WIDER FACE's layout: a text file a set, of pictures with faces.

    wider_face_split/wider_face_train_bbx_gt.txt        the set `train`; so val, or whatever stands there
        0--Parade/0_Parade_marchingband_1_849.jpg       a picture below WIDER_train/images
        1                                               its faces
        449 330 122 149 0 0 0 0 0 0                     x y width height blur expression illumination invalid occlusion
                                                        pose, pixels; the last six may be absent
    wider_face_split/wider_face_test_filelist.txt       the set `test`: pictures alone, without annotations
    WIDER_train/images/<event>/*.jpg

Where a picture has no face, newer files have a line of zeros after the 0, older ones nothing. Faces that are marked as
invalid are regions that do not count. Source: http://shuoyang1213.me/WIDERFACE/ (readme of wider_face_split).
"""
import os
import re
from typing import Dict, Iterator, List, Optional, Tuple

from lib.bbox.detections import check_range
from lib.dataset.formats.converted import ConvertedDataset
from lib.dataset.formats.pictures import upright_size
from lib.dataset.formats.sets import Chosen
from lib.dataset.formats.source import Picture, Source, Thing, below
from lib.dataset.set_choice import ALL, is_to_test_on
from lib.dataset.text_list import read_lines
from lib.dataset.voc_layout import FileIndex
from lib.dataset.wider.evaluation import Scoring, picture_names, settle, write_detections
from lib.dataset.wider.lists import SETTINGS
from lib.dataset.xml_file import number_in
from lib.utils.errors import SniperError

FACE = 'face'
INVALID = 7     # column of the mark
_TRUTH = re.compile(r'(?:wider_face_)?(.+?)_bbx_gt\.txt', re.IGNORECASE)
_LIST = re.compile(r'(?:wider_face_)?(.+?)_filelist\.txt', re.IGNORECASE)
_MOST_FACES = 100000    # of a picture


class WiderSource(Source):
    """A folder in WIDER FACE's layout."""

    kind = 'WIDER'
    looked_for = 'wider_face_split/wider_face_<set>_bbx_gt.txt'

    def __init__(self, folder: str):
        super().__init__(folder)
        paths = FileIndex(folder, ('.txt',)).paths()
        self._truths, self._lists = (_by_set(paths, pattern) for pattern in (_TRUTH, _LIST))

    @classmethod
    def found_in(cls, folder: str) -> str:
        found = _by_set(FileIndex(folder, ('.txt',)).paths(), _TRUTH)
        return below(folder, next(iter(found.values()))) if found else ''

    def class_names(self, pictures) -> List[str]:
        return [FACE]

    def _own_sets(self):
        """Those with annotations; pictures are not looked up where a set is there to test on."""
        sets = sorted(self._truths)
        there = () if any(map(is_to_test_on, sets)) else self.memberships(Chosen(self.folder, self.index, ALL))
        return sets, {name for name, _ in there}

    def memberships(self, chosen):
        return ((self._name(said, image_set), (image_set,)) for image_set, path in self._truths.items()
                for said, _ in _entries(path))

    def pictures(self, chosen):
        wanted = chosen.image_set
        if wanted in self._lists and wanted not in self._truths:
            for _, line in read_lines(self._lists[wanted], 'image list'):
                yield self._picture(' '.join(line.split()), [], wanted)
            return
        for image_set, path in self._truths.items():
            if wanted in (ALL, image_set) or wanted not in self._truths:    # a list of pictures names that one
                for said, rows in _entries(path):
                    yield self._picture(said, rows, image_set)

    def _picture(self, said, rows, image_set) -> Picture:
        name = self._name(said, image_set)
        size: Tuple[Optional[float], Optional[float]] = upright_size(self.index.path(name)) or (None, None)
        return Picture(name, *size, list(self._things(rows, said, size)), (image_set,))

    def _name(self, said, image_set):
        folder = f'WIDER_{image_set}'
        return self.index.find(said, folder) or '/'.join([folder, 'images', self.index.name_of(said)])

    def _things(self, rows, said, size) -> Iterator[Thing]:
        """The last pixel of a face is x + width, as the official evaluation counts, one further than elsewhere; but in
        the picture."""
        for number, row in enumerate(rows, 1):
            if min(row[2:4]) < 1:
                self.warnings.add('faces have a side below 1 pixel and are left out', f'{said} face {number}')
            else:
                corner = row[:2]
                sides = [side + 1 if whole is None or first + side + 1 <= whole else side
                         for first, side, whole in zip(corner, row[2:4], size)]
                yield Thing(FACE, (*corner, *sides), crowd=len(row) > INVALID and row[INVALID] == 1)


def _by_set(paths, pattern) -> Dict[str, str]:
    """{set: path} of the files that are called so."""
    named = [(pattern.fullmatch(os.path.basename(path)), path) for path in paths]
    return {match.group(1): path for match, path in named if match}


def _entries(path: str):
    """(picture, rows of four numbers or more) of each entry. SniperError: the file is none, or is cut."""
    lines = read_lines(path, 'annotation file')
    if not lines:
        raise SniperError(f'annotation file {path} names no picture: it is empty')
    place, columns = 0, 0
    while place < len(lines):
        number, said = lines[place][0], ' '.join(lines[place][1].split())
        if _numbers(said):
            raise SniperError(f'annotation file {path} line {number}: {said!r:.60} stands where the path of a picture '
                              'is wanted: a count of faces before it is wrong')
        count = lines[place + 1][1].strip() if place + 1 < len(lines) else ''
        if not (count.isascii() and count.isdigit() and len(count) < 9 and int(count) <= _MOST_FACES):
            raise SniperError(f'annotation file {path} line {number}: the number of faces is wanted after '
                              f'{said!r:.60}, got {count!r:.40}' + ('' if count else ': is the file cut short?'))
        wanted = int(count)
        rows = [_numbers(line) for _, line in lines[place + 2:place + 2 + wanted]]
        if len(rows) < wanted or not all(rows):
            there = next((number for number, row in enumerate(rows) if not row), len(rows))
            _refuse_words(path, *lines[min(place + 2 + there, len(lines) - 1)])
            raise SniperError(f'annotation file {path} line {number}: {said!r:.60} has {wanted} faces by its count and '
                              f'{there} lines of them: is the file cut short?')
        place += 2 + wanted
        if not wanted and place < len(lines) and not any(_numbers(lines[place][1]) or (1,)):
            place += 1      # the line of zeros
        columns = max([columns, *map(len, rows)])
        if place == len(lines) and rows and len(rows[-1]) < columns and _lacks_line_end(path):
            raise SniperError(f'annotation file {path} ends within a line, a face of {said!r:.60}: it is cut short')
        yield said, rows


def _refuse_words(path, number, line):
    """SniperError if a line that is wanted for a face has as many words as one, but these are no numbers."""
    words = line.split()
    if 4 <= len(words) <= 10 and not _numbers(line) and any(number_in(word) is not None for word in words):
        raise SniperError(f'annotation file {path} line {number}: {line.strip()!r:.60} is no face, which has four to '
                          'ten numbers')


def _lacks_line_end(path) -> bool:
    with open(path, 'rb') as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(stream.tell() - 1, 0))
        return stream.read() not in (b'\n', b'\r')


def _numbers(line) -> Tuple[float, ...]:
    """Four to ten numbers of a line; none if it is another one."""
    words = line.split()
    if not 4 <= len(words) <= 10:
        return ()
    numbers = [number_in(word) for word in words]
    return () if None in numbers else tuple(numbers)


class WiderDataset(ConvertedDataset):
    """One set of a folder in WIDER FACE's layout. Where lists of faces lie with it, or dataset.WIDER_LISTS names them,
    it is scored by these (lib.dataset.wider), else by COCO's rules."""

    source_class = WiderSource
    own_scores = {setting: "WIDER FACE's lists, IoU 0.50" for setting in SETTINGS}
    _scoring: Optional[Scoring] = None

    def score_by(self, lists):
        """See lib.dataset.base."""
        self._scoring = settle(lists, self.dataset_path, self.image_set, self.name, picture_names(self.image_ids))

    def evaluate(self, detections, results_dir):
        """Write detections/<event>/<picture>.txt; score them, to {'easy': AP, 'medium': AP, 'hard': AP}, which is also
        written, to detections_<set>_metrics.json. Without lists see lib.dataset.coco."""
        names = picture_names(self.image_ids)
        check_range(detections, self.num_classes, len(names))
        found = write_detections(results_dir, names, detections)
        self.curves = []
        if self._scoring is None:
            return super().evaluate(detections, results_dir)
        metrics, self.curves = self._scoring.evaluate(names, found, os.path.join(
            results_dir, f'detections_{self.image_set}_metrics.json'))
        return metrics
