"""Unpacking archives from elsewhere: only plain files and folders, only below the given folder, only so much.

Tar (plain, gzip, bzip2) and zip, told apart by their content; not xz, whose reader takes as much memory as a file
asks for. Everything is unpacked beside its place first and moved there when all of it was found good: a refused or
broken archive leaves nothing behind.

Tar members are extracted by tarfile with its data filter (PEP 706), where this Python has it. The checks here stand
before it for what the filter does not do: zip files, sizes and numbers of files and headers, names that are absolute or
strange elsewhere than here, and links within the folder.
"""
import bz2
import contextlib
import errno
import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from typing import Iterator, Optional

from lib.utils.errors import SniperError

MAX_RATIO = 100                 # unpacked bytes a packed byte; weights have 1 to 2, pickled proposals about 10
SPARE = 64 << 20                # bytes that small archives may unpack to anyway
MAX_FILES = 200000
MAX_NAME = 1024
MAX_HEADER = 16 << 10           # bytes of a file's headers in a tar archive; tarfile takes the square of it in time
MAX_FACTS = 200                 # of a tar archive's own header
MAX_DIRECTORY = 8 << 20         # bytes of a zip file's, about 80,000 files; each takes ten times as much in memory
BLOCK = 1 << 18
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
OPENERS = ((b'\x1f\x8b', gzip.open), (b'BZh', bz2.open))
# RuntimeError: zipfile for encrypted files and, as NotImplementedError, for packing that it does not know.
BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, ValueError, IndexError, RuntimeError,
          OverflowError)


class _Refused(Exception):
    """What is wrong with an archive."""


def unpack(path: str, folder: str, below=None) -> int:
    """Unpack the archive `path` into `folder`, over what is there -> number of files.

    below: names that may be at the top of the archive; None = any. SniperError, one line, if the archive is broken,
    holds a link, a device, a name that leads elsewhere, or unpacks to too much.
    """
    temporary = os.path.join(folder, f'.unpacking-{os.getpid()}')
    try:
        os.makedirs(temporary)
        budget = _Budget(path, temporary)
        if zipfile.is_zipfile(path):
            _unpack_zip(path, temporary, budget)
        else:
            _unpack_tar(path, temporary, budget)
        if not budget.files:
            raise _Refused('it holds no file')
        strange = sorted(set(os.listdir(temporary)) - set(below)) if below else []
        if strange:
            raise _Refused(f'it holds {ascii(strange[0])}, and only {", ".join(below)} may be at its top')
        _move(temporary, folder)
        return budget.files
    except _Refused as refused:
        raise SniperError(f'{path} is not unpacked: {refused}') from None
    except BROKEN as error:
        raise SniperError('{} is cut off, damaged or no tar or zip archive ({})'.format(
            path, ' '.join(str(error).split()) or type(error).__name__)) from None
    except OSError as error:
        raise SniperError(f'cannot unpack {path} into {folder}: {error.strerror or error}') from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def open_zip(path: str) -> Iterator[zipfile.ZipFile]:
    """zipfile.ZipFile of `path` for reading. zipfile.BadZipFile if it is none or its directory is too large: Python's
    reader takes whatever directory a file announces."""
    with open(path, 'rb') as stream:
        limited = _Limited(stream)
        with zipfile.ZipFile(limited) as archive:
            limited.most = None     # the directory, read at once, has passed
            yield archive


class _Limited:
    """A stream that hands out at most `most` bytes at once."""

    most: Optional[int] = MAX_DIRECTORY

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


class _Budget:
    """Bytes, files and folders that may come out, and how many did."""

    def __init__(self, path, folder):
        size = os.path.getsize(path)
        self.most = size * MAX_RATIO + SPARE
        self.free = shutil.disk_usage(folder).free
        self.bytes = self.files = self.entries = 0

    def file(self, announced):
        """A file begins that says to have so many bytes."""
        if announced > self.most:
            raise _Refused(f'it unpacks to more than {MAX_RATIO} times its size')
        self.files += 1

    def take(self, count):
        """So many bytes are written."""
        self.bytes += count
        if self.bytes > self.most:
            raise _Refused(f'it unpacks to more than {MAX_RATIO} times its size')
        if self.bytes > self.free:
            raise _Refused('there is not enough room on the disk')

    def entry(self):
        """A file or folder is met."""
        self.entries += 1
        if self.entries > MAX_FILES:
            raise _Refused(f'it holds more than {MAX_FILES} files and folders')


class _Guarded:
    """The unpacked stream of a tar archive: counts what is passed over, too, and refuses to read large headers
    (tarfile reads one of any announced length, and a file may have many)."""

    def __init__(self, stream, most):
        self.stream, self.most = stream, most
        self.in_content, self.headers = False, 0    # whether a file's content is read; bytes of a file's headers

    @contextlib.contextmanager
    def content(self):
        """While a file's content is read."""
        self.in_content = True
        yield
        self.in_content = False

    def read(self, count=-1):
        self.headers += 0 if self.in_content else count
        if count < 0 or self.headers > MAX_HEADER:
            raise _Refused(f'it has a header of {max(count, self.headers)} bytes')
        block = self.stream.read(count)
        self._check()
        return block

    def seek(self, position, whence=os.SEEK_SET):
        if whence == os.SEEK_SET and position > self.most:
            raise _Refused(f'it unpacks to more than {MAX_RATIO} times its size')
        return self.stream.seek(position, whence)

    def tell(self):
        return self.stream.tell()

    def close(self):
        self.stream.close()

    def _check(self):
        if self.stream.tell() > self.most:
            raise _Refused(f'it unpacks to more than {MAX_RATIO} times its size')


def _unpack_tar(path, folder, budget):
    with open(path, 'rb') as stream:
        start = stream.read(8)
    opener = next((opener for magic, opener in OPENERS if start.startswith(magic)), open)
    with opener(path, 'rb') as stream:
        guarded = _Guarded(stream, budget.most)
        with tarfile.open(fileobj=guarded, mode='r:') as archive:
            _unpack_members(archive, guarded, folder, budget)


def _unpack_members(archive, guarded, folder, budget):
    if hasattr(tarfile, 'data_filter'):
        archive.extraction_filter = tarfile.data_filter
    for member in archive:
        guarded.headers = 0
        budget.entry()
        _target(folder, member.name)
        if member.size < 0:
            raise _Refused(f'a file in it has {member.size} bytes')
        if len(archive.pax_headers) > MAX_FACTS:
            raise _Refused(f'it has a header with {len(archive.pax_headers)} entries')
        if not (member.isdir() or member.isreg()) or member.issparse():
            raise _Refused('{} is a {}; only files and folders are unpacked'.format(
                ascii(member.name[:80]), 'link' if member.issym() or member.islnk() else 'special file'))
        if member.isreg():
            budget.file(member.size)
            budget.take(member.size)
        with guarded.content():
            archive.extract(member, folder, set_attrs=False)
        archive.members = []    # tarfile keeps a record of each


def _unpack_zip(path, folder, budget):
    with open_zip(path) as archive:
        for member in archive.infolist():
            budget.entry()
            target = _target(folder, member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _Refused('{} is a {}; only files and folders are unpacked'.format(
                    ascii(member.filename[:80]), 'link' if kind == stat.S_IFLNK else 'special file'))
            if member.is_dir():
                os.makedirs(target, exist_ok=True)
            elif member.compress_type not in ZIP_METHODS:
                raise _Refused('it is packed in an unusual way')
            else:
                with archive.open(member) as stream:
                    _write(stream, target, budget, member.file_size)


def _target(folder, name):
    """Where a member goes. Refused if that is not below `folder`."""
    parts = [part for part in name.split('/') if part not in ('', '.')]
    if name.startswith('/') or '..' in parts or '\\' in name or '\0' in name or ':' in name or len(name) > MAX_NAME:
        raise _Refused(f'the name {ascii(name[:80])} leads out of the folder or is not a plain one')
    return os.path.join(folder, *parts)


def _write(stream, target, budget, announced):
    """Copy a member; the budget is asked before much is written."""
    budget.file(announced)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, 'wb') as out:
        for block in iter(lambda: stream.read(BLOCK), b''):
            budget.take(len(block))
            out.write(block)
        if out.tell() != announced:
            raise _Refused(f'a file in it has {out.tell()} bytes and announces {announced}')


def _move(source, folder):
    """Files to their places, over older ones."""
    for where, _, names in os.walk(source):
        target = os.path.normpath(os.path.join(folder, os.path.relpath(where, source)))
        os.makedirs(target, exist_ok=True)
        for name in names:
            try:
                os.replace(os.path.join(where, name), os.path.join(target, name))
            except OSError as error:
                if error.errno != errno.EXDEV:      # `target` may lie on another disk, by way of a link of the user's
                    raise
                incoming = os.path.join(target, f'.{name}.new')
                shutil.copyfile(os.path.join(where, name), incoming)
                os.replace(incoming, os.path.join(target, name))
