"""Folders of data in PASCAL VOC's format: where the lists, annotations and images of a set lie.

Development kit, set names '<year>_<set>'          One plain folder, set names '<set>'
    <dataset_path>/VOC<year>/ImageSets/Main/<set>.txt   <dataset_path>/ImageSets/Main/<set>.txt   (optional)
    <dataset_path>/VOC<year>/Annotations/<id>.xml       <dataset_path>/Annotations/<id>.xml
    <dataset_path>/VOC<year>/JPEGImages/<id>.jpg        <dataset_path>/JPEGImages/<id>.jpg

Image files may also end in .jpeg, .png, .bmp, or be what the annotation calls <filename>. A set `all` that no list
describes is every annotation file, in sorted order.
"""
import glob
import os
import re

from lib.dataset.annotation_warnings import shortened
from lib.utils.errors import SniperError

ALL = 'all'
EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.JPG', '.JPEG', '.PNG', '.BMP')
_YEAR_AND_SET = re.compile(r'(\d{4})_(.+)')


class VocFolder:
    """One set of a folder.

    year          int, or None for a plain folder
    image_set     name of the set without the year
    ids           list of str, in the order of the list file
    """

    def __init__(self, dataset_path, image_set):
        """SniperError: no such folder or set, an empty list, an id that is no file name or occurs twice."""
        self.dataset_path = dataset_path
        self.year, self.image_set, self._root = _find(dataset_path, image_set)
        self.ids = self._read_ids()

    def annotation_path(self, image_id):
        return os.path.join(self._root, 'Annotations', image_id + '.xml')

    def image_path(self, image_id, filename=''):
        """Path of an image: the first existing of the usual names, else the first of them.

        filename: what the annotation calls the image.
        """
        images = os.path.join(self._root, 'JPEGImages')
        places = [os.path.join(images, image_id + extension) for extension in EXTENSIONS]
        if filename:
            places.append(os.path.join(images, re.split(r'[/\\]', filename)[-1]))
        return next((place for place in places if os.path.isfile(place)), places[0])

    def annotation_folders(self):
        """All folders of annotations below dataset_path: sets are parts of one data set, with one list of classes."""
        folders = [self._root] if self.year is None else _kits(self.dataset_path)
        folders = [os.path.join(folder, 'Annotations') for folder in folders]
        return [folder for folder in folders if os.path.isdir(folder)]

    def _read_ids(self):
        path = _list_path(self._root, self.image_set)
        if os.path.isfile(path):
            ids = _read_list(path)
            where = 'image list ' + path
        else:
            where = os.path.join(self._root, 'Annotations')
            ids = sorted(name[:-len('.xml')] for name in os.listdir(where) if name.endswith('.xml'))
        if not ids:
            raise SniperError(f'{where} lists no images')
        seen = set()
        for image_id in ids:
            if image_id in seen:
                raise SniperError(f'{where}: image {image_id!r} occurs twice')
            if os.path.isabs(image_id) or '..' in re.split(r'[/\\]', image_id) or '\0' in image_id:
                raise SniperError(f'{where}: {image_id!r:.80} is not the name of an image in this folder')
            seen.add(image_id)
        return ids


def _find(dataset_path, image_set):
    """-> (year or None, set name, folder that holds Annotations)."""
    if _is_root(dataset_path):
        year, name, root = None, image_set, dataset_path
    else:
        match = _YEAR_AND_SET.fullmatch(image_set)
        year, name = (int(match.group(1)), match.group(2)) if match else (None, image_set)
        root = os.path.join(dataset_path, f'VOC{year}')
    sets = _sets(dataset_path)
    if not sets:
        raise SniperError(f'{dataset_path} holds neither folders VOC<year> nor a folder Annotations with XML files: '
                          'check dataset.dataset_path')
    known = os.path.isfile(_list_path(root, name)) or name == ALL and os.path.isdir(os.path.join(root, 'Annotations'))
    if not known:
        raise SniperError('{} has no image set {!r} ({}); sets there: {}'.format(
            dataset_path, image_set, _list_path(root, name) if year or root == dataset_path
            else 'a name is <year>_<set>', shortened(sets, 15)))
    return year, name, root


def _sets(dataset_path):
    """Names that may be asked for: the lists there are, and 'all'."""
    names = []
    for root in [dataset_path] + _kits(dataset_path):
        if _is_root(root):
            prefix = '' if root == dataset_path else os.path.basename(root)[len('VOC'):] + '_'
            lists = {os.path.basename(path)[:-len('.txt')] for path in glob.glob(_list_path(glob.escape(root), '*'))}
            names += [prefix + name for name in sorted(lists | {ALL})]
    return names


def _kits(dataset_path):
    return sorted(glob.glob(os.path.join(glob.escape(dataset_path), 'VOC[0-9][0-9][0-9][0-9]')))


def _is_root(folder):
    return any(os.path.isdir(os.path.join(folder, name)) for name in ('Annotations', 'ImageSets'))


def _list_path(root, name):
    return os.path.join(root, 'ImageSets', 'Main', name + '.txt')


def _read_list(path):
    """Lines of a list, without empty ones."""
    try:
        with open(path, encoding='utf-8-sig') as stream:
            return [line.strip() for line in stream if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SniperError(f'image list {path} cannot be read: {error}') from None
