"""RoIMeanPooling against stock ROIPooling with a mean behind it, a plain loop, a case by hand, and edges."""
import numpy as np
import pytest

from sniper_mxnet import mx

# images, channels, height, width, rois, bins, scale
CASES = [(2, 20, 9, 12, 30, (7, 7), 0.0625), (1, 300, 5, 6, 20, (3, 2), 0.125), (3, 1, 1, 1, 9, (1, 5), 0.5),
         (1, 70, 30, 7, 25, (7, 7), 0.3), (1, 3, 4, 40, 6, (1, 60), 1.0)]


def make_case(case, seed):
    images, channels, height, width, count, bins, scale = case
    rng = np.random.RandomState(seed)
    extent = np.array([width, height]) / scale
    corner = (rng.rand(count, 2) * 1.3 - 0.2) * extent
    rois = np.hstack([rng.randint(0, images, (count, 1)), corner, corner + (rng.rand(count, 2) - 0.05) * extent])
    return (rng.randn(images, channels, height, width).astype(np.float32), rois.astype(np.float32),
            dict(pooled_size=bins, spatial_scale=scale))


def run(operator, data, rois, out_grad, request='write', **attributes):
    """(output, gradient of data, gradient of rois)."""
    arrays = [mx.nd.array(data), mx.nd.array(rois)]
    for array in arrays:
        array.attach_grad(request)
        array.grad[:] = 1
    with mx.autograd.record():
        output = operator(*arrays, **attributes)
    output.backward(mx.nd.array(out_grad))
    return [value.asnumpy() for value in (output, arrays[0].grad, arrays[1].grad)]


def stock(data, rois, **attributes):
    return mx.nd.ROIPooling(data, rois, **attributes).mean(axis=(2, 3))


def plain(data, rois, pooled_size, spatial_scale):
    """(R, C): the definition, value by value."""
    height, width = data.shape[2:]
    away = lambda value: np.floor(np.abs(value) + 0.5) * np.sign(value)    # halves away from zero
    out = np.zeros((len(rois), data.shape[1]))
    for r, (image, *corners) in enumerate(rois):
        x1, y1, x2, y2 = (int(away(np.float32(value) * np.float32(spatial_scale))) for value in corners)
        sides = [np.float32(max(last - first + 1, 1)) / np.float32(bins)
                 for first, last, bins in ((y1, y2, pooled_size[0]), (x1, x2, pooled_size[1]))]
        for ph, pw in np.ndindex(*pooled_size):
            top, left = (int(np.floor(np.float32(i) * side)) for i, side in zip((ph, pw), sides))
            bottom, right = (int(np.ceil(np.float32(i + 1) * side)) for i, side in zip((ph, pw), sides))
            rows, columns = np.clip([y1 + top, y1 + bottom], 0, height), np.clip([x1 + left, x1 + right], 0, width)
            cells = data[int(image), :, rows[0]:rows[1], columns[0]:columns[1]]
            if cells.size:
                out[r] += cells.max(axis=(1, 2))
    return out / (pooled_size[0] * pooled_size[1])


@pytest.mark.parametrize('case', CASES, ids=str)
def test_equals_stock_and_a_plain_loop(case):
    data, rois, attributes = make_case(case, seed=case[1])
    out_grad = np.random.RandomState(1).randn(len(rois), data.shape[1])
    out_grad[::5] = 0
    ours, theirs = (run(operator, data, rois, out_grad, **attributes) for operator in (mx.nd.RoIMeanPooling, stock))
    np.testing.assert_allclose(ours[0], plain(data, rois, **attributes), atol=3e-6)
    np.testing.assert_allclose(ours[0], theirs[0], atol=3e-6)
    np.testing.assert_allclose(ours[1], theirs[1], atol=3e-6)
    assert (ours[1] != 0).any() and (ours[2] == 0).all()


def test_by_hand():
    """A map 0 1 2 3 / 4 5 6 7 of scale 1; the roi of all of it has bins of 2 x 1 and 2 x 3 cells in a row of two."""
    data = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 4)
    output, grad, _ = run(mx.nd.RoIMeanPooling, data, [[0, 0, 0, 3, 1]], [[10]], pooled_size=(1, 2), spatial_scale=1)
    np.testing.assert_array_equal(output, [[(5 + 7) / 2]])
    np.testing.assert_array_equal(grad[0, 0], [[0, 0, 0, 0], [0, 5, 0, 5]])
    square = mx.nd.RoIMeanPooling(mx.nd.array(data), mx.nd.array([[0, 0, 0, 3, 1]]), pooled_size=2, spatial_scale=1)
    assert square.asscalar() == (1 + 3 + 5 + 7) / 4


def test_the_first_of_equal_values_gets_the_gradient():
    _, grad, _ = run(mx.nd.RoIMeanPooling, np.ones((1, 17, 3, 3)), [[0, 1, 1, 2, 2]], np.full((1, 17), 3),
                     pooled_size=1, spatial_scale=1)
    expected = np.zeros((3, 3))
    expected[1, 1] = 3
    np.testing.assert_array_equal(grad, np.broadcast_to(expected, grad.shape))


def test_bins_off_the_map_count_as_zero_and_get_nothing():
    data = np.full((1, 2, 4, 4), 6, np.float32)
    rois = [[0, 2, 0, 5, 3], [0, 100, 100, 120, 120], [0, -50, -50, -40, -40]]
    output, grad, _ = run(mx.nd.RoIMeanPooling, data, rois, np.ones((3, 2)), pooled_size=(2, 2), spatial_scale=1)
    np.testing.assert_array_equal(output, [[3, 3], [0, 0], [0, 0]])
    assert grad.sum() == 2 * 0.5


def test_gradients_are_added_where_asked():
    data, rois, attributes = make_case(CASES[0], seed=2)
    out_grad = np.random.RandomState(3).randn(len(rois), data.shape[1])
    written, added = (run(mx.nd.RoIMeanPooling, data, rois, out_grad, request, **attributes)[1]
                      for request in ('write', 'add'))
    np.testing.assert_allclose(added, written + 1, atol=1e-6)


def test_odd_numbers():
    """NaN is no largest value, as in the stock operator; a roi with a NaN or an infinite corner ends the map's or
    covers nothing, and the process goes on."""
    data, rois, attributes = make_case(CASES[0], seed=4)
    data[:, ::2, ::3, ::3] = np.nan
    out_grad = np.ones((len(rois), data.shape[1]))
    ours, theirs = (run(operator, data, rois, out_grad, **attributes) for operator in (mx.nd.RoIMeanPooling, stock))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6, atol=1e-6)
    rois[:, 1:].ravel()[::3] = np.resize([np.nan, np.inf, -np.inf, 3e38], rois[:, 1:].ravel()[::3].shape)
    output, grad, _ = run(mx.nd.RoIMeanPooling, np.nan_to_num(data), rois, out_grad, **attributes)
    assert np.isfinite(output).all() and np.isfinite(grad).all()
    empty = mx.nd.RoIMeanPooling(mx.nd.ones((1, 2, 3, 3)), mx.nd.array([[0] + [np.nan] * 4]), **attributes)
    assert (empty.asnumpy() == 0).all()


@pytest.mark.parametrize('image', [2, -1, np.nan])
def test_a_roi_of_no_image_is_refused(image):
    with pytest.raises(mx.MXNetError, match=r'RoIMeanPooling: row 1 of rois names image \S+ of a batch of 2'):
        mx.nd.RoIMeanPooling(mx.nd.zeros((2, 3, 4, 4)), mx.nd.array([[0, 0, 0, 9, 9], [image, 0, 0, 9, 9]]),
                             pooled_size=(7, 7), spatial_scale=1).wait_to_read()


def test_a_symbol_goes_through_json():
    symbol = mx.sym.RoIMeanPooling(mx.sym.var('data'), mx.sym.var('rois'), name='fine', pooled_size=(7, 7),
                                   spatial_scale=0.0625)
    again = mx.sym.load_json(symbol.tojson())
    assert again.list_outputs() == ['fine_output']
    assert again.infer_shape(data=(1, 3130, 32, 32), rois=(300, 5))[1] == [(300, 3130)]
