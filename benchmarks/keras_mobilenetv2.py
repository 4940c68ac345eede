"""Keras' MobileNetV2 for the trunk of `mobilenetv2_e2e`: python -m benchmarks.keras_mobilenetv2 FILE.h5 PREFIX

Public ImageNet weights that a Python package carries come in this form. Writes PREFIX-0001.params with its side file,
the trunk alone: `python -m benchmarks.fewshot` reads no more. The pictures that Keras shows it are pixel / 127.5 - 1:
give network.PIXEL_MEANS [127.5,127.5,127.5], the factor is in the first layer. Needs h5py.

Two things differ from Keras: convolutions of stride 2 pad both sides alike here, so that maps lie half a cell aside;
and the first block widens by 1x1 too, here by the identity.
"""
import argparse
import json
from typing import Dict

import numpy as np

from lib import cli
from lib.utils.errors import SniperError
from lib.utils.files import publish, write_file, write_temporary
from lib.utils.user_path import user_path
from lib.weights.params_file import write_arrays
from symbols.backbones.mobilenetv2 import EPS, SEQUENCES, STEM_CHANNELS

KERAS_EPS = 1e-3
UNIT = 127.5


def main(argv=None) -> int:
    """-> exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('file', type=user_path)
    parser.add_argument('prefix', type=user_path)
    args = parser.parse_args(argv)
    arrays = converted(read_h5(args.file))
    temporary, _ = write_temporary(f'{args.prefix}-0001.params', lambda stream: write_arrays(stream, arrays))
    publish(temporary, f'{args.prefix}-0001.params')
    write_file(f'{args.prefix}-0001.json', json.dumps({'classes': ['__background__', 'object']}).encode('ascii'))
    return 0


def read_h5(path: str) -> Dict[str, np.ndarray]:
    """{'<layer>/<array>': array} of a model or of its weights, whatever groups they are in."""
    import h5py
    found: Dict[str, np.ndarray] = {}

    def visit(name, thing):
        if isinstance(thing, h5py.Dataset) and 'optimizer' not in name:
            layer, array = name.split('/')[-2:]
            found[f'{layer}/{array.split(":")[0].replace("depthwise_kernel", "kernel")}'] = np.array(thing)
    with h5py.File(path, 'r') as file:
        file.visititems(visit)
    if 'Conv_1/kernel' not in found:
        raise SniperError(f'{path} holds no MobileNetV2 of Keras')
    return found


def converted(keras: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """{name in a parameter file: float32 array} of the trunk."""
    arrays: Dict[str, np.ndarray] = {}
    _unit(arrays, keras, 'first-3x3-conv', 'Conv1', 'bn_Conv1', 1 / UNIT)
    number = 0
    for index, (_, _, blocks, _) in enumerate(SEQUENCES):
        for block in range(blocks):
            ours, theirs = f'seq-{index}-block{block}', f'block_{number}' if number else 'expanded_conv'
            if number:
                _unit(arrays, keras, f'{ours}-exp', f'{theirs}_expand', f'{theirs}_expand_BN')
            else:
                _identity(arrays, f'{ours}-exp')
            _unit(arrays, keras, f'{ours}-depthwise', f'{theirs}_depthwise', f'{theirs}_depthwise_BN', depthwise=True)
            _unit(arrays, keras, f'{ours}-linear', f'{theirs}_project', f'{theirs}_project_BN')
            number += 1
    _unit(arrays, keras, 'last-1x1-conv', 'Conv_1', 'Conv_1_bn')
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def _unit(arrays, keras, ours, layer, norm, factor=1.0, depthwise=False):
    kernel = keras[f'{layer}/kernel']
    arrays[f'arg:{ours}-conv2d_weight'] = factor * kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
    for part, name in (('arg', 'gamma'), ('arg', 'beta'), ('aux', 'moving_mean')):
        arrays[f'{part}:{ours}-batchnorm_{name}'] = keras[f'{norm}/{name}']
    arrays[f'aux:{ours}-batchnorm_moving_var'] = keras[f'{norm}/moving_variance'] + KERAS_EPS - EPS


def _identity(arrays, ours):
    ones = np.ones(STEM_CHANNELS)
    arrays[f'arg:{ours}-conv2d_weight'] = np.eye(STEM_CHANNELS)[:, :, None, None]
    arrays.update({f'arg:{ours}-batchnorm_gamma': ones, f'arg:{ours}-batchnorm_beta': 0 * ones,
                   f'aux:{ours}-batchnorm_moving_mean': 0 * ones, f'aux:{ours}-batchnorm_moving_var': ones - EPS})


if __name__ == '__main__':
    cli.run(main)
