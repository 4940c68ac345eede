"""Pictures of a folder, found by what annotation files call them, and their sizes."""
import collections
import os
import posixpath
import re
import unicodedata
import urllib.parse
from typing import Dict, List, Optional, Tuple

from lib.dataset.coco_images import picture_size
from lib.dataset.voc_layout import FileIndex
from lib.image.header import read_header

HEADER = 1 << 17    # bytes from the beginning of a file, among which Exif's entries lie
MOST_PARTS = 16     # of a path that is looked for
MOST_LETTERS = 4096
_USUAL_ENDINGS = ('.jpg', '.jpeg', '.png')
_IMAGES = ('images', 'data', 'JPEGImages')


class PictureIndex:
    """All pictures below a folder."""

    def __init__(self, folder: str):
        """SniperError: a folder cannot be read."""
        self.folder = folder
        self.names: List[str] = FileIndex.images(folder).names()
        self._by_key = {_key(name): name for name in reversed(self.names)}
        self._by_base: Dict[str, List[str]] = collections.defaultdict(list)
        self._by_stem: Dict[str, List[str]] = collections.defaultdict(list)
        for name in self.names:
            self._by_base[_key(posixpath.basename(name))].append(name)
            self._by_stem[_key(posixpath.splitext(name)[0])].append(name)

    def find(self, said: str, beside: str = '') -> str:
        """What an annotation file calls a picture -> its name below the folder; '' if none is there, or several may be
        meant.

        said: with folders or not, of another machine too, in Windows' way or as part of an address; beside: folder of
        the annotation file below this one. Nothing outside the folder is ever found.
        """
        said = said.replace('\\', '/')
        for name in dict.fromkeys((said, urllib.parse.unquote(said))):
            found = self._find(name, beside)
            if found:
                return found
        return ''

    def name_of(self, said: str, beside: str = '') -> str:
        """The same; what was said, as a name below the folder, where none is there."""
        said = said[:MOST_LETTERS]
        return self.find(said, beside) or '/'.join(
            part for part in re.split(r'[/\\\0]', said) if part not in ('', '.', '..')) or '(no name)'

    def find_stem(self, stem: str) -> str:
        """Name without ending -> name; '' if there is none."""
        return (self._by_stem.get(_key(stem)) or [''])[0]

    def find_without_ending(self, said: str, beside: str = '') -> str:
        """As `find`, for a name that may lack its ending."""
        return self.find_stem(posixpath.join(beside, said)) or next(filter(None, (
            self.find(said + ending, beside) for ending in _USUAL_ENDINGS)), '')

    def path(self, name: str) -> str:
        """Path of a picture, which need not exist."""
        return os.path.join(self.folder, name)

    def _find(self, said, beside):
        exact = self._by_key.get(_key(posixpath.normpath(posixpath.join(beside, said))))
        if exact and not said.startswith('/'):
            return exact
        parts = [part for part in said.split('/')[-MOST_PARTS:] if part not in ('', '.', '..')]
        above = [part for part in beside.split('/') if part]
        folders = ['/'.join(above[:count]) for count in range(len(above), -1, -1)]
        for start in range(len(parts)):
            rest = '/'.join(parts[start:])
            for folder in folders:
                for images in ('',) + _IMAGES:
                    found = self._by_key.get(_key(posixpath.join(folder, images, rest)))
                    if found:
                        return found
        alike = self._by_base.get(_key(parts[-1]), []) if parts else []
        return alike[0] if len(alike) == 1 else ''


def upright_size(path: str) -> Optional[Tuple[int, int]]:
    """(width, height) of a picture as viewers show it, turned if its Exif entry asks so; None if it cannot be read.

    Labelling tools show pictures so, and shares of a picture refer to what was shown.
    """
    size = picture_size(path)
    if size is None:
        return None
    with open(path, 'rb') as stream:
        turned = read_header(stream.read(HEADER)).orientation >= 5
    return (size[1], size[0]) if turned else size


def _key(name):
    return unicodedata.normalize('NFC', re.sub('^(?:\\./)+', '', name)).casefold()
