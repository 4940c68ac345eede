"""Folded networks compute the same, and nothing else changes."""
import numpy as np
import pytest

from lib.engine.fold import fold_batch_norms, fuse_relu
from lib.engine.graph import Graph
from tests.engine.networks import network, outputs, weights


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


@pytest.fixture
def whole(mx):
    symbol = network(mx)
    return (symbol,) + weights(mx, symbol)


def operators(symbol):
    return [node.op for node in Graph(symbol).nodes()]


def close(ours, theirs):
    for one, other in zip(ours, theirs):
        assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()


def test_folding_computes_the_same(mx, whole):
    before = {name: array.asnumpy() for name, array in whole[1].items()}
    folded = fold_batch_norms(*whole)
    names = [node.name for node in Graph(folded[0]).nodes() if node.op == 'BatchNorm']
    assert names == ['sum_bn']  # it follows a sum
    assert '_copy' not in operators(folded[0]) and '_copy' in operators(whole[0])
    assert {'a_bias', 'b_bias', 'c_bias'} <= set(folded[1]) and 'a_bn_gamma' not in folded[1]
    assert sorted(folded[2]) == ['sum_bn_moving_mean', 'sum_bn_moving_var']
    close(outputs(mx, *folded), outputs(mx, *whole))
    for name, array in whole[1].items():
        np.testing.assert_array_equal(array.asnumpy(), before[name])  # the caller's arrays stay


def test_folding_is_by_hand(mx):
    """One channel: weight 2, mean 3, variance 4 - eps, gamma 5, beta 7 -> weight 5, bias 7 - 7.5."""
    data = mx.sym.var('data')
    symbol = mx.sym.BatchNorm(mx.sym.Convolution(data, num_filter=1, kernel=(1, 1), no_bias=True, name='c'), eps=0.5,
                              fix_gamma=False, name='bn')
    arrays = {'c_weight': [[[[2.]]]], 'bn_gamma': [5.], 'bn_beta': [7.]}
    folded = fold_batch_norms(symbol, {name: mx.nd.array(value) for name, value in arrays.items()},
                              {'bn_moving_mean': mx.nd.array([3.]), 'bn_moving_var': mx.nd.array([3.5])})
    assert folded[1]['c_weight'].asnumpy().item() == pytest.approx(5)
    assert folded[1]['c_bias'].asnumpy().item() == pytest.approx(-0.5)


def test_relu_goes_into_the_batch_norm_that_stays(mx, whole):
    symbol, *arrays = fold_batch_norms(*whole)
    fused = fuse_relu(symbol)
    assert operators(fused).count('_contrib_BatchNormWithReLU') == 1 and 'BatchNorm' not in operators(fused)
    close(outputs(mx, fused, *arrays), outputs(mx, *whole))


def test_a_convolution_with_another_reader_is_left(mx):
    data = mx.sym.var('data')
    convolution = mx.sym.Convolution(data, num_filter=4, kernel=(1, 1), name='c')
    symbol = mx.sym.BatchNorm(convolution, name='bn') + convolution
    arg_params, aux_params = {'c_weight': mx.nd.ones((4, 3, 1, 1)), 'c_bias': mx.nd.ones(4), 'bn_gamma': mx.nd.ones(4),
                              'bn_beta': mx.nd.ones(4)}, {name: mx.nd.ones(4) for name in ('bn_moving_mean',
                                                                                         'bn_moving_var')}
    assert 'BatchNorm' in operators(fold_batch_norms(symbol, arg_params, aux_params)[0])
    arg_params.pop('bn_beta')
    alone = mx.sym.BatchNorm(convolution, name='bn')
    assert 'BatchNorm' in operators(fold_batch_norms(alone, arg_params, aux_params)[0])  # an array is missing
