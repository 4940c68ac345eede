"""The network that inference runs: as the checkpoint has it, optimised on the fly, or an exported model.

What makes a network ready, in this order: BatchNorms are folded (fold), then the precision is lowered (lower_precision,
for int8 after calibrate), or float32 convolutions run by Winograd (winograd).
"""
import functools
import logging
import os
from typing import Any, Dict, NamedTuple

from configs import values_affecting
from lib.engine.calibrate import calibrate
from lib.engine.devices import contexts
from lib.engine.exported_model import NUMBER, check_settings, graph_settings, load_exported, read_facts, write_exported
from lib.engine.fold import fold_batch_norms, fuse_relu
from lib.engine.lower_precision import to_bfloat16, to_int8
from lib.engine.precision import precision_of, prepare
from lib.engine.predictor import check_shapes
from lib.engine.winograd import use_winograd
from lib.tasks import get_task
from lib.utils.errors import SniperError
from lib.utils.npz import digest
from lib.weights.misfit import trained_symbol, whose_weights
from lib.weights.paths import DEFAULT_OUTPUT_PATH, read_sidecar

logger = logging.getLogger(__name__)

SIDE = 128  # of the input for which shapes are inferred; no parameter depends on it


class Network(NamedTuple):
    """A graph and its parameters; made_together: these are known to fit each other."""
    symbol: Any
    arg_params: Dict
    aux_params: Dict
    made_together: bool


def calibrated_weights(config, weights, variant):
    """Weights (lib.inference.weights) that processes can load without further work: for int8, calibrated files."""
    if precision_of(config) != 'int8' or weights.optimized:
        return weights
    prepare(config)
    _check_devices(config, weights, contexts(config))
    prefix = cached_int8(config, weights, variant, config.output_path or DEFAULT_OUTPUT_PATH)
    return weights._replace(prefix=prefix, epoch=NUMBER, optimized=True)


def load_network(config, weights, variant, devices):
    """-> Network of calibrated_weights for the graph `variant` on `devices`, in the configured precision.

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
        raise SniperError(f'{prefix} has the graph {facts.get("variant")!r}, and {variant!r} is wanted: write another '
                          'with scripts/optimize_model.py')
    check_settings(prefix, facts, config)
    return load_exported(prefix)


def _plain(config, weights, variant):
    from lib.weights.checkpoint import load_for_test
    from symbols import get_detector
    arg_params, aux_params = (
        {name: array if array.dtype.__name__ == 'float32' else array.astype('float32')
         for name, array in params.items()}
        for params in load_for_test(weights.prefix, weights.epoch, get_task(config, 'test').box_layer))
    return get_detector(config.symbol).symbol(config, variant), arg_params, aux_params


def whose_network(config, weights):
    """Function that says of {name: shape} of the weights what network they are of, see lib.weights.misfit."""
    return functools.partial(whose_weights, config, symbol=trained_symbol(read_sidecar(weights.prefix, weights.epoch)))


def folded(symbol, arg_params, aux_params, on_cpu=True):
    """Test graph and float32 parameters -> the same function with fewer, fused operators, in float32."""
    symbol, arg_params, aux_params = fold_batch_norms(symbol, arg_params, aux_params)
    return fuse_relu(symbol) if on_cpu else symbol, arg_params, aux_params


def load_checked(config, weights, variant, source):
    """(detector's graph `variant`, arg_params, aux_params in float32) of a checkpoint; SniperError if they do not fit.

    Folding would hide which parameter is missing or misshapen, so it is looked at here. source: name in errors.
    """
    from lib.weights.checkpoint import load_for_test
    from symbols import get_detector
    detector = get_detector(config.symbol)
    symbol = detector.symbol(config, variant)
    arg_params, aux_params = ({name: array.astype('float32') for name, array in params.items()}
                              for params in load_for_test(weights.prefix, weights.epoch,
                                                           get_task(config, 'test').box_layer))
    shapes = detector.input_shapes(config, 1, SIDE, SIDE, variant)
    check_shapes(symbol, arg_params, aux_params, shapes, source, get_task(config, 'test').advice,
                 whose_network(config, weights))
    return symbol, arg_params, aux_params


def optimised(config, weights, precision, variant='test', on_cpu=True):
    """-> (symbol, arg_params, aux_params) of a checkpoint, folded, in `precision`; int8 runs images through it.

    Parameters that the graph does not read, such as a mask head's, come along unchanged.
    """
    network = folded(*load_checked(config, weights, variant, f'the weights {weights.path}'), on_cpu)
    symbol, arg_params, aux_params = network
    if precision == 'bf16':
        symbol, arg_params = to_bfloat16(symbol, arg_params, get_task(config, 'test').float32_layers)
    elif precision == 'int8':
        symbol, arg_params = to_int8(symbol, arg_params, calibrate(config, *network),
                                     get_task(config, 'test').float32_layers)
    return symbol, arg_params, aux_params


def export_model(config, weights, prefix, precision, variant='test'):
    """Write the optimised network of a checkpoint as files `<prefix>-...`, see lib.engine.exported_model."""
    settings = graph_settings(config)
    network = optimised(config, weights, precision, variant)
    write_exported(prefix, *network, facts={
        'classes': list(weights.classes), 'precision': precision, 'variant': variant, 'settings': settings,
        'configuration': values_affecting(config, 'detections'),
        'source': weights.path, 'source_digest': weights.digest(),
        'seen': read_sidecar(weights.prefix, weights.epoch).get('seen')})
    logger.info('%s network in %s-symbol.json, %s-0000.params', precision, prefix, prefix)


def cached_int8(config, weights, variant, folder):
    """Prefix of the calibrated network of a checkpoint below `folder`; made if there is none of this configuration."""
    source = weights.digest()
    prefix = os.path.join(folder, 'int8', f'{variant}_{digest([source, graph_settings(config)])[:16]}')
    try:
        facts = read_facts(prefix)
        check_settings(prefix, facts, config)
        if facts.get('source_digest') == source:
            logger.info('int8: the calibrated network %s is used again', prefix)
            return prefix
    except SniperError:
        pass  # none yet, a damaged one, or one of other settings: the same mend
    logger.info('int8: calibrating, %s has no network of these weights, images and settings', os.path.dirname(prefix))
    export_model(config, weights, prefix, 'int8', variant)
    return prefix
