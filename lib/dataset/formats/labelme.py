"""labelme's format: a JSON file a picture, beside it or in a folder of its own.

    {"imagePath": "../images/a.jpg", "imageWidth": 640, "imageHeight": 480, "shapes": [
        {"label": "cat", "shape_type": "rectangle", "points": [[x1, y1], [x2, y2]], "group_id": null}, ...]}

Points are pixels of the picture; polygons, circles and masks have the box around them. Shapes of one label that share a
group_id are one object. A picture without a file is none of the data set, for nobody has looked at it.
Source: https://github.com/wkentaro/labelme (labelme/label_file.py, labelme2coco.py).
"""
import math
import posixpath
import re
from typing import Dict, List, Optional

from lib.dataset.base import is_number
from lib.dataset.coco_json import read_json
from lib.dataset.coco_values import identity_of, printable_text, side_of
from lib.dataset.formats.converted import ConvertedDataset
from lib.dataset.formats.source import Picture, Source, Thing, below, box_around, first_of_format, sensible
from lib.dataset.voc_layout import FileIndex
from lib.utils.errors import SniperError

_PEEKED, _BEGINNING = 20, 1 << 16   # files that are looked into, and bytes of each
_SHAPES = re.compile(rb'"shapes"\s*:\s*\[')
_HAVE_NO_AREA = ('point', 'points', 'line', 'linestrip')
_NO_SHAPE = 'shapes have no label, or no points that are pairs of numbers, and are left out'


class LabelmeSource(Source):
    """A folder of labelme's files."""

    kind = 'labelme'
    looked_for = '.json files with "shapes"'

    @classmethod
    def found_in(cls, folder: str) -> str:
        return first_of_format(folder, FileIndex(folder, ('.json',)).paths()[:_PEEKED], _SHAPES.search, _BEGINNING)

    def pictures(self, chosen):
        others = []
        for path in FileIndex(self.folder, ('.json',)).paths():
            self.files += 1
            name = below(self.folder, path)
            try:
                content = read_json(path, ('imageData',))
                if not isinstance(content, dict) or 'shapes' not in content:
                    others.append(name)     # notes of another program
                    self.files -= 1
                    continue
                yield self._picture(path, name, content)
            except SniperError as error:
                self.left_out(name, error)
        if others and not self.files:
            raise SniperError(f'{self.folder}: none of its JSON files has "shapes" (first: {others[0]}): it is not in '
                              "labelme's format; set dataset.dataset")

    def _picture(self, path, name, content) -> Picture:
        shapes = content['shapes']
        if not isinstance(shapes, list):
            raise SniperError(f'annotation file {path}: "shapes" is not a list')
        said = content.get('imagePath')
        folder, stem = posixpath.dirname(name), posixpath.splitext(name)[0]
        said = printable_text(said) if isinstance(said, str) and said else stem
        picture = self.index.find(said, folder) or self._beside(stem) or self.index.name_of(said, folder)
        objects: Dict[object, List[Thing]] = {}
        for number, shape in enumerate(shapes, 1):
            thing = self._thing(shape, f'{name} shape {number}')
            if thing:
                group = identity_of(shape.get('group_id'))
                objects.setdefault(number if group is None else (thing.name, group), []).append(thing)
        return Picture(picture, side_of(content.get('imageWidth')), side_of(content.get('imageHeight')),
                       [_joined(things) for things in objects.values()])

    def _beside(self, stem) -> str:
        """The picture of a file's own name: beside it, or below a folder of pictures."""
        return self.index.find_stem(stem) or next(filter(None, (
            self.index.find(posixpath.basename(stem) + ending, posixpath.dirname(stem))
            for ending in ('.jpg', '.jpeg', '.png'))), '')

    def _thing(self, shape, identity) -> Optional[Thing]:
        points = shape.get('points') if isinstance(shape, dict) else None
        label = shape.get('label') if isinstance(shape, dict) else None
        name = printable_text(' '.join(str(label).split())) if isinstance(label, (str, int)) else ''
        kind = shape.get('shape_type') or 'polygon' if isinstance(shape, dict) else ''
        if kind in _HAVE_NO_AREA:
            self.warnings.add('shapes are points or lines, which have no area, and are left out', identity)
            return None
        numbers = _flat(points)
        if not name or len(numbers) < 4 or not sensible(numbers):
            self.warnings.add(_NO_SHAPE, identity)
            return None
        if kind == 'circle':
            radius = math.hypot(numbers[2] - numbers[0], numbers[3] - numbers[1])
            return Thing(name, (numbers[0] - radius, numbers[1] - radius, 2 * radius, 2 * radius))
        ring = numbers if kind not in ('rectangle', 'mask') and len(numbers) >= 6 else ()
        return Thing(name, box_around(numbers), (ring,) if ring else ())


def _flat(points) -> List[float]:
    """[[x, y], ...] -> x y x y ...; nothing if they are not all pairs of numbers."""
    if not isinstance(points, list) or not all(
            isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in points):
        return []
    return [float(number) for point in points for number in point]


def _joined(things) -> Thing:
    """Parts of one object -> the object."""
    if len(things) == 1:
        return things[0]
    corners = [number for thing in things for number in (
        thing.box[0], thing.box[1], thing.box[0] + thing.box[2], thing.box[1] + thing.box[3])]
    return Thing(things[0].name, box_around(corners), [ring for thing in things for ring in thing.rings])


class LabelmeDataset(ConvertedDataset):
    """One set of a folder in labelme's format."""

    source_class = LabelmeSource
