"""SGD as the original sets it up, and its state by parameter name.

Source: reference/pipeline.md section 11, reference/networks.md section 9. Weight decay reaches only parameters named
`*_weight` and `*_gamma`: MXNet gives every other name a multiplier of 0 by itself. Gradients are summed over devices
and workers and not averaged (`rescale_grad` 1), unless TRAIN.LOSS_MEAN 'update' asks for it.
"""
import logging

import numpy as np
from sniper_mxnet import mx

from configs.derived import loss_factor
from lib.utils.errors import SniperError
from lib.distributed.workers import ALONE

logger = logging.getLogger(__name__)

KINDS = ('momentum', 'master', 'count')  # prefixes of the entries in a .states file


def sgd_settings(config, schedule, parts=1):
    """Keyword arguments of MXNet's SGD. parts: devices of all workers, over which the chips of an update are split.

    With fp16 the losses carry a factor TRAIN.scale: the rate is divided by it (in `schedule`), weight decay and
    the clipping bound are multiplied by it, and float32 master weights are kept.
    """
    train = config.TRAIN
    scale = loss_factor(train)
    return {
        'momentum': train.momentum,
        'wd': train.wd * scale,
        'learning_rate': schedule.base_lr,
        'lr_scheduler': schedule,
        'rescale_grad': 1.0 / parts if train.LOSS_MEAN == 'update' else 1.0,
        'clip_gradient': train.CLIP_GRADIENT * scale if train.CLIP_GRADIENT > 0 else None,
        'multi_precision': bool(train.fp16),
    }


def init_optimiser(module, config, schedule, workers=ALONE):
    """Give a bound, initialised Module its SGD. What comes from other workers is not the Module's business."""
    parts = len(module._context) * workers.count
    _warn_of_odd_settings(config, parts, workers)
    module.init_optimizer(kvstore=config.default.kvstore if workers.alone else None, optimizer='sgd',
                          optimizer_params=sgd_settings(config, schedule, parts))


def _warn_of_odd_settings(config, parts, workers):
    if config.default.gradient_compression != 'none' and workers.alone and parts == 1:
        logger.warning('default.gradient_compression has no effect: there is one device, and nobody to send to')
    if config.TRAIN.LR_SCALING == 'linear' and config.TRAIN.LOSS_MEAN == 'device' and parts > 1:
        logger.warning("TRAIN.LR_SCALING 'linear' raises the rate with the number of chips, and with LOSS_MEAN "
                       "'device' the gradients of %d devices are summed too: a step grows with both; "
                       "LR_SCALING is meant for LOSS_MEAN 'update'", parts)


def get_state(module):
    """State of the optimiser: dict 'momentum:<name>', 'master:<name>' -> NDArray, 'count:<name>' -> (1,) int64.

    One entry a parameter whatever the number of devices (all devices hold the same state). `count` is the number
    of updates that the parameter has seen. Call mx.nd.waitall() first.
    """
    updater, keys = _updater(module)
    counts = {}
    for device_counts in updater.optimizer._all_index_update_counts.values():
        for key, count in device_counts.items():  # one device updates a key: the others' counts stand still
            counts[key] = max(count, counts.get(key, 0))
    entries = {}
    for name, (device_keys, _) in keys.items():
        momentum, master = _split(updater.states.get(device_keys[0]))
        if momentum is not None:
            entries['momentum:' + name] = momentum
        if master is not None:
            entries['master:' + name] = master
        if device_keys[0] in counts:
            entries['count:' + name] = mx.nd.array([counts[device_keys[0]]], dtype='int64')
    return entries


def set_state(module, entries, source):
    """Put back what `get_state` gave, nothing from a training that ended before its first update. `source` names the
    file in errors."""
    if not entries:
        return
    unknown = [entry for entry in entries if entry.split(':', 1)[0] not in KINDS]
    if unknown:
        raise SniperError(f'{source} is not an optimiser state of this program (entry {unknown[0]!r})')
    updater, keys = _updater(module)
    optimizer = updater.optimizer
    for name, (device_keys, weights) in keys.items():
        if 'count:' + name not in entries:
            raise SniperError(f'{source} has no state for {name}: it belongs to another network or another '
                              'network.FIXED_PARAMS')
        count = int(entries['count:' + name].asscalar())
        for key, weight in zip(device_keys, weights):
            updater.states[key] = _restore(optimizer, key, weight, entries, name, source)
            updater.states_synced[key] = False  # moved to the device that updates it at the first use
            for context in module._context:     # which device will do so is the kvstore's business
                optimizer._all_index_update_counts.setdefault(context.device_id, {})[key] = count
        optimizer.num_update = max(optimizer.num_update, count)


def share_state(workers, entries):
    """The optimiser state `entries` of worker 0, which read it from a checkpoint, on all workers."""
    kinds = workers.json_from_first({name: (list(array.shape), np.dtype(array.dtype).name)
                                     for name, array in entries.items()})
    return {name: workers.from_first(entries[name] if workers.rank == 0 else mx.nd.zeros(shape, dtype=dtype))
            for name, (shape, dtype) in kinds.items()}


def in_other_batches(entries, before, now):
    """State of an optimiser that has made updates of `before` chips, as if they had been of `now` chips: the schedule
    counts updates."""
    if before == now:
        return entries
    return {name: mx.nd.array([round(int(value.asscalar()) * before / now)], dtype='int64')
            if name.startswith('count:') else value for name, value in entries.items()}


def _updater(module):
    """The updater, and for every trained parameter (its keys in the updater, an array a key).

    On one device, and where the kvstore only sums, every device has a key of its own; a kvstore that updates
    has one key, the parameter's name. Module offers no public way to these.
    """
    on_kvstore = module._update_on_kvstore
    updater = module._kvstore._updater if on_kvstore else module._updater
    group = module._exec_group
    devices = len(module._context)
    keys = {}
    for index, (name, grads) in enumerate(zip(group.param_names, group.grad_arrays)):
        if grads[0] is None:
            continue
        device_keys = [name] if on_kvstore else [index * devices + device for device in range(devices)]
        keys[name] = (device_keys, group.param_arrays[index][:len(device_keys)])
    return updater, keys


def _split(state):
    """MXNet's SGD state -> (momentum or None, float32 master weight or None)."""
    return state if isinstance(state, (tuple, list)) else (state, None)


def _restore(optimizer, key, weight, entries, name, source):
    state = optimizer.create_state_multi_precision(key, weight)
    for kind, target in zip(('momentum', 'master'), _split(state)):
        value = entries.get(f'{kind}:{name}')
        if (target is None) != (value is None):
            raise SniperError(f'{source} and the configuration disagree about the {kind} of {name}: resume with the '
                               'same '
                              'TRAIN.momentum and TRAIN.fp16')
        if target is not None:
            if target.shape != value.shape:
                raise SniperError(f'{source}: {kind} of {name} has shape {value.shape}, the network needs '
                                  f'{target.shape}')
            value.astype(np.dtype(target.dtype)).copyto(target)
    return state
