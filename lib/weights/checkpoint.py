"""Checkpoints: parameters, optimiser state, symbol and a side file, readable at every moment.

A checkpoint with the tag `0003` (after epoch 3), `iter1000` (after so many iterations) or `interrupted` is

    <prefix>-symbol.json        the training graph
    <prefix>-<tag>.params       'arg:<name>', 'aux:<name>' in MXNet's array format; also the box layer's `_test` arrays
    <prefix>-<tag>.states       the optimiser: '<kind>:<name>' in the same format, see lib.engine.optimiser_state
    <prefix>-<tag>.json         progress, classes, configuration, sizes of what was trained on (`seen`, see
                                lib.chips.scale_fit); lengths and checksums of the other files
    <prefix>-<tag>-ema.params   with TRAIN.EMA: the averaged weights, to be tested; with a side file of its own

Weights alone, of which nothing is resumed, have parameters and side file: `best` is the tag of the best validation.

Everything is written under temporary names first. Then the old side file is deleted, the new files are renamed, the
side file last: a process killed at any moment leaves either the old checkpoint, none with this tag, or the new one.

The `_test` arrays (`bbox_pred_weight_test`, ...) make the box layer of a test graph decode directly: the network
predicts (delta - mean) / std, so weight_test = weight * std and bias_test = bias * std + mean. Which layer that is, its
task says. (The original forgot the means, which are 0 in all its configurations.) Source: reference/networks.md
section 9.
"""
import functools
import itertools
import json
import logging
import os
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from lib.utils.errors import SniperError
from lib.utils.files import publish, write_temporary
from lib.weights.newest import AVERAGED
from lib.weights.parameter_matching import TEST_ENDING
from lib.weights.params_file import read_arrays, write_arrays
from lib.weights.paths import AVERAGE, existing_epochs, params_path, read_json, read_sidecar
from sniper_mxnet import mx

logger = logging.getLogger(__name__)


def load_params(path: str) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Parameter file -> (arg_params, aux_params), dicts of NDArray on the CPU. SniperError names a broken file."""
    arg_params: Dict[str, Any] = {}
    aux_params: Dict[str, Any] = {}
    for key, array in read_arrays(path).items():
        kind, _, name = key.partition(':')
        if kind not in ('arg', 'aux') or not name:
            raise SniperError(f"{path} is not a file of network parameters: entry {key!r} has neither 'arg:' nor "
                              "'aux:' in front")
        (arg_params if kind == 'arg' else aux_params)[name] = mx.nd.array(array, dtype=array.dtype)
    return arg_params, aux_params


def load_for_test(prefix: str, epoch: int, box_layer=None) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Parameters for a test graph: every `<name>_test` replaces `<name>`. -> (arg_params, aux_params).

    box_layer: of the task (lib.tasks.BoxLayer), whose `_test` arrays are made where the file lacks them.
    SniperError for a file that is missing, broken, incomplete or has numbers that are not finite.
    """
    path = params_path(prefix, epoch)
    if not os.path.exists(path):
        raise SniperError(f'checkpoint {path} does not exist: train first, or set TEST.TEST_EPOCH and --save_prefix '
                          f'to one of {existing_epochs(prefix) or "the checkpoints in another folder"}')
    arg_params, aux_params = load_params(path)
    _complete_box_layer(arg_params, path, read_sidecar(prefix, epoch).get('config', {}), box_layer)
    for name in [name for name in arg_params if name.endswith(TEST_ENDING)]:
        arg_params[name[:-len(TEST_ENDING)]] = arg_params.pop(name)
    for name, array in itertools.chain(arg_params.items(), aux_params.items()):
        if not _is_finite(array.asnumpy()):
            raise SniperError(f'parameter {name} of {path} is not finite, nothing can be found with it: copy the file '
                              'anew, or set TEST.TEST_EPOCH to another checkpoint')
    return arg_params, aux_params


def save(prefix: str, tag: str, symbol, arg_params, aux_params, state, sidecar: dict, box_layer=None,
         make_room: Optional[Callable[[], None]] = None, average: Optional[Tuple[Dict, Dict]] = None) -> None:
    """Write one checkpoint.

    arg_params, aux_params, state: dicts of NDArray, after mx.nd.waitall(); sidecar: dict for JSON, completed by the
    checksums here; box_layer: of the task (lib.tasks.BoxLayer), whose `_test` arrays are written too; make_room: called
    when all is on the disk under temporary names; average: averaged (arg_params, aux_params), None for none.
    Raises SniperError when a parameter is not finite (nothing is written) or the disk refuses.
    """
    arrays, base = _entries(arg_params, aux_params, box_layer), f'{prefix}-{tag}'
    graph, sidecar = symbol.tojson().encode('utf-8'), dict(sidecar, files={})
    with _Staged() as staged:
        staged.add(prefix + '-symbol.json', lambda stream: stream.write(graph))
        for suffix, content in (('params', arrays), ('states', state)):
            sidecar['files'][suffix] = staged.add_arrays(f'{base}.{suffix}', content)
        if average:
            files = {'params': staged.add_arrays(base + AVERAGE + '.params', _entries(*average, box_layer))}
            staged.add_json(base + AVERAGE + '.json', dict(sidecar, files=files))
            sidecar['files'][AVERAGED] = files['params']
        staged.add_json(base + '.json', sidecar)
        if make_room:
            make_room()
        remove(prefix, tag, ('json',))
        if not average:
            _remove(base + AVERAGE + '.params')
        staged.publish()


def save_weights(prefix: str, tag: str, arg_params, aux_params, sidecar: dict, box_layer=None) -> None:
    """Write weights alone, with their side file; arguments and errors as those of `save`."""
    arrays, base = _entries(arg_params, aux_params, box_layer), f'{prefix}-{tag}'
    with _Staged() as staged:
        checksum = staged.add_arrays(base + '.params', arrays)
        staged.add_json(base + '.json', dict(sidecar, files={'params': checksum}))
        _remove(base + '.json')
        staged.publish()


def rename_weights(prefix: str, tag: str, new: str, facts: dict) -> None:
    """Give weights that `save_weights` wrote another tag, in the place of what had it; facts: go into the side file."""
    base, sidecar = f'{prefix}-{new}', dict(read_json(f'{prefix}-{tag}.json'), **facts)
    with _Staged() as staged:
        staged.add_json(base + '.json', sidecar)
        _remove(base + '.json')
        publish(f'{prefix}-{tag}.params', base + '.params')
        staged.publish()
    _remove(f'{prefix}-{tag}.json')


def remove(prefix: str, tag: str, suffixes=('json', 'params', 'states')) -> None:
    """Delete a checkpoint, side file first, and the averaged weights beside it. No error if there is none."""
    for suffix in suffixes:
        _remove(f'{prefix}-{tag}.{suffix}')
        _remove(f'{prefix}-{tag}{AVERAGE}.{suffix}')


def _entries(arg_params, aux_params, box_layer):
    """Content of a parameter file. SniperError for numbers that are not finite."""
    arrays = {'arg:' + name: array.asnumpy() for name, array in arg_params.items()}
    arrays.update({'aux:' + name: array.asnumpy() for name, array in aux_params.items()})
    _check_finite(arrays)
    if box_layer:
        arrays.update(_test_arrays(arrays, box_layer, box_layer.means, box_layer.stds))
    return arrays


class _Staged:
    """Files under temporary names, which get theirs in the order in which they were added, or are deleted."""

    def __init__(self):
        self._files = []

    def add(self, path, write):
        temporary, result = write_temporary(path, write)
        self._files.append((temporary, path))
        return result

    def add_arrays(self, path, arrays):
        return list(self.add(path, functools.partial(write_arrays, arrays=arrays)))

    def add_json(self, path, content):
        text = json.dumps(content, indent=1, sort_keys=True).encode('utf-8')
        self.add(path, lambda stream: stream.write(text))

    def publish(self):
        while self._files:
            publish(*self._files[0])
            self._files.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for temporary, _ in self._files:
            _remove(temporary)


def load_state(prefix: str, tag: str) -> Dict[str, Any]:
    """Optimiser state of a checkpoint: dict of NDArray as `optimiser.get_state` made it."""
    return {name: mx.nd.array(array, dtype=array.dtype)
            for name, array in read_arrays(f'{prefix}-{tag}.states').items()}


def _test_arrays(arrays, box_layer, means, stds):
    """{'arg:<name>_test': array} of the box layer; {} where the arrays have none."""
    weight, bias = (arrays.get('arg:' + name) for name in (box_layer.weight, box_layer.bias))
    if weight is None:
        return {}
    boxes = len(bias) // (4 * box_layer.rows_each)  # 1, or 2 where the network keeps a background box
    means, stds = (np.tile(np.repeat(np.asarray(numbers, np.float32), box_layer.rows_each), boxes)
                   for numbers in (means, stds))
    return {f'arg:{box_layer.weight}{TEST_ENDING}': weight * stds.reshape((-1,) + (1,) * (weight.ndim - 1)),
            f'arg:{box_layer.bias}{TEST_ENDING}': bias * stds + means}


def _complete_box_layer(arg_params, path, config, box_layer):
    """Add the box layer's test arrays where a file lacks them: without, boxes of our networks would be off.

    config: of the training, from the side file; {} if there is none. Networks without a box layer need nothing.
    """
    layer = [box_layer.weight, box_layer.bias] if box_layer else []
    missing = [name for name in layer if name in arg_params and name + TEST_ENDING not in arg_params]
    if not missing:
        return
    if missing != layer:
        raise SniperError(f'{path} has {missing[0]} but not {missing[0]}_test, with which tests decode boxes: take '
                          'all files as training wrote them, or add the array (docs/weights.md, section 1)')
    stem, found = os.path.commonprefix(layer), _trained_with(config, box_layer)
    if found is None:
        # As the original does: a file of another program may hold the layer ready for use.
        logger.warning('%s has no %s*_test, and no side file says %s and %s: %s* is taken as it is; all boxes are off '
                       'if it was trained on normalised targets (docs/weights.md, section 1)', path, stem,
                       box_layer.means_key, box_layer.stds_key, stem)
        return
    arrays = {'arg:' + name: arg_params[name].asnumpy() for name in missing}
    for key, array in _test_arrays(arrays, box_layer, *found).items():
        arg_params[key.partition(':')[2]] = mx.nd.array(array, dtype=array.dtype)
    logger.info('%s has no %s*_test: made from it with means %s and deviations %s', path, stem, *found)


def _trained_with(config, box_layer):
    """(means, stds) that a file without test arrays was trained with: by its side file, or those of all such files of
    the original; None if nobody knows."""
    keys = box_layer.means_key, box_layer.stds_key
    return tuple(config[key] for key in keys) if all(key in config for key in keys) else box_layer.untold


def _is_finite(array):
    return array.dtype.kind != 'f' or bool(np.isfinite(array).all())


def _check_finite(arrays):
    for key, array in arrays.items():
        if not _is_finite(array):
            name = key.partition(':')[2]
            raise SniperError(f'parameter {name} is not finite, no checkpoint was written: lower TRAIN.lr, or set '
                              'TRAIN.CLIP_GRADIENT, and start from the last checkpoint with --resume')


def _remove(path):
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
