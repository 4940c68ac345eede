"""DeformablePSROIPooling: the device's kernels against the CPU's loops, which have a reference of their own."""
import numpy as np
import pytest

# Sums of at most a few hundred products, in another order than on the CPU.
CLOSE = dict(rtol=1e-5, atol=2e-6)


class Case:
    """Arrays and settings of one call; `run` and `gradients` make it on a library."""

    def __init__(self, seed, images=2, size=(13, 17), num_rois=9, classes=1, dim=5, group=1, pooled=3, part=None,
                 samples=4, scale=0.25, trans_std=0.1, trans=True):
        draw = np.random.RandomState(seed)
        part = part or pooled
        self.sizes = np.array([images] + list(size) + [num_rois, classes, dim, group, pooled, part, samples], np.int64)
        self.scale, self.trans_std = scale, trans_std
        self.data = draw.normal(size=(images, dim * group * group) + tuple(size)).astype(np.float32)
        corners = draw.uniform(-20, 1.2 * max(size) / scale, (num_rois, 2, 2))
        self.rois = np.concatenate([draw.randint(0, max(images, 1), (num_rois, 1)), corners.min(1), corners.max(1)],
                                   axis=1).astype(np.float32)
        self.trans = draw.normal(size=(num_rois, 2 * classes, part, part)).astype(np.float32) if trans else None
        self.out_shape = (num_rois, dim, pooled, pooled)
        self.out_grad = draw.normal(size=self.out_shape).astype(np.float32)

    def _inputs(self, library):
        trans = None if self.trans is None else library.array(self.trans)
        return [library.array(self.data), library.array(self.rois), trans, self.sizes, self.scale, self.trans_std]

    def run(self, library):
        out = library.output(*self.out_shape)
        library.call('psroi_pooling', *self._inputs(library), out)
        return out.numpy()

    def gradients(self, library):
        data_grad = library.output(*self.data.shape)
        trans_grad = None if self.trans is None else library.output(*self.trans.shape)
        library.call('psroi_pooling_backward', *self._inputs(library), library.array(self.out_grad), data_grad,
                     trans_grad)
        return [data_grad.numpy()] + ([] if trans_grad is None else [trans_grad.numpy()])

    def bytes(self):
        """Of inputs and output of the forward pass."""
        arrays = [self.data, self.rois, self.out_grad] + ([] if self.trans is None else [self.trans])
        return sum(array.nbytes for array in arrays)


def check(case, cpu, device):
    np.testing.assert_allclose(case.run(device), case.run(cpu), **CLOSE)
    assert device.scratch_bytes() <= 4 * case.bytes() + 512  # it comes in units of 256
    for name, got, expected in zip(['data', 'trans'], case.gradients(device), case.gradients(cpu)):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-5, err_msg='gradient of ' + name)
    assert device.scratch_bytes() <= 4 * case.bytes() + 512


@pytest.mark.parametrize('settings', [
    dict(),
    dict(trans=False),
    dict(dim=40, pooled=7, num_rois=6),                       # more channels than a tile has, 49 bins
    dict(dim=3, pooled=14, num_rois=3),                       # several tiles of bins
    dict(dim=4, pooled=9, group=3, part=5, num_rois=4),       # position-sensitive, offsets shared by bins
    dict(dim=6, classes=3, group=2, pooled=4),                # an offset a class
    dict(samples=11, scale=0.9, num_rois=5),                  # taps found in three pieces
    dict(samples=1, pooled=1, dim=1),
    dict(images=1, size=(1, 1), num_rois=4),
    dict(size=(2, 40), trans_std=0.0),
], ids=lambda settings: '-'.join('{}={}'.format(*pair) for pair in sorted(settings.items())) or 'plain')
def test_agrees_with_the_cpu(cpu, device, settings):
    check(Case(1, **settings), cpu, device)


@pytest.mark.parametrize('seed', range(6))
def test_agrees_with_the_cpu_at_random_sizes(cpu, device, seed):
    draw = np.random.RandomState(100 + seed)
    classes = draw.randint(1, 4)
    check(Case(seed, images=draw.randint(1, 4), size=draw.randint(1, 20, 2).tolist(), num_rois=draw.randint(1, 12),
               classes=classes, dim=int(classes * draw.randint(1, 9)), group=draw.randint(1, 4),
               pooled=draw.randint(1, 9), part=draw.randint(1, 9), samples=draw.randint(1, 7),
               scale=draw.uniform(0.05, 1.0), trans=bool(seed % 3)), cpu, device)


def test_no_rois(device):
    case = Case(0, num_rois=0)
    assert case.run(device).shape == (0, 5, 3, 3)
    data_grad, trans_grad = case.gradients(device)
    assert not data_grad.any() and trans_grad.size == 0


@pytest.mark.parametrize('image', [-1.0, 2.0, 1e30, np.nan, np.inf])
def test_a_roi_of_no_image_gives_zeros_and_touches_nothing_else(cpu, device, image):
    case = Case(4)
    whole = case.run(cpu)
    case.out_grad[3] = 0
    expected = case.gradients(cpu)
    case.rois[3, 0] = image
    case.out_grad[3] = 7
    out = case.run(device)
    assert not out[3].any()
    np.testing.assert_allclose(np.delete(out, 3, 0), np.delete(whole, 3, 0), **CLOSE)
    for got, wanted in zip(case.gradients(device), expected):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=2e-5)


def test_rois_with_nan_or_huge_corners_read_nothing(cpu, device):
    case = Case(5)
    case.rois[1, 2] = np.nan
    case.rois[2, 1:] = [1e9, 1e9, 2e9, 2e9]
    case.trans[4] = np.nan
    out = case.run(device)
    np.testing.assert_allclose(out, case.run(cpu), **CLOSE)
    assert not out[[1, 2, 4]].any() and np.isfinite(out).all()
    assert np.isfinite(case.gradients(device)[0]).all()


def test_inputs_stay_as_they_are(device):
    case = Case(6)
    inputs = case._inputs(device)
    data_grad, trans_grad = device.output(*case.data.shape), device.output(*case.trans.shape)
    device.call('psroi_pooling', *inputs, device.output(*case.out_shape))
    device.call('psroi_pooling_backward', *inputs, device.array(case.out_grad), data_grad, trans_grad)
    for array, values in zip(inputs[:3], [case.data, case.rois, case.trans]):
        np.testing.assert_array_equal(array.numpy(), values)
