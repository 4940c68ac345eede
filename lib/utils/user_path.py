"""Paths as people write them in files and on command lines, where no shell has looked at them.

`~` and `~user` are home folders, as a shell would have it. What a shell or another system would read otherwise than as
a name here is refused, so that no folder called `~` or `$HOME` appears: whoever removes that loses something else.
"""
import os
import re
import urllib.parse
from typing import Union

from lib.utils.errors import SniperError

_VARIABLE = re.compile(r'\$(\w+|\{\w+\}|\()|%\w+%')  # $HOME, ${HOME}, $(pwd), %USERPROFILE%
_ADDRESS = re.compile(r'([A-Za-z][A-Za-z0-9+.-]+)://')
_DRIVE = re.compile(r'[A-Za-z]:[\\/]')
_QUOTES = '"\''


def user_path(text: Union[str, os.PathLike]) -> str:
    """A path that a person wrote -> the same path, `~` and `~user` at its beginning replaced, blanks and quotes around
    it taken off (unless there is a file of just that name).

    Nothing else changes: relative paths stay so. SniperError, which names the mend, for variables ($HOME, %TEMP%),
    a home folder that is not known, addresses, paths of Windows, and characters that no path has.
    """
    path = os.fspath(text)
    if any(letter in path for letter in '\0\n\r') or not _encodable(path):
        raise SniperError(f'{path!r} holds a character that no path has: write the path alone, on one line')
    if not os.path.lexists(path):
        path = path.strip()
        if len(path) > 1 and path[0] in _QUOTES and path[-1] == path[0]:
            path = path[1:-1].strip()
    _refuse_address(path)
    _refuse_windows(path)
    path = _with_home(path)
    _refuse_variables(path)
    return path


def _encodable(path):
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _refuse_address(path):
    scheme = _ADDRESS.match(path)
    if not scheme:
        return
    if scheme.group(1).lower() == 'file':
        local = urllib.parse.unquote(urllib.parse.urlsplit(path).path)
        raise SniperError(f'{path!r} is an address: write the path itself, {local!r}')
    raise SniperError(f'{path!r} is an address, and a file or folder of this machine is wanted: fetch it first')


def _refuse_windows(path):
    if os.sep == '\\' or '\\' not in path and not _DRIVE.match(path) or os.path.lexists(path):
        return
    if _DRIVE.match(path) or path.startswith('\\\\'):
        raise SniperError(f'{path!r} is a path of Windows: write where that folder is on this machine')
    raise SniperError(f'{path!r} has backslashes, which are part of a name here: write {path.replace(chr(92), "/")!r}')


def _with_home(path):
    if not path.startswith('~'):
        return path
    user = path.split('/')[0]
    found = os.path.expanduser(path)
    if found.startswith('~') or user == '~' and not os.path.isabs(os.environ.get('HOME', '/')):
        reason = 'the variable HOME names no folder' if user == '~' else f'there is no user {user[1:]!r}'
        raise SniperError(f'{path!r}: {reason}; write the whole path, or ./{path} for a folder of that name')
    return found


def _refuse_variables(path):
    """Refuse parts of a path that begin like a variable; those after the first may be names that exist."""
    parts = path.split('/')
    for number, part in enumerate(parts):
        if not _VARIABLE.match(part) or number and os.path.lexists('/'.join(parts[:number + 1])):
            continue
        meant = os.path.expandvars(path)
        write = repr(meant) if meant != path else 'the path itself'
        home = re.sub(r'^\$(HOME\b|\{HOME\})', '~', path)
        write += f' or {home!r}' if home != path else ''
        raise SniperError(f'{path!r}: variables are not replaced in paths; write {write}')
