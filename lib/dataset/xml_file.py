"""XML files of annotations, walked over and never built into a tree.

The files are untrusted: defusedxml refuses entities, and size is limited; handlers limit depth. Any usual encoding is
read: lib.dataset.xml_text.
"""
import io
import os
import xml.sax
from typing import Optional

from defusedxml.common import EntitiesForbidden
from defusedxml.expatreader import DefusedExpatParser

from lib.dataset.base import LARGEST
from lib.dataset.xml_text import XmlText
from lib.utils.errors import SniperError

XmlHandler = xml.sax.ContentHandler

# What is meant by what the parser says.
_MENDS = {'no element found': 'it is empty or cut short', 'unclosed token': 'it is cut short',
          'undefined entity': 'an & is written &amp;',
          'not well-formed (invalid token)': 'mend it at that place (an & is written &amp;, a < is written &lt;)',
          'junk after document element': 'a file holds one <annotation>'}


def parse_xml(path: str, handler: XmlHandler, most_bytes: int, otherwise: str) -> XmlText:
    """Walk over a file with a handler. -> its text.

    otherwise: what a file of more than `most_bytes` is ('no PASCAL VOC annotation').
    FileNotFoundError: there is no such file. SniperError naming it: unreadable, no valid XML, hostile; the handler's.
    """
    try:
        with open(path, 'rb') as stream:
            # Not `most_bytes` at once: so much memory would be set aside for each of a million files.
            content = stream.read(min(os.fstat(stream.fileno()).st_size, most_bytes) + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SniperError(f'annotation file {path} cannot be read: {error.strerror or error}') from None
    if content.startswith(b'version https://git-lfs'):
        raise SniperError(f'annotation file {path} is a pointer of Git LFS, not the annotation: run git lfs pull')
    if len(content) > most_bytes:
        raise SniperError(f'annotation file {path} has more than {most_bytes >> 20} MB: it is {otherwise}')
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
    return text


def number_in(text: Optional[str]) -> Optional[float]:
    """Text of an element or an attribute -> float, None if there is none or it is no finite number of sensible size."""
    try:
        value = float(text.replace('_', '?'))
    except (AttributeError, ValueError):
        return None
    return value if -LARGEST < value < LARGEST else None


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
