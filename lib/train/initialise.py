"""The training step before its first update: its graph, first values of all parameters (from a pretrained file or from
scratch), and which of them stay frozen.

Source: reference/networks.md sections 3 (frozen parameters), 9 and 13. New layers (`detector.new_parameters`) are
initialised anew even where the pretrained file has an entry of that name; the rest must come from the file, but for
layers that it may lack as a whole (`symbols.layers.optional_parameters`): a neck, if the file is of a backbone alone.
With `network.KEEP_HEADS`, which the original does not have, new layers come from the file where it has them: so a
trained detector is trained further, gets one more head, or learns other classes (lib.train.output_rows).
"""
import contextlib
import logging
from typing import Any, Dict, NamedTuple, Sequence

import numpy as np

from lib.distributed.workers import ALONE
from lib.engine.loss_scale import LossScale
from lib.engine.memory_need import check_memory, least_need
from lib.engine.training import TrainingStep
from lib.tasks import get_task
from lib.train.output_rows import kept_rows, with_kept_rows
from lib.train.resume import load_parameters
from lib.utils.errors import SniperError
from lib.weights.checkpoint import load_params
from lib.weights.initial import BY_NAME, NEW, initial_weights
from lib.weights.misfit import classes_of, other_keys, trained_symbol, whose_weights
from lib.weights.parameter_matching import FEW, LISTED, TEST_ENDING, match_parameters, shortened
from lib.weights.trained_with import check_requirements, warn_of_other_values
from sniper_mxnet import mx
from symbols.layers import optional_parameters

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def initialised_step(config, detector, iterator, devices, prefix, classes, found=None, workers=ALONE):
    """Context manager: a TrainingStep with its first values, those of the checkpoint `found` below `prefix` if there is
    one. Workers other than the first have zeros, until a gradient sync starts. SniperError if files do not fit.

    classes: names, background first, by which outputs of initial weights are found again.
    """
    with make_step(config, detector, iterator, devices, found and found.sidecar.get('loss_scale')) as step:
        if workers.rank:
            step.initialise(mx.init.Zero())
        elif found:
            load_parameters(step, prefix, found.tag)
        else:
            init_parameters(step, detector, config, classes)
        yield step


def make_step(config, detector, iterator, devices, loss_scale_state=None) -> TrainingStep:
    """Training graph of the detector, bound to the shapes of the iterator's batches.

    loss_scale_state: LossScale.get_state of the checkpoint that training goes on from, or None.
    """
    symbol = detector.symbol(config, get_task(config).train_graph)
    inputs = {name for name, _ in iterator.provide_data + iterator.provide_label}
    parameters = [name for name in symbol.list_arguments() if name not in inputs]
    loss_scale = None
    if config.TRAIN.fp16 and config.TRAIN.LOSS_SCALING == 'dynamic':
        loss_scale = LossScale(config.TRAIN.scale, config.TRAIN.LOSS_SCALE_INTERVAL)
        loss_scale.set_state(loss_scale_state or {})
    _check_memory(config, symbol, iterator.provide_data + iterator.provide_label, devices)
    return TrainingStep(symbol, iterator.provide_data, iterator.provide_label, devices,
                        frozen_parameters(config, parameters), loss_scale, config.TRAIN.ACCUMULATE)


def _check_memory(config, symbol, inputs, devices):
    chips = config.TRAIN.BATCH_IMAGES
    need = least_need(symbol, {name: (chips, *shape[1:]) for name, shape in inputs}, True, config.TRAIN.fp16)
    check_memory(need, devices, f'to train on {chips} chips a batch and device',
                 f'lower TRAIN.BATCH_IMAGES (TRAIN.ACCUMULATE makes up for it), or {get_task(config).size_keys}')


def frozen_parameters(config, names):
    """Those of `names` (parameters) that training leaves alone: any entry of FIXED_PARAMS is part of the name.

    Without pretrained weights nothing is frozen: layers that keep random values would be of no use.
    """
    if not config.network.pretrained:
        if config.network.FIXED_PARAMS:
            logger.info('network.pretrained is empty: network.FIXED_PARAMS (%s) is not applied',
                        ', '.join(config.network.FIXED_PARAMS))
        if config.network.FIX_BN:
            logger.info('network.pretrained is empty: network.FIX_BN is not applied, there are no statistics to keep')
        return []
    frozen = [name for name in names if any(part in name for part in config.network.FIXED_PARAMS)]
    unknown = [part for part in config.network.FIXED_PARAMS if not any(part in name for name in names)]
    logger.info('%d of %d parameters are frozen (network.FIXED_PARAMS: %s)%s',
                len(frozen), len(names), ', '.join(config.network.FIXED_PARAMS) or 'empty',
                f'; no name has {", ".join(unknown)} in it, they are such as {shortened(names, listed=4)}'
                if unknown else '')
    return frozen


class FirstValues(NamedTuple):
    """Of initial weights. args, auxs: arrays that are taken over, {name: NDArray}; rows: {name: (array of the file,
    source of each row as in lib.train.output_rows)} of arrays of which only some rows are."""

    args: Dict[str, Any]
    auxs: Dict[str, Any]
    rows: Dict[str, tuple]


def pretrained_values(config, shapes, aux_shapes, new_names, optional_names=(), classes: Sequence[str] = ()):
    """FirstValues that the pretrained file gives, empty from scratch.

    shapes, aux_shapes: {name: shape} of all parameters and auxiliary states; new_names: those that are initialised
    anew, where the file does not have them or network.KEEP_HEADS does not keep them; optional_names: those that are if
    the file has none of them; classes: of the data set, () if nobody knows them. Raises one SniperError that lists what
    is missing or has another shape.
    """
    start = initial_weights(config)
    if start is None:
        logger.info('network.pretrained is empty: training from scratch')
        return FirstValues({}, {}, {})
    path, sidecar = start.path, start.sidecar
    check_requirements(config, sidecar.get('requires'), f'pretrained weights {path}')
    args, auxs = load_params(path)
    given = dict(args, **auxs)
    new_names, rows = set(new_names), {}
    if start.heads != NEW:
        by_name = start.heads == BY_NAME
        warn_of_other_values(config, sidecar.get('config'), path, get_task(config).row_keys if by_name else ())
        new_names -= set(given)
        if by_name:
            rows = _rows_by_name(config, classes, start, shapes, given)
    if not any(name in given for name in optional_names):
        new_names |= set(optional_names)
    wanted, statistics = ({name: shape for name, shape in entries.items() if name not in new_names and name not in rows}
                          for entries in (shapes, aux_shapes))
    _check_complete(config, path, dict(wanted, **statistics), given, sidecar)
    _say_unused(config, path, given, set(shapes) | set(aux_shapes))
    new = sorted((set(shapes) | set(aux_shapes)) - set(wanted) - set(statistics) - set(rows))
    logger.info('Weights from %s: %d arrays are kept; %d new ones are initialised%s', path,
                len(wanted) + len(statistics), len(new), f' ({shortened(new, listed=4)})' if new else '')
    return FirstValues({name: args[name] for name in wanted}, {name: auxs[name] for name in statistics}, rows)


def _rows_by_name(config, classes, start, shapes, given):
    sizes = {name: array.shape for name, array in given.items()}
    found = kept_rows(config, classes, start, shapes, sizes, 0 if start.classes else classes_of(config.symbol, sizes))
    for line in found.lines():
        logger.info('%s', line)
    return {name: (given[name].asnumpy(), source) for name, source in found.sources.items()}


def init_parameters(step, detector, config, classes: Sequence[str] = ()):
    """Fill a bound TrainingStep: pretrained values where there are some, initialisers (seeded) for the rest."""
    shapes, aux_shapes = step.shapes()
    first = pretrained_values(config, shapes, aux_shapes, detector.new_parameters(step.symbol),
                              optional_parameters(step.symbol), classes)
    mx.random.seed(config.TRAIN.SEED)
    np.random.seed(config.TRAIN.SEED)  # some of MXNet's initialisers draw from NumPy
    step.initialise(detector.initializer(), first.args, first.auxs)
    constants = get_task(config).constants(classes)
    if first.rows or constants:
        args, auxs = step.parameters()
        mixed = {name: with_kept_rows(args[name].asnumpy(), *rows) for name, rows in first.rows.items()}
        mixed.update(constants)
        step.set_parameters(dict(args, **{name: mx.nd.array(array, dtype=array.dtype)
                                          for name, array in mixed.items()}), auxs)


def _say_unused(config, path, given, names):
    """Where the file has layers that the network has not, if that comes from another configuration."""
    unused = [name for name in given if name not in names and not name.endswith(TEST_ENDING)]
    keys = other_keys(config, {name: array.shape for name, array in given.items()}) if unused else ''
    if keys:
        logger.warning('%d arrays of %s are not used (%s): it is of another %s: %s', len(unused), path,
                       shortened(unused, listed=FEW), config.symbol, keys)


def _check_complete(config, path, wanted, given, sidecar):
    shapes = {name: array.shape for name, array in given.items()}
    match = match_parameters(wanted, shapes)
    if not match.complete:
        whose = whose_weights(config, shapes, trained_symbol(sidecar))
        raise SniperError(f'pretrained weights {path} do not fit: {match.differences(FEW if whose else LISTED)}; '
                          + (whose or 'check symbol and network.pretrained')
                          + ", or train from scratch with `--set network.pretrained ''`")
