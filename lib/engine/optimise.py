"""Which steps make a network ready for inference, and in what order."""
import logging
import os

from configs import values_affecting
from lib.engine.bf16 import to_bfloat16
from lib.engine.calibrate import calibrate
from lib.engine.fold import fold_batch_norms, fuse_relu
from lib.engine.int8 import to_int8
from lib.engine.exported_model import check_settings, graph_settings, read_facts, write_pair
from lib.tasks import get_task
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

SIDE = 128  # of the input for which shapes are inferred; no parameter depends on it


def folded(symbol, arg_params, aux_params, on_cpu=True):
    """Test graph and float32 parameters -> the same function with fewer, fused operators, in float32."""
    symbol, arg_params, aux_params = fold_batch_norms(symbol, arg_params, aux_params)
    return fuse_relu(symbol) if on_cpu else symbol, arg_params, aux_params


def load_checked(config, weights, variant, source):
    """(detector's graph `variant`, arg_params, aux_params in float32) of a checkpoint; SniperError if they do not fit.

    Folding would hide which parameter is missing or misshapen, so it is looked at here. source: name in errors.
    """
    from lib.engine.predictor import check_shapes
    from lib.weights.checkpoint import load_for_test
    from symbols import get_detector
    detector = get_detector(config.symbol)
    symbol = detector.symbol(config, variant)
    arg_params, aux_params = ({name: array.astype('float32') for name, array in params.items()}
                              for params in load_for_test(weights.prefix, weights.epoch,
                                                           get_task(config, 'test').box_layer))
    shapes = detector.input_shapes(config, 1, SIDE, SIDE, variant)
    check_shapes(symbol, arg_params, aux_params, shapes, source)
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


def make_pair(config, weights, prefix, precision, variant='test'):
    """Write the optimised network of a checkpoint as files `<prefix>-...`, see lib.engine.exported_model."""
    settings = graph_settings(config)
    network = optimised(config, weights, precision, variant)
    write_pair(prefix, *network, facts={
        'classes': list(weights.classes), 'precision': precision, 'variant': variant, 'settings': settings,
        'configuration': values_affecting(config, 'detections'),
        'source': weights.path, 'source_digest': weights.digest()})
    logger.info('%s network in %s-symbol.json, %s-0000.params', precision, prefix, prefix)


def cached_int8(config, weights, variant, folder):
    """Prefix of the calibrated network of a checkpoint below `folder`; made if there is none of this configuration."""
    digest = weights.digest()
    prefix = os.path.join(folder, 'int8', f'{variant}_{digest[:16]}')
    try:
        facts = read_facts(prefix)
        check_settings(prefix, facts, config)
        if facts.get('source_digest') == digest:
            logger.info('int8: the calibrated network %s is used again', prefix)
            return prefix
    except SniperError:
        pass  # none yet, a damaged one, or one of other settings: the same mend
    logger.info('int8: calibrating, %s has no network of these weights, images and settings', os.path.dirname(prefix))
    make_pair(config, weights, prefix, 'int8', variant)
    return prefix
