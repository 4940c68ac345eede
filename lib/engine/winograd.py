"""3x3 convolutions by Winograd's F(4x4, 3x3), for float32 inference on CPUs.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016: an output tile of 4x4 cells takes 36
products a channel instead of 144. The operator WinogradConvolution transforms data and results; weights are transformed
here, once, and take four times the memory. Results differ from the plain convolution's by rounding, about 3e-7 (root
mean square) of their largest value.
"""
import logging

import numpy as np

from lib.engine.graph import Graph

logger = logging.getLogger(__name__)

LEAST_CHANNELS = 32  # of data and of filters; below, transforming costs more than is saved
PANEL = 32           # filters side by side in the operator's weights
# Attribute of Convolution -> (its default, what WinogradConvolution computes).
ATTRIBUTES = {'kernel': ('', '(3,3)'), 'stride': ('(1,1)', '(1,1)'), 'pad': ('(0,0)', '(1,1)'),
              'dilate': ('(1,1)', '(1,1)'), 'num_group': ('1', '1'), 'layout': ('None', 'None')}
POINTS = (0.0, 0.5 ** 0.5, -0.5 ** 0.5, 2 ** 0.5, -2 ** 0.5)  # and infinity: those of winograd_transforms.cc


def use_winograd(symbol, arg_params):
    """Test graph and float32 parameters -> (symbol, arg_params) with WinogradConvolution where it fits.

    A ReLU behind such a convolution becomes part of it; names of nodes, inputs and parameters stay. Convolutions whose
    weights are missing or misshapen are left as they are, so that whoever binds the graph complains.
    """
    from sniper_mxnet import mx
    graph, arrays = Graph(symbol), dict(arg_params)
    uses, changed = graph.uses(), 0
    for node in graph.nodes():
        if not fits(node, arrays, uses):
            continue
        weight = node.inputs[1].node.name
        arrays[weight] = mx.nd.array(transformed(arrays[weight].asnumpy()), dtype='float32')
        node.op = 'WinogradConvolution'
        node.attrs = {'num_filter': node.attrs['num_filter'], 'no_bias': str(len(node.inputs) == 2)}
        changed += 1
    for relu, node in graph.relus_behind('WinogradConvolution'):
        relu.op, relu.attrs, relu.inputs = node.op, dict(node.attrs, relu='True'), node.inputs
    logger.info('%d convolutions run by Winograd', changed)
    return graph.symbol(), arrays


def fits(node, arrays, uses):
    """True if a node is a convolution that WinogradConvolution computes faster; uses: Graph.uses()."""
    if node.op != 'Convolution' or len(node.inputs) < 2:
        return False
    weight = arrays.get(node.inputs[1].node.name)
    given = {name: ''.join(node.attrs.get(name, usual).split()) for name, (usual, _) in ATTRIBUTES.items()}
    return (all(given[name] == wanted for name, (_, wanted) in ATTRIBUTES.items())
            and weight is not None and weight.ndim == 4 and weight.shape[2:] == (3, 3)
            and weight.shape[0] == int(node.attrs['num_filter']) and min(weight.shape[:2]) >= LEAST_CHANNELS
            and uses[id(node.inputs[1].node)] == 1)


def transformed(weight):
    """(K, C, 3, 3) -> (36, ceil(K / 32), C, 32) float32, what WinogradConvolution takes; missing filters are 0."""
    filters, channels = weight.shape[:2]
    panels = -(-filters // PANEL)
    out = np.zeros(((len(POINTS) + 1) ** 2, panels, channels, PANEL), np.float32)
    matrix = weight_matrix()
    for panel in range(panels):
        part = weight[panel * PANEL:(panel + 1) * PANEL].astype(np.float64)
        values = matrix @ part @ matrix.T  # (filters, C, 6, 6)
        out[:, panel, :, :len(part)] = values.reshape(len(part), channels, -1).transpose(2, 1, 0)
    return out


def weight_matrix():
    """(6, 3): G of Lavin and Gray for POINTS and infinity."""
    rows = []
    for place, point in enumerate(POINTS):
        others = np.delete(POINTS, place)
        rows.append(np.array([1, point, point * point]) / np.prod(point - others))
    return np.array(rows + [[0, 0, 1]])
