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


def make_step(mx, scale=None, interval=100):
    """The tiny detector with plain SGD, and a batch for it. scale: first value of a dynamic loss scale, or None."""
    from lib.engine.loss_scale import LossScale
    from lib.engine.training import TrainingStep
    config, iterator = make_config(), FakeIterator(2)
    step = TrainingStep(TinyDetector().symbol(config), iterator.provide_data, iterator.provide_label, [mx.cpu()],
                        loss_scale=LossScale(scale, interval) if scale else None)
    mx.random.seed(3)
    np.random.seed(3)
    step.initialise(mx.init.Xavier())
    step.init_optimiser('sgd', {'learning_rate': 0.1, 'wd': 0.01, 'rescale_grad': 1.0})
    iterator.start_epoch(0)
    return step, next(iterator)


def parameters(step):
    return {name: array.asnumpy() for name, array in step.parameters()[0].items()}


def test_gradients_carry_the_factor_and_updates_do_not(mx):
    plain, batch = make_step(mx)
    scaled, _ = make_step(mx, 8)
    with plain, scaled:
        scaled.set_parameters(*plain.parameters())
        outputs = []
        for step in (plain, scaled):
            step.forward_backward(batch)
            outputs.append(step.outputs(step.output_names).read())
        for name, one in outputs[0].items():
            np.testing.assert_allclose(one, outputs[1][name], rtol=1e-6, atol=1e-7)
        for (_, (one,), _), (_, (other,), _) in zip(plain.trained_arrays(), scaled.trained_arrays()):
            size = np.abs(other.asnumpy()).max()
            np.testing.assert_allclose(8 * one.asnumpy(), other.asnumpy(), rtol=1e-3, atol=1e-4 * size)
        plain.update()
        scaled.update()
        expected, found = parameters(plain), parameters(scaled)
    assert sorted(expected) == sorted(found) and 'loss_scale' not in found
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('bad', [np.inf, -np.inf, np.nan])
def test_an_overflow_leaves_the_update_out(mx, bad):
    step, batch = make_step(mx, 8, interval=2)
    with step:
        before = parameters(step)
        step.forward_backward(batch)
        step.trained_arrays()[-1][1][0][:] = bad
        step.update()
        after = parameters(step)
        assert step.loss_scale.scale == 4 and all(np.array_equal(before[name], after[name]) for name in before)
        for _ in range(2):
            step.forward_backward(batch)
            step.update()
        assert step.loss_scale.scale == 8
        changed = parameters(step)
    assert any(not np.array_equal(before[name], changed[name]) for name in before)


def test_keys():
    config = make_config(fp16=True, scale=100.0)
    assert loss_factor(config.TRAIN) == 100
    config.TRAIN.LOSS_SCALING = 'dynamic'
    assert loss_factor(config.TRAIN) == 1
    config.default.kvstore = 'dist_sync'
    with pytest.raises(ConfigError, match="LOSS_SCALING is 'dynamic', which workers"):
        check_supported(config, 'train')
