"""The file that says what can be fetched, from where, and which hash it has (scripts/downloads.yml)."""
import os
import re
from typing import NamedTuple, Tuple

import yaml

from lib.utils.errors import SniperError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CATALOGUE = os.path.join(ROOT, 'scripts', 'downloads.yml')
KEYS = ('about', 'urls', 'sha256', 'file', 'into', 'gives', 'otherwise')


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


def find(items, name):
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
