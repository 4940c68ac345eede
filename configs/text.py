"""A configuration as a YAML text, which `--cfg` takes again."""
from typing import Iterable, Iterator, Optional, Tuple

import yaml
from easydict import EasyDict

from configs.keys import ALL_KEYS, plain_value
from configs.schema import Key


def describe(config: EasyDict, keys: Optional[dict] = None, meanings: bool = False, indent: str = '') -> Iterator[str]:
    """YAML lines of a configuration; with `meanings` what each key means follows as a comment."""
    for name, declared in (ALL_KEYS if keys is None else keys).items():
        if isinstance(declared, Key):
            line = f'{indent}{name}: {_value_text(config[name])}'
            yield f'{line}  # {declared.meaning}' if meanings else line
        else:
            yield f'{indent}{name}:'
            yield from describe(config[name], declared, meanings, indent + '  ')


def configuration_text(config: EasyDict, facts: Iterable[Tuple[str, object]] = ()) -> str:
    """The configuration of a run as a file; facts: (what, value) to stand at its head as comments."""
    head = [f'# {what}: {value}'.replace('\n', ' ') for what, value in facts]
    return '\n'.join(head + list(describe(config))) + '\n'


def _value_text(value):
    """A value as YAML on one line; pairs as lists, which load as pairs again."""
    text = yaml.safe_dump(plain_value(value), default_flow_style=True, width=float('inf'))
    return text.replace('\n...', '').strip()
