"""A table: a line an object, with the path of the picture, the box and the class.

    filename,width,height,class,xmin,ymin,xmax,ymax     with a line of names of columns, in any order (see COLUMNS)
    a.jpg,640,480,cat,10,20,50,80
    a.jpg,10,20,50,80,cat                               without one: path, x1, y1, x2, y2, class

Instead of corners there can be x, y, width and height; a column `split` says which set a picture belongs to, else the
name of the file does if there are several. Corners are those of the area in pixels: width = x2 - x1. A line with a path
and nothing else is a picture without objects. Commas, semicolons or tabulators are between the columns.
"""
import csv
import os
import posixpath
from typing import Dict, List, Optional, Sequence, Tuple

from lib.dataset.coco_values import side_of
from lib.dataset.formats.converted import ConvertedDataset
from lib.dataset.formats.source import Picture, Source, Thing, below, first_of_format
from lib.dataset.text_list import read_lines
from lib.dataset.voc_layout import FileIndex
from lib.dataset.xml_file import number_in
from lib.utils.errors import SniperError

COLUMNS = {
    'path': ('path', 'filename', 'file_name', 'image', 'image_path', 'image_name', 'img', 'file', 'image_id',
             'imageid', 'filepath'),
    'class': ('class', 'class_name', 'label', 'label_name', 'labelname', 'name', 'category', 'category_name'),
    'x1': ('x1', 'xmin', 'x_min', 'left', 'xtl', 'bbox_x1'), 'y1': ('y1', 'ymin', 'y_min', 'top', 'ytl', 'bbox_y1'),
    'x2': ('x2', 'xmax', 'x_max', 'right', 'xbr', 'bbox_x2'), 'y2': ('y2', 'ymax', 'y_max', 'bottom', 'ybr', 'bbox_y2'),
    'x': ('x', 'bbox_x'), 'y': ('y', 'bbox_y'),
    'box width': ('w', 'box_width', 'bbox_width', 'bbox_w'), 'box height': ('h', 'box_height', 'bbox_height', 'bbox_h'),
    'width': ('width', 'image_width', 'img_width'), 'height': ('height', 'image_height', 'img_height'),
    'split': ('split', 'set', 'subset', 'partition')}
_BARE = ('path', 'x1', 'y1', 'x2', 'y2', 'class')    # columns where the file does not name them
_CORNERS, _SIDES = ('x1', 'y1', 'x2', 'y2'), ('x', 'y', 'box width', 'box height')
_PEEKED = 5
_NO_BOX = 'lines have no four numbers of a box and are left out'


class CsvSource(Source):
    """A folder with tables."""

    kind = 'CSV'
    looked_for = '.csv with columns such as filename, class, xmin, ymin, xmax, ymax'

    @classmethod
    def found_in(cls, folder: str) -> str:
        return first_of_format(folder, FileIndex(folder, ('.csv',)).paths()[:_PEEKED], _has_columns)

    def pictures(self, chosen):
        paths = FileIndex(self.folder, ('.csv',)).paths()
        in_folder: Dict[str, int] = {}
        for path in paths:
            in_folder[os.path.dirname(path)] = in_folder.get(os.path.dirname(path), 0) + 1
        for path in paths:
            self.files += 1
            try:
                several = in_folder[os.path.dirname(path)] > 1
                yield from self._table(path, os.path.splitext(os.path.basename(path))[0] if several else '').values()
            except SniperError as error:
                self.left_out(below(self.folder, path), error)

    def _table(self, path, file_set) -> Dict[Tuple[str, str], Picture]:
        """{(picture, set): Picture} of one file."""
        name, columns = below(self.folder, path), {}  # type: str, dict
        found: Dict[Tuple[str, str], Picture] = {}
        names: Dict[str, str] = {}
        for number, line in read_lines(path, 'table'):
            fields = _fields(line)
            if not columns:
                columns = _columns(fields)
                if not columns:
                    raise SniperError(f'{path}: its first line, {line.strip()!r:.80}, neither names columns (filename, '
                                      'class, xmin, ymin, xmax, ymax) nor holds path, x1, y1, x2, y2, class')
                if not _is_row(fields):
                    continue
            values = {column: fields[place].strip() for column, place in columns.items() if place < len(fields)}
            said = values.get('path', '')
            if not said:
                self.warnings.add('lines name no picture and are left out', f'{name} line {number}')
                continue
            if said not in names:
                names[said] = self._picture_name(said, posixpath.dirname(name))
            key = names[said], values.get('split') or file_set
            if key not in found:
                found[key] = Picture(key[0], side_of(values.get('width')), side_of(values.get('height')), [],
                                     (key[1],) if key[1] else ())
            thing = self._thing(values, f'{name} line {number}')
            if thing:
                found[key].things.append(thing)
        return found

    def _picture_name(self, said, folder) -> str:
        """Names without ending, as in some tables, count too."""
        return (self.index.find(said, folder) or self.index.find_without_ending(said, folder)
                or self.index.name_of(said, folder))

    def _thing(self, values, identity) -> Optional[Thing]:
        columns = _CORNERS if 'x1' in values else _SIDES
        words = [values.get(column, '') for column in columns]
        label = ' '.join(values.get('class', '').split())
        if not any(words):
            return None     # a picture without objects
        numbers = [number_in(word) for word in words]
        if not label or None in numbers:
            self.warnings.add(_NO_BOX if label else 'lines name no class and are left out', identity)
            return None
        x, y, *others = numbers
        return Thing(label, (x, y, *((others[0] - x, others[1] - y) if columns is _CORNERS else others)))


def _has_columns(content: bytes) -> bool:
    """Rows of Open Images (lib.dataset.openimages), a format of its own, are none."""
    first = content.decode('utf-8-sig', 'replace').splitlines()
    return bool(first) and 'IsGroupOf' not in first[0] and bool(_columns(_fields(first[0])))


def _fields(line) -> List[str]:
    """One line of a table. Nothing if it is too long for one."""
    delimiter = max(',;\t', key=line.count)
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _columns(fields: Sequence[str]) -> Dict[str, int]:
    """First line -> {column: place}; nothing if it is none of a table of boxes."""
    if _is_row(fields):
        return {column: place for place, column in enumerate(_BARE)}
    names = [field.strip().lower().replace(' ', '_').lstrip('\ufeff') for field in fields]
    places = {column: names.index(other) for column, others in COLUMNS.items() for other in reversed(others)
              if other in names}
    if 'x' in places and 'x2' not in places:
        for side in ('width', 'height'):    # of the box, where nothing else is
            if f'box {side}' not in places and side in places:
                places[f'box {side}'] = places.pop(side)
    has_box = all(column in places for column in _CORNERS) or all(column in places for column in _SIDES)
    return places if has_box and 'path' in places and 'class' in places else {}


def _is_row(fields) -> bool:
    """path, x1, y1, x2, y2, class; or a path without object."""
    words = [field.strip() for field in fields[1:5]]
    return len(fields) == len(_BARE) and bool(fields[0].strip()) and (
        all(number_in(word) is not None for word in words) or not any(words) and '.' in fields[0])


class CsvDataset(ConvertedDataset):
    """One set of a folder with tables."""

    source_class = CsvSource
