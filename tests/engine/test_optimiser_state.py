"""What a .states file holds of an optimiser: by kind, whatever form MXNet gives it; and Adam's step by hand."""
import numpy as np
import pytest

from tests.train.tiny import FakeIterator, TinyDetector, make_config


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


@pytest.mark.parametrize('name, settings, kinds', [
    ('sgd', dict(momentum=0.9), ['momentum']), ('sgd', dict(), []), ('adam', dict(), ['mean', 'variance'])])
@pytest.mark.parametrize('dtype', ['float32', 'float16'])
def test_states_by_kind(mx, name, settings, kinds, dtype):
    from lib.engine.optimiser_state import _by_kind
    optimizer = mx.optimizer.create(name, multi_precision=True, **settings)
    weight = mx.nd.ones((2, 3), dtype=dtype)
    found = _by_kind(optimizer, optimizer.create_state_multi_precision(0, weight))
    there = [kind for kind, array in found.items() if array is not None]
    assert there == kinds + ['master'] * (dtype == 'float16')
    assert all(found[kind].shape == (2, 3) and found[kind].dtype == np.float32 for kind in there)
    if dtype == 'float16':
        assert found['master'].asnumpy().all() and not any(found[kind].asnumpy().any() for kind in kinds)


def test_the_first_step_of_adam_is_the_rate_whatever_the_gradient(mx):
    from lib.engine.training import TrainingStep
    iterator = FakeIterator(2)
    iterator.start_epoch(0)
    with TrainingStep(TinyDetector().symbol(make_config()), iterator.provide_data, iterator.provide_label,
                      [mx.cpu()]) as step:
        step.initialise(mx.init.Xavier())
        step.init_optimiser('adam', {'learning_rate': 0.01, 'wd': 0.0, 'rescale_grad': 1.0, 'epsilon': 1e-12})
        before = {name: array.asnumpy() for name, array in step.parameters()[0].items()}
        step.forward_backward(next(iterator))
        gradients = {name: grads[0].asnumpy() for name, grads, _ in step.trained_arrays()}
        step.update()
        after = step.parameters()[0]
        moved = 0
        for name, gradient in gradients.items():
            clear = np.abs(gradient) > 1e-6
            np.testing.assert_allclose((after[name].asnumpy() - before[name])[clear], -0.01 * np.sign(gradient[clear]),
                                       rtol=1e-2, err_msg=name)
            moved += clear.sum()
        assert moved > 10
        entries = step.state()
        assert entries['mean:stem_weight'].shape == before['stem_weight'].shape
