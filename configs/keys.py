"""Which configuration keys there are, and their values in a configuration."""
import hashlib
import json
from typing import Any, Dict, Iterable, List, Optional

from easydict import EasyDict

from configs.defaults import KEYS
from configs.legacy import LEGACY
from configs.schema import Key


def _joined(live, legacy):
    """Two nested declarations as one; no key stands in both."""
    both = dict(live)
    for name, declared in legacy.items():
        if name in both and isinstance(declared, Key):
            raise ValueError(f'{name} is declared twice, in configs/defaults.py and configs/legacy.py')
        both[name] = declared if isinstance(declared, Key) else _joined(both.get(name, {}), declared)
    return both


ALL_KEYS = _joined(KEYS, LEGACY)


def declared_keys(keys: Optional[dict] = None, prefix: str = '') -> Dict[str, Key]:
    """{dotted name: Key} of all valid keys, in the order of configs/defaults.py, those of configs/legacy.py last."""
    found = {}
    for name, declared in (ALL_KEYS if keys is None else keys).items():
        if isinstance(declared, Key):
            found[prefix + name] = declared
        else:
            found.update(declared_keys(declared, f'{prefix}{name}.'))
    return found


def key_names() -> List[str]:
    """All valid keys, dotted."""
    return list(declared_keys())


def default_values(names: Iterable[str]) -> Dict[str, Any]:
    """{dotted name: default value, plain} of the keys `names`."""
    keys = declared_keys()
    return {name: plain_value(keys[name].kind.convert(keys[name].default)) for name in names}


def value_of(config: EasyDict, name: str) -> Any:
    """Value of the key `name`, 'TRAIN.lr'."""
    for word in name.split('.'):
        config = config[word]
    return config


def plain_value(value: Any) -> Any:
    """A key's value in lists, numbers and texts alone, as YAML and JSON know them."""
    if hasattr(value, 'tolist'):  # an array, or a number of NumPy's
        return value.tolist()
    return [plain_value(item) for item in value] if isinstance(value, (list, tuple)) else value


def flat_config(config, prefix=''):
    """{dotted name: plain value} of everything in a configuration, keys that nobody declared too."""
    flat = {}
    for key, value in config.items():
        if hasattr(value, 'items'):
            flat.update(flat_config(value, f'{prefix}{key}.'))
        else:
            flat[prefix + key] = plain_value(value)
    return flat


def config_hash(flat):
    """Short fingerprint of `flat_config`."""
    return hashlib.sha256(json.dumps(flat, sort_keys=True).encode('utf-8')).hexdigest()[:16]
