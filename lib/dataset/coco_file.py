"""COCO annotation files, read, checked, and brought into one form: tools write ids, flags and sizes in many.

The format: https://cocodataset.org/#format-data. What makes a file unusable is a SniperError. Single entries that
cannot be used are left out and counted; if most are so, that is an error too, which names the likely cause.
"""
import collections
import copy
from typing import Callable, Dict, List, Optional, Sequence

import numpy as np

from lib.dataset.base import NO_NUMBERS, AnnotationWarnings, is_number, shortened
from lib.dataset.class_choice import ClassChoice
from lib.dataset.class_list import BACKGROUND, class_key, is_ignored, read_class_list
from lib.dataset.coco_json import list_of_objects, read_json
from lib.dataset.coco_values import IdFinder, box_of, flag_of, identity_of, number_of, printable_text, side_of
from lib.utils.errors import SniperError

_KINDS = {list: 'a list', str: 'a text', type(None): 'nothing (null)', bool: 'true or false'}
SEEN = 16   # pixels of a box, from which on its object covers one at least
_NO_IMAGE = 'annotations belong to no image of the file and are left out'
_NO_CATEGORY = 'annotations have a category_id that is not among the categories and are left out'
_SHARED = 'images have the id of another image, where ids must be unique, and are left out with their annotations'
NO_SIZE = 'images have no usable width and height, nor a picture that tells them, and are left out'
_WRONG_ID = 'images have an id that is neither a whole number nor text and are left out'


class CocoFile:
    """Checked content of one annotation file.

    path              str
    categories        list of dict (id, name), one a class, in the order of the classes: the file's, or the class list's
    labels            {category id: label}: position in `categories` + 1; several categories may be one class
    images            list of dict (id, width, height, file_name: maybe ''), sorted by id
    annotations       image id -> list of dict (image_id, category_id, bbox of four finite numbers, iscrowd 0 or 1,
                      area), file order; every image id is a key
    regions           image id -> list of annotations of no class: what is called 'ignore', or dataset.CLASSES ignores
    ids_in_file_order of the images
    notes             lines about what was counted
    sizes_read        number of images whose size is that of their picture
    """

    def __init__(self, path: str, masks: bool = False, class_list: str = '',
                 picture_size: Callable[[dict], Optional[tuple]] = lambda image: None,
                 expect: Callable[[Sequence[str]], None] = lambda names: None, content: Optional[dict] = None,
                 choice: Optional[ClassChoice] = None):
        """Read `path`. Polygons are kept only if `masks`: they are nine tenths of the memory.

        class_list: path of a file of classes, or ''. picture_size: image -> (width, height) of its picture or None,
        asked where the file does not say it; expect: told all file names before. content: what the file would hold,
        where another format was read; then `path` only names the data. choice: which classes, None for all.
        """
        self.path = path
        self.sizes_read = 0
        content = read_json(path, () if masks else ('segmentation',)) if content is None else content
        if not isinstance(content, dict):
            kind = _KINDS.get(type(content), 'a number')
            raise SniperError(f'annotation file {path} holds {kind}, not an object with images, '
                              'annotations and categories' + (
                                  ': it is a file of results; take the one with the ground truth, instances_<set>.json'
                                  if _is_results(content) else ''))
        self.notes: List[str] = []
        self._category_ids = self._read_categories(content)
        self.images = self._read_images(content, picture_size, expect)
        self.annotations = self._read_annotations(content)
        self.regions: Dict[object, List[dict]] = {}
        self._take_out([is_ignored(category['name']) for category in self.categories])
        if class_list:
            self._follow(class_list)
        if choice:
            self._choose(choice)

    def part(self, numbers: Sequence[int]) -> 'CocoFile':
        """The same with these of the images alone, by their places in `images`."""
        part = copy.copy(self)
        part.images = [self.images[number] for number in numbers]
        part.annotations = {image['id']: self.annotations[image['id']] for image in part.images}
        part.regions = {image['id']: self.regions[image['id']] for image in part.images if image['id'] in self.regions}
        return part

    @property
    def has_annotations(self):
        return any(self.annotations.values())

    def _read_categories(self, content):
        """Sets `categories` and `labels`. -> IdFinder of the categories."""
        values = content.get('categories')
        if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
            content = dict(content, categories=[{'id': name, 'name': name} for name in values])
        values, _ = list_of_objects(self.path, content, 'categories')
        root = _root_of_classes(content, values)
        self.categories, names, label = [], {}, {}
        warnings = AnnotationWarnings(self.path, 'category')
        for index, category in enumerate(values):
            if category is root:
                continue
            key, name = self._category(index, category)
            if key in names and names[key] != name:
                raise SniperError(f'{self.path}: category id {key!r} occurs twice ({names[key]}, {name}); ids must be '
                                  'unique')
            if name == BACKGROUND:
                warnings.add(f'categories are called {BACKGROUND} and are left out, for every detector has it', key)
                continue
            if not name:
                warnings.add('categories have an empty name and are left out', key)
                continue
            if name in label and key not in names:
                warnings.add('categories have the name of another; they are one class', name)
            elif key not in names:
                self.categories.append(dict(category, id=key, name=name))
                label[name] = len(self.categories)
            names[key] = name
        if not self.categories and (content.get('annotations') or warnings.lines()):
            raise SniperError(f'{self.path} lists no categories: a detector needs at least one')
        self.notes += warnings.lines()
        self.labels = {key: label[name] for key, name in names.items()}
        return IdFinder(names, {name: key for key, name in reversed(list(names.items()))})

    def _category(self, index, category):
        """-> (id, name) of a category."""
        for key in ('id', 'name'):
            if key not in category:
                raise SniperError(f'{self.path}: category number {index} (id {category.get("id", "unknown")}) has no '
                                  f'"{key}"')
        key, name = identity_of(category['id']), category['name']
        if key is None:
            raise SniperError(f'{self.path}: category id {category["id"]!r:.80} is neither a whole number nor text')
        name = str(name) if is_number(name) else name
        if not isinstance(name, str):
            raise SniperError(f'{self.path}: the name of category {key!r} is not text')
        return key, printable_text(' '.join(name.split()))

    def _read_images(self, content, picture_size, expect):
        """-> images, sorted; sets ids_in_file_order."""
        values, others = list_of_objects(self.path, content, 'images')
        total = len(values) + len(others)
        if not total:
            raise SniperError(f'{self.path} lists no images')
        warnings = AnnotationWarnings(self.path, 'image')
        for place in others:
            warnings.add('images are no objects and are left out', f'number {place}')
        images = self._with_unique_ids(values, warnings)
        self.ids_in_file_order = [image['id'] for image in images]
        expect([image['file_name'] for image in images])
        images = [image for image in images if self._has_size(image, picture_size, warnings)]
        repeated = _repeated([image['file_name'] for image in images if image['file_name']])
        for name in repeated:
            warnings.add('pictures stand in the file under several ids; the objects of one are background to the '
                         'other: give each picture one entry', name)
        warnings.refuse_most(total, {
            _SHARED: 'ids must be unique: an id occurs twice if several files were joined without counting anew',
            _WRONG_ID: 'number the images', 'images have no "id" and are left out': 'number the images',
            NO_SIZE: 'write width and height in pixels, or put the picture files where they belong, below '
                      'dataset.dataset_path (docs/formats.md)'})
        self.notes += warnings.lines()
        # Numbers before texts: a file may hold either, and the order must not depend on anything else.
        return sorted(images, key=lambda image: (isinstance(image['id'], str), image['id']))

    def _with_unique_ids(self, values, warnings):
        """Images that can be told from each other, their ids and names in one form."""
        images, entries = [], collections.defaultdict(list)
        for index, image in enumerate(values):
            key = identity_of(image.get('id'))
            if key is None:
                warnings.add(_WRONG_ID if 'id' in image else 'images have no "id" and are left out',
                             f'number {index}' if 'id' not in image else f'{image["id"]!r:.40}')
                continue
            name = image.get('file_name') or _name_in_address(image.get('coco_url'))
            image = dict(image, id=key, file_name=printable_text(name) if isinstance(name, str) else '')
            entries[key].append(image)
            images.append(image)
        kept = []
        for image in images:
            same = entries[image['id']]
            if len({other['file_name'] for other in same}) > 1:
                warnings.add(_SHARED, f'id {image["id"]!r} occurs twice' if image is same[1] else image['id'])
            elif image is same[0]:
                kept.append(image)
            else:
                warnings.add('images are listed twice; the first entry counts', image['id'])
        return kept

    def _has_size(self, image, picture_size, warnings):
        """Whether the image has a size; sets it as numbers."""
        sides = side_of(image.get('width')), side_of(image.get('height'))
        if None in sides:
            sides = picture_size(image)
            if sides is None:
                warnings.add(NO_SIZE, image['id'])
                return False
            self.sizes_read += 1
            warnings.add('images have no usable width and height: they are read from the pictures', image['id'])
        image['width'], image['height'] = sides
        return True

    def _read_annotations(self, content):
        # Files of test sets ('image_info_...') have no such key.
        if content.get('annotations') is None:
            return {image['id']: [] for image in self.images}
        values, others = list_of_objects(self.path, content, 'annotations')
        by_image = {image['id']: [] for image in self.images}
        ids, warnings, seen = IdFinder(by_image), AnnotationWarnings(self.path), set()
        for index, annotation in enumerate(values):
            identity = annotation.get('id', f'number {index}')
            key = identity_of(identity)
            if key is not None and key in seen:
                warnings.add('annotations repeat the id of another (all are used)', identity)
            seen.add(key)
            if self._usable(annotation, identity, ids, warnings):
                by_image[annotation['image_id']].append(annotation)
        for place in others:
            warnings.add('annotations are no objects and are left out', f'number {place}')
        self._refuse_most(len(values) + len(others), warnings, by_image)
        self.notes += warnings.lines()
        return by_image

    def _usable(self, annotation, identity, images, warnings):
        """Whether an annotation can be used; brings its values into one form."""
        missing = [key for key in ('image_id', 'category_id', 'bbox') if key not in annotation]
        if missing:
            warnings.add(f'annotations have no "{missing[0]}" and are left out', identity)
            return False
        image = images.find(annotation['image_id'])
        category = self._category_ids.find(annotation['category_id'])
        box = box_of(annotation['bbox'])
        if image is None or category is None or box is None:
            warnings.add(_NO_IMAGE if image is None else _NO_CATEGORY if category is None else NO_NUMBERS, identity)
            return False
        crowd = flag_of(annotation.get('iscrowd'))
        if crowd is None:
            warnings.add('annotations have an iscrowd that is neither 0 nor 1; it is taken as 0', identity)
        area = number_of(annotation.get('area'))
        share = area is not None and 0 < area < 1 and box[2] * box[3] >= SEEN
        if area is None or area <= 0 or share:
            warnings.add(f'areas are {"shares of the image" if share else "missing or no numbers above 0"}: width x '
                         'height of the box is taken', identity)
            area = box[2] * box[3] if min(box[2:]) > 0 else min(0, *box[2:])  # below 0: not scored
        annotation.update(image_id=image, category_id=category, bbox=box, iscrowd=int(bool(crowd)), area=area)
        return True

    def _refuse_most(self, total, warnings, by_image):
        """SniperError if most annotations cannot be used."""
        known = shortened(sorted(self.labels, key=str))
        causes = {f'annotations have no "{key}" and are left out': f'every annotation needs "{key}"'
                  for key in ('image_id', 'category_id', 'bbox')}
        causes.update({
            'annotations are no objects and are left out': 'each is an object with image_id, category_id and bbox',
            NO_NUMBERS: 'bbox is x, y, width, height in pixels of the image',
            _NO_CATEGORY: f'known ids: {known}; are they counted from another number, or from another file?'})
        with_objects = sum(map(bool, by_image.values()))
        if 2 * with_objects < len(by_image):  # else the images are a part of those that the annotations were made for
            causes[_NO_IMAGE] = (f'image_id has to be the id of an image ({shortened(list(by_image))}): is it counted '
                                 'from another number, or are the annotations those of other images?')
        warnings.refuse_most(total, causes)

    def _follow(self, class_list):
        """Order and names of the classes as in a class list."""
        names = {label: category['name'] for label, category in enumerate(self.categories, 1)}
        counts = collections.Counter(names[self.labels[annotation['category_id']]]
                                     for of_image in self.annotations.values() for annotation in of_image)
        listed = read_class_list(class_list, counts)
        place = {class_key(name): label for label, name in enumerate(listed, 1)}
        known: Dict[int, dict] = {}
        for key in list(self.labels):
            label = place.get(class_key(names[self.labels[key]]))
            if label is None:
                del self.labels[key]
            else:
                self.labels[key] = label
                known.setdefault(label, {'id': key, 'name': listed[label - 1]})
        free = 1 + max([key for key in self.labels if isinstance(key, int)], default=0)
        self.categories = [known.get(label, {'id': free + label, 'name': name})
                           for label, name in enumerate(listed, 1)]
        self.labels.update((category['id'], label) for label, category in enumerate(self.categories, 1))

    def _take_out(self, ignored):
        """Annotations of the categories for which `ignored` holds become regions; these are no classes any more."""
        if not any(ignored):
            return
        if all(ignored):
            raise SniperError(f'{self.path} has no class but what is ignored: a detector needs at least one')
        for key, of_image in self.annotations.items():
            regions = [annotation for annotation in of_image if ignored[self.labels[annotation['category_id']] - 1]]
            if regions:
                self.regions.setdefault(key, []).extend(regions)
                self.annotations[key] = [annotation for annotation in of_image
                                         if not ignored[self.labels[annotation['category_id']] - 1]]
        places = np.cumsum(np.logical_not(ignored)).tolist()
        self.categories = [category for category, out in zip(self.categories, ignored) if not out]
        self.labels = {key: places[label - 1] for key, label in self.labels.items() if not ignored[label - 1]}

    def _choose(self, choice):
        """Leave only the classes of a ClassChoice; annotations of others are gone, or regions."""
        labels, line = choice.labels([category['name'] for category in self.categories], self.path)
        self.notes.append(line)
        ignored = [label == 0 for label in labels]
        self._take_out(ignored)
        labels = [label for label, out in zip(labels, ignored) if not out]
        self.categories = _chosen_categories(self.categories, labels, choice.names)
        self.labels = {key: labels[label - 1] for key, label in self.labels.items() if labels[label - 1]}
        self.labels.update((category['id'], label) for label, category in enumerate(self.categories, 1))
        self.annotations = {key: [annotation for annotation in of_image if annotation['category_id'] in self.labels]
                            for key, of_image in self.annotations.items()}


def _chosen_categories(categories, labels, names):
    """One category a name, with the id of the first old one of it, else one that is free."""
    known: Dict[int, dict] = {}
    for category, label in zip(categories, labels):
        if label is not None:
            known.setdefault(label, dict(category, name=names[label - 1]))
    free = 1 + max([category['id'] for category in categories if isinstance(category['id'], int)], default=0)
    return [known.get(label, {'id': free + label, 'name': name}) for label, name in enumerate(names, 1)]


def _root_of_classes(content, categories):
    """The category that Roboflow puts above all others and gives no object: no class. None if there is none."""
    root = next((category for category in categories if category.get('supercategory') == 'none'), None)
    others = [category for category in categories if category is not root]
    if root is None or not others or not isinstance(content.get('annotations'), list) or any(
            category.get('supercategory') != root.get('name') for category in others):
        return None
    used = any(isinstance(annotation, dict) and annotation.get('category_id') == root.get('id')
               for annotation in content['annotations'])
    return None if used else root


def _name_in_address(address):
    """Folder and name of a picture of COCO; LVIS has nothing else."""
    return '/'.join(address.split('/')[-2:]) if isinstance(address, str) else ''


def _is_results(content):
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and 'score' in content[0]


def _repeated(names):
    return [name for name, count in collections.Counter(names).items() if count > 1]
