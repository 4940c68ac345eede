"""Standard input, output and error that may be closed, full, or without a reader: none of it ends a program's work."""
import contextlib
import errno
import os
import select
import sys
from typing import Iterator, Optional, Tuple


def open_closed_streams() -> None:
    """Let standard streams that were closed (`>&-`) lead nowhere.

    The next file would get their number otherwise, and what libraries write there would go into it.
    """
    for number, name in enumerate(('stdin', 'stdout', 'stderr')):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)  # for child processes too
            if nowhere != number:
                os.close(nowhere)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, 'w' if number else 'r'))


class WatchedStream:
    """A text stream that remembers as `lost` the error after which it leads nowhere; None so far.

    raises: whether the error is raised too; if not, writing never fails.
    """

    def __init__(self, stream, raises: bool = False):
        self._stream, self._raises = stream, raises
        self.lost: Optional[Exception] = None

    def write(self, text: str) -> int:
        """As io.TextIOBase."""
        with self._watching():
            try:
                self._stream.write(text)
            except UnicodeEncodeError as error:  # a name in letters that the terminal's encoding lacks
                self._stream.write(text.encode(error.encoding, 'backslashreplace').decode(error.encoding))
        return len(text)

    def flush(self) -> None:
        """As io.IOBase."""
        with self._watching():
            self._stream.flush()

    def finish(self) -> Optional[Exception]:
        """Write out what is held -> `lost`. A pipe that nobody reads any more counts, with nothing left to write too.
        """
        with contextlib.suppress(OSError, ValueError):
            self.flush()
            poll = select.poll()
            poll.register(self._stream, 0)  # 0: nothing but errors
            if any(event & select.POLLERR for _, event in poll.poll(0)):
                self._lose(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))
        return self.lost

    def __getattr__(self, name):
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _watching(self):
        try:
            yield
        except (OSError, ValueError) as error:
            self._lose(error)
            if self._raises:
                raise

    def _lose(self, error):
        self.lost = self.lost or error
        with contextlib.suppress(OSError, ValueError):
            with open(os.devnull, 'w') as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
            self._stream.flush()  # what it holds goes there, so that Python can end without complaint


@contextlib.contextmanager
def watched(stdout_raises: bool) -> Iterator[Tuple[WatchedStream, WatchedStream]]:
    """Context manager: sys.stdout and sys.stderr are WatchedStreams inside the block; gives both."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = WatchedStream(before[0], stdout_raises), WatchedStream(before[1])
    try:
        yield sys.stdout, sys.stderr
    finally:
        sys.stdout, sys.stderr = before
