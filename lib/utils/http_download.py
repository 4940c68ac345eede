"""HTTP -> file, resumed where it broke off.

What has arrived lies in `<file>.part`; `<file>.part.json` says from which address and which version of the file it is
(ETag or Last-Modified). A server that has another version by now, or cannot continue, sends all of it again.
"""
import contextlib
import fcntl
import http.client
import json
import os
import shutil
import socket
import time
import urllib.error
import urllib.request

from lib.utils.errors import SniperError
from lib.utils.files import write_file

BLOCK = 1 << 18
TIMEOUT = 30                    # seconds without a byte
ATTEMPTS = 5                    # in a row without progress
MAX_BYTES = 64 << 30
RESERVE = 256 << 20             # bytes left free on the disk by a download of unknown length
GONE = (400, 401, 403, 404, 405, 410, 451)     # asking again does not help


class Failed(Exception):
    """Why an address gave nothing; `final` if asking again does not help."""

    def __init__(self, reason, final=False):
        super().__init__(reason)
        self.final = final


def fetch(url, path, progress, attempts=ATTEMPTS, pause=1.0, timeout=TIMEOUT):
    """Download `url` to `path`, going on with `path`.part if that is of the same address and version.

    progress(done bytes, total bytes or None) is called after each block. pause: seconds before the second attempt,
    doubled each time. Raises Failed when the server refuses or breaks off `attempts` times in a row without progress;
    SniperError when the disk is too small or refuses.
    """
    with _alone(path):
        _fetch(url, path, progress, attempts, pause, timeout)


def _fetch(url, path, progress, attempts, pause, timeout):
    left = attempts
    while True:
        before = _size(path + '.part')
        try:
            _attempt(url, path, progress, timeout)
            os.replace(path + '.part', path)
            _remove(path + '.part.json')
            return
        except Failed as failed:
            left = attempts if _size(path + '.part') > before else left - 1
            if failed.final or left <= 0:
                raise
        except (urllib.error.URLError, http.client.HTTPException, socket.timeout, ConnectionError) as error:
            left = attempts if _size(path + '.part') > before else left - 1
            if left <= 0:
                raise Failed(str(getattr(error, 'reason', None) or error) or type(error).__name__) from None
        time.sleep(pause * 2 ** (attempts - left))


@contextlib.contextmanager
def _alone(path):
    """The only process that fetches `path`; SniperError if another does."""
    with open(path + '.lock', 'w') as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SniperError(f'{path} is being fetched by another process: wait for it, or end it') from None
        try:
            yield
        finally:
            _remove(path + '.lock')


def _attempt(url, path, progress, timeout):
    start, version = _begun(url, path)
    headers = {'User-Agent': 'sniper-downloads', 'Accept-Encoding': 'identity'}
    if start:
        headers.update({'Range': f'bytes={start}-', 'If-Range': version})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:       # what is there is not a beginning of the file
            _remove(path + '.part')
        raise Failed(f'HTTP {error.code} {error.reason}', final=error.code in GONE) from None
    with response:
        if response.status == 206 and not _continues(response, start):
            _remove(path + '.part')
            raise Failed('the server continued at another place')
        start = start if response.status == 206 else 0
        total = _total(response, start)
        if max(total or 0, start) > MAX_BYTES:
            raise Failed(f'it has {max(total or 0, start)} bytes, at most {MAX_BYTES} are fetched', final=True)
        _check_disk(path, (total or 0) - start)
        version = response.headers.get('ETag') or response.headers.get('Last-Modified') or ''
        write_file(path + '.part.json', json.dumps({'url': url, 'version': version}).encode())
        try:
            done = _copy(response, path + '.part', start, total, progress)
        except OSError as error:
            if isinstance(error, (ConnectionError, socket.timeout)):
                raise
            raise SniperError(f'cannot write {path}.part: {error.strerror or error}') from None
    if total is not None and done != total:
        raise Failed(f'it broke off after {done} of {total} bytes')


def _copy(response, path, start, total, progress):
    """Append to (start > 0) or begin the file -> its size."""
    done = start
    with open(path, 'ab' if start else 'wb') as stream:
        while True:
            try:
                block = response.read(BLOCK)
            except http.client.IncompleteRead as error:
                block = error.partial
                stream.write(block)
                raise Failed(f'it broke off after {done + len(block)} bytes') from None
            if not block:
                break
            done += len(block)
            if done > MAX_BYTES:
                raise Failed(f'it is longer than {MAX_BYTES} bytes', final=True)
            if total is None:       # nobody said how much is to come
                _check_disk(path, RESERVE)
            stream.write(block)
            progress(done, total)
        stream.flush()
        os.fsync(stream.fileno())
    return done


def _begun(url, path):
    """(bytes that can be kept, version to continue): only with a version can a server tell whether it is the same."""
    try:
        with open(path + '.part.json', encoding='utf-8') as stream:
            facts = json.load(stream)
        version = facts['version'] if facts['url'] == url else ''
    except (OSError, ValueError, KeyError, TypeError):
        version = ''
    if version and not str(version).startswith('W/'):  # weak versions do not vouch for bytes
        return _size(path + '.part'), str(version)
    return 0, ''


def _continues(response, start):
    return (response.headers.get('Content-Range') or '').startswith(f'bytes {start}-')


def _total(response, start):
    length = response.headers.get('Content-Length') or ''
    return start + int(length) if length.isdigit() else None


def _check_disk(path, needed):
    free = shutil.disk_usage(os.path.dirname(path) or '.').free
    if needed > free:
        raise SniperError(f'{path} needs {needed >> 20} MB, but only {free >> 20} MB are free on the disk; what was '
                          f'fetched stays in {path}.part')


def _size(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _remove(path):
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
