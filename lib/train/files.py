"""Writing files so that a reader never finds half of one: temporary name, fsync, rename."""
import logging
import os
import re

from lib.errors import SniperError

logger = logging.getLogger(__name__)

_TEMPORARY = re.compile(r'^\..+\.tmp-(\d+)$')


def write_temporary(path, write):
    """Call `write(open binary file)` on a temporary file beside `path` and flush it to the disk.

    -> (name of the temporary file, what `write` returned). Nothing is left behind when it fails.
    """
    folder, base = os.path.split(path)
    temporary = os.path.join(folder, '.%s.tmp-%d' % (base, os.getpid()))
    try:
        with open(temporary, 'wb') as stream:
            result = write(stream)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        if isinstance(error, OSError):
            raise SniperError('cannot write %s: %s' % (path, error.strerror or error))
        raise
    return temporary, result


def publish(temporary, path):
    """Rename a finished temporary file to its name, and make the rename itself durable."""
    os.replace(temporary, path)
    folder = os.open(os.path.dirname(path) or '.', os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_file(path, content):
    """Replace the file `path` by `content` (bytes) in one step."""
    temporary, _ = write_temporary(path, lambda stream: stream.write(content))
    publish(temporary, path)


def remove_stale_temporaries(folder):
    """Delete what killed processes left in `folder`. Files of living processes stay."""
    for base in os.listdir(folder):
        match = _TEMPORARY.match(base)
        if match and not _alive(int(match.group(1))):
            os.remove(os.path.join(folder, base))
            logger.info('Removed %s, left behind by a process that was killed', os.path.join(folder, base))


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
