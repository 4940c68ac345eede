"""The kernel of MaskRcnnTarget against the CPU's loop: the same pixels everywhere."""
import numpy as np
import pytest


def mask_targets(library, rois, polys, ids, size=28, ignore_label=-1.0):
    rows = len(rois)
    inputs = [library.array(value) for value in (rois, polys, ids)]
    targets, categories = library.output(rows, size, size), library.output(rows, size, size)
    sizes = np.array([rows] + list(polys.shape) + [size], np.int64)
    library.call('mask_rcnn_target', *(inputs + [targets, categories, sizes, float(ignore_label)]))
    for array, value in zip(inputs, (rois, polys, ids)):
        np.testing.assert_array_equal(array.numpy(), value)
    return targets.numpy(), categories.numpy()


def record(length, category, *segments):
    """A row of mask_polys: category, number of segments, their lengths, their points, then -1."""
    numbers = [category, len(segments)] + [2 * len(points) for points in segments]
    for points in segments:
        numbers += list(np.ravel(points))
    return np.array(numbers + [-1] * (length - len(numbers)), np.float32)


def random_case(seed, rows=12, images=2, objects=5, length=200):
    draw = np.random.RandomState(seed)
    polys = np.full((images, objects, length), -1, np.float32)
    for image in range(images):
        for i in range(objects):
            segments = [draw.uniform(-20, 120, (draw.randint(1, 20), 2)) for _ in range(draw.randint(0, 4))]
            polys[image, i] = record(length, draw.randint(0, 80), *segments)
    corner = draw.uniform(-10, 80, (rows, 2))
    side = draw.choice([0, 5, 60, 300], (rows, 2)) * draw.uniform(0.5, 1, (rows, 2))
    rois = np.concatenate([draw.randint(0, images, (rows, 1)), corner, corner + side], axis=1).astype(np.float32)
    return rois, polys, draw.randint(-1, objects, rows).astype(np.float32)


def check(cpu, device, rois, polys, ids, **settings):
    expected = mask_targets(cpu, rois, polys, ids, **settings)
    got = mask_targets(device, rois, polys, ids, **settings)
    for wanted, value in zip(expected, got):
        np.testing.assert_array_equal(value, wanted)
    return got


@pytest.mark.parametrize('size', [1, 7, 28, 31, 32, 63])
@pytest.mark.parametrize('seed', range(3))
def test_random_polygons(cpu, device, seed, size):
    targets, _ = check(cpu, device, *random_case(seed), size=size)
    assert (targets == 1).any() and (targets == 0).any() and (targets == -1).any()


def test_masks_larger_than_shared_memory_are_made_in_bands(cpu, device):
    rois, polys, ids = random_case(9, rows=3)
    ids[:] = [0, 1, 2]
    check(cpu, device, rois, polys, ids, size=500)


def test_a_square_by_hand(device):
    polys = record(20, 7, [(10, 20), (30, 20), (30, 40), (10, 40)])[None, None]
    rois = np.array([[0, 0, 10, 40, 50], [0, 10, 20, 30, 40]], np.float32)
    targets, categories = mask_targets(device, rois, polys, np.zeros(2, np.float32), size=4)
    inner = np.zeros((4, 4))
    inner[1:3, 1:3] = 1
    np.testing.assert_array_equal(targets, [inner, np.ones((4, 4))])
    np.testing.assert_array_equal(categories, np.full((2, 4, 4), 7))


def test_damaged_records_and_rois(cpu, device):
    rois, polys, ids = random_case(4, rows=10)
    polys[0, 0, 1] = 50  # more segments than there is room for
    polys[0, 1, 2] = 7  # an odd length
    polys[1, 0, 2] = 1e9
    polys[1, 1, 0] = np.nan
    polys[1, 2, 6:] = np.nan
    polys[0, 2, 6:] = 3e38
    rois[3, 2] = np.inf
    rois[:, 0], ids[:] = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1], [0, 1, 2, 3, 4] * 2
    check(cpu, device, rois, polys, ids, ignore_label=5)


def test_ids_that_do_not_exist_are_rows_to_ignore(device):
    rois, polys, _ = random_case(1, rows=5)
    rois[:, 0] = [0, 0, 0, -1, 2]
    targets, categories = mask_targets(device, rois, polys, np.array([5, -2, np.nan, 0, 0], np.float32))
    assert (targets == -1).all() and (categories == 0).all()


def test_no_rows(device):
    mask_targets(device, np.zeros((0, 5), np.float32), np.zeros((1, 1, 5), np.float32), np.zeros(0, np.float32))
