"""What weights were trained with or converted for, beside what they are used with."""
import logging
from typing import Any, Sequence

from configs import values_affecting
from configs.keys import declared_keys, plain_value, value_of
from lib.utils.errors import SniperError
from lib.weights.parameter_matching import override

logger = logging.getLogger(__name__)

# A weight file of another symbol or number of classes does not fit, and precision is a matter of each use.
SAID_ELSEWHERE = ('symbol', 'dataset.NUM_CLASSES', 'TRAIN.fp16')


def warn_of_other_values(config, before: Any, path: str, besides: Sequence[str] = ()) -> None:
    """Of keys that a training and a use of its weights must have alike, such as anchors: with others the arrays may
    fit, and compute something else.

    before: {dotted name: value} of the training, from the side file of the weights `path`; anything else says nothing.
    besides: keys that may differ.
    """
    if not isinstance(before, dict):
        return
    now = values_affecting(config, 'schedule', among='detections')
    changed = [override(key, before[key]) for key, value in now.items()
               if key in before and key not in (*SAID_ELSEWHERE, *besides) and before[key] != value]
    if changed:
        logger.warning('%s was trained with other values than the configuration has, which give other detections than '
                       'it learnt: --set %s', path, ' '.join(changed))


def check_requirements(config, requires: Any, source: str) -> None:
    """SniperError, with the mend, where a configuration is not as a converted file wants it: its arrays might fit, and
    would compute something else.

    requires: {dotted name: value} of its side file; anything else, and keys that there are not, say nothing. source:
    the weights in words.
    """
    keys = declared_keys()
    wanted = {key: value for key, value in requires.items() if key in keys} if isinstance(requires, dict) else {}
    other = {key: value for key, value in wanted.items() if plain_value(value_of(config, key)) != value}
    if other:
        named = [f'{key} {value}, the configuration says {plain_value(value_of(config, key))}'
                 for key, value in other.items()]
        raise SniperError(f'{source} are made for {"; ".join(named)}: add --set '
                          f'{" ".join(override(*pair) for pair in other.items())}')
