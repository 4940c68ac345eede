"""A progress bar on the last line of a terminal, below what is logged. Log files and pipes see nothing of it.

Ours rather than tqdm, which is no dependency: one line, and a handler of logging that goes around it.
"""
import contextlib
import logging
import os
import shutil
import sys
import threading
import time
from typing import Optional

EVERY = 0.2     # seconds between two pictures of the bar
CELLS = 30
NARROW = 10     # cells, on a terminal below WIDE columns
WIDE = 100

_lock = threading.RLock()
_shown: Optional['ProgressBar'] = None     # the one on the terminal


def bar(done: int, total: int, cells: int = CELLS) -> str:
    """'[####......]'."""
    full = min(max(done, 0) * cells // max(total, 1), cells)
    return '[{}{}]'.format('#' * full, '.' * (cells - full))


class ProgressBar:
    """One line that is written over. On anything but a terminal (`active` is False) all calls do nothing.

    stream: standard error by default. wanted: False for a bar that is never shown. A context manager: the line is empty
    at the end.
    """

    def __init__(self, stream=None, wanted: bool = True, clock=time.monotonic):
        self._stream, self._clock = stream or sys.stderr, clock
        self.active = wanted and _is_terminal(self._stream)
        self._text, self._drawn = '', -EVERY

    def show(self, head: str, done: int, total: int, tail: str = '', now: bool = False) -> None:
        """'head [###...] tail', cut at the terminal's width; at most every EVERY seconds, unless `now`."""
        if not self.active or not now and self._clock() - self._drawn < EVERY:
            return
        global _shown
        columns = shutil.get_terminal_size().columns
        text = f'{head} {bar(done, total, CELLS if columns >= WIDE else NARROW)} {tail}'
        with _lock:
            self._text, self._drawn = text[:max(columns - 1, 1)], self._clock()
            self._write('\r\x1b[K' + self._text)
            _shown = self

    def clear(self) -> None:
        """Take the bar off the terminal."""
        global _shown
        with _lock:
            if _shown is self:
                self._write('\r\x1b[K')
                _shown = None

    @contextlib.contextmanager
    def aside(self):
        """Context manager around something else that writes to the terminal."""
        with _lock:
            self._write('\r\x1b[K')
            yield
            self._write(self._text)

    def _write(self, text):
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    def __enter__(self) -> 'ProgressBar':
        return self

    def __exit__(self, *_) -> None:
        self.clear()


class ConsoleHandler(logging.StreamHandler):
    """Lines on standard error, above the bar if there is one."""

    def emit(self, record):
        """As logging.StreamHandler."""
        with _lock:
            with _shown.aside() if _shown else contextlib.nullcontext():
                super().emit(record)


def _is_terminal(stream):
    isatty = getattr(stream, 'isatty', None)
    return bool(isatty and isatty()) and os.environ.get('TERM', '') not in ('', 'dumb')
