"""The MXNet predictor: shapes that change, several devices, weights that do not fit."""
import types

import numpy as np
import pytest

from lib.engine.predictor import Predictor
from lib.utils.errors import SniperError


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


@pytest.fixture
def network(mx):
    """A convolution with a BatchNorm, pooled to (B, 4), and the ids as a second output."""
    net = mx.sym.Convolution(mx.sym.var('data'), num_filter=4, kernel=(3, 3), name='conv')
    net = mx.sym.BatchNorm(net, fix_gamma=False, use_global_stats=True, name='bn')
    net = mx.sym.Pooling(net, global_pool=True, pool_type='max', name='pool')
    net = mx.sym.Group([mx.sym.Flatten(net, name='flat'), mx.sym.var('im_ids')])
    rng = np.random.default_rng(0)
    shapes = {'conv_weight': (4, 3, 3, 3), 'conv_bias': (4,), 'bn_gamma': (4,), 'bn_beta': (4,)}
    args = {name: mx.nd.array(rng.normal(size=shape)) for name, shape in shapes.items()}
    auxs = {'bn_moving_mean': mx.nd.array(rng.normal(size=4)), 'bn_moving_var': mx.nd.ones(4)}
    return net, args, auxs


def batch_of(size, height, width, seed=0):
    rng = np.random.default_rng(seed)
    return types.SimpleNamespace(data={'data': rng.normal(size=(size, 3, height, width)).astype(np.float32),
                                       'im_ids': np.arange(size, dtype=np.float32), 'chip_ids': np.zeros(size)})


def test_any_order_of_shapes(mx, network):
    """Shapes that grow and shrink give what a predictor bound for each alone gives."""
    predictor = Predictor(*network, [mx.cpu()])
    shapes = [(2, 20, 30), (2, 40, 9), (1, 50, 60), (2, 20, 30), (2, 20, 30), (3, 8, 8)]
    for seed, shape in enumerate(shapes):
        batch = batch_of(*shape, seed=seed)
        outputs = predictor.predict(batch)
        fresh = Predictor(*network, [mx.cpu()]).predict(batch)
        assert sorted(outputs) == ['flat_output', 'im_ids']
        np.testing.assert_array_equal(outputs['im_ids'], batch.data['im_ids'])
        np.testing.assert_allclose(outputs['flat_output'], fresh['flat_output'], rtol=1e-5, atol=1e-5)
    assert predictor.rebinds == 4 and predictor.rebind_seconds > 0


def test_outputs_survive_the_next_batch(mx, network):
    predictor = Predictor(*network, [mx.cpu()])
    first = predictor.predict(batch_of(2, 9, 9, seed=1))['flat_output']
    copy = first.copy()
    predictor.predict(batch_of(2, 9, 9, seed=2))
    np.testing.assert_array_equal(first, copy)


def test_batch_is_split_over_devices(mx, network):
    batch = batch_of(4, 12, 12)
    one = Predictor(*network, [mx.cpu()]).predict(batch)
    predictor = Predictor(*network, [mx.cpu(0), mx.cpu(1)])
    assert predictor.devices == 2
    two = predictor.predict(batch)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5, atol=1e-5)


def test_weights_that_do_not_fit(mx, network):
    symbol, args, auxs = network
    few = {name: array for name, array in args.items() if name != 'conv_bias'}
    with pytest.raises(SniperError, match=r'the weights do not fit the network: 1 parameter is missing \(conv_bias\)'):
        Predictor(symbol, few, auxs, [mx.cpu()]).predict(batch_of(1, 9, 9))
    with pytest.raises(SniperError, match=r'missing \(bn_moving_var\)'):
        Predictor(symbol, args, {'bn_moving_mean': auxs['bn_moving_mean']}, [mx.cpu()]).predict(batch_of(1, 9, 9))
    wrong = dict(args, conv_weight=mx.nd.zeros((5, 3, 3, 3)), conv_bias=mx.nd.zeros(5))
    with pytest.raises(SniperError, match='conv_weight is 5x3x3x3, the network wants 4x3x3x3; conv_bias is 5, the'):
        Predictor(symbol, wrong, auxs, [mx.cpu()]).predict(batch_of(1, 9, 9))
    wrong.pop('conv_bias')
    with pytest.raises(SniperError, match='conv_bias.*moving.*conv_weight is 5x3x3x3.*not asked for .left'):
        Predictor(symbol, dict(wrong, left=mx.nd.zeros(2)), {}, [mx.cpu()]).predict(batch_of(1, 9, 9))
    more = dict(args, superfluous=mx.nd.zeros(3))
    assert Predictor(symbol, more, auxs, [mx.cpu()]).predict(batch_of(1, 9, 9))['flat_output'].shape == (1, 4)


def test_network_without_proposals(mx):
    symbol = mx.sym.Group([mx.sym.var('data') * 2, mx.sym.var('rois')])
    with pytest.raises(SniperError, match='wants the inputs rois, which nothing provides: use another'):
        Predictor(symbol, {}, {}, [mx.cpu()], advice=lambda missing: ': use another').predict(batch_of(1, 9, 9))


def test_input_that_the_network_refuses(mx, network):
    with pytest.raises(SniperError, match='does not accept inputs of data'):
        Predictor(*network, [mx.cpu()]).predict(batch_of(1, 2, 2))


def test_names_are_asked_for_once(mx, network, monkeypatch):
    """MXNet's list_outputs loses memory at every call (0.1 MB with library operators): not a batch's business."""
    predictor = Predictor(*network, [mx.cpu()])
    predictor.predict(batch_of(1, 9, 9))
    monkeypatch.setattr(mx.sym.Symbol, 'list_outputs', None)
    for side in (9, 12):
        assert 'im_ids' in predictor.predict(batch_of(1, side, 9))
