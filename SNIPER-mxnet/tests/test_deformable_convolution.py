"""DeformableConvolution against the stock operator, a plain loop, finite differences and hand-made cases.

The matrix product sums in another order than the stock operator and the loop, and with fused multiply-add where the
machine has it. Sums here have at most 3,500 terms, so that float32 results agree to about 1e-5 of their largest value:
RELATIVE leaves room for ten times that.
"""
import json

import numpy as np
import pytest

from sniper_mxnet import mx

RELATIVE = 1e-4

# images, channels, height, width, filters, kernel, stride, dilate, pad, groups, deformable groups, bias
CASES = [
    (1, 16, 9, 11, 8, (3, 3), (1, 1), (2, 2), (2, 2), 1, 4, False),
    (2, 12, 9, 11, 6, (3, 2), (2, 1), (1, 2), (0, 1), 3, 2, True),     # groups that cut across deformable groups
    (3, 70, 9, 21, 40, (1, 3), (1, 1), (1, 1), (1, 1), 1, 1, True),    # channels and filters beyond a panel
    (1, 1100, 5, 4, 40, (1, 3), (1, 1), (1, 1), (1, 1), 2, 1, True),   # columns of a tap made in parts
    (2, 40, 5, 14, 40, (3, 3), (1, 1), (1, 1), (1, 1), 40, 2, False),  # a filter for every channel
    (1, 6, 4, 5, 3, (1, 1), (1, 1), (1, 1), (0, 0), 1, 6, False),      # offsets for every channel
    (1, 36, 30, 31, 132, (3, 3), (1, 1), (1, 1), (1, 1), 4, 3, False),  # several tiles of cells and chunks of filters
    (2, 1, 1, 1, 1, (3, 3), (1, 1), (1, 1), (1, 1), 1, 1, True),
    (2, 192, 7, 9, 34, (3, 3), (1, 2), (2, 1), (2, 1), 1, 3, True),    # channels enough to leave out cells off the map
    (1, 256, 6, 5, 6, (2, 3), (1, 1), (1, 1), (1, 1), 2, 4, False),    # the same with groups of both kinds
    (1, 384, 5, 6, 9, (1, 3), (1, 1), (1, 1), (0, 1), 3, 2, False),    # and where they cut across each other
]


def make_case(case, seed):
    """({input: array}, attributes): offsets of a few cells, so that many points lie off the map."""
    images, channels, height, width, filters, kernel, stride, dilate, pad, groups, moved, bias = case
    rng = np.random.RandomState(seed)
    out = [(size + 2 * p - d * (k - 1) - 1) // s + 1
           for size, k, s, d, p in zip((height, width), kernel, stride, dilate, pad)]
    inputs = {'data': rng.randn(images, channels, height, width),
              'offset': 2 * rng.randn(images, 2 * moved * kernel[0] * kernel[1], *out),
              'weight': rng.randn(filters, channels // groups, *kernel)}
    if bias:
        inputs['bias'] = rng.randn(filters)
    attributes = dict(kernel=kernel, stride=stride, dilate=dilate, pad=pad, num_filter=filters, num_group=groups,
                      num_deformable_group=moved, no_bias=not bias)
    return {name: value.astype(np.float32) for name, value in inputs.items()}, attributes


def run(operator, inputs, attributes, out_grad=None, request='write'):
    """(output, {input: gradient}); gradients are summed onto 1 where the request is 'add'."""
    arrays = {name: mx.nd.array(value) for name, value in inputs.items()}
    for array in arrays.values():
        array.attach_grad(request)
        array.grad[:] = 1
    with mx.autograd.record():
        output = operator(*arrays.values(), **attributes)
    output.backward(None if out_grad is None else mx.nd.array(out_grad))
    for name, array in arrays.items():
        np.testing.assert_array_equal(array.asnumpy(), inputs[name])
    return output.asnumpy(), {name: array.grad.asnumpy() for name, array in arrays.items()}


def assert_near(actual, expected, message=''):
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=RELATIVE * max(np.abs(expected).max(), 1e-3),
                               err_msg=message)


def plain_point(plane, y, x):
    """Bilinear value of a map at a point; 0 off the map, the last row and column repeated."""
    height, width = plane.shape
    if not (0 <= y < height and 0 <= x < width):
        return 0.0
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    return ((1 - down) * ((1 - across) * plane[top, left] + across * plane[top, right])
            + down * ((1 - across) * plane[bottom, left] + across * plane[bottom, right]))


def plain_convolution(data, offset, weight, bias=None, kernel=None, stride=(1, 1), dilate=(1, 1), pad=(0, 0),
                      num_filter=1, num_group=1, num_deformable_group=1, no_bias=True):
    """The contract's definition, point by point, in float64."""
    images, channels = data.shape[:2]
    out = np.zeros((images, num_filter) + offset.shape[2:])
    grouped, moved = channels // num_group, channels // num_deformable_group
    for n, oy, ox, c in np.ndindex(images, offset.shape[2], offset.shape[3], channels):
        filters = slice(c // grouped * (num_filter // num_group), (c // grouped + 1) * (num_filter // num_group))
        for ky, kx in np.ndindex(*kernel):
            channel = 2 * ((c // moved * kernel[0] + ky) * kernel[1] + kx)
            y = oy * stride[0] - pad[0] + ky * dilate[0] + float(offset[n, channel, oy, ox])
            x = ox * stride[1] - pad[1] + kx * dilate[1] + float(offset[n, channel + 1, oy, ox])
            out[n, filters, oy, ox] += plain_point(data[n, c], y, x) * weight[filters, c % grouped, ky, kx]
    return out if bias is None else out + bias[None, :, None, None]


@pytest.mark.parametrize('case', CASES)
def test_equals_stock_operator(case):
    inputs, attributes = make_case(case, seed=len(str(case)))
    shape = mx.nd.contrib.DeformableConvolution(*map(mx.nd.array, inputs.values()), **attributes).shape
    out_grad = np.random.RandomState(0).randn(*shape).astype(np.float32)
    expected, expected_grads = run(mx.nd.contrib.DeformableConvolution, inputs, attributes, out_grad)
    actual, grads = run(mx.nd.DeformableConvolution, inputs, attributes, out_grad)
    assert_near(actual, expected)
    for name in inputs:
        assert_near(grads[name], expected_grads[name], name)


@pytest.mark.parametrize('case', [CASES[1], CASES[5], (1, 4, 5, 6, 4, (3, 3), (1, 1), (1, 1), (1, 1), 2, 2, True)])
def test_equals_plain_loop(case):
    inputs, attributes = make_case(case, 3)
    actual, _ = run(mx.nd.DeformableConvolution, inputs, attributes)
    assert_near(actual, plain_convolution(**inputs, **attributes))


@pytest.mark.parametrize('seed', range(12))
def test_random_shapes(seed):
    """Any shapes and settings, from a single cell to several tiles, against the stock operator."""
    rng = np.random.RandomState(seed)
    groups, moved = rng.randint(1, 4, 2)
    channels = int(np.lcm(groups, moved)) * rng.randint(1, 7)
    kernel, stride, dilate, pad = (tuple(int(v) for v in rng.randint(low, high, 2))
                                   for low, high in ((1, 4), (1, 3), (1, 3), (0, 3)))
    height, width = (d * (k - 1) + 1 + int(rng.randint(0, 20)) for d, k in zip(dilate, kernel))
    case = (int(rng.randint(1, 4)), channels, height, width, int(groups * rng.randint(1, 40)), kernel, stride, dilate,
            pad, int(groups), int(moved), bool(rng.randint(2)))
    inputs, attributes = make_case(case, seed)
    expected, expected_grads = run(mx.nd.contrib.DeformableConvolution, inputs, attributes)
    actual, grads = run(mx.nd.DeformableConvolution, inputs, attributes)
    assert_near(actual, expected, f'seed {seed}: {case}')
    for name in inputs:
        assert_near(grads[name], expected_grads[name], f'seed {seed}: {name} of {case}')


@pytest.mark.parametrize('case', [CASES[0], CASES[1], CASES[4]])
def test_without_offsets_equals_plain_convolution(case):
    inputs, attributes = make_case(case, 4)
    inputs['offset'][:] = 0
    actual, grads = run(mx.nd.DeformableConvolution, inputs, attributes)
    del inputs['offset'], attributes['num_deformable_group']
    expected, expected_grads = run(mx.nd.Convolution, inputs, attributes)
    assert_near(actual, expected)
    for name in inputs:
        assert_near(grads[name], expected_grads[name], name)


def test_hand_computed():
    """A 1x1 kernel of weight 2 and bias 1 on the map x + 10 y, 3 rows by 4 columns."""
    data = mx.nd.array((np.arange(4)[None, :] + 10 * np.arange(3)[:, None])[None, None])
    offset = np.zeros((1, 2, 3, 4))
    offset[0, :, 0, 0] = 0.5, 0.25     # between cells: y 0.5, x 0.25
    offset[0, :, 0, 1] = 0, -1.25      # x -0.25: off the map
    offset[0, :, 2, 3] = 0.75, 0.75    # beyond the last row and column, which are repeated
    offset[0, :, 2, 0] = 1, 0          # y 3: off the map
    weight, bias = mx.nd.array([[[[2]]]]), mx.nd.array([1])
    output = mx.nd.DeformableConvolution(data, mx.nd.array(offset), weight, bias, kernel=(1, 1), num_filter=1)
    np.testing.assert_array_equal(output.asnumpy()[0, 0], [[11.5, 1, 5, 7], [21, 23, 25, 27], [1, 43, 45, 47]])


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 3e38, -3e38, 3e9])
def test_odd_offsets_read_zeros(value):
    inputs, attributes = make_case(CASES[0], 5)
    inputs['offset'][:, ::6] = value
    with_zero_points = dict(inputs, offset=np.where(inputs['offset'] == inputs['offset'], inputs['offset'], 1e6))
    with_zero_points['offset'] = np.clip(with_zero_points['offset'], -1e6, 1e6).astype(np.float32)
    expected, expected_grads = run(mx.nd.DeformableConvolution, with_zero_points, attributes)
    actual, grads = run(mx.nd.DeformableConvolution, inputs, attributes)
    assert np.isfinite(actual).all() and abs(actual).max() > 1
    np.testing.assert_array_equal(actual, expected)
    for name in inputs:
        np.testing.assert_array_equal(grads[name], expected_grads[name])
    assert (grads['offset'][:, ::6] == 0).all()


@pytest.mark.parametrize('case', [CASES[1], CASES[8], CASES[9]])
def test_nothing_on_the_map(case):
    """With every point off the map the output is the bias, and only the bias has a gradient: no cell is left to sum."""
    inputs, attributes = make_case(case, 6)
    inputs['offset'][:] = -100
    output, grads = run(mx.nd.DeformableConvolution, inputs, attributes)
    bias = inputs.get('bias', np.zeros(case[4], np.float32))
    np.testing.assert_array_equal(output, np.broadcast_to(bias[:, None, None], output.shape))
    for name in ('data', 'offset', 'weight'):
        assert (grads[name] == 0).all(), name
    if 'bias' in inputs:
        np.testing.assert_array_equal(grads['bias'], np.full(case[4], output[:, 0].size))


@pytest.mark.parametrize('name', ['data', 'offset', 'weight', 'bias'])
def test_finite_differences(name):
    """Offsets whose fractions lie within 0.2 and 0.8 keep the points away from the kinks of interpolation."""
    inputs, attributes = make_case((2, 4, 5, 6, 4, (3, 2), (1, 2), (1, 1), (1, 1), 2, 2, True), 6)
    rng = np.random.RandomState(7)
    inputs['offset'] = (np.floor(inputs['offset']) + rng.uniform(0.2, 0.8, inputs['offset'].shape)).astype(np.float32)
    output, _ = run(mx.nd.DeformableConvolution, inputs, attributes)
    weights = rng.randn(*output.shape)
    _, grads = run(mx.nd.DeformableConvolution, inputs, attributes, weights.astype(np.float32))
    step = 1e-4
    for place in rng.permutation(inputs[name].size)[:8]:
        values = []
        for sign in (1, -1):
            moved = {key: value.astype(np.float64) for key, value in inputs.items()}
            moved[name].ravel()[place] += sign * step
            values.append((plain_convolution(**moved, **attributes) * weights).sum())
        numeric = (values[0] - values[1]) / (2 * step)
        np.testing.assert_allclose(grads[name].ravel()[place], numeric, rtol=1e-3, atol=1e-4, err_msg=str(place))


def test_gradients_add_where_asked():
    inputs, attributes = make_case(CASES[1], 1)
    _, written = run(mx.nd.DeformableConvolution, inputs, attributes)
    _, added = run(mx.nd.DeformableConvolution, inputs, attributes, request='add')
    for name in inputs:
        assert_near(added[name], written[name] + 1, name)
        assert abs(written[name]).max() > 0.1


@pytest.mark.parametrize('unwanted', ['data', 'offset', 'weight', 'bias'])
def test_gradients_that_nobody_asks_for(unwanted):
    inputs, attributes = make_case(CASES[1], 2)
    _, expected = run(mx.nd.DeformableConvolution, inputs, attributes)
    symbol = mx.sym.DeformableConvolution(*[mx.sym.var(name) for name in inputs], **attributes)
    requests = {name: 'null' if name == unwanted else 'write' for name in inputs}
    executor = symbol.simple_bind(mx.cpu(), grad_req=requests, **{n: v.shape for n, v in inputs.items()})
    executor.forward(is_train=True, **{name: mx.nd.array(value) for name, value in inputs.items()})
    executor.backward(mx.nd.ones(executor.outputs[0].shape))
    for name, grad in executor.grad_dict.items():
        if name != unwanted:
            assert_near(grad.asnumpy(), expected[name], name)


def test_other_batches_do_not_matter():
    """An image's output is bit for bit the same alone and in a batch."""
    inputs, attributes = make_case(CASES[2], 8)
    whole, _ = run(mx.nd.DeformableConvolution, inputs, attributes)
    for i in range(len(whole)):
        alone = dict(inputs, data=inputs['data'][i:i + 1], offset=inputs['offset'][i:i + 1])
        np.testing.assert_array_equal(run(mx.nd.DeformableConvolution, alone, attributes)[0][0], whole[i])


@pytest.mark.parametrize('text', [False, True])
def test_attributes_as_text_and_defaults(text):
    """Settings left out are those of the stock operator; `workspace` and `layout` are taken and change nothing."""
    inputs, _ = make_case((1, 4, 6, 7, 3, (3, 3), (1, 1), (1, 1), (0, 0), 1, 1, True), 10)
    arrays = [mx.nd.array(value) for value in inputs.values()]
    attributes = dict(kernel='(3, 3)', num_filter='3') if text else dict(kernel=[3, 3], num_filter=3)
    expected = mx.nd.contrib.DeformableConvolution(*arrays, kernel=(3, 3), num_filter=3).asnumpy()
    assert_near(mx.nd.DeformableConvolution(*arrays, **attributes).asnumpy(), expected)
    for extra in (dict(layout='NCHW'), dict(layout=None), dict(workspace=2048), dict(stride=(), dilate=(), pad=())):
        assert_near(mx.nd.DeformableConvolution(*arrays, **attributes, **extra).asnumpy(), expected)


def test_symbol_like_the_stock_one():
    """Parameters not given become variables, and every shape follows from the data's, as with the stock operator."""
    settings = dict(kernel=(3, 3), num_filter=6, pad=(1, 1), num_group=2)
    graphs = []
    for operator in (mx.sym.contrib.DeformableConvolution, mx.sym.DeformableConvolution):
        data = mx.sym.var('data')
        offset = mx.sym.Convolution(data, kernel=(3, 3), num_filter=18, pad=(1, 1), name='shift')
        graphs.append(operator(data=data, offset=offset, name='moved', **settings))
    stock, ours = graphs
    assert ours.list_arguments() == stock.list_arguments() and ours.list_outputs() == stock.list_outputs()
    assert ours.infer_shape(data=(2, 4, 5, 6)) == stock.infer_shape(data=(2, 4, 5, 6))
    assert ours.infer_shape_partial(data=(2, 4, 5, 6)) == stock.infer_shape_partial(data=(2, 4, 5, 6))
    loaded = mx.sym.load_json(ours.tojson())
    rng, outputs = np.random.RandomState(11), []
    executors = [graph.simple_bind(mx.cpu(), data=(2, 4, 5, 6)) for graph in (stock, ours, loaded)]
    for name, array in executors[0].arg_dict.items():
        value = mx.nd.array(rng.randn(*array.shape))
        for executor in executors:
            executor.arg_dict[name][:] = value
    for executor in executors:
        smaller = executor.reshape(data=(1, 4, 4, 5))
        smaller.arg_dict['data'][:] = 1
        outputs.append((executor.forward()[0].asnumpy(), smaller.forward()[0].asnumpy()))
    for other in outputs[1:]:
        for expected, actual in zip(outputs[0], other):
            assert_near(actual, expected)
    assert json.loads(ours.tojson())['nodes'][-1]['op'] == 'DeformableConvolution'


def test_types_of_a_graph_in_half_precision():
    data, offset = mx.sym.Cast(mx.sym.var('data'), dtype='float16'), mx.sym.Cast(mx.sym.var('offset'), dtype='float16')
    symbol = mx.sym.DeformableConvolution(data, offset, name='moved', kernel=(1, 1), num_filter=2)
    arguments, outputs, _ = symbol.infer_type(data='float32', offset='float32')
    assert [kind.__name__ for kind in arguments + outputs] == ['float32', 'float32', 'float16', 'float16', 'float16']


@pytest.mark.parametrize('changes, message', [
    (dict(data=(4, 6, 7)), r'data must be \(N, C, H, W\)'),
    (dict(offset=(1, 18, 6, 6)), r'offset must be .* = \(1, 18, 6, 7\), got \(1, 18, 6, 6\)'),
    (dict(offset=(1, 9, 6, 7)), r'offset must be .* = \(1, 18, 6, 7\), got \(1, 9, 6, 7\)'),
    (dict(weight=(3, 2, 3, 3)), r'weight must be .* = \(3, 4, 3, 3\), got \(3, 2, 3, 3\)'),
    (dict(bias=(4,)), r'bias must be \(num_filter,\) = \(3,\), got \(4,\)'),
    (dict(kernel=(3,)), 'kernel must be two whole numbers'),
    (dict(kernel=(3, 0)), 'kernel must be two whole numbers'),
    (dict(kernel=None), 'kernel must be'),
    (dict(kernel=(9, 3)), 'the dilated kernel exceeds the padded data in height: 9 cells of 8'),
    (dict(stride=(0, 1)), 'stride must be two whole numbers'),
    (dict(dilate=(1.5, 1)), 'dilate must be two whole numbers'),
    (dict(pad=(-1, 0)), 'pad must be two whole numbers'),
    (dict(num_filter=0), 'num_filter must be above 0'),
    (dict(num_group=2), 'num_filter must be a multiple of num_group = 2'),
    (dict(num_group=3), 'the 4 channels of data must be a multiple of num_group, got 3'),
    (dict(num_deformable_group=3), 'the 4 channels of data must be a multiple of num_deformable_group, got 3'),
    (dict(layout='NHWC'), 'layout must be NCHW or None'),
    (dict(kernel=(65536, 65536), pad=(65536, 65536)),
     r'2\*num_deformable_group\*kernel_h\*kernel_w would be more than MXNet can count'),
    (dict(kernels=(3, 3)), 'no attribute kernels'),
])
def test_mistakes(changes, message):
    shapes = dict(data=(1, 4, 6, 7), offset=(1, 18, 6, 7), weight=(3, 4, 3, 3), bias=(3,))
    attributes = dict(kernel=(3, 3), pad=(1, 1), num_filter=3)
    for name, value in changes.items():
        (shapes if name in shapes else attributes)[name] = value
    with pytest.raises(mx.MXNetError, match=message):
        mx.nd.DeformableConvolution(*[mx.nd.zeros(shape) for shape in shapes.values()], **attributes).wait_to_read()


def test_missing_bias():
    with pytest.raises(TypeError, match='DeformableConvolution needs the input bias'):
        mx.nd.DeformableConvolution(mx.nd.zeros((1, 1, 2, 2)), mx.nd.zeros((1, 2, 2, 2)), mx.nd.zeros((1, 1, 1, 1)),
                                    kernel=(1, 1), num_filter=1)
