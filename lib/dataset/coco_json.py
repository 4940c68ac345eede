"""JSON files as tools write them: any Unicode encoding, byte order marks; what is wrong is said with its line."""
import json
import logging
import re
from typing import Any, List, Sequence, Tuple

from lib.utils.errors import SniperError
from lib.utils.reachable import MISSING, why_unreadable

logger = logging.getLogger(__name__)

_LATIN = 'cp1252'   # what Windows writes where nobody asks for Unicode
# What else lies about under the name of an annotation file: beginning of the content -> what to do about it.
_OTHER_CONTENT = (
    (b'version https://git-lfs', 'it is the pointer of a file in Git LFS: run "git lfs pull"'),
    (b'PK\x03\x04', 'it is a ZIP archive: unpack it'),
    (b'\x1f\x8b', 'it is compressed: unpack it with gunzip'),
    (b'<', 'it is a web page or an XML file: download the annotations again, or set dataset.dataset'),
)
LONGEST_WORD = 4     # 'true', 'null'; of 'false' something is missing
_COMMA = re.compile(r',\s*$')


def read_json(path: str, dropped_keys: Sequence[str] = ()) -> Any:
    """Content of a JSON file, objects at any depth without `dropped_keys`. SniperError, one line, if there is none."""
    def without(mapping):
        for key in dropped_keys:
            mapping.pop(key, None)
        return mapping

    text = _text(path, _read(path))
    try:
        return json.loads(text, object_hook=without if dropped_keys else None)
    except json.JSONDecodeError as error:
        raise SniperError(f'annotation file {path} cannot be read: {_what_is_wrong(text, error)}') from None
    except (ValueError, RecursionError) as error:
        raise SniperError(f'annotation file {path} cannot be read: it is not valid JSON ({error})') from None


def _read(path):
    reason = why_unreadable(path)
    if reason:
        raise SniperError(f'annotation file {path} {"does not exist" if reason == MISSING else reason}')
    try:
        with open(path, 'rb') as stream:
            content = stream.read()
    except OSError as error:
        raise SniperError(f'annotation file {path} cannot be read: {error.strerror or error}') from None
    for beginning, mend in _OTHER_CONTENT:
        if content.startswith(beginning):
            raise SniperError(f'annotation file {path} cannot be read: it is not valid JSON, {mend}')
    return content


def _text(path, content):
    """Bytes -> text. Files that are not Unicode are taken as Western European, with a warning."""
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != 'utf-8':
            raise SniperError(f'annotation file {path} cannot be read: it is no valid {encoding.upper()} '
                              f'({error.reason} at byte {error.start}): is it cut short?') from None
    logger.warning('%s is not UTF-8: its texts are taken as Western European (%s); save it as UTF-8 if names look '
                   'wrong', path, _LATIN)
    return content.decode(_LATIN, 'replace')


def _what_is_wrong(text, error) -> str:
    """What is wrong with a text that is not valid JSON, the place, and the mend."""
    if not text.strip():
        return 'it is not valid JSON: is it empty or cut short?'
    place, before = f'line {error.lineno}, column {error.colno}', text[max(0, error.pos - 200):error.pos]
    if _is_cut(text, error):
        return f'it is not valid JSON, it ends in the middle ({place}): is it cut short? get it again'
    if error.msg == 'Extra data':
        return (f'it is not valid JSON, it goes on after the end at {place}: several objects, as in JSON lines, have '
                'to be joined to one with images, annotations and categories')
    if text[error.pos] in ']}' and _COMMA.search(before) or 'railing comma' in error.msg:
        return f'it is not valid JSON ({place}): take away the comma before the bracket'
    return f'it is not valid JSON ({error.msg}: {place})'


def _is_cut(text, error) -> bool:
    """Whether the text ends where something has to follow: nothing, a string without end, half a word."""
    rest = text[error.pos:].strip()
    if error.msg.startswith('Unterminated string'):
        return '"' not in rest[1:].replace('\\"', '')
    return not rest or len(rest) <= LONGEST_WORD and rest.isalpha() and len(text) > len(rest)


def list_of_objects(path: str, content: dict, key: str) -> Tuple[list, List[int]]:
    """-> (members of the list content[key] that are objects, places of the others). SniperError if most are not."""
    if content.get(key) is None:
        raise SniperError(f'annotation file {path} has no "{key}" (it has {_keys(content)}): it is not in COCO\'s '
                          'format; convert it, or set dataset.dataset')
    values = content[key]
    found = [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
    if not isinstance(values, list) or 2 * len(found) < len(values):
        raise SniperError(f'annotation file {path}: "{key}" is not a list of objects')
    return found, [place for place, value in enumerate(values) if not isinstance(value, dict)]


def _keys(content):
    keys = [f'"{key:.20}"' for key in content]
    return ', '.join(keys[:5]) + (', ...' if len(keys) > 5 else '') if keys else 'nothing'
