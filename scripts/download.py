"""Fetch, check, unpack: python scripts/download.py NAME (--list shows the names, --help all options).

scripts/downloads.yml says what can be fetched, from where, and which hash it has; transfers are resumed
(lib.utils.http_download), archives unpacked within their place (lib.utils.archive). The scripts download_*.sh call
this.
"""
import argparse
import glob
import hashlib
import logging
import os
import re
import shutil
import sys
import time
from typing import NamedTuple, Tuple

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # so that it runs from any folder

from lib.cli import run, setup_logging
from lib.utils.archive import unpack
from lib.utils.errors import SniperError
from lib.utils.http_download import Failed, fetch
from lib.utils.user_path import user_path

logger = logging.getLogger(__name__)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CATALOGUE = os.path.join(ROOT, 'scripts', 'downloads.yml')
KEYS = ('about', 'urls', 'sha256', 'file', 'into', 'gives', 'otherwise')
FOLDER = os.path.join('data', 'downloads')
BELOW_ROOT = ('output', 'data')     # an archive is not to replace the program
BAR = 30            # characters
EVERY = 0.2         # seconds between two states of the bar


class Item(NamedTuple):
    """An entry; its fields are explained in scripts/downloads.yml."""
    name: str
    about: str
    urls: Tuple[str, ...]
    sha256: str
    file: str
    into: str
    gives: str
    otherwise: str


def read_catalogue(path=CATALOGUE):
    """-> {name: Item}. SniperError that names the file, the entry and the key if something is wrong."""
    try:
        with open(path, encoding='utf-8') as stream:
            content = yaml.safe_load(stream)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SniperError(f'{path} cannot be read: {" ".join(str(error).split())}') from None
    if not isinstance(content, dict):
        raise SniperError(f'{path} wants entries `name: {{...}}`')
    return {str(name): _item(path, str(name), entry) for name, entry in content.items()}


def find_item(items, name):
    """The Item of that name; SniperError that lists the known ones."""
    if name not in items:
        raise SniperError(f'nothing named {name!r} can be fetched; known: {", ".join(sorted(items))}')
    return items[name]


def check_sha256(text, where):
    """A hash, or its first 8 or more digits, in lower case; '' stays. SniperError for anything else."""
    text = str(text).strip().lower()
    if text and not re.match(r'[0-9a-f]{8,64}$', text):
        raise SniperError(f'{where}: sha256 is {text!r}; it wants 64 hexadecimal digits, or at least the first 8')
    return text


class Progress:
    """A bar on a terminal, a line each tenth elsewhere."""

    def __init__(self, name, stream=None):
        self.name, self.stream = name, stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.started, self.first, self.shown, self.tenth = time.monotonic(), None, 0.0, -1

    def __call__(self, done, total):
        self.first = done if self.first is None else self.first
        now = time.monotonic()
        if self.terminal and (now - self.shown > EVERY or done == total):
            self.shown = now
            self.stream.write('\r' + self.text(done, total, now) + ('\n' if done == total else ''))
            self.stream.flush()
        elif not self.terminal and total and done * 10 // total > self.tenth:
            self.tenth = done * 10 // total
            self.stream.write(self.text(done, total, now) + '\n')

    def text(self, done, total, now):
        """One line: bar, share, megabytes, speed."""
        rate = (done - self.first) / max(now - self.started, 1e-3) / 1e6
        if not total:
            return f'{self.name} {done / 1e6:.1f} MB, {rate:.1f} MB/s'
        full = done * BAR // total
        return '{} [{}{}] {:>3d}% of {:.1f} MB, {:.1f} MB/s'.format(self.name, '#' * full, '.' * (BAR - full),
                                                          done * 100 // total, total / 1e6, rate)


def sha256_of(path):
    """Hash of a file, 64 digits. SniperError if it cannot be read."""
    content = hashlib.sha256()
    try:
        with open(path, 'rb') as stream:
            for block in iter(lambda: stream.read(1 << 20), b''):
                content.update(block)
    except OSError as error:
        raise SniperError(f'cannot read {path}: {error.strerror or error}') from None
    return content.hexdigest()


def provide(item, root=ROOT, source=None, sha256='', trust=False, urls=(), pause=1.0):
    """Have what `item` gives -> its path. Nothing is done if it is there already, unless `source` is given.

    source: an archive fetched by hand. sha256: expected, in place of the item's. trust: go on without a known hash.
    urls: in place of the item's. SniperError says what failed and what else works.
    """
    gives = os.path.join(root, item.gives)
    if _is_there(gives) and source is None:
        logger.info('%s is there already: nothing was fetched (rename it to fetch it again, or use --from FILE)', gives)
        return gives
    path = source or os.path.join(root, FOLDER, item.file)
    expected = sha256 or item.sha256
    if source is None and not os.path.exists(path):
        _fetch_any(item, path, urls or item.urls, pause)
    _check(path, expected, trust, mine=source is None)
    if item.into:
        count = unpack(path, os.path.join(root, item.into), BELOW_ROOT if item.into == '.' else None)
        logger.info('%d files unpacked into %s', count, os.path.join(root, item.into))
        if source is None:
            os.remove(path)
        if not _is_there(gives):
            raise SniperError(f'{gives} was not in the archive: look at what it brought, and correct `gives` in '
                              f'{CATALOGUE}')
    elif source is not None:
        os.makedirs(os.path.dirname(gives), exist_ok=True)
        shutil.copyfile(path, gives + '.new')
        os.replace(gives + '.new', gives)
    logger.info('ready: %s', gives)
    return gives


def _item(path, name, entry):
    where = f'{path}, {name}'
    if not isinstance(entry, dict) or set(entry) != set(KEYS):
        raise SniperError(f'{where}: wants exactly the keys {", ".join(KEYS)}')
    urls = entry['urls']
    if not isinstance(urls, list) or not all(isinstance(url, str) and re.match(r'https?://', url) for url in urls):
        raise SniperError(f'{where}: urls wants a list of addresses that begin with http:// or https://')
    texts = {key: str(entry[key]) for key in KEYS if key != 'urls'}
    if not texts['file'] or os.path.basename(texts['file']) != texts['file'] or texts['file'].startswith('.'):
        raise SniperError(f'{where}: file is {texts["file"]!r}; it wants a plain file name')
    for key in ('into', 'gives'):
        if os.path.isabs(texts[key]) or '..' in texts[key].split('/'):
            raise SniperError(f'{where}: {key} is {texts[key]!r}; it wants a folder below the repository')
    texts['sha256'] = check_sha256(texts['sha256'], where)
    return Item(name=name, urls=tuple(urls), **texts)


def _is_there(path):
    """A file, or a folder with weights in it: a training that failed leaves one with nothing but its log."""
    return os.path.isfile(path) or bool(glob.glob(os.path.join(glob.escape(path), '**', '*.params'), recursive=True))


def _fetch_any(item, path, urls, pause):
    """Download from the first address that works."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    failures = []
    for url in urls:
        logger.info('fetching %s', url)
        try:
            return fetch(url, path, Progress(item.file), pause=pause)
        except Failed as failed:
            logger.warning('%s: %s', url, failed)
            failures.append(f'{url}: {failed}')
    raise SniperError(('{} cannot be fetched ({}). If you have the file: --from FILE; a new address: --url URL, or in '
                       '{}. What else works: {}').format(
                      item.file, '; '.join(failures) or 'no address is known', CATALOGUE,
                                               item.otherwise))


def _check(path, expected, trust, mine):
    """The hash as expected, or unknown and trusted; a wrong file of `mine` is deleted."""
    found = sha256_of(path)
    if expected and not found.startswith(expected):
        if mine:
            os.remove(path)
        raise SniperError('{} has SHA-256 {}, expected {}: it is damaged, or not the file that was meant{}'.format(
            path, found, expected, '; it was deleted' if mine else ''))
    if expected:
        logger.info('SHA-256 %s, as expected', found if len(expected) == 64 else
                    f'{found} ({len(expected)} digits known)')
    elif trust:
        logger.warning('SHA-256 %s, not compared with anything (--trust)', found)
    else:
        raise SniperError(f'{path} has SHA-256 {found}; which it should have is not known. If you trust the file, run '
                          f'again with --trust, or enter the hash in {CATALOGUE}')


def main(argv=None):
    """Command line -> exit status."""
    parser = argparse.ArgumentParser(prog='python scripts/download.py', description=__doc__.split(':')[0])
    parser.add_argument('name', nargs='?', help='what to fetch')
    parser.add_argument('--list', action='store_true', help='what there is')
    parser.add_argument('--from', dest='source', type=user_path, metavar='FILE',
                        help='use this file, fetched by hand')
    parser.add_argument('--sha256', default='', metavar='HEX', help='expected hash, or its first 8 digits or more')
    parser.add_argument('--trust', action='store_true', help='go on where no hash is known')
    parser.add_argument('--url', action='append', default=[], help='address to use in place of the known ones')
    parser.add_argument('--catalogue', type=user_path, default=CATALOGUE, metavar='FILE', help='default: %(default)s')
    parser.add_argument('--root', type=user_path, default=ROOT, metavar='FOLDER',
                        help='where to put things, default: the repository')
    args = parser.parse_args(argv)
    setup_logging()
    items = read_catalogue(args.catalogue)
    if args.list or not args.name:
        for item in items.values():
            print(f'{item.name:<18} {item.about}{"" if item.urls else " (no address is known)"}')
        return 0
    provide(find_item(items, args.name), args.root, args.source, check_sha256(args.sha256, '--sha256'), args.trust,
            args.url)
    return 0


if __name__ == '__main__':
    run(main)
