"""WinogradConvolution against a plain loop, the stock operator and hand-made cases.

The transforms add and subtract before and after the products, so results are off by more than those of the plain
convolution: here at most RELATIVE of the largest value.
"""

import numpy as np
import pytest

from lib.engine.winograd import transformed
from sniper_mxnet import mx

RELATIVE = 1e-5

# images, channels, height, width, filters
CASES = [
    (1, 1, 1, 1, 1),
    (1, 3, 2, 3, 5),       # less than a tile
    (2, 16, 4, 8, 32),     # whole tiles, whole panels
    (3, 7, 9, 11, 40),     # parts of tiles, of panels and of vectors; tiles of several images in a block
    (1, 1030, 5, 6, 33),   # channels in three parts
    (1, 17, 6, 300, 4),    # a row of tiles is more than a block
    (2, 20, 70, 30, 20),   # several blocks
]


def make_case(case, seed):
    """(data, weight, bias)."""
    images, channels, height, width, filters = case
    rng = np.random.RandomState(seed)
    return [rng.randn(*shape).astype(np.float32) for shape in (
        (images, channels, height, width), (filters, channels, 3, 3), (filters,))]


def run(data, weight, bias=None, **attributes):
    arrays = [mx.nd.array(array) for array in [data, transformed(weight)] + ([] if bias is None else [bias])]
    return mx.nd.WinogradConvolution(*arrays, num_filter=len(weight), no_bias=bias is None, **attributes).asnumpy()


def plain(data, weight, bias=0.0):
    """The convolution in float64, tap by tap."""
    height, width = data.shape[2:]
    padded = np.pad(data.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)), 'constant')
    out = np.zeros((len(data), len(weight), height, width))
    for y in range(3):
        for x in range(3):
            out += np.einsum('nchw,kc->nkhw', padded[:, :, y:y + height, x:x + width], weight[:, :, y, x])
    return out + np.reshape(bias, (-1, 1, 1))


def assert_near(actual, expected):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=RELATIVE * np.abs(expected).max())


@pytest.mark.parametrize('case', CASES, ids=str)
def test_against_a_plain_loop_and_the_stock_operator(case):
    data, weight, bias = make_case(case, 0)
    found = run(data, weight, bias)
    assert_near(found, plain(data, weight, bias))
    stock = mx.nd.Convolution(mx.nd.array(data), mx.nd.array(weight), mx.nd.array(bias), num_filter=len(weight),
                              kernel=(3, 3), pad=(1, 1))
    assert_near(found, stock.asnumpy())


@pytest.mark.parametrize('seed', range(12))
def test_random_shapes(seed):
    rng = np.random.RandomState(seed)
    case = tuple(rng.randint(1, most) for most in (4, 40, 24, 24, 70))
    data, weight, bias = make_case(case, seed)
    assert_near(run(data, weight, bias, relu=True), np.maximum(plain(data, weight, bias), 0))
    assert_near(run(data, weight), plain(data, weight))


@pytest.mark.parametrize('y, x', [(y, x) for y in range(3) for x in range(3)])
def test_a_kernel_of_one_tap_shifts_by_hand(y, x):
    data = np.arange(1.0, 36).reshape(1, 1, 5, 7)
    weight = np.zeros((1, 1, 3, 3))
    weight[0, 0, y, x] = 2
    expected = np.zeros((5, 7))
    for row in range(5):
        for column in range(7):
            if 0 <= row + y - 1 < 5 and 0 <= column + x - 1 < 7:
                expected[row, column] = 2 * data[0, 0, row + y - 1, column + x - 1]
    np.testing.assert_allclose(run(data, weight)[0, 0], expected, atol=1e-4)


def test_relu_and_bias_by_hand():
    data, weight = np.zeros((1, 1, 3, 3)), np.ones((2, 1, 3, 3))
    data[0, 0, 1, 1] = 4
    bias = np.array([-5., 1.])
    np.testing.assert_allclose(run(data, weight, bias), np.tile([[[[-1.]], [[5.]]]], (1, 1, 3, 3)), atol=1e-5)
    np.testing.assert_allclose(run(data, weight, bias, relu=True)[0, :, 0, 0], [0, 5], atol=1e-5)


def test_transformed_weights_by_hand():
    """A kernel of one tap in its middle: every number is the product of two of the points over their divisors."""
    weight = np.zeros((1, 1, 3, 3))
    weight[0, 0, 1, 1] = 1
    found = transformed(weight)
    assert found.shape == (36, 1, 1, 32) and (found[:, :, :, 1:] == 0).all()
    column = [0, -2 ** 0.5 / 3, 2 ** 0.5 / 3, 2 ** 0.5 / 6, -2 ** 0.5 / 6, 0]
    np.testing.assert_allclose(found[:, 0, 0, 0].reshape(6, 6), np.outer(column, column), atol=1e-7)


def test_nan_spreads_no_further_than_the_tiles_that_read_it():
    data, weight, _ = make_case((2, 4, 16, 16, 8), 0)
    clean = run(data, weight)
    data[0, 1, 5, 6] = np.nan
    found = run(data, weight, relu=True)
    assert np.isnan(found[0, :, 4:7, 5:8]).all()
    odd = np.isnan(found)
    assert not odd[1].any() and not odd[0, :, 8:].any() and not odd[0, :, :, 8:].any()
    np.testing.assert_array_equal(found[~odd], np.maximum(clean, 0)[~odd])


def test_it_has_no_gradient():
    data, weight = mx.nd.ones((1, 2, 4, 4)), mx.nd.array(transformed(np.ones((3, 2, 3, 3))))
    data.attach_grad()
    with pytest.raises(mx.MXNetError, match='non-differentiable'):
        with mx.autograd.record():
            output = mx.nd.WinogradConvolution(data, weight, num_filter=3, no_bias=True)
        output.backward()


@pytest.mark.parametrize('shapes, attributes, message', [
    (((1, 2, 4, 4), (36, 1, 3, 32), (3,)), {},
     r'weight must be \(36, num_filter/32 rounded up, C, 32\).*got \(36, 1, 3, 32\)'),
    (((1, 2, 4, 4), (36, 2, 2, 32), (3,)), {}, r'weight must be .*got \(36, 2, 2, 32\)'),
    (((1, 2, 4, 4), (3, 2, 3, 3), (3,)), {}, r'weight must be .*got \(3, 2, 3, 3\)'),
    (((1, 2, 4, 4), (36, 1, 2, 32), (4,)), {}, r'bias must be \(num_filter,\).*got \(4,\)'),
    (((1, 2, 4, 4), (36, 1, 2, 32), (3,)), {'kernel': (3, 3)}, 'WinogradConvolution has no attribute kernel'),
])
def test_mistakes(shapes, attributes, message):
    with pytest.raises(mx.MXNetError, match=message):
        mx.nd.WinogradConvolution(*map(mx.nd.zeros, shapes), num_filter=3, **attributes).wait_to_read()
