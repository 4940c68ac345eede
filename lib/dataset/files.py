"""Files written whole or not at all."""
import contextlib
import os

from lib.errors import SniperError


@contextlib.contextmanager
def atomic_writer(path):
    """Text file object; on success it replaces `path`, on any error nothing is left behind.

    The folder of `path` is made if needed. SniperError if the file cannot be written (rights, disk full).
    """
    temporary = '%s.tmp-%d' % (path, os.getpid())
    try:
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        with open(temporary, 'w', encoding='utf-8') as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise SniperError('%s cannot be written: %s' % (path, error)) from error
    finally:
        with contextlib.suppress(OSError):  # gone already on success; on Ctrl-C too the half-written file must go
            os.remove(temporary)
