"""Arrays in a file that says what it was made from: the one format of our caches, stores, shards and proposals.

A file is NumPy's .npz, readable by `numpy.load` and by nothing that executes or unpickles what it finds: a zip archive,
not packed, of arrays (each with a CRC-32), plus the array `origin` (text): JSON of what the others were made from, a
dict name -> number, text or digest, with a format number among them. It is written under a temporary name and renamed:
readers find all or nothing. It is read, not mapped: a mapped file that somebody cuts short, or replaces on a network
drive, ends the process with a bus error.
"""
import hashlib
import json
import math
import os
import tokenize
import zipfile
import zlib
from typing import Optional

import numpy as np

from lib.utils.archive import open_zip
from lib.utils.errors import SniperError
from lib.utils.files import publish, remove_stale_temporaries, write_temporary

ORIGIN = 'origin'
MEND = 'make it anew'
MAX_RATIO = 100             # unpacked bytes a packed byte, in files that others packed
_LISTED = 5                 # differences that a message names
_LONGEST_REASON = 200       # characters of what a library says of damage, which may repeat all of a name
_LONGEST_VALUE = 40         # characters of a value that a message shows; digests are only named
_BLOCK = 1 << 22
# What zipfile and numpy raise for damaged or hostile files. RuntimeError: encrypted, and packing that is not known.
_DAMAGES = (EOFError, ValueError, KeyError, TypeError, IndexError, OverflowError, MemoryError, SyntaxError,
            RuntimeError, zipfile.BadZipFile, zlib.error, tokenize.TokenError)


class DamagedFile(SniperError):
    """The file is not what was written. `why`: what is wrong with it."""

    def __init__(self, path, why, mend=MEND):
        super().__init__(f'{path} is damaged ({why}): {mend}')
        self.why = str(why)


class StaleFile(SniperError):
    """The file was made from something else. `names`: what differs, sorted."""

    def __init__(self, path, found, expected, mend=MEND):
        self.names = differences(found, expected)
        shown = [_shown(name, found, expected) for name in self.names[:_LISTED]]
        more = len(self.names) - len(shown)
        super().__init__(f'{path} was made from other {" and ".join(shown)}{f" and {more} more" if more else ""}: '
                         f'{mend}')


def write_npz(path: str, arrays: dict, origin: dict) -> None:
    """Write `arrays` (name -> array, no objects) and what they were made from (JSON-able) to `path`.

    What killed processes left in the folder is removed. SniperError if the disk refuses.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject or name == ORIGIN:
            raise ValueError(f'array {name}: type {array.dtype} cannot be stored')
    text = np.array(json.dumps(origin, sort_keys=True))
    temporary, _ = write_temporary(path, lambda stream: np.savez(stream, **{ORIGIN: text}, **arrays))
    publish(temporary, path)
    remove_stale_temporaries(os.path.dirname(path) or '.')


def read_npz(path: str, expected: Optional[dict] = None, mend: str = MEND) -> tuple:
    """-> (arrays by name, origin). `expected`: the origin that the file must have, None for any.

    OSError if it is missing or cannot be read, DamagedFile, StaleFile; `mend` ends their messages: what is done, or to
    be done. Nothing is allocated that the size of the file does not cover.
    """
    try:
        with open_zip(path) as archive:
            members = _members(archive, os.path.getsize(path))
            origin = _read_origin(archive, members)
            if expected is not None and differences(origin, expected):
                raise StaleFile(path, origin, expected, mend)
            return {name: _read_array(archive, info) for name, info in members.items() if name != ORIGIN}, origin
    except _DAMAGES as error:
        raise DamagedFile(path, ' '.join(str(error).split())[:_LONGEST_REASON] or type(error).__name__, mend) from None


def read_origin(path: str) -> Optional[dict]:
    """What the file at `path` was made from; None if there is none, or it is damaged at first sight."""
    try:
        with open_zip(path) as archive:
            return _read_origin(archive, _members(archive, os.path.getsize(path)))
    except _DAMAGES + (OSError,):
        return None


def differences(found: dict, expected: dict) -> list:
    """Names under which two origins differ, sorted."""
    expected = json.loads(json.dumps(expected))     # tuples are lists in a file
    return sorted(name for name in set(found) | set(expected)
                  if name not in found or name not in expected or found[name] != expected[name])


def digest(value) -> str:
    """SHA-256 of nested lists, dicts, numbers, texts and arrays."""
    text = json.dumps(value, sort_keys=True, default=lambda array: np.asarray(array).tolist())
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


def file_digest(path: str) -> str:
    """SHA-256 of a file's content. OSError."""
    found = hashlib.sha256()
    with open(path, 'rb') as stream:
        for block in iter(lambda: stream.read(_BLOCK), b''):
            found.update(block)
    return found.hexdigest()


def _shown(name, found, expected):
    """A name, with both values if they are short."""
    if name not in found or name not in expected:
        return name
    texts = [json.dumps(value) for value in (found[name], expected[name])]
    return name if max(map(len, texts)) > _LONGEST_VALUE else '{} ({}, here {})'.format(name, *texts)


def _members(archive, file_size):
    """{name of array: ZipInfo}, after their announced sizes were compared with what there is."""
    members, packed = {}, 0
    for info in archive.infolist():
        packed += info.compress_size
        most = info.compress_size * (1 if info.compress_type == zipfile.ZIP_STORED else MAX_RATIO)
        if info.file_size > most or packed > file_size:
            raise ValueError(f'array {info.filename[:40]} does not fit into the file')
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f'array {info.filename[:40]} is packed in an unusual way')
        name = info.filename[:-len('.npy')] if info.filename.endswith('.npy') else info.filename
        if name in members:
            raise ValueError(f'array {name[:40]} is there twice')
        members[name] = info
    return members


def _read_origin(archive, members):
    if ORIGIN not in members:
        raise ValueError('it does not say what it was made from')
    origin = json.loads(str(_read_array(archive, members[ORIGIN])))
    if not isinstance(origin, dict):
        raise ValueError('it does not say what it was made from')
    return origin


def _read_array(archive, info):
    """Array of a member. ValueError if its header asks for more than the archive holds."""
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f'array {info.filename} has an unknown format')
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
    if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > info.file_size:
        raise ValueError(f'array {info.filename} does not fit its place')
    with archive.open(info) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # the checksum is compared where the member ends
            raise ValueError(f'array {info.filename} is longer than it says')
    return array
