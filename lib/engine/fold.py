"""BatchNorm folded into the convolution before it, for inference.

At test a BatchNorm is y = a x + b a channel, with a = gamma / sqrt(variance + eps) and b = beta - a mean. Behind a
convolution it is another convolution: weights a W, bias a c + b (c: the old bias, or 0). Exact but for rounding.

A BatchNorm that follows a sum, as the first of every unit of a pre-activation ResNet, has no convolution to go into:
before it lies a sum that others read too, behind it a ReLU. It stays, and oneDNN runs it in one pass with its ReLU.
"""
import logging

import numpy as np

from lib.engine.graph import Graph, Value, variable

logger = logging.getLogger(__name__)

CONVOLUTIONS = {'Convolution': 2, 'DeformableConvolution': 3}  # operator -> place of its bias among the inputs
DEFAULT_EPS = 1e-3  # MXNet's, where a graph gives none


def fold_batch_norms(symbol, arg_params, aux_params):
    """Test graph and parameters -> the same function with fewer BatchNorms: (symbol, arg_params, aux_params).

    arg_params, aux_params: {name: NDArray}; not changed. Names of outputs, inputs and all other parameters stay;
    convolutions that had no bias get `<name>_bias`. A BatchNorm whose arrays are missing or do not fit is left as it
    is, so that whoever binds the graph complains about the parameter as in the original graph.
    """
    graph, arrays = Graph(symbol), dict(arg_params)
    drop_copies(graph)
    uses, folded = graph.uses(), []
    for norm in [node for node in graph.nodes() if node.op == 'BatchNorm']:
        convolution = norm.inputs[0].node
        if convolution.op not in CONVOLUTIONS or uses[id(convolution)] != 1 or norm.attrs.get('axis', '1') != '1':
            continue
        factors = _scale_and_shift(norm, dict(arg_params, **aux_params))
        if factors is not None and _scale_convolution(convolution, *factors, arrays, uses):
            graph.replace(norm, Value(convolution))
            folded.append(norm)
    logger.info('%d of %d BatchNorms are folded into convolutions', len(folded),
                len(folded) + sum(node.op == 'BatchNorm' for node in graph.nodes()))
    gone = {value.node.name for norm in folded for value in norm.inputs[1:]}
    return (graph.symbol(), {name: array for name, array in arrays.items() if name not in gone},
            {name: array for name, array in aux_params.items() if name not in gone})


def fuse_relu(symbol):
    """Every BatchNorm with a ReLU behind it as one operator, which only CPUs with oneDNN have."""
    graph = Graph(symbol)
    for relu, norm in graph.relus_behind('BatchNorm'):
        relu.op, relu.attrs, relu.inputs = '_contrib_BatchNormWithReLU', dict(norm.attrs), norm.inputs
    return graph.symbol()


def drop_copies(graph):
    """Take out the copies before operators of the library, which are for gradients (nodes `*_guard`)."""
    outputs = {id(head.node) for head in graph.heads}
    for node in graph.nodes():
        if node.op == '_copy' and id(node) not in outputs:
            graph.replace(node, node.inputs[0])


def _scale_and_shift(norm, arrays):
    """(a, b), float64 (channels,), of a BatchNorm; None if an array is missing or they do not fit each other."""
    values = [arrays.get(value.node.name) for value in norm.inputs[1:]]
    if any(value is None for value in values) or len({value.shape for value in values}) != 1:
        return None
    gamma, beta, mean, variance = (value.asnumpy().astype(np.float64) for value in values)
    if norm.flag('fix_gamma', True):
        gamma = np.ones_like(gamma)
    scale = gamma / np.sqrt(variance + float(norm.attrs.get('eps', DEFAULT_EPS)))
    return scale, beta - scale * mean


def _scale_convolution(node, scale, shift, arrays, uses):
    """Make the convolution's output y into scale y + shift, in `arrays` and the node; False if it cannot be."""
    from sniper_mxnet import mx
    place = CONVOLUTIONS[node.op]
    weight, bias = node.inputs[place - 1].node, node.inputs[place].node if len(node.inputs) > place else None
    learnt = [parameter for parameter in (weight, bias) if parameter]
    if any(parameter.name not in arrays or uses[id(parameter)] != 1 for parameter in learnt) or any(
            arrays[parameter.name].shape[0] != len(scale) for parameter in learnt):
        return False
    kernel = arrays[weight.name].asnumpy()
    arrays[weight.name] = mx.nd.array(kernel * scale.reshape((-1,) + (1,) * (kernel.ndim - 1)), dtype='float32')
    if bias is None:
        bias, old = variable(node.name + '_bias'), 0.0
        node.inputs.append(Value(bias))
        node.attrs['no_bias'] = 'False'
    else:
        old = arrays[bias.name].asnumpy().astype(np.float64)
    arrays[bias.name] = mx.nd.array(scale * old + shift, dtype='float32')
    return True
