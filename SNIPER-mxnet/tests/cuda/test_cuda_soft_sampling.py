"""The kernel of SoftSamplingWeight against the CPU's loop: the same numbers, as both use our own exponential."""
import numpy as np
import pytest


def random_case(seed, images=3, rois=400, rows=20):
    draw = np.random.RandomState(seed)
    corners = draw.uniform(-10, 200, (rois, 2))
    boxes = np.concatenate([draw.randint(0, images, (rois, 1)), corners, corners + draw.uniform(-2, 90, (rois, 2))], 1)
    objects = draw.uniform(0, 200, (images, rows, 2))
    kinds = draw.choice([1, 7, -1, -2], (images, rows, 1))
    objects = np.concatenate([objects, objects + draw.uniform(0, 90, (images, rows, 2)), kinds], axis=2)
    return boxes.astype(np.float32), objects.astype(np.float32)


def run(library, case, numbers=(0.25, 50, 20)):
    rois, objects = case
    weights = library.output(len(rois))
    library.call('soft_sampling', library.array(rois), library.array(objects), weights,
                 np.array([len(rois), len(objects), objects.shape[1]], np.int64), np.array(numbers, np.float64))
    return weights.numpy()


@pytest.mark.parametrize('numbers', [(0.25, 50, 20), (0, 5, 3), (1, 0, 0), (0.5, 1e6, 1e6)])
@pytest.mark.parametrize('sizes', [{}, dict(images=1, rois=1, rows=1), dict(rois=0), dict(rows=0),
                                   dict(rois=129, rows=300)], ids=str)
def test_agrees_with_the_cpu(cpu, device, numbers, sizes):
    case = random_case(len(sizes), **sizes)
    expected = run(cpu, case, numbers)
    np.testing.assert_array_equal(run(device, case, numbers), expected)
    if not sizes and numbers[0] == 0.25:
        assert len(np.unique(expected)) > 3


def test_odd_numbers(cpu, device):
    rois, objects = random_case(5)
    draw = np.random.RandomState(6)
    for array in (rois[:, 1:], objects):
        chosen = draw.uniform(size=array.shape) < 0.1
        array[chosen] = draw.choice([np.nan, np.inf, -np.inf, 3e38, -3e38], chosen.sum())
    found = run(device, (rois, objects))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, run(cpu, (rois, objects)))


def test_a_roi_of_no_image_overlaps_nothing(device):
    rois, objects = random_case(7)
    rois[:4, 0] = [-1, 3, np.nan, np.inf]
    np.testing.assert_array_equal(run(device, (rois, objects))[:4], np.float32(0.25))
