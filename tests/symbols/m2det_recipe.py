"""The golden vectors of M2Det: weights and inputs by their recipe, and networks filled with them.

Source: reference/golden/m2det/README.md.
"""
import zlib

import numpy as np

from configs import load_config
from sniper_mxnet import mx
from tests.golden import golden_file

INPUTS = ('data', 'data2', 'cls_target', 'loc_target')


def golden(name):
    """The arrays of a file by name; skips the test if it is absent."""
    with np.load(golden_file(f'm2det/{name}.npz')) as file:
        return dict(file)


def config_for(*overrides):
    """A configuration of M2Det at 320, with 81 classes; `overrides` as after --set."""
    return load_config(None, ['symbol', 'm2det', 'M2DET.input_size', '320', 'dataset.NUM_CLASSES', '81', 'gpus', 'cpu',
                              *overrides])


def drawn(name, shape, seed, gain):
    """The array of an original's name."""
    array = np.random.RandomState((seed + zlib.crc32(name.encode())) % 2 ** 32).standard_normal(shape)
    if len(shape) > 1:
        return (array * (gain * np.sqrt(2 / np.prod(shape[1:])))).astype(np.float32)
    if name.endswith('running_var'):
        array = np.abs(array)
    positive = name.endswith('running_var') or is_norm(name) and name.endswith('weight')
    return (0.1 * array + positive).astype(np.float32)


def is_norm(name):
    """Whether an array of one dimension belongs to a BatchNorm: convolutions have biases too, but no such weights."""
    return name.endswith('.weight')


def picture(shape, seed):
    """An input of a module."""
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def filled(symbol, inputs, seed, gain=1.0, gain_base=None, source=lambda name: name, train=False):
    """Executor of `symbol` on `inputs` {name: array} with the recipe's weights.

    source: from a parameter's name to the one that it is drawn by.
    """
    executor = symbol.simple_bind(mx.cpu(), grad_req='write' if train else 'null',
                                  **{name: array.shape for name, array in inputs.items()})
    for arrays in (executor.arg_dict, executor.aux_dict):
        for name, array in arrays.items():
            if name in inputs:
                array[:] = inputs[name]
            else:
                base = gain_base is not None and name.startswith('base.')
                array[:] = drawn(source(name), array.shape, seed, gain_base if base else gain)
    return executor
