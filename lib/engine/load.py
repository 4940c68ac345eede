"""The network that inference runs: as the checkpoint has it, optimised on the fly, or from optimised files."""
from typing import Any, Dict, NamedTuple

from lib.engine.optimise import cached_int8, optimised
from lib.engine.exported_model import NUMBER, check_settings, load_pair, read_facts
from lib.engine.precision import precision_of, prepare
from lib.engine.winograd import use_winograd
from lib.utils.errors import SniperError
from lib.weights.paths import DEFAULT_OUTPUT_PATH


class Network(NamedTuple):
    """A graph and its parameters; made_together: these are known to fit each other."""
    symbol: Any
    arg_params: Dict
    aux_params: Dict
    made_together: bool


def settled(config, weights, variant):
    """Weights (lib.inference.weights) that processes can load without further work: for int8, calibrated files."""
    if precision_of(config) != 'int8' or weights.optimized:
        return weights
    prepare(config)
    from lib.engine.devices import contexts
    _check_devices(config, weights, contexts(config))
    prefix = cached_int8(config, weights, variant, config.output_path or DEFAULT_OUTPUT_PATH)
    return weights._replace(prefix=prefix, epoch=NUMBER, optimized=True)


def load_network(config, weights, variant, devices):
    """-> Network of settled Weights for the graph `variant` on `devices`, in the configured precision.

    SniperError for what a user can mend.
    """
    precision, on_cpu = precision_of(config), _check_devices(config, weights, devices)
    if not weights.optimized and precision == 'fp32' and not config.TEST.FOLD:
        return Network(*_plain(config, weights, variant), made_together=False)
    if weights.optimized:
        symbol, arg_params, aux_params = _of_files(config, weights.prefix, variant)
    else:
        symbol, arg_params, aux_params = optimised(config, weights, precision, variant, on_cpu)
    if precision == 'fp32' and on_cpu:
        symbol, arg_params = use_winograd(symbol, arg_params)
    return Network(symbol, arg_params, aux_params, made_together=True)


def _check_devices(config, weights, devices):
    """True if all devices are CPUs; SniperError if they are not and must be."""
    on_cpu = all(device.device_type == 'cpu' for device in devices)
    if not on_cpu and (weights.optimized or precision_of(config) != 'fp32'):
        raise SniperError('{} runs on CPUs only, but gpus is {!r}: add --set gpus cpu'.format(
            'the network TEST.OPTIMIZED' if weights.optimized else f'TEST.PRECISION {precision_of(config)}',
            config.gpus))
    return on_cpu


def _of_files(config, prefix, variant):
    facts = read_facts(prefix)
    if facts.get('variant') != variant:
        raise SniperError('{} is a network for {}, not for {}: write another with scripts/optimize_model.py'.format(
            prefix, facts.get('variant'), variant))
    check_settings(prefix, facts, config)
    return load_pair(prefix)


def _plain(config, weights, variant):
    from lib.tasks import get_task
    from lib.weights.checkpoint import load_for_test
    from symbols import get_detector
    arg_params, aux_params = (
        {name: array if array.dtype.__name__ == 'float32' else array.astype('float32')
         for name, array in params.items()}
        for params in load_for_test(weights.prefix, weights.epoch, get_task(config, 'test').box_layer))
    return get_detector(config.symbol).symbol(config, variant), arg_params, aux_params
