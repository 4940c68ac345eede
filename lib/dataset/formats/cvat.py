"""CVAT's format for images, version 1.1: one XML file, or several, of many pictures each.

    <annotations> <meta> ... <labels> <label> <name/> </label> ... </labels> </meta>
        <image name="a.jpg" subset="train" width="640" height="480">
            <box label="cat" xtl="" ytl="" xbr="" ybr="" rotation=""/> <polygon label="cat" points="x,y;x,y;x,y"/>
            <ellipse label="" cx="" cy="" rx="" ry=""/> <mask label="" left="" top="" width="" height=""/> </image> ...

Coordinates are pixels from the upper left corner of the picture. Labels stand in the file's order. Points, lines,
cuboids and skeletons are no boxes and are left out, which is counted.
Source: https://docs.cvat.ai/docs/manual/advanced/xml_format/.
"""
import math
import os
import re
from typing import Dict, List, Optional

from lib.dataset.coco_values import printable_text, side_of
from lib.dataset.formats.converted import ConvertedDataset
from lib.dataset.formats.source import Picture, Source, Thing, below, box_around, first_of_format, sensible
from lib.dataset.voc_layout import ANNOTATION_ENDINGS, FileIndex
from lib.dataset.xml_file import XmlHandler, number_in, parse_xml
from lib.utils.errors import SniperError

MAX_BYTES, MAX_DEPTH = 128 << 20, 32    # of a file
_PEEKED = 5
_ROOT = re.compile(rb'<annotations[\s>]')
_ELSEWHERE = ('points', 'polyline', 'cuboid', 'skeleton', 'tag')
_NO_SHAPE = 'shapes have no label, or not the numbers of their kind, and are left out'


class CvatSource(Source):
    """A folder with files of CVAT."""

    kind = 'CVAT'
    looked_for = 'annotations.xml with <annotations>'

    def __init__(self, folder: str):
        super().__init__(folder)
        self._labels: Dict[str, None] = {}

    @classmethod
    def found_in(cls, folder: str) -> str:
        return first_of_format(folder, FileIndex(folder, ANNOTATION_ENDINGS).paths()[:_PEEKED],
                               lambda content: _ROOT.search(content.replace(b'\0', b'')))

    def class_names(self, pictures) -> List[str]:
        return list(self._labels) or super().class_names(pictures)

    def pictures(self, chosen):
        for path in FileIndex(self.folder, ANNOTATION_ENDINGS).paths():
            self.files += 1
            name = below(self.folder, path)
            handler = _Handler(path, self.warnings)
            try:
                parse_xml(path, handler, MAX_BYTES, "too large: export the task's jobs one by one")
            except SniperError as error:
                self.left_out(name, error)
                continue
            self._labels.update(dict.fromkeys(handler.labels))
            for attributes, things in handler.images:
                subset = attributes.get('subset', '')
                said = printable_text(attributes.get('name', ''))
                folder = os.path.dirname(name)
                found = (subset and self.index.find(f'{subset}/{said}', folder)) or self.index.name_of(said, folder)
                self._labels.update((thing.name, None) for thing in things)
                yield Picture(found, side_of(attributes.get('width')), side_of(attributes.get('height')), things,
                              (subset,) if subset else ())

class _Handler(XmlHandler):
    """Collects labels, images and their objects while the parser walks over the file."""

    def __init__(self, path, warnings):
        super().__init__()
        self.labels: List[str] = []
        self.images: list = []      # (attributes, things)
        self._path, self._warnings = path, warnings
        self._place: tuple = ()
        self._text: Optional[list] = None

    def startElement(self, tag, attrs):
        self._place += (tag.lower(),)
        if len(self._place) == 1 and self._place != ('annotations',):
            raise SniperError(f'annotation file {self._path} holds <{tag[:40]}>, not <annotations>: it is not in '
                              "CVAT's format" + (
                                  '; set dataset.dataset PascalVOC' if self._place == ('annotation',) else ''))
        if len(self._place) > MAX_DEPTH:
            raise SniperError(f'annotation file {self._path} is nested more than {MAX_DEPTH} deep: it is not CVAT\'s')
        if self._place == ('annotations', 'track'):
            raise SniperError(f"annotation file {self._path} is in CVAT's format for videos: export it as CVAT for "
                              'images 1.1')
        if self._place == ('annotations', 'image'):
            self.images.append((dict(attrs.items()), []))
        elif len(self._place) == 3 and self._place[:2] == ('annotations', 'image'):
            self._add(self._place[2], dict(attrs.items()))
        self._text = [] if self._place[-3:] == ('labels', 'label', 'name') else None

    def characters(self, text):
        if self._text is not None:
            self._text.append(text)

    def endElement(self, tag):
        if self._text is not None and len(self._place) <= 6:    # labels of a skeleton's points lie deeper
            self.labels += filter(None, [_name(''.join(self._text))])
        self._text = None
        self._place = self._place[:-1]

    def _add(self, kind, attributes):
        image, things = self.images[-1]
        identity = f'{image.get("name", "")} shape {len(things) + 1}'
        if kind in _ELSEWHERE:
            self._warnings.add(f'shapes are of the kind {kind}, which is no box, and are left out', identity)
            return
        numbers, name = _SHAPES[kind](attributes) if kind in _SHAPES else None, _name(attributes.get('label', ''))
        if not numbers or not name or not sensible(numbers):
            self._warnings.add(_NO_SHAPE, identity)
            return
        outline = kind == 'polygon' or number_in(attributes.get('rotation')) or kind == 'ellipse'
        things.append(Thing(name, box_around(numbers), (numbers,) if outline else ()))


def _name(text):
    return printable_text(' '.join(text.split()))


def _numbers(attributes, *names):
    found = [number_in(attributes.get(name)) for name in names]
    return None if None in found else found


def _box(attributes):
    """Corners x y x y of a box, four if it is turned; None if it has no numbers."""
    found, turned = _numbers(attributes, 'xtl', 'ytl', 'xbr', 'ybr'), number_in(attributes.get('rotation'))
    if not found or not turned:
        return found
    x1, y1, x2, y2 = found
    return _turned([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], ((x1 + x2) / 2, (y1 + y2) / 2), turned)


def _turned(points, centre, degrees):
    """Points, turned clockwise as they are seen (y goes down) -> x y x y ..."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [number for x, y in points for number in (
        centre[0] + (x - centre[0]) * cos - (y - centre[1]) * sin,
        centre[1] + (x - centre[0]) * sin + (y - centre[1]) * cos)]


def _polygon(attributes):
    found = [number_in(number) for pair in attributes.get('points', '').split(';') for number in pair.split(',')]
    return None if None in found or len(found) < 6 or len(found) % 2 else found


def _ellipse(attributes):
    found = _numbers(attributes, 'cx', 'cy', 'rx', 'ry')
    if not found:
        return None
    cx, cy, rx, ry = found
    around = [(cx + rx * math.cos(angle), cy + ry * math.sin(angle))
              for angle in (2 * math.pi * step / 36 for step in range(36))]
    return _turned(around, (cx, cy), number_in(attributes.get('rotation')) or 0)


def _mask(attributes):
    found = _numbers(attributes, 'left', 'top', 'width', 'height')
    return found and [found[0], found[1], found[0] + found[2], found[1] + found[3]]


_SHAPES = {'box': _box, 'polygon': _polygon, 'ellipse': _ellipse, 'mask': _mask}


class CvatDataset(ConvertedDataset):
    """One set of a folder in CVAT's format for images."""

    source_class = CvatSource
