"""Files of JSON objects, one a line, which grow while somebody reads them."""
import json
import os
from typing import Any, Callable, Dict, Iterator, Mapping

from lib.utils.errors import SniperError
from lib.utils.files import write_file

LARGEST = 1 << 28   # bytes of a file that is read


def read_lines(path: str) -> Iterator[Dict[str, Any]]:
    """The objects of a file, in order. Lines that hold none, as the last one of a process that was killed, are passed
    over. SniperError for a file that cannot be read."""
    try:
        if os.path.getsize(path) > LARGEST:
            raise SniperError(f'{path} has more than {LARGEST >> 20} MB, which no training writes')
        with open(path, encoding='utf-8', errors='replace') as stream:
            for line in stream:
                try:
                    content = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(content, dict):
                    yield content
    except OSError as error:
        raise SniperError(f'cannot read {path}: {error.strerror or error}') from None


class LineWriter:
    """Appends objects to a file, each given to the system as soon as it is written.

    keep: which objects of a file that is there already stay when the first one is written. SniperError if the system
    refuses.
    """

    def __init__(self, path: str, keep: Callable[[Mapping[str, Any]], bool] = lambda content: False):
        self.path, self._keep, self._begun = path, keep, False

    def write(self, content: Mapping[str, Any]) -> None:
        """Append an object."""
        if not self._begun:
            self._begun = True
            kept = [json.dumps(line) for line in read_lines(self.path) if self._keep(line)] if (
                os.path.exists(self.path)) else []
            write_file(self.path, ''.join(line + '\n' for line in kept).encode('utf-8'))
        try:
            with open(self.path, 'a', encoding='utf-8') as stream:
                stream.write(json.dumps(content) + '\n')
        except OSError as error:
            raise SniperError(f'cannot write {self.path}: {error.strerror or error}') from None
