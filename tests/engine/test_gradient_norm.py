"""Clipping by the joint norm of all gradients, and weight decay by name, against NumPy."""
import numpy as np
import pytest

from tests.engine.test_loss_scale import make_step, parameters


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


SHAPES = [(3,), (5000,), (4096,), (3, 4, 5, 6), (16, 700), (1,)]


def arrays(mx, factor=1.0, dtype='float32'):
    rng = np.random.default_rng(2)
    return [mx.nd.array(rng.standard_normal(shape) * factor, dtype=dtype) for shape in SHAPES]


def joint(values):
    return np.sqrt(sum((value.asnumpy().astype(np.float64) ** 2).sum() for value in values))


def test_the_norm(mx):
    from lib.engine.gradient_norm import global_norm
    for dtype, tolerance in (('float32', 1e-6), ('float16', 1e-5)):
        values = arrays(mx, 3.0, dtype)
        assert global_norm(values).asscalar() == pytest.approx(joint(values), rel=tolerance)
    assert global_norm([mx.nd.array([3]), mx.nd.array([[4]])]).asscalar() == pytest.approx(5)


def test_many_small_values_are_not_lost(mx):
    """A running sum of single precision stands still after some millions."""
    from lib.engine.gradient_norm import global_norm
    value = mx.nd.full((1 << 24,), 0.1)
    assert global_norm([value]).asscalar() == pytest.approx(0.1 * 4096, rel=1e-6)


@pytest.mark.parametrize('dtype', ['float32', 'float16'])
def test_clipping(mx, dtype):
    from lib.engine.gradient_norm import clip_to_norm
    values, before = arrays(mx, dtype=dtype), arrays(mx, dtype=dtype)
    clip_to_norm(values, 10.0)
    factor = 10.0 / joint(before)
    assert factor < 1 and joint(values) == pytest.approx(10, rel=1e-3)
    for found, was in zip(values, before):
        np.testing.assert_allclose(found.asnumpy(), was.asnumpy() * factor, rtol=2e-3 if dtype == 'float16' else 1e-5)
    clip_to_norm(values, 20.0)      # short enough
    assert joint(values) == pytest.approx(10, rel=1e-3)
    zeros = [mx.nd.zeros((3, 2))]
    clip_to_norm(zeros, 1.0)
    assert not zeros[0].asnumpy().any()
    clip_to_norm([], 1.0)


def optimiser_step(mx, scale=None, **settings):
    """Of two equal networks: parameters before and after an update, and the gradients before it."""
    step, batch = make_step(mx, scale)
    with step:
        step.init_optimiser('sgd', {'learning_rate': 0.1, 'wd': settings.pop('wd', 0.0), 'rescale_grad': 1.0},
                            **settings)
        before = parameters(step)
        step.forward_backward(batch)
        grads = {name: grads[0].asnumpy().astype(np.float64) for name, grads, _ in step.trained_arrays()}
        step.update()
        return before, parameters(step), grads


@pytest.mark.parametrize('scale', [None, 16])
def test_an_update_is_no_longer_than_the_bound(mx, scale, monkeypatch):
    from mxnet.module import Module
    real = Module.init_optimizer
    monkeypatch.setattr(Module, 'init_optimizer', lambda *args, **kwargs: real(*args, force_init=True, **kwargs))
    before, after, grads = optimiser_step(mx, scale)
    free = joint_of({name: after[name] - before[name] for name in grads})
    before, after, grads = optimiser_step(mx, scale, clip_norm=free / 0.1 / 2)
    assert joint_of({name: after[name] - before[name] for name in grads}) == pytest.approx(free / 2, rel=1e-3)
    direction = {name: (before[name] - after[name]) / grads[name] for name in grads}
    factors = np.concatenate([value[np.abs(grads[name]) > 1e-2].ravel() for name, value in direction.items()])
    np.testing.assert_allclose(factors, np.median(factors), rtol=1e-2)      # one factor for all


def joint_of(values):
    return np.sqrt(sum((np.asarray(value, np.float64) ** 2).sum() for value in values.values()))


def test_decay_reaches_what_is_named(mx, monkeypatch):
    from mxnet.module import Module
    real = Module.init_optimizer
    monkeypatch.setattr(Module, 'init_optimizer', lambda *args, **kwargs: real(*args, force_init=True, **kwargs))
    before, after, grads = optimiser_step(mx, wd=0.5, decayed={'stem_weight', 'bn_beta'})
    for name, grad in grads.items():
        wd = 0.5 if name in ('stem_weight', 'bn_beta') else 0
        np.testing.assert_allclose(after[name], before[name] - 0.1 * (grad + wd * before[name]), rtol=1e-4, atol=1e-6,
                                   err_msg=name)
