"""Costs of single layers against what is counted by hand, and memory of small graphs."""
import pytest

from lib.engine.cost import cost_of
from sniper_mxnet import mx

DATA = mx.sym.var('data')


def layer(symbol, **shapes):
    """The LayerCost of the last node."""
    return cost_of(symbol, shapes).layers[-1]


@pytest.mark.parametrize('settings, parameters, multiply_adds', [
    (dict(num_filter=5, kernel=(3, 3), pad=(1, 1)), 5 * 4 * 9 + 5, 9 * 12 * 5 * 4 * 9),
    (dict(num_filter=5, kernel=(3, 3), pad=(1, 1), no_bias=True), 5 * 4 * 9, 9 * 12 * 5 * 4 * 9),
    (dict(num_filter=6, kernel=(3, 1), num_group=2, no_bias=True), 6 * 2 * 3, 7 * 12 * 6 * 2 * 3),
    (dict(num_filter=4, kernel=(3, 3), num_group=4, pad=(1, 1), no_bias=True), 4 * 9, 9 * 12 * 4 * 9),
    (dict(num_filter=5, kernel=(3, 3), stride=(2, 2), pad=(1, 1), no_bias=True), 180, 5 * 6 * 180),
    (dict(num_filter=5, kernel=(3, 3), dilate=(2, 2), no_bias=True), 180, 5 * 8 * 180),
])
def test_convolutions(settings, parameters, multiply_adds):
    """On two images of 4 channels, 9 x 12 cells."""
    found = layer(mx.sym.Convolution(DATA, name='conv', **settings), data=(2, 4, 9, 12))
    assert (found.name, found.operator) == ('conv', 'Convolution')
    assert (found.parameters, found.multiply_adds) == (parameters, 2 * multiply_adds)


@pytest.mark.parametrize('settings, parameters, multiply_adds', [
    (dict(num_filter=6, kernel=(2, 2), stride=(2, 2), no_bias=False), 4 * 6 * 4 + 6, 3 * 5 * 4 * 6 * 4),
    (dict(num_filter=4, kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_group=4), 4 * 16, 3 * 5 * 4 * 16),
])
def test_deconvolutions(settings, parameters, multiply_adds):
    found = layer(mx.sym.Deconvolution(DATA, name='up', **settings), data=(1, 4, 3, 5))
    assert (found.parameters, found.multiply_adds) == (parameters, multiply_adds)


def test_fully_connected():
    found = layer(mx.sym.FullyConnected(DATA, num_hidden=7, name='fc'), data=(3, 2, 5))
    assert (found.output, found.parameters, found.multiply_adds) == ((3, 7), 7 * 10 + 7, 3 * 7 * 10)


def test_products_of_matrices():
    other = mx.sym.var('other')
    assert layer(mx.sym.batch_dot(DATA, other), data=(2, 3, 4), other=(2, 4, 5)).multiply_adds == 2 * 3 * 4 * 5
    transposed = mx.sym.batch_dot(DATA, other, transpose_a=True)
    assert layer(transposed, data=(2, 4, 3), other=(2, 4, 5)).multiply_adds == 2 * 3 * 4 * 5
    assert layer(mx.sym.dot(DATA, other, transpose_a=True), data=(4, 3), other=(4, 5)).multiply_adds == 60


def test_batch_norms_have_statistics_and_do_not_multiply():
    found = layer(mx.sym.BatchNorm(DATA, name='bn'), data=(1, 6, 2, 2))
    assert (found.parameters, found.statistics, found.multiply_adds, found.outputs) == (12, 12, 0, 24)


def test_deformable_operators_count_interpolation():
    moved = mx.sym.DeformableConvolution(DATA, mx.sym.var('offset'), mx.sym.var('weight'), num_filter=5, kernel=(3, 3),
                                         pad=(1, 1), no_bias=True, name='moved')
    found = layer(moved, data=(1, 4, 6, 8), offset=(1, 18, 6, 8))
    assert (found.parameters, found.multiply_adds) == (180, 48 * 180 + 4 * 48 * 4 * 9)
    pooled = mx.sym.DeformablePSROIPooling(DATA, mx.sym.var('rois'), no_trans=True, output_dim=4, group_size=1,
                                           pooled_size=7, sample_per_part=4, spatial_scale=1.0)
    assert layer(pooled, data=(1, 4, 6, 8), rois=(3, 5)).multiply_adds == 4 * 3 * 4 * 49 * 16


def test_up_sampling_multiplies_where_it_interpolates():
    nearest = mx.sym.UpSampling(DATA, scale=2, sample_type='nearest', num_args=1)
    assert layer(nearest, data=(1, 3, 5, 5)).multiply_adds == 0
    bilinear = mx.sym.UpSampling(DATA, mx.sym.var('w'), scale=2, sample_type='bilinear', num_filter=3, num_args=2)
    assert layer(bilinear, data=(1, 3, 5, 5)).multiply_adds == 3 * 25 * 16


def test_shared_and_cast_weights_count_once():
    weight = mx.sym.var('w')
    half = mx.sym.Cast(weight, dtype='float16')
    first = mx.sym.Convolution(mx.sym.Cast(DATA, dtype='float16'), half, num_filter=4, kernel=(1, 1), no_bias=True)
    cost = cost_of(mx.sym.Convolution(first, half, num_filter=4, kernel=(1, 1), no_bias=True), {'data': (1, 4, 2, 2)})
    assert [entry.parameters for entry in cost.layers if entry.operator == 'Convolution'] == [16, 0]
    assert cost.total('parameters') == 16


def test_peak():
    """relu writes over what it reads, a reshape over nothing at all, and arrays go when nobody reads them any more."""
    body = mx.sym.Activation(mx.sym.Convolution(DATA, num_filter=8, kernel=(1, 1)), act_type='relu')     # 2 + 8
    body = mx.sym.Convolution(mx.sym.Reshape(body, shape=(1, 8, 1, 1)), num_filter=3, kernel=(1, 1))     # 8 + 3
    cost = cost_of(mx.sym.Convolution(body, num_filter=4, kernel=(1, 1)), {'data': (1, 2, 1, 1)})        # 3 + 4
    assert cost.peak == 11
    assert cost.total('outputs') == 8 + 8 + 3 + 4


def test_what_is_read_later_stays():
    first = mx.sym.Convolution(DATA, num_filter=6, kernel=(1, 1))
    relu = mx.sym.Activation(first, act_type='relu')    # not over `first`, which is read again
    assert cost_of(relu + first, {'data': (1, 2, 1, 1)}).peak == 12
    outputs = mx.sym.Group([first, mx.sym.Convolution(first, num_filter=5, kernel=(1, 1), name='second')])
    last = mx.sym.Convolution(outputs[1], num_filter=7, kernel=(1, 1))
    assert cost_of(mx.sym.Group([outputs[0], last]), {'data': (1, 2, 1, 1)}).peak == 6 + 5 + 7


def test_shapes_that_do_not_fit():
    body = mx.sym.Convolution(DATA + mx.sym.var('other'), num_filter=2, kernel=(3, 3))
    with pytest.raises(mx.MXNetError):
        cost_of(body, {'data': (1, 2, 2, 4)})
    with pytest.raises(ValueError, match='do not follow from those of other'):
        cost_of(mx.sym.Group([body, mx.sym.var('more')]), {'other': (1, 2, 4, 4)})
