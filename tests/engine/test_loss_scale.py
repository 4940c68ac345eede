"""Dynamic loss scaling: the rule, the graph, and updates that are left out, with overflows made up on the CPU."""
import numpy as np
import pytest

from configs import ConfigError, check_supported
from configs.derived import loss_factor
from lib.utils.errors import SniperError
from tests.train.tiny import FakeIterator, TinyDetector, make_config


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


def test_the_rule():
    from lib.engine.loss_scale import LossScale
    rule = LossScale(64, 3)
    assert [rule.update(True) for _ in range(3)] == [True] * 3 and rule.scale == 128
    assert not rule.update(False) and rule.scale == 64 and rule.skipped == 1
    rule.update(True)
    rule.update(True)
    assert not rule.update(False) and rule.scale == 32  # counting starts again
    other = LossScale(1, 3)
    other.set_state(rule.get_state())
    assert other.get_state() == rule.get_state()
    other.set_state({})
    assert other.scale == 32
    with pytest.raises(SniperError, match='fell below .* diverged'):
        for _ in range(100):
            rule.update(False)


def make_module(mx, scale=None):
    """The tiny detector bound with the input `loss_scale`, if any, and plain SGD."""
    from lib.engine.loss_scale import NAME, with_loss_scale
    config, iterator = make_config(), FakeIterator(2)
    symbol = TinyDetector().train_symbol(config)
    module = mx.mod.Module(symbol if scale is None else with_loss_scale(symbol), data_names=['data'],
                           label_names=[name for name, _ in iterator.provide_label],
                           state_names=[] if scale is None else [NAME])
    module.bind(iterator.provide_data, iterator.provide_label, for_training=True)
    mx.random.seed(3)
    np.random.seed(3)
    module.init_params(mx.init.Xavier())
    module.init_optimizer(kvstore=None, optimizer='sgd', optimizer_params={'learning_rate': 0.1, 'wd': 0.01,
                                                                           'rescale_grad': 1.0})
    iterator.start_epoch(0)
    batch = next(iterator)
    data = mx.io.DataBatch([mx.nd.array(batch.data['data'])],
                           [mx.nd.array(batch.label[name]) for name, _ in iterator.provide_label])
    return module, data


class Inner:
    """What lib.distributed.gradient_sync is to the loop."""

    bytes_sent = 5

    def __init__(self, module):
        self.update = module.update


def parameters(module):
    return {name: array.asnumpy() for name, array in module.get_params()[0].items()}


def test_gradients_carry_the_factor_and_updates_do_not(mx):
    from lib.engine.loss_scale import LossScale, ScaledUpdate
    plain, data = make_module(mx)
    scaled, _ = make_module(mx, 8)
    scaled.set_params(*plain.get_params())
    update = ScaledUpdate(scaled, Inner(scaled), LossScale(8, 100))
    for module in (plain, scaled):
        module.forward_backward(data)
    for one, other in zip(plain.get_outputs(), scaled.get_outputs()):
        np.testing.assert_allclose(one.asnumpy(), other.asnumpy(), rtol=1e-6, atol=1e-7)
    for (one,), (other,) in zip(plain._exec_group.grad_arrays, scaled._exec_group.grad_arrays):
        size = np.abs(other.asnumpy()).max()
        np.testing.assert_allclose(8 * one.asnumpy(), other.asnumpy(), rtol=1e-3, atol=1e-4 * size)
    plain.update()
    update.update()
    assert update.bytes_sent == 5  # the rest is the inner one's
    expected, found = parameters(plain), parameters(scaled)
    assert sorted(expected) == sorted(found) and 'loss_scale' not in found
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('bad', [np.inf, -np.inf, np.nan])
def test_an_overflow_leaves_the_update_out(mx, bad):
    from lib.engine.loss_scale import LossScale, ScaledUpdate
    module, data = make_module(mx, 8)
    update = ScaledUpdate(module, Inner(module), LossScale(8, 2))
    before = parameters(module)
    module.forward_backward(data)
    module._exec_group.grad_arrays[-1][0][:] = bad
    update.update()
    after = parameters(module)
    assert update.rule.scale == 4 and all(np.array_equal(before[name], after[name]) for name in before)
    for _ in range(2):
        module.forward_backward(data)
        update.update()
    assert update.rule.scale == 8
    assert module.get_states(merge_multi_context=False)[0][0].asnumpy() == 8 and module._optimizer.rescale_grad == 1 / 8
    changed = parameters(module)
    assert any(not np.array_equal(before[name], changed[name]) for name in before)


def test_keys():
    config = make_config(fp16=True, scale=100.0)
    assert loss_factor(config.TRAIN) == 100
    config.TRAIN.LOSS_SCALING = 'dynamic'
    assert loss_factor(config.TRAIN) == 1
    config.default.kvstore = 'dist_sync'
    with pytest.raises(ConfigError, match="LOSS_SCALING is 'dynamic', which workers"):
        check_supported(config, 'train')
