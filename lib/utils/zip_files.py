"""Zip files from elsewhere: Python's reader takes whatever directory a file announces, this one a sensible one."""
import contextlib
import zipfile

MAX_DIRECTORY = 8 << 20     # bytes, about 80,000 files; each takes ten times as much in memory


@contextlib.contextmanager
def open_zip(path):
    """zipfile.ZipFile of `path` for reading. zipfile.BadZipFile if it is none or its directory is too large."""
    with open(path, 'rb') as stream:
        limited = _Limited(stream)
        with zipfile.ZipFile(limited) as archive:
            limited.most = None     # the directory, read at once, has passed
            yield archive


class _Limited:
    """A stream that hands out at most `most` bytes at once."""

    most = MAX_DIRECTORY

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def seek(self, offset, whence=0):
        if whence == 0 and offset < 0:
            raise zipfile.BadZipFile('a place in it lies before its beginning')
        return self._stream.seek(offset, whence)

    def read(self, count=-1):
        if self.most is not None and count > self.most:
            raise zipfile.BadZipFile(f'its directory has {count} bytes')
        return self._stream.read(count)
