"""Text files that hold one name a line, written by hand or by any tool: lists of images, lists of classes."""
import codecs
import re
from typing import List, Tuple

from lib.utils.errors import SniperError

_LINE_ENDS = re.compile('\r\n|\r|\n')


def read_lines(path: str, what: str) -> List[Tuple[int, str]]:
    """-> (number from 1, text) of every line that is not blank. UTF-8, or UTF-16 with its mark; any kind of line end.

    what: what the file is, for the SniperError that names it if it cannot be read.
    """
    try:
        with open(path, 'rb') as stream:
            content = stream.read()
    except OSError as error:
        raise SniperError(f'{what} {path} cannot be read: {error.strerror or error}') from None
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as Windows' PowerShell writes
    try:
        text = content.decode('utf-16' if wide else 'utf-8-sig')
    except UnicodeDecodeError as error:
        line = content[:error.start].count(b'\n') + 1
        raise SniperError(f'{what} {path} cannot be read: line {line} is no UTF-8 text; save it as UTF-8') from None
    return [(number, line) for number, line in enumerate(_LINE_ENDS.split(text), 1) if line.strip()]
