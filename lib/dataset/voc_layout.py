"""Where the files of data in PASCAL VOC's format lie: the development kit, and what labelling tools make of it.

A *part* is a folder of annotations, one of images and, maybe, lists of sets. `dataset_path` is one part, or holds
several: folders VOC<year>, or, as exports for training have them, a folder a set.
"""
import os
import re
import unicodedata
from typing import Dict, List, NamedTuple, Optional, Tuple

from lib.image.formats import ENDINGS
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

# The first that is there is taken; the reader names what it cannot read.
IMAGE_ENDINGS = tuple(dict.fromkeys(('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp') + ENDINGS))
ANNOTATION_ENDINGS = ('.xml',)
# Lower-case names of folders that hold annotations, and images; the better one first.
_ANNOTATIONS = ('annotations', 'annotation', 'xmls', 'xml', 'labels')
_IMAGES = ('jpegimages', 'images', 'image', 'imgs', 'img')
MAX_DEPTH = 16  # of subfolders
_YEAR = re.compile(r'VOC(\d{4})')


class Part(NamedTuple):
    """One folder of data."""
    name: str                   # of the sets in it: the year, or the name of the folder; '' for a plain folder
    year: Optional[int]
    annotations: str            # folders, which need not exist
    images: str
    lists: Tuple[str, ...]      # folders of lists, the better one first

    def set_lists(self) -> Dict[str, str]:
        """{set: path of its list}."""
        found: Dict[str, str] = {}
        for folder in reversed(self.lists):
            found.update((name[:-len('.txt')], os.path.join(folder, name)) for name in folder_content(folder)[1]
                         if name.endswith('.txt') and not name.startswith('.'))
        return found


def find_parts(dataset_path: str) -> List[Part]:
    """The parts of a data set, in the order of their names. SniperError: there is none, or a folder is closed."""
    plain = _part(dataset_path)
    if plain:
        return [plain]
    folders = folder_content(dataset_path)[0]
    years = [(match.group(1), name) for name, match in ((name, _YEAR.fullmatch(name)) for name in folders) if match]
    parts = [_part(os.path.join(dataset_path, name), year, int(year)) for year, name in years]
    if not any(parts):
        parts = [_part(os.path.join(dataset_path, name), name) for name in folders if not name.startswith('.')]
    parts = [part for part in parts if part]
    if not parts:
        below = [name for name in folders if any(map(_YEAR.fullmatch, folder_content(
            os.path.join(dataset_path, name))[0]))]
        reason = why_unreadable(dataset_path, folder=True)
        raise SniperError('{} holds neither folders VOC<year> nor a folder Annotations with XML files{}'.format(
            dataset_path, f': set dataset.dataset_path to {os.path.join(dataset_path, below[0])}, which does' if below
            else f', for it {reason}: check dataset.dataset_path' if reason else ': check dataset.dataset_path'))
    return parts


def year_of(folder: str) -> Optional[int]:
    """Year of a kit's folder VOC<year>; None for any other."""
    match = _YEAR.fullmatch(os.path.basename(os.path.realpath(folder)))
    return int(match.group(1)) if match else None


def _part(root, name='', year=None):
    """-> Part, or None if the folder is none. Names of folders are compared without regard to case.

    XML files beside the images, or in a folder `annotations` beside one `images`, are as good as the kit's own names.
    """
    folders, _ = folder_content(root)
    by_key = {folder.lower(): folder for folder in sorted(folders, reverse=True)}
    annotations, sets = by_key.get(_ANNOTATIONS[0]), by_key.get('imagesets')
    beside = annotations is None and _holds(root, ANNOTATION_ENDINGS)
    if not beside:  # the other names mean annotations only if there are some
        annotations = annotations or next((by_key[key] for key in _ANNOTATIONS if key in by_key and _holds(
            os.path.join(root, by_key[key]), ANNOTATION_ENDINGS)), None)
    if not (annotations or sets or beside):
        return None
    annotations = root if beside else os.path.join(root, annotations or 'Annotations')
    images = next((by_key[key] for key in _IMAGES if key in by_key), None)
    if images:
        images = os.path.join(root, images)
    else:
        data = os.path.join(root, by_key.get('data', 'data'))   # FiftyOne's
        images = next((folder for folder in (root, annotations, data) if _holds(folder, IMAGE_ENDINGS)),
                      os.path.join(root, 'JPEGImages'))
    sets = os.path.join(root, sets or 'ImageSets')
    main = {folder.lower(): folder for folder in folder_content(sets)[0]}.get('main', 'Main')
    return Part(name, year, annotations, images, (os.path.join(sets, main), sets))


def _holds(folder, endings):
    return any(_ending(name) in endings for name in folder_content(folder)[1])


def folder_content(folder: str) -> Tuple[List[str], List[str]]:
    """-> (names of the folders in a folder, of the files), sorted; nothing if it is none. SniperError: it is closed."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir(), entry.is_file()) for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    except OSError as error:
        raise SniperError(f'folder {folder} cannot be read: {error.strerror or error}') from None
    return sorted(name for name, is_dir, _ in found if is_dir), sorted(name for name, _, is_file in found if is_file)


class FileIndex:
    """Files of a folder and its subfolders, found by their names without ending.

    An ending's case does not count, and that of a name only if several differ in nothing else. Hidden files are none,
    among them those that macOS lays beside others (._name). A folder that is not there is empty.
    """

    def __init__(self, folder: str, endings: Tuple[str, ...]):
        """SniperError: a folder cannot be read."""
        self.folder = folder
        self._files: Dict[str, str] = {}        # by the key of a name with ending
        self._stems: Dict[str, List[str]] = {}  # names with one of the endings, the first ending first, by that without
        self._keys: Dict[str, List[str]] = {}   # names without ending by their key
        self._bare: Dict[str, List[str]] = {}   # the same by the key of their last part
        for name in _files_below(folder):
            self._files.setdefault(_key(name), name)
            if _ending(name) in endings:
                self._stems.setdefault(os.path.splitext(name)[0], []).append(name)
        for stem, names in self._stems.items():
            names.sort(key=lambda name: (endings.index(_ending(name)), name))
            self._keys.setdefault(_key(stem), []).append(stem)
            self._bare.setdefault(_key(os.path.basename(stem)), []).append(stem)

    @classmethod
    def annotations(cls, folder: str) -> 'FileIndex':
        """XML files."""
        return cls(folder, ANNOTATION_ENDINGS)

    @classmethod
    def images(cls, folder: str) -> 'FileIndex':
        """Image files."""
        return cls(folder, IMAGE_ENDINGS)

    def __contains__(self, stem: str) -> bool:
        return stem in self._stems

    def stems(self) -> List[str]:
        """Names without ending, with / between folders, sorted."""
        return sorted(self._stems)

    def names(self) -> List[str]:
        """All files with one of the endings, relative to the folder, sorted."""
        return sorted(name for names in self._stems.values() for name in names)

    def paths(self) -> List[str]:
        """All files with one of the endings, one a name."""
        return [os.path.join(self.folder, self._stems[stem][0]) for stem in self.stems()]

    def find(self, stem: str) -> List[str]:
        """Name without ending -> files of this name, best ending first."""
        return self._only([stem] if stem in self._stems else self._keys.get(_key(stem), []))

    def find_elsewhere(self, stem: str) -> List[str]:
        """The same by the last part of the name alone, if one of the two lies in no subfolder."""
        return self._only([other for other in self._bare.get(_key(os.path.basename(stem)), [])
                           if '/' not in stem or '/' not in other])

    def _only(self, stems):
        return self._stems[stems[0]] if len(stems) == 1 else []

    def named(self, name: str) -> Optional[str]:
        """Name with ending -> the file of this name, whatever its ending."""
        return self._files.get(_key(name))


def _files_below(folder, prefix='', above=()):
    """Names of files relative to the outermost folder. Links are followed, but not round in a circle."""
    real = os.path.realpath(folder)
    if real in above or len(above) > MAX_DEPTH:
        return
    folders, files = folder_content(folder)
    for name in files:
        if not name.startswith('.'):
            yield prefix + name
    for name in folders:
        if not name.startswith('.') and name != '__MACOSX':
            yield from _files_below(os.path.join(folder, name), f'{prefix}{name}/', above + (real,))


def _ending(name):
    """With its dot, in lower case."""
    return '' if name.startswith('.') else os.path.splitext(name)[1].lower()


def _key(name):
    """What names have in common that are meant to be one: macOS takes letters apart, Windows cares for no case."""
    return unicodedata.normalize('NFC', name).lower()
