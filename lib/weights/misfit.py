"""Which network the weights are of that do not fit the one of a configuration, and so what to configure."""
from typing import Dict

from configs.keys import plain_value, value_of
from lib.weights.parameter_matching import match_network, override
from symbols.registry import detector_names, get_detector
from symbols.variants import CLASSES


def whose_weights(config, shapes: Dict[str, tuple], symbol: str = '') -> str:
    """{name: shape} of weights -> whose they are and the mend, as the end of a sentence; '' if that is not known.

    symbol: of their training, where a side file says it: to try all networks takes minutes.
    """
    keys = other_keys(config, shapes)
    if keys:
        return f'they are of another {config.symbol}: {keys}'
    own = _whole(match_network(config.symbol, shapes))
    if own:
        classes = dict(own.variant.keys).get(CLASSES, config.dataset.NUM_CLASSES)
        return (f'they know {classes} classes with background, and {config.dataset.NUM_CLASSES} are wanted'
                if classes != config.dataset.NUM_CLASSES else '')
    match = _whole(match_network(symbol, shapes)) if symbol in detector_names() and symbol != config.symbol else None
    return f'they are of {match.network}, not of {config.symbol}: take a configuration of that, or other weights' \
        if match else ''


def classes_of(symbol: str, shapes: Dict[str, tuple]) -> int:
    """How many classes, with background, arrays of these {name: shape} are for, if they are of this network; 0 if they
    do not say."""
    variant = get_detector(symbol).variants(shapes)[0]
    return dict(variant.keys).get(CLASSES, 0) if variant.heads else 0


def trained_symbol(sidecar: dict) -> str:
    """The `symbol` that the weights of a side file were trained with; '' where it does not say."""
    config = sidecar.get('config')
    symbol = config.get('symbol') if isinstance(config, dict) else ''
    return symbol if isinstance(symbol, str) else ''


def other_keys(config, shapes: Dict[str, tuple]) -> str:
    """'--set KEY VALUE ...' with which the network of the configuration is the one that such weights are of; ''
    if it is already, or cannot be."""
    own = _whole(match_network(config.symbol, shapes))
    other = [pair for pair in own.variant.keys if pair[0] != CLASSES and pair[0] not in own.variant.made_up
             and plain_value(value_of(config, pair[0])) != plain_value(pair[1])] if own else []
    return f'--set {" ".join(override(*pair) for pair in other)}' if other else ''


def _whole(matches):
    return next((match for match in matches if match.whole.complete), None)
