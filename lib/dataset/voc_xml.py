"""Reading one annotation file in PASCAL VOC's XML format.

    <annotation> <filename/> <size> <width/> <height/> </size>
        <object> <name/> <difficult/> <bndbox> <xmin/> <ymin/> <xmax/> <ymax/> </bndbox> </object> ... </annotation>

Other elements are skipped. The files are untrusted: defusedxml refuses entities, and depth and size are limited.
"""
import io
import xml.sax
from typing import List, NamedTuple, Optional, Tuple

from defusedxml.common import EntitiesForbidden
from defusedxml.expatreader import DefusedExpatParser

from lib.utils.errors import SniperError

MAX_BYTES = 64 << 20  # about 200,000 objects
MAX_DEPTH = 32

_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_OBJECT = ('annotation', 'object')
_BOX = _OBJECT + ('bndbox',)
# Elements whose text is kept; those of an object's parts (annotation/object/part/...) are not.
_IMAGE_FIELDS = {('annotation', 'filename'), ('annotation', 'size', 'width'), ('annotation', 'size', 'height')}
_OBJECT_FIELDS = ({_OBJECT + (name,) for name in ('name', 'difficult')} | {_BOX + (name,) for name in _CORNERS})


class VocObject(NamedTuple):
    """One object of an image, as the file says it."""
    name: str  # class, stripped; '' if there is none
    box: Optional[Tuple[float, float, float, float]]  # xmin ymin xmax ymax, pixels from 1; None: not four numbers
    difficult: Optional[bool]  # None: neither 0 nor 1


class VocAnnotation(NamedTuple):
    """Content of one file."""
    filename: str  # of the image, '' if not given
    width: float  # pixels; 0: not given, or no positive number
    height: float
    objects: List[VocObject]


def read_annotation(path):
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
    if len(content) > MAX_BYTES:
        raise SniperError(f'annotation file {path} has more than {MAX_BYTES >> 20} MB: it is no PASCAL VOC annotation')
    handler = _Handler(path)
    parser = DefusedExpatParser(forbid_external=False)  # a DTD elsewhere may be named; nothing fetches it
    parser.setFeature(xml.sax.handler.feature_external_ges, False)
    parser.setContentHandler(handler)
    try:
        parser.parse(io.BytesIO(content))
    except EntitiesForbidden as error:
        raise SniperError(f'annotation file {path} declares the entity {error.name[:40]}: entities can make a file '
                          'without end and are refused') from None
    except (xml.sax.SAXException, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise SniperError(f'annotation file {path} is not valid XML ({_with_place(error)}): is it empty or cut '
                          'short?') from None
    return handler.result()


def _with_place(error):
    """What is wrong with a file, and where."""
    if not isinstance(error, xml.sax.SAXParseException):
        return error
    return f'{error.getMessage()}: line {error.getLineNumber()}, column {error.getColumnNumber()}'


class _Handler(xml.sax.ContentHandler):
    """Collects the texts that matter while the parser walks over the file; no tree is built."""

    def __init__(self, path):
        super().__init__()
        self._path = path
        self._place = ()
        self._text = None  # list of pieces while inside an element that is kept
        self._image = {}
        self._objects = []

    def result(self):
        """-> VocAnnotation of what was collected."""
        objects = [VocObject(fields.get('name', ''), _box(fields), _difficult(fields.get('difficult', '0')))
                   for fields in self._objects]
        width, height = _number(self._image.get('width')), _number(self._image.get('height'))
        known = width is not None and height is not None and min(width, height) >= 1
        return VocAnnotation(self._image.get('filename', ''), width if known else 0, height if known else 0, objects)

    def startElement(self, tag, attrs):
        self._place += (tag,)
        if len(self._place) == 1 and tag != 'annotation':
            raise SniperError(f'annotation file {self._path} holds <{tag[:40]}>, not <annotation>: it is not in PASCAL '
                              'VOC\'s format')
        if len(self._place) > MAX_DEPTH:
            raise SniperError(f'annotation file {self._path} is nested more than {MAX_DEPTH} deep: it is no PASCAL VOC '
                              'annotation')
        if self._place == _OBJECT:
            self._objects.append({})
        self._text = [] if self._place in _IMAGE_FIELDS or self._place in _OBJECT_FIELDS else None

    def characters(self, text):
        if self._text is not None:
            self._text.append(text)

    def endElement(self, tag):
        if self._text is not None:
            fields = self._objects[-1] if self._place in _OBJECT_FIELDS else self._image
            fields[tag] = ' '.join(''.join(self._text).split())  # a line break inside would break every message
            self._text = None
        self._place = self._place[:-1]


def _box(fields):
    numbers = tuple(_number(fields.get(name)) for name in _CORNERS)
    return None if None in numbers else numbers


def _number(text):
    """Text of an element -> float, None if there is none or it is no finite number of sensible size."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if -1e9 < value < 1e9 else None


def _difficult(text):
    return {'0': False, '': False, '1': True}.get(text)
