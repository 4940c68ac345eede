"""Annotation files in PASCAL VOC's XML format.

    <annotation> <filename/> <size> <width/> <height/> </size>
        <object> <name/> <difficult/> <bndbox> <xmin/> <ymin/> <xmax/> <ymax/> </bndbox> </object> ... </annotation>

Other elements are skipped; prefixes and the case of elements do not count. The files are untrusted: defusedxml refuses
entities, and depth and size are limited. Any usual encoding is read: lib.dataset.xml_text.
"""
import io
import xml.sax
from typing import List, NamedTuple, Optional, Tuple

from defusedxml.common import EntitiesForbidden
from defusedxml.expatreader import DefusedExpatParser

from lib.dataset.xml_text import UNREADABLE, XmlText
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
# What is meant by what the parser says.
_MENDS = {'no element found': 'it is empty or cut short', 'unclosed token': 'it is cut short',
          'undefined entity': 'an & is written &amp;',
          'not well-formed (invalid token)': 'mend it at that place (an & is written &amp;, a < is written &lt;)',
          'junk after document element': 'a file holds one <annotation>'}


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
    try:
        with open(path, 'rb') as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SniperError(f'annotation file {path} cannot be read: {error.strerror or error}') from None
    if content.startswith(b'version https://git-lfs'):
        raise SniperError(f'annotation file {path} is a pointer of Git LFS, not the annotation: run git lfs pull')
    if len(content) > MAX_BYTES:
        raise SniperError(f'annotation file {path} has more than {MAX_BYTES >> 20} MB: it is no PASCAL VOC annotation')
    handler = _Handler(path)
    parser = DefusedExpatParser(forbid_external=False)  # a DTD elsewhere may be named; nothing fetches it
    parser.setFeature(xml.sax.handler.feature_external_ges, False)
    parser.setContentHandler(handler)
    try:
        text = XmlText.decode(content)
        parser.parse(io.BytesIO(text.content))
    except EntitiesForbidden as error:
        raise SniperError(f'annotation file {path} declares the entity {error.name[:40]}: entities can make a file '
                          'without end and are refused') from None
    except (xml.sax.SAXException, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise SniperError(f'annotation file {path} is not valid XML ({_with_place(error)}): {_mend(error)}') from None
    return handler.result(text)


def _with_place(error):
    """What is wrong with a file, and where."""
    if not isinstance(error, xml.sax.SAXParseException):
        return error.args[0] if isinstance(error, LookupError) and error.args else error
    return f'{error.getMessage()}: line {error.getLineNumber()}, column {error.getColumnNumber()}'


def _mend(error):
    if isinstance(error, LookupError):
        return 'save it as UTF-8'
    return _MENDS.get(error.getMessage() if isinstance(error, xml.sax.SAXParseException) else '',
                      'mend it at that place, or label the image anew')


class _Handler(xml.sax.ContentHandler):
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
        width, height = _number(self._image.get('width')), _number(self._image.get('height'))
        known = width is not None and height is not None and min(width, height) >= 1
        return VocAnnotation('' if text.problem and UNREADABLE in filename else filename,
                             width if known else 0, height if known else 0, objects)

    def startElement(self, tag, attrs):
        self._place += (_local(tag),)
        if len(self._place) == 1 and self._place != ('annotation',):
            ours = " (CVAT's own? export it as PASCAL VOC)" if self._place == ('annotations',) else ''
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
    numbers = tuple(_number(fields.get(name)) for name in _CORNERS)
    return None if None in numbers else numbers


def _number(text):
    """Text of an element -> float, None if there is none or it is no finite number of sensible size."""
    try:
        value = float(text.replace('_', '?'))
    except (AttributeError, ValueError):
        return None
    return value if -1e9 < value < 1e9 else None


def _difficult(text):
    number = _number(text)
    return {0: False, 1: True}.get(number) if number is not None else _DIFFICULT.get(text.lower())
