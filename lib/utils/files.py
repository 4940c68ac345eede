"""Writing files so that a reader never finds half of one: temporary name, fsync, rename.

Temporaries lie beside the file as `.<name>.tmp-<process>`. Folders are made if needed, and whatever the system refuses
(rights, a full disk) is a SniperError that names the file.
"""
import contextlib
import errno
import logging
import os
import re
import shutil
import tempfile
from typing import Any, BinaryIO, Callable, Iterator, TextIO, Tuple

from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

_TEMPORARY = re.compile(r'^\..+\.tmp-(\d+)$')


@contextlib.contextmanager
def text_writer(path: str) -> Iterator[TextIO]:
    """UTF-8 text file object; what was written replaces `path` at the end. On any error the old file stays."""
    with _temporary_file(path, 'w', encoding='utf-8') as stream:
        yield stream
    publish(stream.name, path)


def write_file(path: str, content: bytes) -> None:
    """Replace the file `path` by `content` (bytes) in one step."""
    publish(write_temporary(path, lambda stream: stream.write(content))[0], path)


def write_temporary(path: str, write: Callable[[BinaryIO], Any]) -> Tuple[str, Any]:
    """Call `write(open binary file)` on a temporary file beside `path` and flush it to the disk, for `publish`.

    -> (name of the temporary file, what `write` returned). Nothing is left behind when it fails.
    """
    with _temporary_file(path, 'wb') as stream:
        result = write(stream)
    return stream.name, result


def publish(temporary: str, path: str) -> None:
    """Rename a finished temporary file to its name, and make the rename itself durable.

    What is no file but takes writing (/dev/null, a pipe) stays what it is and is written to.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            with open(temporary, 'rb') as source, open(path, 'wb') as target:
                shutil.copyfileobj(source, target)
            os.remove(temporary)
            return
        os.replace(temporary, path)
        folder = os.open(os.path.dirname(path) or '.', os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        _remove(temporary)
        raise _refused(path, error) from error


@contextlib.contextmanager
def new_folder(path: str) -> Iterator[str]:
    """Path of an empty folder to fill, which at the end takes the place of the folder `path`, if there is one. On any
    error the old one stays. OSError is the caller's to word. Of many small files: none is waited for on the disk."""
    parent, base = os.path.split(os.path.abspath(path))
    temporary = os.path.join(parent, f'.{base}.tmp-{os.getpid()}')
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        os.makedirs(temporary)
        yield temporary
        if os.path.isdir(path):
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(path: str, folder: bool = False) -> None:
    """SniperError unless the file `path` can be written, or files in it if it is a `folder`; folders are made.

    To be asked before hours of work: a file is tried, as no right or flag tells all that a system can refuse.
    """
    place = path if folder else os.path.dirname(path) or '.'
    try:
        if not folder and os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not folder and os.path.exists(path) and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if not folder and os.path.exists(path) and not os.path.isfile(path):
            return  # /dev/null, a pipe
        os.makedirs(place, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except FileExistsError:
        raise SniperError(f'cannot write {path}: a file is where a folder should be') from None
    except OSError as error:
        raise _refused(path, error) from None


def remove_stale_temporaries(folder: str) -> None:
    """Delete what killed processes left in `folder`. Files of living processes stay."""
    for base in os.listdir(folder):
        match = _TEMPORARY.match(base)
        if match and not _alive(int(match.group(1))):
            os.remove(os.path.join(folder, base))
            logger.info('Removed %s, left behind by a process that was killed', os.path.join(folder, base))


@contextlib.contextmanager
def _temporary_file(path, mode, encoding=None):
    folder, base = os.path.split(path)
    temporary = os.path.join(folder, f'.{base}.tmp-{os.getpid()}')
    try:
        os.makedirs(folder or '.', exist_ok=True)
        with open(temporary, mode, encoding=encoding) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException as error:  # Ctrl-C too: the half-written file must go
        _remove(temporary)
        if isinstance(error, OSError):
            raise _refused(path, error) from error
        raise


def _refused(path, error):
    return SniperError(f'cannot write {path}: {error.strerror or error}')


def _remove(path):
    with contextlib.suppress(OSError):  # another error is on its way
        os.remove(path)


def _alive(process):
    if process == os.getpid():
        return False  # a number that was used before: this process has not written anything yet
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists and belongs to someone else
    return True
