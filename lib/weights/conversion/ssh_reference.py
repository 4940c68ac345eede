"""SSH as its authors wrote it down, evaluated from a file's own arrays: what a converted file is compared with.

Written from reference/other_detectors.md part C without a look at symbols/.
"""
from typing import Any, Dict, List, Tuple

import numpy as np

from lib.weights.conversion.torch_layers import TorchLayers

MODULES = ('m1', 'm2', 'm3')


def module_outputs(arrays: Dict[str, np.ndarray], data: np.ndarray) -> List[Tuple[np.ndarray, np.ndarray]]:
    """(scores (1, 4, h, w), deltas (1, 8, h, w)) of each module, finest first.

    arrays: '<layer>.weight' and '<layer>.bias' by name; data: (1, 3, H, W), B, G, R minus means.
    """
    net = TorchLayers(arrays)
    body, maps = net.nd.array(data), {}
    for block, count in enumerate((2, 2, 3, 3, 3), start=1):
        if block > 1:
            body = net.pool(body, 2, 2, ceil=True)
        for number in range(1, count + 1):
            body = _relu(net, body, f'conv{block}_{number}', pad=1)
        maps[block] = body
    coarse = _doubled(_relu(net, maps[5], 'conv5_128').asnumpy(), np.asarray(arrays['conv5_128_up.weight']))
    fine = _relu(net, maps[4], 'conv4_128')
    fused = fine + net.nd.array(coarse[:, :, :fine.shape[2], :fine.shape[3]])
    inputs = (_relu(net, fused, 'conv4_fuse_final', pad=1), maps[5], net.pool(maps[5], 2, 2, ceil=True))
    return [_module(net, name, entry) for name, entry in zip(MODULES, inputs)]


def _module(net: Any, name: str, data: Any) -> Tuple[np.ndarray, np.ndarray]:
    def conv(body, layer):
        return net.conv(body, f'{name}@ssh_{layer}', pad=1)

    context = net.nd.relu(conv(data, 'dimred'))
    wide = conv(net.nd.relu(conv(context, '7x7-1')), '7x7')
    body = net.nd.relu(net.nd.concat(conv(data, '3x3'), conv(context, '5x5'), wide, dim=1))
    return tuple(net.conv(body, f'{name}@ssh_{layer}').asnumpy() for layer in ('cls_score', 'bbox_pred'))


def _relu(net, data, name, pad=0):
    return net.nd.relu(net.conv(data, name, pad=pad))


def _doubled(data, weight):
    """Transposed convolution of each plane (B, C, h, w) with its own 4x4 weights (C, 1, 4, 4): stride 2, cut by 1 all
    around."""
    batch, planes, height, width = data.shape
    wide = np.zeros((batch, planes, 2 * height + 2, 2 * width + 2), np.float32)
    for row in range(4):
        for column in range(4):
            wide[:, :, row:row + 2 * height:2, column:column + 2 * width:2] += data * weight[None, :, 0, row, column,
                                                                                            None, None]
    return wide[:, :, 1:-1, 1:-1]
