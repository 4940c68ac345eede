"""Where the pictures of a COCO file are: tools write folders, other separators, other spellings into file_name."""
import collections
import os
import re
import unicodedata
import urllib.parse
from typing import Dict, Iterable, List, Optional, Tuple

from PIL import Image

# Splits that share the images of another.
FOLDERS = {
    'minival2014': 'val2014',
    'sminival2014': 'val2014',
    'valminusminival2014': 'val2014',
    'test-dev2015': 'test2015',
    'test-dev2017': 'test2017',
}


class ImageFinder:
    """Finds the file of each image of one set.

    found_otherwise   {file_name: path} of those that are there under another name than file_name says
    """

    def __init__(self, dataset_path: str, image_set: str, pictures: str = ''):
        """pictures: the folder that file names start from in an export (lib.dataset.coco_layout), '' for COCO's own."""
        self.folder = FOLDERS.get(image_set, image_set)
        self.found_otherwise: Dict[str, str] = {}
        images = os.path.join(dataset_path, 'images')
        self._usual = ([pictures, os.path.join(pictures, 'images'), os.path.join(pictures, 'data')] if pictures
                       else [os.path.join(images, self.folder), images])
        self._folders = self._usual + [dataset_path]
        self._listings: Dict[str, Dict[str, str]] = {}
        self._ambiguous: set = set()

    def expect(self, names: Iterable[str]) -> None:
        """All file names of the set: where two folders have a file of one name, the folder counts."""
        counts = collections.Counter(_last(name) for name in set(names))
        self._ambiguous = {name for name, count in counts.items() if count > 1}

    def path(self, image: dict) -> str:
        """Path of an image (a dict with `id` and `file_name`): the first existing of the usual places, then of the
        names that come close, else the first place. '' if it has neither a name nor a number."""
        name, places = image['file_name'], []
        if name:
            places.append(os.path.join(self._usual[0], name))
        if isinstance(image['id'], int):
            places.append(os.path.join(self._usual[0], f'COCO_{self.folder}_{image["id"]:012d}.jpg'))
        if name:
            places += [os.path.join(folder, name) for folder in self._usual[1:]]
        found = next((place for place in places if os.path.isfile(place)), None)
        if not found and name:
            found = self._otherwise(name)
            if found:
                self.found_otherwise[name] = found
        return found or (places[0] if places else '')

    def _otherwise(self, name) -> Optional[str]:
        places = [os.path.join(folder, other) for other in self._other_names(name) for folder in self._folders]
        for place in places:
            if os.path.isfile(place):
                return place
        for place in places:
            alike = self._listing(os.path.dirname(place)).get(_key(os.path.basename(place)))
            if alike and os.path.isfile(alike):
                return alike
        return None

    def _other_names(self, name) -> List[str]:
        """Ways to read a file name: as it is, with Windows' separators, as part of an address, without its folders."""
        names = [name, name.replace('\\', '/')]
        names.append(urllib.parse.unquote(names[-1]))
        names = [re.sub(r'^([A-Za-z]:)?/+', '', other) for other in names]
        if _last(name) not in self._ambiguous:
            names += [_last(other) for other in (names[1], names[2])]
        return [other for other in dict.fromkeys(names) if other and '\0' not in other]

    def _listing(self, folder) -> Dict[str, str]:
        """{key: path} of the files of a folder; those that share a key are left out."""
        if folder not in self._listings:
            try:
                names = os.listdir(folder)
            except (OSError, ValueError):
                names = []
            counts = collections.Counter(map(_key, names))
            self._listings[folder] = {_key(name): os.path.join(folder, name) for name in names
                                      if counts[_key(name)] == 1}
        return self._listings[folder]


def _key(name):
    """What spellings of a file name have in common on systems that do not tell them apart."""
    return unicodedata.normalize('NFC', name).casefold()


def _last(name):
    return re.split(r'[/\\]', name)[-1]


def picture_size(path: str) -> Optional[Tuple[int, int]]:
    """(width, height) of the stored pixels of an image file, from its header; None if it cannot be read."""
    try:
        with Image.open(path) as opened:
            return opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # SyntaxError: some broken PNG files
        return None
