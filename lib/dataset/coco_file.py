"""Reading and checking COCO annotation files.

The format: https://cocodataset.org/#format-data. Structure that makes a file unusable is a SniperError;
single broken boxes are left out and counted.
"""
import json

from lib.dataset.annotation_warnings import Oddities, is_number, shortened
from lib.utils.errors import SniperError


class CocoFile:
    """Checked content of one annotation file.

    path              str
    categories        list of dict (id, name), file order
    images            list of dict (id, width, height, maybe file_name), sorted by id
    annotations       image id -> list of dict (image_id, category_id, bbox of four finite numbers, iscrowd,
                      maybe area), file order; every image id is a key
    """

    def __init__(self, path, masks=False):
        """Read `path`. Polygons are kept only if `masks`: they are nine tenths of the memory."""
        self.path = path
        content = _read_json(path, () if masks else ('segmentation',))
        self.categories = self._checked_categories(_list_of_dicts(path, content, 'categories'))
        self.images = self._checked_images(_list_of_dicts(path, content, 'images'))
        # Files of test sets ('image_info_...') have no such key.
        self.annotations = self._checked_annotations(
            _list_of_dicts(path, content, 'annotations') if 'annotations' in content else [])

    @property
    def has_annotations(self):
        return any(self.annotations.values())

    def _checked_categories(self, categories):
        _require_keys(self.path, 'category', categories, ('id', 'name'))
        _require_unique_ids(self.path, 'category', categories)
        for category in categories:
            if not isinstance(category['name'], str):
                raise SniperError(f'{self.path}: the name of category {category["id"]!r} is not text')
        if not categories:
            raise SniperError(f'{self.path} lists no categories: a detector needs at least one')
        return categories

    def _checked_images(self, images):
        if not images:
            raise SniperError(f'{self.path} lists no images')
        _require_keys(self.path, 'image', images, ('id', 'width', 'height'))
        _require_unique_ids(self.path, 'image', images)
        for image in images:
            for key in ('width', 'height'):
                if not is_number(image[key]) or image[key] < 1:
                    raise SniperError('{}: {} of image {!r} is {!r}, not a positive number'.format(
                        self.path, key, image['id'], image[key]))
            if not isinstance(image.get('file_name', ''), str):
                raise SniperError(f'{self.path}: file_name of image {image["id"]!r} is not text')
        self.ids_in_file_order = [image['id'] for image in images]
        # Numbers before texts: a file may hold either, and the order must not depend on anything else.
        return sorted(images, key=lambda image: (isinstance(image['id'], str), image['id']))

    def _checked_annotations(self, annotations):
        _require_keys(self.path, 'annotation', annotations, ('image_id', 'category_id', 'bbox'))
        known = {category['id'] for category in self.categories}
        by_image = {image['id']: [] for image in self.images}
        oddities = Oddities(self.path)
        seen = set()
        for index, annotation in enumerate(annotations):
            identity = annotation.get('id', f'number {index}')
            if not _hashable_id(annotation['category_id']) or annotation['category_id'] not in known:
                raise SniperError('{}: annotation {} has category id {!r}; known ids: {}'.format(
                    self.path, identity, annotation['category_id'], shortened(sorted(known, key=str))))
            if _hashable_id(identity) and identity in seen:
                oddities.add('annotations repeat the id of another (all are used)', identity)
            elif _hashable_id(identity):
                seen.add(identity)
            if not _hashable_id(annotation['image_id']) or annotation['image_id'] not in by_image:
                oddities.add('annotations belong to no image of the file and are left out', identity)
            elif not _is_box(annotation['bbox']):
                oddities.add('boxes are not four finite numbers and are left out', identity)
            elif not is_number(annotation.get('area', 0)):
                oddities.add('areas are not numbers; their annotations are left out', identity)
            else:
                by_image[annotation['image_id']].append(annotation)
        oddities.log()
        return by_image


def _is_box(value):
    return isinstance(value, list) and len(value) == 4 and all(is_number(number) for number in value)


def _hashable_id(value):
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _read_json(path, dropped_keys):
    """The object in a JSON file without `dropped_keys` at any depth."""
    def without(mapping):
        for key in dropped_keys:
            mapping.pop(key, None)
        return mapping

    try:
        with open(path, encoding='utf-8-sig') as stream:
            content = json.load(stream, object_hook=without if dropped_keys else None)
    except FileNotFoundError:
        raise SniperError(f'annotation file {path} does not exist') from None
    except (OSError, UnicodeDecodeError) as error:
        raise SniperError(f'annotation file {path} cannot be read: {error}') from None
    except (ValueError, RecursionError) as error:
        raise SniperError(f'annotation file {path} is not valid JSON ({error}): is it empty or cut short?') from None
    if not isinstance(content, dict):
        raise SniperError(f'annotation file {path} holds a {type(content).__name__}, not an object with images, '
                          'annotations and categories')
    return content


def _list_of_dicts(path, content, key):
    if key not in content:
        raise SniperError(f'annotation file {path} has no "{key}"')
    values = content[key]
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise SniperError(f'annotation file {path}: "{key}" is not a list of objects')
    return values


def _require_keys(path, kind, values, keys):
    for index, value in enumerate(values):
        for key in keys:
            if key not in value:
                raise SniperError(f'{path}: {kind} number {index} (id {value.get("id", "unknown")}) has no "{key}"')


def _require_unique_ids(path, kind, values):
    seen = set()
    for value in values:
        if not _hashable_id(value['id']):
            raise SniperError(f'{path}: {kind} id {value["id"]!r} is neither a whole number nor text')
        if value['id'] in seen:
            raise SniperError(f'{path}: {kind} id {value["id"]!r} occurs twice; ids must be unique')
        seen.add(value['id'])
