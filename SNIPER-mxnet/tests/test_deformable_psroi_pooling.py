"""DeformablePSROIPooling against the stock operator, a plain loop, finite differences and hand-made cases."""
import numpy as np
import pytest

from sniper_mxnet import mx

# images, channels, group_size, classes, height, width, pooled_size, part_size, samples, rois, scale, no_trans
CASES = [
    (2, 6, 2, 3, 9, 13, 5, 4, 3, 20, 0.0625, False),
    (2, 6, 7, 1, 9, 13, 7, 7, 4, 20, 0.0625, True),
    (2, 40, 3, 2, 9, 13, 6, 3, 1, 20, 0.125, False),
    (1, 20, 1, 1, 1, 1, 3, 3, 2, 20, 0.125, False),
    (3, 100, 1, 1, 17, 5, 4, 7, 5, 15, 0.3, False),
    (1, 130, 1, 1, 12, 11, 3, 3, 2, 30, 1.0, True),
    (1, 3, 1, 1, 12, 11, 23, 23, 1, 3, 0.5, False),
]


def make_case(case, seed):
    """({input: array}, attributes): rois of all sizes, partly or wholly outside the image too."""
    images, channels, group, classes, height, width, pooled, part, samples, count, scale, no_trans = case
    rng = np.random.RandomState(seed)
    extent = np.array([width, height]) / scale
    corner = rng.rand(count, 2) * extent * 1.4 - 0.2 * extent
    size = rng.rand(count, 2) ** 2 * extent
    inputs = {'data': rng.randn(images, channels * group * group, height, width),
              'rois': np.hstack([rng.randint(0, images, (count, 1)), corner, corner + size])}
    if not no_trans:
        inputs['trans'] = rng.randn(count, 2 * classes, part, part)
    attributes = dict(spatial_scale=scale, output_dim=channels, group_size=group, pooled_size=pooled, part_size=part,
                      sample_per_part=samples, no_trans=no_trans, trans_std=0.1)
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


def plain_pooling(data, rois, trans=None, spatial_scale=1, output_dim=1, group_size=1, pooled_size=1, part_size=1,
                  sample_per_part=1, trans_std=0, no_trans=True):
    """The contract's definition, sample by sample, in float64."""
    data, rois = data.astype(np.float64), rois.astype(np.float64)
    height, width = data.shape[2:]
    away = lambda v: np.floor(np.abs(v) + 0.5) * np.sign(v)  # halves away from zero
    out = np.zeros((len(rois), output_dim, pooled_size, pooled_size))
    classes = 1 if trans is None else trans.shape[1] // 2
    for r, c, ph, pw in np.ndindex(*out.shape):
        image = int(rois[r, 0])
        start = away(rois[r, 1:3]) * spatial_scale - 0.5
        side = np.maximum((away(rois[r, 3:5]) + 1) * spatial_scale - 0.5 - start, 0.1)
        shift = np.zeros(2)
        if trans is not None:
            k = c // (output_dim // classes)
            row, column = ph * part_size // pooled_size, pw * part_size // pooled_size
            shift = trans[r, 2 * k:2 * k + 2, row, column].astype(np.float64) * trans_std * side
        channel = (c * group_size + ph * group_size // pooled_size) * group_size + pw * group_size // pooled_size
        corner = start + np.array([pw, ph]) * side / pooled_size + shift
        values = []
        for iy, ix in np.ndindex(sample_per_part, sample_per_part):
            x, y = corner + np.array([ix, iy]) * side / pooled_size / sample_per_part
            if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
                continue
            x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
            x0, y0 = int(x), int(y)
            x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
            plane = data[image, channel]
            top = plane[y0, x0] * (1 - x + x0) + plane[y0, x1] * (x - x0)
            bottom = plane[y1, x0] * (1 - x + x0) + plane[y1, x1] * (x - x0)
            values.append(top * (1 - y + y0) + bottom * (y - y0))
        out[r, c, ph, pw] = np.mean(values) if values else 0
    return out


@pytest.mark.parametrize('case', CASES)
def test_equals_stock_operator(case):
    inputs, attributes = make_case(case, seed=len(str(case)))
    out_grad = np.random.RandomState(0).randn(case[9], case[1], case[6], case[6]).astype(np.float32)
    expected, expected_grads = run(mx.nd.contrib.DeformablePSROIPooling, inputs, attributes, out_grad)
    actual, grads = run(mx.nd.DeformablePSROIPooling, inputs, attributes, out_grad)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    for name in inputs:
        np.testing.assert_allclose(grads[name], expected_grads[name], rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize('seed', range(3))
def test_equals_plain_loop(seed):
    inputs, attributes = make_case((2, 4, 1, 2, 6, 7, 3, 3, 2, 5, 0.25, seed == 1), seed)
    actual, _ = run(mx.nd.DeformablePSROIPooling, inputs, attributes)
    np.testing.assert_allclose(actual, plain_pooling(**inputs, **attributes), atol=1e-4, err_msg=f'seed {seed}')


def test_hand_computed():
    """Scale 1, roi 0..3, one bin, 2 samples: start -0.5, step 2, samples at -0.5 (read as 0) and 1.5 on both axes.
    On the map x + 10 y that is x (0 + 1.5) / 2 = 0.75 and 10 times the same for y."""
    grid = np.arange(4)[None, :] + 10 * np.arange(4)[:, None]
    call = dict(spatial_scale=1, output_dim=1, group_size=1, pooled_size=1, sample_per_part=2)
    data, rois = mx.nd.array(grid[None, None]), mx.nd.array([[0, 0, 0, 3, 3]])
    assert mx.nd.DeformablePSROIPooling(data, rois, no_trans=True, **call).asscalar() == 8.25
    # Offsets move by trans * trans_std * side = 1 * 0.25 * 4 = 1 cell along x: samples at 0.5 and 2.5.
    trans = mx.nd.array([[[[1]], [[0]]]])
    moved = mx.nd.DeformablePSROIPooling(data, rois, trans, trans_std=0.25, part_size=1, **call)
    assert moved.asscalar() == 1.5 + 7.5


def test_rois_outside_give_zeros_and_no_gradient():
    inputs, attributes = make_case((1, 8, 1, 1, 5, 5, 3, 3, 2, 2, 0.5, True), 0)
    inputs['rois'][:, 1:] = [[500, 500, 600, 600], [-90, 0, -70, 9]]
    output, grads = run(mx.nd.DeformablePSROIPooling, inputs, attributes)
    assert (output == 0).all() and (grads['data'] == 0).all()


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e30])
def test_odd_rois_do_not_crash(value):
    inputs, attributes = make_case((1, 8, 1, 1, 5, 5, 3, 3, 2, 6, 0.5, False), 0)
    inputs['rois'][::2, 1:] = value
    inputs['rois'][1, 3] = value
    inputs['trans'][3] = value
    output, grads = run(mx.nd.DeformablePSROIPooling, inputs, attributes)
    assert np.isfinite(output).all() and np.isfinite(grads['data']).all()


@pytest.mark.parametrize('name', ['data', 'trans'])
def test_finite_differences(name):
    """Rois on quarter cells keep the samples away from the kinks of bilinear interpolation."""
    inputs, attributes = make_case((2, 4, 1, 2, 8, 8, 2, 2, 2, 3, 0.25, False), 5)
    inputs['trans'] *= 0.3
    weights = np.random.RandomState(6).randn(3, 4, 2, 2)
    _, grads = run(mx.nd.DeformablePSROIPooling, inputs, attributes, weights.astype(np.float32))
    step = 1e-4
    for place in np.random.RandomState(7).permutation(inputs[name].size)[:12]:
        values = []
        for sign in (1, -1):
            moved = {key: value.astype(np.float64) for key, value in inputs.items()}
            moved[name].ravel()[place] += sign * step
            values.append((plain_pooling(**moved, **attributes) * weights).sum())
        numeric = (values[0] - values[1]) / (2 * step)
        np.testing.assert_allclose(grads[name].ravel()[place], numeric, rtol=1e-2, atol=1e-3, err_msg=str(place))


def test_gradients_add_where_asked():
    inputs, attributes = make_case(CASES[0], 1)
    _, written = run(mx.nd.DeformablePSROIPooling, inputs, attributes)
    _, added = run(mx.nd.DeformablePSROIPooling, inputs, attributes, request='add')
    for name in ('data', 'trans'):
        np.testing.assert_allclose(added[name], written[name] + 1, atol=1e-5)
        assert abs(written[name]).max() > 0.1


@pytest.mark.parametrize('request_kind', ['write', 'add'])
@pytest.mark.parametrize('copies', [1, 3, 12])
def test_shared_data_in_a_graph(copies, request_kind):
    """Several poolings of one map, as in every R-CNN head here; beyond 8 MXNet adds gradients in place."""
    inputs, attributes = make_case(CASES[2], 2)
    _, single = run(mx.nd.DeformablePSROIPooling, inputs, attributes)
    data, rois, trans = [mx.sym.var(name) for name in ('data', 'rois', 'trans')]
    pooled = [mx.sym.DeformablePSROIPooling(data, rois, trans, **attributes) for _ in range(copies)]
    loss = mx.sym.make_loss(sum((mx.sym.sum(part) for part in pooled[1:]), mx.sym.sum(pooled[0])))
    executor = loss.simple_bind(mx.cpu(), grad_req=request_kind, **{n: v.shape for n, v in inputs.items()})
    executor.grad_dict['data'][:] = 1
    executor.forward(is_train=True, **{n: mx.nd.array(v) for n, v in inputs.items()})
    executor.backward()
    expected = copies * single['data'] + (request_kind == 'add')
    np.testing.assert_allclose(executor.grad_dict['data'].asnumpy(), expected, rtol=1e-4, atol=1e-4)


def test_sizes_that_mxnet_cannot_count():
    arrays = [mx.nd.zeros((1, 4, 5, 5)), mx.nd.zeros((1, 5))]
    with pytest.raises(mx.MXNetError, match=r'output_dim\*group_size\*group_size would be more than MXNet can count'):
        mx.nd.DeformablePSROIPooling(*arrays, spatial_scale=0.5, output_dim=4, group_size=65536, pooled_size=2,
                                     no_trans=True).wait_to_read()
