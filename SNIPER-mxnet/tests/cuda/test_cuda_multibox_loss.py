"""The kernels of MultiBoxLoss against the CPU's loops."""
import numpy as np
import pytest


def random_case(seed, images, priors, classes, share=0.1):
    draw = np.random.RandomState(seed)
    target = np.where(draw.uniform(size=(images, priors)) < share, draw.randint(1, classes, (images, priors)), 0)
    return [array.astype(np.float32) for array in (
        3 * draw.normal(size=(images, priors, classes)), draw.normal(size=(images, priors, 4)), target,
        2 * draw.normal(size=(images, priors, 4)))]


def run(library, case, ratio=3.0, grads=(1.0, 1.0)):
    """(cls_loss, loc_loss, used, gradients of the predictions)."""
    images, priors, classes = case[0].shape
    sizes = np.array([images, priors, classes], np.int64)
    inputs = [library.array(value) for value in case]
    cls_loss, loc_loss, used = library.output(1), library.output(1), library.output(images, priors)
    library.call('multibox_loss', *inputs, cls_loss, loc_loss, used, sizes, ratio)
    cls_grad, loc_grad = library.output(images, priors, classes), library.output(images, priors, 4)
    of_losses = [library.array([grad]) for grad in grads]
    library.call('multibox_loss_backward', *inputs, used, *of_losses, cls_grad, loc_grad, sizes)
    return [array.numpy() for array in (cls_loss, loc_loss, used, cls_grad, loc_grad)]


def check(cpu, device, case, **options):
    expected, found = run(cpu, case, **options), run(device, case, **options)
    np.testing.assert_array_equal(found[2], expected[2])
    for got, wanted in zip(found, expected):
        np.testing.assert_allclose(got, wanted, rtol=2e-6, atol=1e-6)   # of gradients around 1: p - 1 takes digits off
    return found


@pytest.mark.parametrize('images, priors, classes', [(1, 2, 2), (1, 7, 31), (2, 33, 32), (3, 126, 5), (2, 600, 81)])
@pytest.mark.parametrize('share', [0.0, 0.03, 0.4, 1.0])
def test_agrees_with_the_cpu(cpu, device, images, priors, classes, share):
    check(cpu, device, random_case(priors, images, priors, classes, share), grads=(2.0, 0.5))


@pytest.mark.parametrize('ratio', [0.0, 0.5, 1.0, 1e6])
def test_other_ratios(cpu, device, ratio):
    check(cpu, device, random_case(0, 2, 90, 4), ratio=ratio)


def test_equal_losses_are_taken_in_order(cpu, device):
    case = random_case(1, 2, 90, 4)
    case[0][:] = 0.25
    check(cpu, device, case)


def test_no_images(cpu, device):
    found = check(cpu, device, random_case(0, 0, 5, 3))
    assert found[0] == found[1] == 0


def test_a_class_that_there_is_not_makes_the_loss_nan(device):
    case = random_case(2, 2, 40, 4)
    case[2][1, 3] = 4
    assert np.isnan(run(device, case)[0]).all()


def test_working_memory_is_bounded(device):
    case = random_case(3, 2, 4000, 21)
    run(device, case)
    assert device.scratch_bytes() <= sum(array.nbytes for array in case)
