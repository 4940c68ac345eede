"""A configuration of one entry of TEST.SCALES alone, for detectors whose graphs depend on the scale."""
import copy
from typing import Any

from easydict import EasyDict

from configs.defaults import KEYS


def of_one_scale(config: EasyDict, index: int) -> EasyDict:
    """A copy whose lists of an entry a scale have entry `index` alone."""
    own = copy.deepcopy(config)
    keys: Any = KEYS['TEST']
    for name in [name for name, declared in keys.items() if declared.per_scale]:
        own.TEST[name] = [config.TEST[name][index]]
    return own
