"""COCO annotation files, read and checked, and their segmentations as polygons.

The format: https://cocodataset.org/#format-data. Structure that makes a file unusable is a SniperError;
single broken boxes are left out and counted.
"""
import json

import cv2
import numpy as np

from lib.dataset.base import AnnotationWarnings, is_number, shortened
from lib.utils.errors import SniperError

MIN_POLYGON_NUMBERS = 6     # three corners
MOST_PIXELS = 1 << 28       # of a run-length mask
MOST_BITS = 40              # of one of its numbers
_FINE = 4                   # outlines of run-length masks are followed on a grid so many times finer
_TOLERANCE = 0.25           # pixels by which their staircases are smoothed
_STICKS_OUT = 1             # pixels, around the mask while its outline is followed


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
        warnings = AnnotationWarnings(self.path)
        seen = set()
        for index, annotation in enumerate(annotations):
            identity = annotation.get('id', f'number {index}')
            if not _hashable_id(annotation['category_id']) or annotation['category_id'] not in known:
                raise SniperError('{}: annotation {} has category id {!r}; known ids: {}'.format(
                    self.path, identity, annotation['category_id'], shortened(sorted(known, key=str))))
            if _hashable_id(identity) and identity in seen:
                warnings.add('annotations repeat the id of another (all are used)', identity)
            elif _hashable_id(identity):
                seen.add(identity)
            if not _hashable_id(annotation['image_id']) or annotation['image_id'] not in by_image:
                warnings.add('annotations belong to no image of the file and are left out', identity)
            elif not _is_box(annotation['bbox']):
                warnings.add('boxes are not four finite numbers and are left out', identity)
            elif not is_number(annotation.get('area', 0)):
                warnings.add('areas are not numbers; their annotations are left out', identity)
            else:
                by_image[annotation['image_id']].append(annotation)
        warnings.log()
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


def polygons(annotation: dict, width, height, warnings: AnnotationWarnings) -> list:
    """Usable polygons of an object as float64 arrays (2k,): x y x y ..., original pixels; maybe none.

    A list of polygons is taken as it is, without those of less than three corners. (The original has no outline for
    anything else.) A run-length mask gives the outer border of each of its parts: holes are lost.
    """
    parts = annotation.get('segmentation')
    identity = annotation.get('id', '(no id)')
    if isinstance(parts, dict):
        mask = run_length_mask(parts, width, height)
        if mask is None:
            warnings.add('run-length masks are damaged or of another size than their image and are left out', identity)
            return []
        return mask_outlines(mask)
    if not isinstance(parts, list):
        return []
    found = []
    for part in parts:
        if not isinstance(part, list) or len(part) % 2 or not all(is_number(number) for number in part):
            warnings.add('polygons are not lists of x y pairs and are left out', identity)
        elif len(part) >= MIN_POLYGON_NUMBERS:
            found.append(np.array(part, np.float64))
    return found


def run_length_mask(code, width, height):
    """COCO's run-length code, a dict of size and counts (numbers, or text) -> uint8 (height, width), or None if it does
    not fit the image."""
    width, height = int(width), int(height)
    if code.get('size') != [height, width] or width * height > MOST_PIXELS:
        return None
    counts = code.get('counts')
    if isinstance(counts, str):
        counts = _read_counts(counts)
    if (not isinstance(counts, list) or not all(isinstance(count, int) and count >= 0 for count in counts)
            or sum(counts) != width * height):
        return None
    values = np.zeros(len(counts), np.uint8)
    values[1::2] = 1
    return np.repeat(values, counts).reshape(width, height).T


def _read_counts(text):
    """Run lengths of COCO's compressed text, or None.

    Five bits a character, from character 48 on, lowest first; a sixth bit says that the number goes on, the fifth of
    the last character is the sign. From the fourth run on, the difference to the run before the last is written.
    """
    counts, place = [], 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            if place == len(text) or shift > MOST_BITS:
                return None
            bits = ord(text[place]) - 48
            if not 0 <= bits < 64:
                return None
            value |= (bits & 31) << shift
            more = bool(bits & 32)
            place, shift = place + 1, shift + 5
            if not more and bits & 16:
                value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def mask_outlines(mask: np.ndarray) -> list:
    """uint8 mask (H, W) -> outer borders of its parts, float64 (2k,), pixel i covering [i, i + 1)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    top, left = int(rows[0]), int(columns[0])
    inner = mask[top:int(rows[-1]) + 1, left:int(columns[-1]) + 1]
    fine = np.repeat(np.repeat(np.pad(inner, _STICKS_OUT), _FINE, axis=0), _FINE, axis=1)
    contours = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[-2]
    corner = np.array([left - _STICKS_OUT, top - _STICKS_OUT], np.float64)
    found = []
    for contour in contours:
        contour = cv2.approxPolyDP(contour, _TOLERANCE * _FINE, True).reshape(-1, 2)
        if 2 * len(contour) >= MIN_POLYGON_NUMBERS:
            # A contour goes through the middles of the fine pixels.
            found.append(((contour + 0.5) / _FINE + corner).ravel())
    return found
