"""Why a file or folder cannot be read, in words: 'missing' is only one of the reasons."""
import errno
import os
import stat

MISSING = 'is missing'
_EFFECTIVE = os.access in os.supports_effective_ids


def why_unreadable(path: str, folder: bool = False) -> str:
    """'' if this process can read the file `path` (folder: list that folder), else what follows its name in a message:
    'is missing', 'cannot be read: Permission denied', 'is a folder, not a file', 'is a link to ..., which is missing'.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return _missing(path)
    except NotADirectoryError:
        return f'cannot be read: {_file_in_the_way(path)} is a file where a folder should be'
    except PermissionError as error:
        return f'cannot be read: {error.strerror} in the folder {_closed_folder(path)}'
    except OSError as error:
        return ('is a link that leads back to itself' if error.errno == errno.ELOOP
                else f'cannot be read: {error.strerror or error}')
    except ValueError:  # a zero byte, or letters that no file name can have
        return 'is no possible name of a file'
    if folder and not stat.S_ISDIR(mode):
        return 'is a file, not a folder'
    if not folder and not stat.S_ISREG(mode):
        return 'is a folder, not a file' if stat.S_ISDIR(mode) else 'is no plain file'
    needed = os.R_OK | os.X_OK if folder else os.R_OK
    return '' if os.access(path, needed, effective_ids=_EFFECTIVE) else f'cannot be read: {os.strerror(errno.EACCES)}'


def _missing(path):
    if os.path.islink(path):
        return f'is a link to {os.readlink(path)}, which is missing'
    return MISSING


def _parents(path):
    """Folders above `path`, the uppermost first."""
    found = []
    parent = os.path.dirname(os.path.abspath(path))
    while parent not in found:
        found.append(parent)
        parent = os.path.dirname(parent)
    return found[::-1]


def _file_in_the_way(path):
    return next((parent for parent in _parents(path) if os.path.isfile(parent)), os.path.dirname(path))


def _closed_folder(path):
    return next((parent for parent in _parents(path)
                 if os.path.isdir(parent) and not os.access(parent, os.X_OK, effective_ids=_EFFECTIVE)),
                os.path.dirname(path))
