"""What two runs must agree in to share a cache, a shard, a checkpoint or an optimised network.

Every key says what it affects where it is declared (configs/defaults.py, in the words of configs/schema.py). Whoever
keeps a file compares the values of the keys that affect what is in it; there is no second list of keys.
"""
from typing import Any, Dict, List, Optional, Sequence

from easydict import EasyDict

from configs.keys import declared_keys, plain_value, value_of
from configs.schema import AFFECTED


def keys_affecting(*what: str, among: Optional[str] = None, without: Sequence[str] = ()) -> List[str]:
    """Dotted names of the keys that affect one of the words `what` (configs/schema.py), as they are declared.

    among: of those, the ones that affect this too. without: words that they must not affect.
    """
    unknown = {*what, *without, *([among] if among else [])} - set(AFFECTED)
    if unknown:
        raise ValueError(f'{sorted(unknown)}: keys affect {", ".join(AFFECTED)}')
    return [name for name, declared in declared_keys().items()
            if declared.affects & set(what) and not declared.affects & set(without)
            and (among is None or among in declared.affects)]


def values_affecting(config: EasyDict, *what: str, among: Optional[str] = None, without: Sequence[str] = (),
                     scale: Optional[int] = None) -> Dict[str, Any]:
    """{dotted name: value in lists, numbers and texts alone} of keys_affecting(*what, ...) in `config`.

    scale: number of a test scale; a list with an entry for each scale then gives that entry alone.
    """
    keys, values = declared_keys(), {}
    for name in keys_affecting(*what, among=among, without=without):
        value = plain_value(value_of(config, name))
        if scale is not None and keys[name].per_scale and name.startswith('TEST.'):
            value = value[scale]
        values[name] = value
    return values
