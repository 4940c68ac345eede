"""Annotation files in PASCAL VOC's XML format, and the classes that they name.

    <annotation> <filename/> <size> <width/> <height/> </size>
        <object> <name/> <difficult/> <bndbox> <xmin/> <ymin/> <xmax/> <ymax/> </bndbox> </object> ... </annotation>

Other elements are skipped. The files are untrusted: defusedxml refuses entities, and depth and size are limited.

The format has no list of classes. In this order:
1. `<dataset_path>/classes.txt`, one name a line: these, in this order.
2. Every name in the annotations is one of the twenty of PASCAL VOC: the twenty, in the order of the development kit.
3. The names in the annotations of all sets, sorted.

Names are compared without regard to case (`class_list.class_key`; the original lower-cases them); a name is spelt as
in the file, for 3. as most objects are.
"""
import collections
import functools
import io
import logging
import os
import xml.sax
from typing import Counter, List, NamedTuple, Optional, Tuple

from defusedxml.common import EntitiesForbidden
from defusedxml.expatreader import DefusedExpatParser

from lib.dataset.class_list import BACKGROUND, FILE_NAME, class_list_path, count_of, read_class_list, usual_spellings
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

MAX_BYTES = 64 << 20  # about 200,000 objects
MAX_DEPTH = 32

_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_OBJECT = ('annotation', 'object')
_BOX = _OBJECT + ('bndbox',)
# Elements whose text is kept; those of an object's parts (annotation/object/part/...) are not.
_IMAGE_FIELDS = {('annotation', 'filename'), ('annotation', 'size', 'width'), ('annotation', 'size', 'height')}
_OBJECT_FIELDS = ({_OBJECT + (name,) for name in ('name', 'difficult')} | {_BOX + (name,) for name in _CORNERS})
PASCAL_VOC = tuple('''
    aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep
    sofa train tvmonitor'''.split())


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


def find_classes(dataset_path: str, annotation_folders: List[str]) -> tuple:
    """-> tuple of names, background first. SniperError: broken or incomplete classes.txt, no object anywhere."""
    counts: Counter = collections.Counter()
    for folder in annotation_folders:
        counts.update(_names_in(folder, _state(folder)))
    path = class_list_path(dataset_path)
    if path:
        return (BACKGROUND,) + read_class_list(path, counts)
    path = os.path.join(dataset_path, FILE_NAME)
    if not counts:
        raise SniperError(('no annotation in {} has an object, so that classes are not known: check '
                           'dataset.dataset_path, or write the classes into {}, one a line').format(
                          ', '.join(annotation_folders), path))
    spellings = usual_spellings(counts)
    if set(spellings) <= set(PASCAL_VOC):
        return (BACKGROUND,) + PASCAL_VOC
    names = tuple(spellings[key] for key in sorted(spellings))
    _say_once('classes found in the annotations: {} ({} would fix names and order)'.format(', '.join(
        f'{name} {count_of(counts, name)}' for name in names), path))
    return (BACKGROUND,) + names


@functools.lru_cache(maxsize=16)
def _say_once(text):
    """The sets of one folder are opened one by one."""
    logger.info('%s', text)


def _state(folder):
    """Changes when a file of the folder does."""
    entries = [(entry.name, entry.stat()) for entry in os.scandir(folder) if entry.name.endswith('.xml')]
    return len(entries), max((status.st_mtime_ns for _, status in entries), default=0), sum(
        status.st_size for _, status in entries)


@functools.lru_cache(maxsize=16)
def _names_in(folder, _):
    """{name: objects} over all files of a folder. A broken file speaks up when its set is loaded, not here."""
    counts = collections.Counter()
    for file_name in sorted(os.listdir(folder)):
        if file_name.endswith('.xml'):
            try:
                counts.update(item.name for item in read_annotation(os.path.join(folder, file_name)).objects)
            except SniperError as error:
                logger.debug('%s', error)
    counts.pop('', None)
    return counts
