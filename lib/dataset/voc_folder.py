"""One set of data in PASCAL VOC's format: which images it has, and where their files lie."""
import difflib
import os
import re
from typing import List

from lib.dataset.base import shortened
from lib.dataset.set_choice import ALL
from lib.dataset.text_list import read_lines
from lib.dataset.voc_layout import ANNOTATION_ENDINGS, IMAGE_ENDINGS, FileIndex, find_parts, folder_content, year_of
from lib.utils.errors import SniperError

_YEAR_AND_SET = re.compile(r'(\d{4})_(.+)')
_FLAGGED = re.compile(r'(.*\S)\s+(?:-1|0|\+?1)\s*')  # 'img0 -1': whether an object of a class is in the image
_SETS_NAMED = 15


class VocFolder:
    """One set of a folder.

    year          int, or None for a plain folder
    image_set     name of the set without the year
    ids           list of str, in the order of the list file
    images        FileIndex of the image files
    annotations   FileIndex of the annotation files
    """

    def __init__(self, dataset_path, image_set):
        """SniperError: no such folder or set, an empty list, an id that is no file name or occurs twice."""
        self.dataset_path = dataset_path
        self._parts = find_parts(dataset_path)
        self.year, self.image_set, part, self._list = _find(dataset_path, self._parts, image_set)
        self._below = '' if self._list or self.image_set in (ALL, part.name) else self.image_set + '/'
        self.images, self.annotations = FileIndex.images(part.images), FileIndex.annotations(part.annotations)
        self._lines = {}    # {id: number of its line}
        self.ids = self._from_list() if self._list else self._from_annotations()

    def annotation_path(self, image_id: str) -> str:
        """Path of an annotation file, which need not exist."""
        found = _found(image_id, self.annotations, self.images)
        return os.path.join(self.annotations.folder, found[0] if found else image_id + '.xml')

    def image_path(self, image_id: str, filename: str = '') -> str:
        """Path of an image: the first of `image_names`; if there is none, the most usual, which is not there."""
        names = self.image_names(image_id, filename)
        return os.path.join(self.images.folder, names[0] if names else image_id + IMAGE_ENDINGS[0])

    def image_names(self, image_id: str, filename: str = '') -> List[str]:
        """Files, relative to the folder of images, that may be an image; the best first.

        filename: what the annotation calls the image. It decides if several files have the image's name but for the
        ending, and counts if none has.
        """
        found, base = _found(image_id, self.images, self.annotations), _parts_of(filename)[-1]
        same = [name for name in found if os.path.basename(name).lower() == base.lower()]
        if found:
            return same or found
        beside = os.path.join(os.path.dirname(image_id), base)
        named = (self.images.named(name) for name in (image_id, '/'.join(_parts_of(filename)), beside, base))
        found = [name for name in named if name][:1]
        stem = os.path.splitext(base)[0]
        return found or self.images.find(stem) or self.images.find_elsewhere(stem)

    def has(self, image_id: str) -> bool:
        """Whether there is an annotation or an image of this name."""
        return bool(_found(image_id, self.annotations, self.images) or _found(image_id, self.images, self.annotations))

    def place(self, image_id: str) -> str:
        """Where the set names an image."""
        return f'image list {self._list} line {self._lines[image_id]}' if self._list else self.annotations.folder

    def all_annotations(self) -> list:
        """[FileIndex] of all annotations below dataset_path: sets are parts of one data set, with one class list."""
        return [self.annotations if part.annotations == self.annotations.folder
                else FileIndex.annotations(part.annotations) for part in self._parts]

    def _from_annotations(self):
        """Every annotation, or those in the subfolder that the set is called by."""
        ids = [image_id for image_id in self.annotations.stems() if image_id.startswith(self._below)]
        if not ids:
            files = folder_content(self.annotations.folder)[1]
            raise SniperError('{} lists no images: there is no XML file in it{}{}'.format(
                self.annotations.folder, f', but {shortened(files, 3)}' if files else '',
                "; dataset.dataset coco reads COCO's files" if any(name.endswith('.json') for name in files) else ''))
        for image_id in ids:
            if '\n' in image_id or '\r' in image_id or image_id.encode('utf-8', 'replace').decode() != image_id:
                raise SniperError(f'{self.annotations.folder}: the name {image_id!r:.80} cannot stand in a list: '
                                  'rename the file')
        return ids

    def _from_list(self):
        for number, line in read_lines(self._list, 'image list'):
            image_id = self._image_id(f'image list {self._list} line {number}', line)
            if image_id in self._lines:
                raise SniperError(f'image list {self._list} line {number}: image {image_id!r} occurs twice, first in '
                                  f'line {self._lines[image_id]}: write it once')
            self._lines[image_id] = number
        if not self._lines:
            raise SniperError(f'image list {self._list} lists no images: write their names without ending, one a line')
        return list(self._lines)

    def _image_id(self, place, line):
        """Line of a list -> id. SniperError, with what to write, if it is more than a name, or leads elsewhere."""
        text = line.strip()
        parts = [part for part in _parts_of(text) if part != '.']
        if os.path.isabs(text) or re.match(r'[A-Za-z]:[/\\]', text) or '..' in parts or '\0' in text:
            write = self._meant(text) or 'names as they are below the folder of images, without ending'
            raise SniperError(f'{place}: {text!r:.80} is not the name of an image in this folder; write {write}')
        image_id = '/'.join(parts)
        for name in (line, text):
            if name in self.annotations or name in self.images:
                return name
        if self.has(image_id):
            return image_id
        stem = _without_ending(image_id)
        if stem != image_id and self.has(stem):
            raise SniperError(f'{place}: {image_id} has an ending; write {stem}')
        meant = self._meant(text)
        if meant and _FLAGGED.fullmatch(text):
            raise SniperError(f'{place}: {" ".join(text.split())!r} says whether an image shows a class, and such a '
                              f'list is no set: ask for one that has names alone, or write {meant}')
        folders = [os.path.basename(index.folder) for index in (self.images, self.annotations)]
        if meant and (stem != image_id or parts[0] in folders or re.search(r'[\s,;"\']', text)):
            raise SniperError(f'{place}: {text!r:.80} is more than the name of an image; write {meant}')
        return image_id

    def _meant(self, text):
        """Name of an image there is, out of a line that has folders, an ending or more around it; '' if none is."""
        flagged = _FLAGGED.fullmatch(text)
        for field in ([flagged.group(1)] if flagged else []) + [text, text.split()[0], re.split('[,;]', text)[0],
                                                                text.strip('"\'').strip()]:
            parts = _parts_of(field)
            for name in ('/'.join(parts[first:]) for first in range(len(parts))):
                for stem in (name, _without_ending(name)):
                    if stem in self.annotations or stem in self.images:
                        return stem
        return ''


def _found(image_id, index, other):
    """Files of an image in one FileIndex. If only one of annotations and images lies in subfolders, they find each
    other by the last part of the name."""
    elsewhere = '/' not in image_id or other.find(image_id)
    return index.find(image_id) or (index.find_elsewhere(image_id) if elsewhere else [])


def _without_ending(name):
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in IMAGE_ENDINGS + ANNOTATION_ENDINGS else name


def _parts_of(path):
    return re.split(r'[/\\]', path)


def _find(dataset_path, parts, image_set):
    """-> (year or None, set name, Part, path of its list or None)."""
    plain = len(parts) == 1 and not parts[0].name
    match = _YEAR_AND_SET.fullmatch(image_set)
    wanted = [(part, image_set) for part in parts if not part.name]
    if plain and match and int(match.group(1)) == year_of(dataset_path):  # the folder of a year, called as in its kit
        wanted.append((parts[0]._replace(year=int(match.group(1))), match.group(2)))
    if match:
        wanted += [(part, match.group(2)) for part in parts if part.name == match.group(1)]
    for part, name in wanted:
        path = part.set_lists().get(name)
        if path or name == ALL and os.path.isdir(part.annotations) or name in _sets_without_list(part):
            return part.year, name, part, path
    for part in parts:
        if part.name == image_set and part.year is None:  # one folder a set
            return None, image_set, part, None
    names = 'a name is <year>_<set>' if parts[0].year else 'one folder a set' if not plain else os.path.join(
        parts[0].lists[0], image_set + '.txt')
    mend = f'; python -m lib.dataset.voc_sets {dataset_path} makes train and test' if plain and not any(
        part.set_lists() for part in parts) else ''
    files = [name.lower() for part in parts for name in folder_content(part.annotations)[1]]
    if any(name.endswith('.json') for name in files) and not any(name.endswith(ANNOTATION_ENDINGS) for name in files):
        mend = "; there are JSON files and no XML: set dataset.dataset coco, if they are in COCO's format"
    raise SniperError(f'{dataset_path} has no image set {image_set!r:.80} ({names}); sets there: '
                      f'{shortened(_nearest(image_set, parts), _SETS_NAMED)}{mend}')


def set_names(dataset_path: str) -> List[str]:
    """Names of all sets of a folder, lists of single classes left out; 'all' only where there is no other.

    SniperError: the folder is none in this format.
    """
    names: List[str] = []
    for part in find_parts(dataset_path):
        if part.name and part.year is None:
            names.append(part.name)
            continue
        lists = part.set_lists()
        sets = [name for name in sorted(lists) if not _is_of_a_class(lists[name])]
        sets = sets or [name for name in _sets_without_list(part) if name != ALL]
        names += [(f'{part.name}_' if part.name else '') + name for name in sets or [ALL]]
    return names


def _sets_without_list(part):
    """'all', and the subfolders of the annotations."""
    if not os.path.isdir(part.annotations):
        return []
    index = FileIndex.annotations(part.annotations)
    return [ALL] + sorted({stem.split('/')[0] for stem in index.stems() if '/' in stem})


def _nearest(asked, parts):
    """Names of all sets: those that resemble `asked` first, lists of single classes last."""
    ranked = []
    for part in parts:
        if part.name and part.year is None:
            sets = {part.name: None}
        else:
            lists = part.set_lists()
            sets = dict.fromkeys(sorted({*lists, *_sets_without_list(part)}))
            sets = {(f'{part.name}_' if part.name else '') + name: lists.get(name) for name in sets}
        for name, path in sets.items():
            likeness = max(difflib.SequenceMatcher(None, asked, other).ratio()
                           for other in (name, name[len(part.name) + 1:] or name))
            ranked.append((path is not None and _is_of_a_class(path), -likeness, len(ranked), name))
    return [name for *_, name in sorted(ranked)]


def _is_of_a_class(path):
    try:
        lines = read_lines(path, 'image list')
    except SniperError:
        return False
    return bool(lines) and all(_FLAGGED.fullmatch(line) for _, line in lines[:10])
