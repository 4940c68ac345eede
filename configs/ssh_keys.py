"""What follows from the section SSH: detection modules, and which of them the largest scale of a pyramid leaves out.
Free of MXNet.

Source: reference/other_detectors.md part C.
"""
from typing import Tuple

from easydict import EasyDict

from configs.one_scale import of_one_scale
from configs.scales import ascending
from configs.schema import ConfigError

MODULES = ('m1', 'm2', 'm3')    # finest first
STRIDES = (8, 16, 32)           # pixels a cell of each


def modules_of(config: EasyDict) -> Tuple[int, ...]:
    """Positions of the modules that a test looks at, ascending; 0 = the finest."""
    return tuple(sorted(number - 1 for number in config.SSH.modules))


def module_scales(config: EasyDict, index: int) -> EasyDict:
    """The configuration whose only test scale is entry `index` of TEST.SCALES, without the modules that this one leaves
    out: a copy, or `config` itself where nothing differs."""
    left = set(config.SSH.left_out) & set(config.SSH.modules)
    if len(config.TEST.SCALES) == 1 or index != largest_scale(config) or not left:
        return config
    own = of_one_scale(config, index)
    own.SSH.modules = [number for number in config.SSH.modules if number not in left]
    return own


def largest_scale(config: EasyDict) -> int:
    """Position of the largest of TEST.SCALES; among those that depend on the image, of the last."""
    scales, largest = config.TEST.SCALES, 0
    for index in range(1, len(scales)):
        if ascending(scales[largest], scales[index]):
            largest = index
    return largest


def check_ssh(config: EasyDict) -> None:
    """ConfigError, one line, if keys of SSH do not fit each other."""
    keys = config.SSH
    for name in ('anchor_scales', 'allowed_border'):
        if len(keys[name]) != len(MODULES):
            raise ConfigError(f'SSH.{name} has {len(keys[name])} entries; it wants one a module, {len(MODULES)}')
    for scales in keys.anchor_scales:
        if not min(scales) > 0:
            raise ConfigError(f'SSH.anchor_scales is {list(map(list, keys.anchor_scales))}; sizes of anchors are above '
                              '0, in units of SSH.anchor_base pixels')
    for name, fewest in (('modules', 1), ('left_out', 0)):
        numbers = keys[name]
        if len(numbers) < fewest or len(set(numbers)) != len(numbers) or not set(numbers) <= {1, 2, 3}:
            raise ConfigError(f'SSH.{name} is {list(numbers)}; it wants numbers of modules, each once, 1 = the '
                              'finest to 3')
    if len(config.TEST.SCALES) > 1 and not set(keys.modules) - set(keys.left_out):
        raise ConfigError(f'SSH.left_out is {list(keys.left_out)} and SSH.modules {list(keys.modules)}: the largest '
                          'scale of a pyramid would look for nothing')
