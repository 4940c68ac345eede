"""State of MXNet's SGD and Adam by parameter name, whatever the number of devices and the kind of KVStore.

Module offers no public way to its updater; this module and lib.engine.training are the ones that know its inside.
"""
import numpy as np

from lib.utils.errors import SniperError
from sniper_mxnet import mx

AVERAGES = {'SGD': ('momentum',), 'Adam': ('mean', 'variance')}     # what an optimiser keeps of a parameter
KINDS = ('momentum', 'mean', 'variance', 'master', 'count')         # prefixes of the entries in a .states file


def get_state(module):
    """State of the optimiser: dict 'momentum:<name>' (Adam: 'mean:<name>', 'variance:<name>'), 'master:<name>' ->
    NDArray, 'count:<name>' -> (1,) int64.

    One entry of a kind a parameter whatever the number of devices (all devices hold the same state). `count` is the
    number of updates that the parameter has seen. Call mx.nd.waitall() first.
    """
    updater, keys = _updater(module)
    counts = {}
    for device_counts in updater.optimizer._all_index_update_counts.values():
        for key, count in device_counts.items():  # one device updates a key: the others' counts stand still
            counts[key] = max(count, counts.get(key, 0))
    entries = {}
    for name, (device_keys, _) in keys.items():
        for kind, array in _by_kind(updater.optimizer, updater.states.get(device_keys[0])).items():
            if array is not None:
                entries[f'{kind}:{name}'] = array
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


def in_other_batches(entries, before, now):
    """State of an optimiser that has made updates of size `before`, as if they had been of size `now`: the schedule
    counts updates. Sizes are in chips, or in any other share of the training."""
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


def _by_kind(optimizer, state):
    """{kind: NDArray or None} of an MXNet optimiser's state: the averages that it keeps, and the float32 master weight,
    which SGD puts behind its own and all others before."""
    kinds = AVERAGES[type(optimizer).__name__]
    if isinstance(optimizer, mx.optimizer.SGD):
        own, master = state if isinstance(state, (tuple, list)) else (state, None)
    else:
        master, own = state if state and isinstance(state[1], (tuple, list)) else (None, state)
    own = own if isinstance(own, (tuple, list)) else [own] * len(kinds)     # one array, or None
    return dict(zip(kinds, own), master=master)


def _restore(optimizer, key, weight, entries, name, source):
    state = optimizer.create_state_multi_precision(key, weight)
    for kind, target in _by_kind(optimizer, state).items():
        value = entries.get(f'{kind}:{name}')
        if (target is None) != (value is None):
            raise SniperError(f'{source} and the configuration disagree about the {kind} of {name}: resume with the '
                              'same TRAIN.OPTIMIZER, TRAIN.momentum and TRAIN.fp16')
        if target is not None:
            if target.shape != value.shape:
                raise SniperError(f'{source}: {kind} of {name} has shape {value.shape}, the network needs '
                                  f'{target.shape}')
            value.astype(np.dtype(target.dtype)).copyto(target)
    return state
