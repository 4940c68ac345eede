"""YOLO's format: a text file a picture, an object a line, in shares of the picture.

    <class> <centre x> <centre y> <width> <height>      a box
    <class> <x> <y> <x> <y> <x> <y> ...                 an outline; the box is the one around it
    data.yaml      names: [cat, dog], train: ../train/images, val: ..., test: ...   (Ultralytics, Roboflow, CVAT)
    classes.txt, obj.names, notes.json                  where there is none         (Label Studio, labelImg, darknet)

A picture's file of labels has its name, and lies in the folder `labels` beside the folder `images` that the picture
lies in, or beside the picture; a picture without one has no objects.
Source: https://docs.ultralytics.com/datasets/detect/ and /segment/.
"""
import os
import posixpath
import re
from typing import Dict, List, Optional, Tuple

from configs.yaml_files import read_yaml
from lib.dataset.coco_json import read_json
from lib.dataset.formats.converted import ConvertedDataset
from lib.dataset.formats.pictures import upright_size
from lib.dataset.formats.source import Picture, Source, Thing, below, box_around, first_of_format, sensible
from lib.dataset.text_list import read_lines
from lib.dataset.voc_layout import FileIndex, folder_content
from lib.utils.errors import SniperError

MOST_CLASSES = 100000
SPLITS = ('train', 'val', 'test')
_LISTS = ('classes.txt', 'obj.names', '_darknet.labels', 'notes.json')
_FOLDERS = ('', 'labels', 'train')
_PEEKED = 20        # files of labels that are looked into
_ROW = re.compile(r'\d+(?:\.0)?(?:\s+[-+\d.eE]+){4,}\s*')
_BEYOND = 1.5       # a share of a picture that no careless box exceeds
_NO_ROW = 'lines are not a class and four numbers (or an outline) and are left out'
_NO_CLASS = 'lines have a class that is not among the names and are left out'
_NO_SHARE = 'boxes are no shares of the picture (numbers above 1) and are left out'


class YoloSource(Source):
    """A folder in YOLO's format."""

    kind = 'YOLO'
    looked_for = "data.yaml with names, or .txt files of lines '0 0.5 0.5 0.2 0.1'"

    def __init__(self, folder: str):
        super().__init__(folder)
        self._yaml = _find_yaml(folder)
        content = read_yaml(os.path.join(folder, self._yaml), 'file')[0] if self._yaml else {}
        self._names = _names_of(content, os.path.join(folder, self._yaml)) if self._yaml else _listed_names(folder)
        self._points = isinstance(content.get('kpt_shape'), list)   # then the box stands before points of a pose
        self._splits = self._pictures_of_splits(content)
        self._labels = FileIndex(folder, ('.txt',))

    @classmethod
    def found_in(cls, folder: str) -> str:
        return _find_yaml(folder) or first_of_format(folder, FileIndex(folder, ('.txt',)).paths()[:_PEEKED], _is_labels)

    def class_names(self, pictures) -> List[str]:
        return self._names

    def memberships(self, chosen):
        if not self.index.names:
            raise SniperError(f'{self.folder} (YOLO) has no picture in it: check dataset.dataset_path')
        for name in self.index.names:
            yield name, tuple(split for split, names in self._splits.items() if name in names)

    def pictures(self, chosen):
        for name, sets in self.memberships(chosen):
            if (name, sets) not in chosen:
                continue
            path = self._label_path(name)
            if not path:
                self.warnings.add('pictures have no file of labels and count as pictures without objects', name)
            size = upright_size(self.index.path(name))
            if size is None:    # said when the size is missed
                yield Picture(name, None, None, [], sets)
                continue
            things = []
            if path:
                self.files += 1
                try:
                    things = self._things(path, *size)
                except SniperError as error:
                    self.left_out(path, error)
                    continue
            yield Picture(name, *size, things, sets)

    def _label_path(self, name) -> str:
        """Path of the labels of a picture, '' if there are none."""
        stem = posixpath.splitext(name)[0]
        folders = stem.split('/')
        places = [place for place, folder in enumerate(folders[:-1]) if folder.lower() == 'images']
        stems = ['/'.join(folders[:place] + ['labels'] + folders[place + 1:]) for place in places[::-1]]
        for other in stems + [stem]:
            if other in self._labels:
                return os.path.join(self.folder, self._labels.find(other)[0])
        return ''

    def _things(self, path, width, height) -> List[Thing]:
        rows, things, beyond = read_lines(path, 'file of labels'), [], 0
        for number, line in rows:
            identity = f'{below(self.folder, path)} line {number}'
            label, shares = _numbers_of(line)
            if shares is None or not (len(shares) in (4, 5) or self._points and len(shares) > 5
                                      or len(shares) >= 6 and len(shares) % 2 == 0):
                self.warnings.add(_NO_ROW, identity)
            elif not 0 <= label < len(self._names):
                self.warnings.add(_NO_CLASS, identity)
            elif max(map(abs, shares[:4] if self._points else shares)) > _BEYOND:
                beyond += 1
                self.warnings.add(_NO_SHARE, identity)
            else:
                things.append(self._thing(self._names[label], line, shares, width, height))
        if beyond and not things:
            raise SniperError(f'{path}: its numbers are no shares of the picture, from 0 to 1: divide x and width by '
                              "the picture's width, y and height by its height")
        if rows and not things:
            raise SniperError(f'{path} line {rows[0][0]}: {rows[0][1].strip()!r:.60} is no object of the '
                              f'{len(self._names)} classes: write a class from 0, then centre x, centre y, width and '
                              'height as shares of the picture')
        return things

    def _thing(self, name, line, shares, width, height) -> Thing:
        places = max((len(word.partition('.')[2]) for word in line.split()[1:]), default=0)
        if len(shares) in (4, 5) or self._points:
            x, y, w, h = shares[:4]
            return Thing(name, box_around(_in_pixels(
                [x - w / 2, y - h / 2, x + w / 2, y + h / 2], width, height, places)) if w > 0 and h > 0
                else (x * width, y * height, 0., 0.))
        ring = _in_pixels(shares, width, height, places)
        return Thing(name, box_around(ring), (ring,))

    def _pictures_of_splits(self, content) -> Dict[str, set]:
        """{split: names of its pictures}, for those whose folders or lists are there; Ultralytics' key `path` and the
        folders of other machines do not count."""
        splits = {}
        for split in SPLITS:
            said = content.get(split) if split in content else content.get('valid') if split == 'val' else None
            names = {name for place in (said if isinstance(said, list) else [said]) if isinstance(place, str)
                     for name in self._pictures_at(place)}
            if names:
                splits[split] = names
        if 'val' in splits:
            splits['valid'] = splits['val']
        return splits

    def _pictures_at(self, place):
        parts = [part for part in re.split(r'[/\\]', place) if part not in ('', '.', '..')][-8:]
        for start in range(len(parts)):
            rest = '/'.join(parts[start:])
            path = os.path.join(self.folder, rest)
            if '\0' in path:
                return
            if os.path.isdir(path):
                yield from (name for name in self.index.names if name.startswith(rest + '/'))
                return
            if rest.endswith('.txt') and os.path.isfile(path):
                for _, line in read_lines(path, 'image list'):
                    found = self.index.find(line.strip())
                    if found:
                        yield found
                return


def _in_pixels(shares, width, height, places):
    """Shares x y x y ... -> pixels; what is a whole number but for the digits that were cut off is that number."""
    return [_whole_if_meant(share * side, min(0.5, 0.75 * 10. ** -places * side + 1e-9 * side))
            for share, side in zip(shares, (width, height) * (len(shares) // 2))]


def _whole_if_meant(number, tolerance):
    return float(round(number)) if abs(number - round(number)) <= tolerance else number


def _numbers_of(line) -> Tuple[int, Optional[List[float]]]:
    """-> (class, the other numbers); (-1, None) if they are no numbers."""
    try:
        label, *shares = [float(word.replace('_', '?')) for word in line.split()]
    except ValueError:
        return -1, None
    if not sensible([label] + shares):
        return -1, None
    return (int(label) if label == int(label) else -1), shares


def _find_yaml(folder) -> str:
    """Name of the file that lists names of classes; '' if there is none."""
    files = [name for name in folder_content(folder)[1] if name.lower().endswith(('.yaml', '.yml'))]
    usual = sorted(files, key=lambda name: (not name.startswith('data'), name))
    for name in usual[:_PEEKED]:
        try:
            with open(os.path.join(folder, name), 'rb') as stream:
                if re.search(rb'^["\']?names["\']?\s*:', stream.read(1 << 20), re.MULTILINE):
                    return name
        except OSError:
            continue
    return ''


def _names_of(content, path) -> List[str]:
    """`names` of a YAML file, a list or {number: name}. SniperError: they are neither."""
    names = content.get('names')
    if isinstance(names, dict) and names and all(type(key) is int for key in names):
        most = max(names)
        if not 0 <= min(names) or most >= MOST_CLASSES:
            raise SniperError(f'{path}: the numbers of names go from {min(names)} to {most}; classes count from 0')
        names = [names.get(number, f'class {number}') for number in range(most + 1)]
    if not isinstance(names, list) or not names or not all(isinstance(name, (str, int, float)) for name in names):
        raise SniperError(f'{path}: names has to list the classes, as in names: [cat, dog]')
    return [' '.join(str(name).split()) for name in names]


def _listed_names(folder) -> List[str]:
    """Names out of a list of classes. SniperError: there is none."""
    for place in _FOLDERS:
        for name in _LISTS:
            path = os.path.join(folder, place, name)
            if os.path.isfile(path):
                return _names_of({'names': _names_in_notes(path) if name.endswith('.json') else [
                    line.strip() for _, line in read_lines(path, 'class list')]}, path)
    raise SniperError(f'{folder} has files of labels, but nothing that says what the classes are called: write them '
                      f'into {os.path.join(folder, "classes.txt")}, one a line, the first is class 0')


def _names_in_notes(path):
    """Of Label Studio's notes.json, {"categories": [{"id": 0, "name": "cat"}, ...]}."""
    content = read_json(path)
    entries = content.get('categories') if isinstance(content, dict) else None
    if not isinstance(entries, list):
        return None
    return {entry.get('id'): entry.get('name') for entry in entries if isinstance(entry, dict)}


def _is_labels(content: bytes) -> bool:
    """Whether the first line of a file is an object."""
    first = content.decode('ascii', 'replace').lstrip().splitlines()
    return bool(first) and bool(_ROW.match(first[0]))


class YoloDataset(ConvertedDataset):
    """One set of a folder in YOLO's format."""

    source_class = YoloSource
