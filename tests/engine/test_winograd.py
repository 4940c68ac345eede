"""Networks with WinogradConvolution compute the same, and only where it fits."""
import numpy as np
import pytest

from lib.engine.fold import fold_batch_norms
from lib.engine.graph import Graph
from lib.engine.winograd import LEAST_CHANNELS, use_winograd
from lib.utils.processes import environment

SHAPE = (2, LEAST_CHANNELS, 10, 13)


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


def convolution(mx, data, name, **other):
    usual = dict(num_filter=LEAST_CHANNELS, kernel=(3, 3), pad=(1, 1), name=name)
    return mx.sym.Convolution(data, **dict(usual, **other))


def relu(mx, data, name):
    return mx.sym.Activation(data, act_type='relu', name=name)


def draw(mx, symbol):
    rng = np.random.RandomState(0)
    shapes = symbol.infer_shape(data=SHAPE)[0]
    return {name: mx.nd.array(rng.normal(0, 0.1, shape)) for name, shape in zip(symbol.list_arguments(), shapes)
            if name != 'data'}


def outputs(mx, symbol, arg_params):
    """Without oneDNN's fusion, which gives an inner output as the ReLU behind it has it."""
    data = mx.nd.array(np.random.RandomState(1).normal(0, 1, SHAPE))
    with environment(MXNET_SUBGRAPH_BACKEND='NONE'):
        executor = symbol.bind(mx.cpu(), dict(arg_params, data=data), grad_req='null')
    return [output.asnumpy() for output in executor.forward(is_train=False)]


def operators(symbol):
    return {node.name: node.op for node in Graph(symbol).nodes() if not node.is_variable}


def test_a_network_computes_the_same(mx):
    """A convolution with ReLU, one without bias, one whose ReLU is not its only reader."""
    data = mx.sym.var('data')
    first = relu(mx, convolution(mx, data, 'a'), 'a_relu')
    second = convolution(mx, first, 'b', no_bias=True)
    third = convolution(mx, second, 'c')
    symbol = mx.sym.Group([relu(mx, third, 'c_relu'), third, second])
    arg_params = draw(mx, symbol)
    before = {name: array.asnumpy() for name, array in arg_params.items()}
    changed, arrays = use_winograd(symbol, arg_params)
    assert operators(changed) == {'a_relu': 'WinogradConvolution', 'b': 'WinogradConvolution',
                                  'c': 'WinogradConvolution', 'c_relu': 'Activation'}
    assert changed.list_arguments() == symbol.list_arguments() and changed.list_outputs() == symbol.list_outputs()
    for one, other in zip(outputs(mx, changed, arrays), outputs(mx, symbol, arg_params)):
        assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()
    for name, array in arg_params.items():
        np.testing.assert_array_equal(array.asnumpy(), before[name])  # the caller's arrays stay


@pytest.mark.parametrize('other', [
    {'stride': (2, 2)}, {'dilate': (2, 2), 'pad': (2, 2)}, {'pad': (0, 0)}, {'pad': (1, 0)},
    {'kernel': (1, 3), 'pad': (0, 1)}, {'num_group': 2}, {'num_filter': LEAST_CHANNELS - 1}], ids=str)
def test_other_convolutions_are_left(mx, other):
    symbol = convolution(mx, mx.sym.var('data'), 'a', **other)
    arg_params = draw(mx, symbol)
    changed, arrays = use_winograd(symbol, arg_params)
    assert operators(changed) == {'a': 'Convolution'} and arrays == arg_params


def test_a_kernel_of_three_axes_is_left(mx):
    symbol = mx.sym.Convolution(mx.sym.var('data'), num_filter=32, kernel=(3,), pad=(1,), name='a')
    changed, _ = use_winograd(symbol, {'a_weight': mx.nd.ones((32, 32, 3)), 'a_bias': mx.nd.ones(32)})
    assert operators(changed) == {'a': 'Convolution'}


def test_shared_missing_and_misshapen_weights_are_left(mx):
    data, weight, bias = (mx.sym.var(name) for name in ('data', 'w', 'b'))
    one, other = (convolution(mx, data, name, weight=weight, bias=bias) for name in ('one', 'other'))
    shared = {'w': mx.nd.ones((32, 32, 3, 3)), 'b': mx.nd.ones(32)}
    assert set(operators(use_winograd(one + other, shared)[0]).values()) == {'Convolution', 'elemwise_add'}
    for wrong in ({}, {'w': mx.nd.ones((33, 32, 3, 3))}, {'w': mx.nd.ones((32, 32, 3))}):
        assert operators(use_winograd(one, wrong)[0]) == {'one': 'Convolution'}
    assert operators(use_winograd(one, shared)[0]) == {'one': 'WinogradConvolution'}


def test_folded_networks_keep_their_precision(mx):
    """conv-BN-ReLU: first folded, then by Winograd with its ReLU."""
    norm = mx.sym.BatchNorm(convolution(mx, mx.sym.var('data'), 'a', no_bias=True), name='bn', fix_gamma=False)
    symbol = relu(mx, norm, 'relu')
    arg_params = draw(mx, symbol)
    aux_params = {'bn_moving_mean': mx.nd.ones(32), 'bn_moving_var': mx.nd.ones(32)}
    folded, arrays, _ = fold_batch_norms(symbol, arg_params, aux_params)
    changed, transformed = use_winograd(folded, arrays)
    assert operators(changed) == {'relu': 'WinogradConvolution'}
    one, = outputs(mx, changed, transformed)
    other, = outputs(mx, folded, arrays)
    assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()
