"""The kernels of RoIMeanPooling against the CPU's loops: the same numbers forward, sums in another order backward."""
import numpy as np
import pytest

SIZES = {
    'ordinary': dict(images=2, channels=20, cells=(9, 12), rois=15, bins=(7, 7)),
    'more channels than threads': dict(images=1, channels=300, cells=(5, 6), rois=4, bins=(3, 2)),
    'one cell': dict(images=1, channels=1, cells=(1, 1), rois=3, bins=(1, 5)),
    'many bins': dict(images=2, channels=3, cells=(4, 40), rois=5, bins=(1, 200)),
    'no rois': dict(images=2, channels=3, cells=(4, 5), rois=0, bins=(2, 2)),
    'no images': dict(images=0, channels=3, cells=(4, 5), rois=0, bins=(2, 2)),
}


def random_case(seed, images, channels, cells, rois, bins):
    draw = np.random.RandomState(seed)
    extent = 16 * np.array([cells[1], cells[0]])
    corner = draw.uniform(-0.2, 1, (rois, 2)) * extent
    image = draw.randint(0, max(images, 1), (rois, 1))
    boxes = np.concatenate([image, corner, corner + draw.uniform(-0.1, 1, (rois, 2)) * extent], axis=1)
    data = draw.randint(-9, 9, (images, channels) + cells)     # equal values: the first one counts
    return data.astype(np.float32), boxes.astype(np.float32), draw.randint(-4, 5, (rois, channels)).astype(np.float32)


def run(library, case, bins, scale=1.0 / 16):
    """(output, gradient of data)."""
    data, rois, out_grad = case
    sizes = np.array(data.shape + (len(rois),) + bins, np.int64)
    inputs = [library.array(data), library.array(rois)]
    output, grad = library.output(len(rois), data.shape[1]), library.output(*data.shape)
    library.call('roi_mean_pooling', *inputs, sizes, scale, output)
    library.call('roi_mean_pooling_backward', *inputs, sizes, scale, library.array(out_grad), grad)
    return output.numpy(), grad.numpy()


def check(cpu, device, case, bins):
    found = run(device, case, bins)
    expected = run(cpu, case, bins)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5, atol=1e-5)
    return found


@pytest.mark.parametrize('name', SIZES)
def test_agrees_with_the_cpu(cpu, device, name):
    output, grad = check(cpu, device, random_case(0, **SIZES[name]), SIZES[name]['bins'])
    assert np.isfinite(output).all() and np.isfinite(grad).all()


def test_odd_numbers(cpu, device):
    case = random_case(1, **SIZES['ordinary'])
    draw = np.random.RandomState(2)
    for array in (case[0], case[1][:, 1:]):
        chosen = draw.uniform(size=array.shape) < 0.1
        array[chosen] = draw.choice([np.nan, np.inf, -np.inf, 3e38, -3e38], chosen.sum())
    check(cpu, device, case, (7, 7))


def test_a_roi_of_no_image_gives_zeros(device):
    data, rois, out_grad = random_case(3, **SIZES['ordinary'])
    rois[:, 0] = np.resize([-1, 2, np.nan], len(rois))
    output, grad = run(device, (data, rois, out_grad), (7, 7))
    assert (output == 0).all() and (grad == 0).all()
