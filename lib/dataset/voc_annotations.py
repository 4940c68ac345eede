"""Annotation files in PASCAL VOC's XML format.

    <annotation> <filename/> <size> <width/> <height/> </size>
        <object> <name/> <difficult/> <bndbox> <xmin/> <ymin/> <xmax/> <ymax/> </bndbox> </object> ... </annotation>

Other elements are skipped; prefixes and the case of elements do not count. The files are untrusted: depth and size are
limited, and lib.dataset.xml_file refuses entities.
"""
from typing import List, NamedTuple, Optional, Tuple

from lib.dataset.xml_file import XmlHandler, number_in, parse_xml
from lib.dataset.xml_text import UNREADABLE
from lib.utils.errors import SniperError

MAX_BYTES = 64 << 20  # about 200,000 objects
MAX_DEPTH = 32

_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_OBJECT = ('annotation', 'object')
_BOX = _OBJECT + ('bndbox',)
# Elements whose text is kept; those of an object's parts (annotation/object/part/...) are not.
_IMAGE_FIELDS = {('annotation', 'filename'), ('annotation', 'size', 'width'), ('annotation', 'size', 'height')}
_OBJECT_FIELDS = ({_OBJECT + (name,) for name in ('name', 'difficult')} | {_BOX + (name,) for name in _CORNERS})
_DIFFICULT = {'': False, '0': False, 'false': False, 'no': False, '1': True, 'true': True, 'yes': True}


class VocObject(NamedTuple):
    """One object of an image, as the file says it."""
    name: str  # class, stripped; '' if there is none
    box: Optional[Tuple[float, float, float, float]]  # xmin ymin xmax ymax, pixels from 1; None: not four numbers
    difficult: Optional[bool]  # None: neither yes nor no
    has_bndbox: bool = True  # whether there is such an element, whatever it holds


class VocAnnotation(NamedTuple):
    """Content of one file."""
    filename: str  # of the image, '' if not given
    width: float  # pixels; 0: not given, or no positive number
    height: float
    objects: List[VocObject]


def read_annotation(path: str) -> VocAnnotation:
    """XML file -> VocAnnotation.

    FileNotFoundError: there is no such file. SniperError naming it: unreadable, no valid XML, hostile, another format.
    """
    handler = _Handler(path)
    return handler.result(parse_xml(path, handler, MAX_BYTES, 'no PASCAL VOC annotation'))


class _Handler(XmlHandler):
    """Collects the texts that matter while the parser walks over the file; no tree is built."""

    def __init__(self, path):
        super().__init__()
        self._path = path
        self._place = ()
        self._text = None  # list of pieces while inside an element that is kept
        self._image = {}
        self._objects = []

    def result(self, text):
        """-> VocAnnotation of what was collected from an XmlText. SniperError: letters of a class are not readable."""
        objects = [VocObject(fields.get('name', ''), _box(fields), _difficult(fields.get('difficult', '0')),
                             'bndbox' in fields) for fields in self._objects]
        broken = [item.name for item in objects if UNREADABLE in item.name] if text.problem else []
        if broken:
            raise SniperError(f'annotation file {self._path}: the class {broken[0]!r:.60} cannot be read, for '
                              f'{text.problem}: save the file as UTF-8, or declare its encoding')
        filename = self._image.get('filename', '')
        width, height = number_in(self._image.get('width')), number_in(self._image.get('height'))
        known = width is not None and height is not None and min(width, height) >= 1
        return VocAnnotation('' if text.problem and UNREADABLE in filename else filename,
                             width if known else 0, height if known else 0, objects)

    def startElement(self, tag, attrs):
        self._place += (_local(tag),)
        if len(self._place) == 1 and self._place != ('annotation',):
            ours = " (CVAT's own? set dataset.dataset cvat)" if self._place == ('annotations',) else ''
            raise SniperError(f'annotation file {self._path} holds <{tag[:40]}>, not <annotation>: it is not in PASCAL '
                              f'VOC\'s format{ours}')
        if len(self._place) > MAX_DEPTH:
            raise SniperError(f'annotation file {self._path} is nested more than {MAX_DEPTH} deep: it is no PASCAL VOC '
                              'annotation')
        if self._place == _OBJECT:
            self._objects.append({})
        elif self._place == _BOX:
            self._objects[-1]['bndbox'] = ''
        self._text = [] if self._place in _IMAGE_FIELDS or self._place in _OBJECT_FIELDS else None

    def characters(self, text):
        if self._text is not None:
            self._text.append(text)

    def endElement(self, tag):
        if self._text is not None:
            fields = self._objects[-1] if self._place in _OBJECT_FIELDS else self._image
            # In one line: a line break inside would break every message.
            fields[self._place[-1]] = ' '.join(''.join(self._text).split())
            self._text = None
        self._place = self._place[:-1]


def _local(tag):
    return tag.rpartition(':')[2].lower()


def _box(fields):
    numbers = tuple(number_in(fields.get(name)) for name in _CORNERS)
    return None if None in numbers else numbers


def _difficult(text):
    number = number_in(text)
    return {0: False, 1: True}.get(number) if number is not None else _DIFFICULT.get(text.lower())
