"""A configuration file with comments that say where its values come from."""
import json
import os
import re
from typing import Any, NamedTuple, Sequence, Tuple

BASE_COMMENT = 'everything that does not stand here'
_SECTIONS = ('', 'dataset', 'network', 'TRAIN', 'TEST')
_PLAIN = re.compile(r'[A-Za-z0-9_./][\w./+-]*', re.ASCII)  # needs no quotes


class Entry(NamedTuple):
    """A key ('TRAIN.SCALES'), its value, and why: lines of comment above it."""

    key: str
    value: Any
    why: Tuple[str, ...] = ()


def file_text(head: Sequence[str], base: str, entries: Sequence[Entry]) -> str:
    """Lines of comment, path of the base as it stands in the file, entries in the order of their sections -> YAML."""
    lines = [f'# {line}'.rstrip() for line in head] + [f'_base_: {_written(base)}   # {BASE_COMMENT}']
    present = {entry.key.rpartition('.')[0] for entry in entries}
    for section in (name for name in _SECTIONS if name in present):
        indent = '  ' if section else ''
        lines += ['', f'{section}:'] if section else []
        for entry in entries:
            of, _, name = entry.key.rpartition('.')
            if of == section:
                lines += [f'{indent}# {line}' for line in entry.why]
                lines.append(f'{indent}{name}: {_written(entry.value)}')
    return '\n'.join(lines) + '\n'


def _written(value):
    """One value in YAML, on one line."""
    if isinstance(value, (list, tuple)):
        return f'[{", ".join(map(_written, value))}]'
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, float):
        return f'{value:g}'
    if isinstance(value, str) and (not _PLAIN.fullmatch(value) or _misread(value)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _misread(text):
    """Whether YAML takes a plain word for something else: a number, true, null."""
    return text.lower() in ('true', 'false', 'yes', 'no', 'on', 'off', 'null', 'y', 'n') or \
        re.fullmatch(r'[\d_.+e-]+', text, re.IGNORECASE) is not None


def relative_base(base: str, out: str, root: str) -> str:
    """Path of the base file as the file `out` names it: relative where both lie below `root`, else absolute."""
    base, folder = os.path.abspath(base), os.path.dirname(os.path.abspath(out))
    below = os.path.abspath(root) + os.sep
    return os.path.relpath(base, folder) if base.startswith(below) and (folder + os.sep).startswith(below) else base
