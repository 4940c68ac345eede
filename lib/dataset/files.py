"""Files written whole or not at all."""
import contextlib
import os


@contextlib.contextmanager
def atomic_writer(path):
    """Text file object; on success it replaces `path`, on any error nothing is left behind.

    The folder of `path` is made if needed.
    """
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    temporary = '%s.tmp-%d' % (path, os.getpid())
    try:
        with open(temporary, 'w', encoding='utf-8') as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:  # also on Ctrl-C: the half-written file must go
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise
