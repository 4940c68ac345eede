"""MultiBoxLoss: recorded vectors, plain NumPy, cases by hand, bad targets."""
import numpy as np
import pytest

import multibox_reference as reference
from lib.bbox import ssd_priors
from lib.targets import match_priors
from sniper_mxnet import mx
from tests.golden import golden_file

SMALL = ssd_priors(64, [16, 32, 64], [10, 22, 40, 60])
LARGE = ssd_priors(320, [8, 16, 32, 64, 107, 320], [.08, .15, .33, .51, .69, .87, 1.05])


def run(cls_pred, loc_pred, cls_target, loc_target, grads=(1, 1), **attributes):
    """(cls_loss, loc_loss, used, gradient of cls_pred, of loc_pred); grads: of the two losses."""
    arrays = [mx.nd.array(value) for value in (cls_pred, loc_pred, cls_target, loc_target)]
    for array in arrays[:2]:
        array.attach_grad()
    with mx.autograd.record():
        outputs = mx.nd.MultiBoxLoss(*arrays, **attributes)
    mx.autograd.backward(outputs, [mx.nd.array([grads[0]]), mx.nd.array([grads[1]]), mx.nd.ones(outputs[2].shape)])
    return tuple(array.asnumpy() for array in outputs + [arrays[0].grad, arrays[1].grad])


def random_case(rng, images, priors, classes, share=0.1):
    target = np.where(rng.rand(images, priors) < share, rng.randint(1, classes, (images, priors)), 0)
    return (3 * rng.randn(images, priors, classes), rng.randn(images, priors, 4), target,
            2 * rng.randn(images, priors, 4))


def targets_of(case, priors, images):
    """cls_target, loc_target from rows image, x1, y1, x2, y2, label."""
    matched = [match_priors(case['targets'][case['targets'][:, 0] == image][:, 1:], priors) for image in range(images)]
    return np.array([classes for classes, _ in matched]), np.array([offsets for _, offsets in matched])


@pytest.mark.parametrize('name', ['a', 'b_empty_image', 'c_negatives_capped', 'd_all_empty'])
def test_recorded_losses_and_gradients(name):
    case = np.load(golden_file(f'm2det/multibox_small_{name}.npz'))
    target, offsets = targets_of(case, SMALL, len(case['loc']))
    cls_loss, loc_loss, used, cls_grad, loc_grad = run(case['conf'], case['loc'], target, offsets)
    assert (target > 0).sum(axis=1).tolist() == case['positives'].tolist()
    assert used.sum(axis=1).tolist() == case['rows_in_conf_loss'].tolist()
    np.testing.assert_allclose([cls_loss[0], loc_loss[0]], [case['loss_conf'], case['loss_loc']], rtol=2e-6, atol=1e-9)
    np.testing.assert_allclose(cls_grad, case['grad_conf'], atol=2e-6)
    np.testing.assert_allclose(loc_grad, case['grad_loc'], atol=2e-6)


def test_recorded_loss_of_81_classes():
    case = np.load(golden_file('m2det/multibox_320.npz'))
    rng = np.random.RandomState(int(case['seed']))
    loc = (rng.standard_normal((2, len(LARGE), 4)) * 0.5).astype(np.float32)
    conf = rng.standard_normal((2, len(LARGE), 81)).astype(np.float32)
    target, offsets = targets_of(case, LARGE, 2)
    cls_loss, loc_loss, used, cls_grad, loc_grad = run(conf, loc, target, offsets)
    assert used.sum(axis=1).tolist() == case['rows_in_conf_loss'].tolist()
    np.testing.assert_allclose([cls_loss[0], loc_loss[0]], [case['loss_conf'], case['loss_loc']], rtol=2e-6)
    np.testing.assert_allclose(np.abs(cls_grad).sum(dtype=np.float64), case['grad_conf_abs_sum'], rtol=1e-5)
    np.testing.assert_allclose(np.abs(loc_grad).sum(dtype=np.float64), case['grad_loc_abs_sum'], rtol=1e-5)
    np.testing.assert_array_equal(np.argwhere(np.abs(cls_grad).sum(axis=2)), case['grad_conf_rows'])


@pytest.mark.parametrize('seed', range(12))
def test_equals_plain_numpy(seed):
    rng = np.random.RandomState(seed)
    case = random_case(rng, rng.randint(1, 4), rng.randint(2, 300), rng.randint(2, 30), rng.choice([0, .02, .5, 1]))
    ratio = int(rng.choice([0, 1, 3]))
    expected = reference.loss(*[np.float32(value) for value in case], ratio=ratio)
    found = run(*case, grads=(2, 0.5), negatives_per_positive=ratio)
    np.testing.assert_array_equal(found[2], expected[2])
    np.testing.assert_allclose([found[0][0], found[1][0]], expected[:2], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[3], 2 * expected[3], atol=1e-6)
    np.testing.assert_allclose(found[4], 0.5 * expected[4], atol=1e-6)


def test_by_hand():
    """One positive and one negative of two: the one whose background is the less likely."""
    logits = np.log([[[.25, .75], [.5, .5], [.8, .2], [.9, .1]]])
    target = [[1, 0, 0, 0]]
    offsets = np.zeros((1, 4, 4))
    offsets[0, 0] = [.5, 2, 0, -3]
    cls_loss, loc_loss, used, cls_grad, loc_grad = run(logits, np.zeros((1, 4, 4)), target, offsets,
                                                       negatives_per_positive=1)
    assert used.tolist() == [[1, 1, 0, 0]]
    np.testing.assert_allclose(cls_loss, -np.log(.75) - np.log(.5), rtol=1e-6)
    np.testing.assert_allclose(loc_loss, .125 + 1.5 + 2.5, rtol=1e-6)
    np.testing.assert_allclose(cls_grad[0], [[.25, -.25], [-.5, .5], [0, 0], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(loc_grad[0, 0], [-.5, -1, 0, 1], atol=1e-6)


def test_without_positives_nothing_is_lost():
    found = run(*random_case(np.random.RandomState(0), 2, 30, 4, share=0))
    assert all(not value.any() for value in found)


def test_offsets_of_background_are_not_read():
    case = random_case(np.random.RandomState(1), 2, 30, 4)
    spoilt = case[:3] + (np.where(case[2][..., None] > 0, case[3], -np.inf),)
    for found, expected in zip(run(*spoilt), run(*case)):
        np.testing.assert_array_equal(found, expected)


def test_logits_far_apart():
    case = random_case(np.random.RandomState(2), 1, 30, 4)
    found = run(1e4 * case[0], *case[1:])
    assert all(np.isfinite(value).all() for value in found)
    np.testing.assert_allclose(found[0], reference.loss(np.float32(1e4 * case[0]), *case[1:])[0], rtol=1e-5)


def test_a_prediction_that_is_no_number_shows():
    case = random_case(np.random.RandomState(3), 2, 30, 4)
    case[0][1, 5, 2] = np.nan
    assert np.isnan(run(*case)[0]).all()


@pytest.mark.parametrize('bad', [4, -2, 1.5, np.nan])
def test_a_class_that_there_is_not(bad):
    case = random_case(np.random.RandomState(4), 2, 30, 4)
    target = case[2].astype(np.float32)
    target[1, 7] = bad
    with pytest.raises(mx.MXNetError, match='must be -1 or whole numbers from 0 to 3, got .* in row 7 of image 1'):
        run(case[0], case[1], target, case[3])


def test_in_a_graph():
    shapes = dict(cls_pred=(2, 30, 4), loc_pred=(2, 30, 4), cls_target=(2, 30), loc_target=(2, 30, 4))
    losses = mx.sym.MultiBoxLoss(**{name: mx.sym.var(name) for name in shapes}, name='multibox')
    assert losses.list_outputs() == ['multibox_cls_loss', 'multibox_loc_loss', 'multibox_used']
    assert losses.infer_shape(**shapes)[1] == [(1,), (1,), (2, 30)]
    group = mx.sym.Group([mx.sym.MakeLoss(losses[0]), mx.sym.MakeLoss(losses[1]), mx.sym.BlockGrad(losses[2])])
    executor = group.simple_bind(mx.cpu(), grad_req={'cls_pred': 'write', 'loc_pred': 'write', 'cls_target': 'null',
                                                     'loc_target': 'null'}, **shapes)
    case = random_case(np.random.RandomState(5), 2, 30, 4)
    for name, value in zip(shapes, case):
        executor.arg_dict[name][:] = value
    executor.forward(is_train=True)
    executor.backward()
    expected = run(*case)
    np.testing.assert_array_equal(executor.grad_dict['cls_pred'].asnumpy(), expected[3])
    np.testing.assert_array_equal(executor.grad_dict['loc_pred'].asnumpy(), expected[4])


def test_priors_that_are_not_used():
    """-1: never mined, however wrong, and no gradient; all else is as without them."""
    case = random_case(np.random.RandomState(6), 2, 40, 4)
    target = case[2].copy()
    unused = (target == 0) & (np.arange(40) % 4 == 0)
    target[unused] = -1
    cls_pred = case[0].copy()
    cls_pred[unused, 1] = 50
    cls_loss, loc_loss, used, cls_grad, loc_grad = run(cls_pred, case[1], target, case[3])
    kept = [np.flatnonzero(~row) for row in unused]
    losses, positives = np.zeros(2), max(1, (target > 0).sum())
    for image, rows in enumerate(kept):
        expected = reference.loss(*(value[image:image + 1, rows] for value in (cls_pred, case[1], target, case[3])))
        of_image = max(1, (target[image] > 0).sum())
        losses += np.array(expected[:2]) * of_image
        np.testing.assert_array_equal(used[image, rows], expected[2][0])
        np.testing.assert_allclose(cls_grad[image, rows], expected[3][0] * of_image / positives, atol=1e-5)
    np.testing.assert_allclose([cls_loss[0], loc_loss[0]], losses / positives, rtol=1e-5)
    assert not used[unused].any() and not cls_grad[unused].any() and not loc_grad[unused].any()
