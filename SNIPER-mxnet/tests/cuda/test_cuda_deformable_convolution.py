"""DeformableConvolution: the device's kernels against the CPU's loops, which have a reference of their own."""
import numpy as np
import pytest

GRADIENTS = ['data', 'offset', 'weight', 'bias']


class Case:
    """Arrays and settings of one call; `run` and `gradients` make it on a library."""

    def __init__(self, seed, images=2, channels=6, size=(9, 11), kernel=(3, 3), stride=(1, 1), dilate=(1, 1),
                 pad=(1, 1), filters=4, group=1, deformable=1, bias=True, reach=1.5):
        draw = np.random.RandomState(seed)
        out = [(size[i] + 2 * pad[i] - dilate[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(2)]
        assert min(out) > 0
        self.sizes = np.array([images, channels] + list(size) + out + list(kernel) + list(stride) + list(dilate) +
                              list(pad) + [filters, group, deformable], np.int64)
        shapes = [(images, channels) + tuple(size), (images, 2 * deformable * kernel[0] * kernel[1]) + tuple(out),
                  (filters, channels // group) + tuple(kernel), (filters,)]
        self.arrays = [draw.normal(size=shape).astype(np.float32) for shape in shapes]
        self.arrays[1] *= reach
        if not bias:
            self.arrays[3] = None
        self.out_grad = draw.normal(size=(images, filters) + tuple(out)).astype(np.float32)

    def inputs(self, library):
        return [None if array is None else library.array(array) for array in self.arrays] + [self.sizes]

    def run(self, library):
        out = library.output(*self.out_grad.shape)
        library.call('deformable_convolution', *self.inputs(library), out)
        return out.numpy()

    def gradients(self, library):
        grads = [None if array is None else library.output(*array.shape) for array in self.arrays]
        library.call('deformable_convolution_backward', *self.inputs(library), library.array(self.out_grad), *grads)
        return [None if grad is None else grad.numpy() for grad in grads]

    def bytes(self):
        """Of inputs and output of the forward pass."""
        return sum(array.nbytes for array in self.arrays + [self.out_grad] if array is not None)


def near(got, expected, name):
    """Sums in another order: an error of some roundings of the largest element."""
    limit = 1e-5 * max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=limit, err_msg=name)


def check(case, cpu, device):
    near(case.run(device), case.run(cpu), 'output')
    assert device.scratch_bytes() <= 4 * case.bytes() + 256  # it comes in units of 256
    for name, got, expected in zip(GRADIENTS, case.gradients(device), case.gradients(cpu)):
        if expected is not None:
            near(got, expected, 'gradient of ' + name)
    assert device.scratch_bytes() <= 4 * case.bytes() + 256  # it comes in units of 256


@pytest.mark.parametrize('settings', [
    dict(),
    dict(bias=False, images=1),
    dict(channels=8, filters=12, group=4, deformable=2, dilate=(2, 2), pad=(2, 2)),
    dict(images=5, channels=4, filters=6, group=2, deformable=4, kernel=(1, 3), pad=(0, 1)),  # more images than groups
    dict(channels=40, filters=2, size=(20, 20), images=1),    # one image in several parts: columns are 9 times the data
    dict(channels=24, filters=3, size=(16, 17), images=3, kernel=(5, 5), pad=(2, 2)),
    dict(stride=(2, 3), size=(11, 13), pad=(0, 2)),
    dict(channels=1, filters=1, kernel=(1, 1), pad=(0, 0), size=(1, 1), images=1),
    dict(reach=30.0),                                         # most points off the map
    dict(reach=0.0, size=(4, 40)),                            # on the cells' centres and on the padding
], ids=lambda settings: '-'.join('{}={}'.format(*pair) for pair in sorted(settings.items())) or 'plain')
def test_agrees_with_the_cpu(cpu, device, settings):
    check(Case(1, **settings), cpu, device)


@pytest.mark.parametrize('seed', range(6))
def test_agrees_with_the_cpu_at_random_sizes(cpu, device, seed):
    draw = np.random.RandomState(100 + seed)
    group, deformable = draw.randint(1, 4, 2)
    kernel, dilate = draw.randint(1, 4, 2), draw.randint(1, 3, 2)
    pad = draw.randint(0, 3, 2)
    size = np.maximum(dilate * (kernel - 1) + 1 - 2 * pad, 1) + draw.randint(0, 12, 2)
    check(Case(seed, images=draw.randint(1, 5), channels=group * deformable * draw.randint(1, 5), size=size.tolist(),
               kernel=kernel.tolist(), stride=draw.randint(1, 3, 2).tolist(), dilate=dilate.tolist(),
               pad=pad.tolist(), filters=group * draw.randint(1, 5), group=group, deformable=deformable,
               bias=bool(seed % 2)), cpu, device)


def test_no_images(device):
    case = Case(0, images=0)
    assert case.run(device).shape == (0, 4, 9, 11)
    data, offset, weight, bias = case.gradients(device)
    assert data.size == 0 and offset.size == 0 and not weight.any() and not bias.any()


def test_offsets_of_nan_and_infinity_read_zero(cpu, device):
    case = Case(3)
    case.arrays[1][0, 0, 2, :4] = [np.nan, np.inf, -np.inf, 3e38]
    out = case.run(device)
    assert np.isfinite(out).all()
    near(out, case.run(cpu), 'output')
    for name, got, expected in zip(GRADIENTS, case.gradients(device), case.gradients(cpu)):
        assert np.isfinite(got).all()
        near(got, expected, 'gradient of ' + name)


@pytest.mark.parametrize('wanted', range(4))
def test_gradients_that_nobody_wants_are_null(cpu, device, wanted):
    case = Case(5)
    grads = [device.output(*array.shape) if i == wanted else None for i, array in enumerate(case.arrays)]
    device.call('deformable_convolution_backward', *case.inputs(device), device.array(case.out_grad), *grads)
    near(grads[wanted].numpy(), case.gradients(cpu)[wanted], GRADIENTS[wanted])


def test_inputs_stay_as_they_are(device):
    case = Case(4)
    inputs = case.inputs(device)
    out_grad = device.array(case.out_grad)
    device.call('deformable_convolution', *inputs, device.output(*case.out_grad.shape))
    device.call('deformable_convolution_backward', *inputs, out_grad,
                *[device.output(*array.shape) for array in case.arrays])
    for array, values in zip(inputs[:4] + [out_grad], case.arrays + [case.out_grad]):
        np.testing.assert_array_equal(array.numpy(), values)
