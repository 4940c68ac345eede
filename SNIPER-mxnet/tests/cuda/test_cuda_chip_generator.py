"""ChipGenerator: the device's kernels give the CPU's chips, number for number and in its order."""
import numpy as np
import pytest

from arrays import KernelError


def scene(seed, images, boxes, height, width, longest=60.0, used=1.0, whole=False):
    """Boxes (images, boxes, 4), a share of them in use, and im_info (images, 3)."""
    draw = np.random.RandomState(seed)
    corner = draw.uniform(-0.05, 1.0, (images, boxes, 2)) * [width, height]
    result = np.concatenate([corner, corner + draw.uniform(0, longest, (images, boxes, 2))], axis=2)
    if whole:
        result = np.round(result)
    result[draw.uniform(size=(images, boxes)) >= used] = -1
    return result.astype(np.float32), np.tile(np.float32([height, width, 1]), (images, 1))


def run(library, boxes, im_info, chip_size=64, stride=8, max_chips=30, seed=0):
    images = boxes.shape[0]
    chips, num_chips = library.output(images, max_chips, 4), library.output(images)
    library.call('chip_generator', library.array(boxes), library.array(im_info), images, boxes.shape[1], chip_size,
                 stride, max_chips, seed, chips, num_chips)
    return chips.numpy(), num_chips.numpy()


def check(cpu, device, boxes, im_info, **options):
    chips, num_chips = run(device, boxes, im_info, **options)
    expected, expected_num = run(cpu, boxes, im_info, **options)
    np.testing.assert_array_equal(num_chips, expected_num)
    np.testing.assert_array_equal(chips, expected)
    return num_chips


@pytest.mark.parametrize('settings, options', [
    (dict(images=2, boxes=20, height=200, width=300), dict()),
    (dict(images=1, boxes=70, height=150, width=220, longest=30), dict(stride=11, max_chips=3)),  # chips left over
    (dict(images=3, boxes=33, height=400, width=90, used=0.5), dict(seed=12345)),
    (dict(images=2, boxes=12, height=60, width=50, longest=90), dict()),          # smaller than a chip
    (dict(images=1, boxes=16, height=64, width=65), dict(stride=1, chip_size=16)),
    (dict(images=1, boxes=40, height=1400, width=2000, longest=300), dict(chip_size=512, stride=56)),
    (dict(images=1, boxes=5, height=3000, width=3000, longest=20), dict(chip_size=512, stride=128)),  # far apart
    (dict(images=1, boxes=1, height=1, width=1), dict()),
], ids=range(8))
def test_gives_the_cpus_chips(cpu, device, settings, options):
    check(cpu, device, *scene(1, **settings), **options)


@pytest.mark.parametrize('seed', range(8))
def test_gives_the_cpus_chips_at_random_sizes(cpu, device, seed):
    draw = np.random.RandomState(seed)
    boxes, im_info = scene(seed, draw.randint(1, 4), draw.randint(1, 60), draw.randint(20, 300), draw.randint(20, 300),
                           longest=draw.uniform(5, 80), used=draw.uniform(0.3, 1), whole=bool(seed % 2))
    check(cpu, device, boxes, im_info, chip_size=int(draw.randint(20, 90)), stride=int(draw.randint(4, 30)),
          seed=int(draw.randint(1 << 30)))


def test_the_seed_decides_among_equals(cpu, device):
    boxes, im_info = scene(3, 1, 30, 300, 300, longest=20)
    results = [run(device, boxes, im_info, seed=seed)[0] for seed in range(4)]
    assert any((results[0] != other).any() for other in results[1:])
    np.testing.assert_array_equal(results[2], run(cpu, boxes, im_info, seed=2)[0])


def test_coordinates_that_rounding_decides(cpu, device):
    """Boxes that stick out of windows by less than float32 shows."""
    draw = np.random.RandomState(0)
    boxes = np.round(draw.uniform(0, 900, (1, 30, 2)) / 8) * 8
    boxes = np.concatenate([boxes, boxes + 500 + draw.uniform(-1e-4, 1e-4, boxes.shape)], axis=2)
    boxes[..., :2] += draw.uniform(-1e-4, 1e-4, (1, 30, 2))
    check(cpu, device, boxes.astype(np.float32), np.float32([[1400, 1500, 1]]), chip_size=501, stride=25)


def test_unused_and_damaged_rows(cpu, device):
    boxes, im_info = scene(4, 3, 25, 200, 200)
    boxes[0, 3, 1], boxes[0, 5, 2], boxes[1, 0] = np.nan, np.inf, [-1, -1, -2, -2]
    boxes[1, 4, 2] = boxes[1, 4, 0] - 1
    boxes[2] = -1
    im_info = np.tile(im_info, (3, 1))[:3]
    counts = check(cpu, device, boxes, im_info)
    assert counts[2] == 0
    im_info[0, 0], im_info[1, 1] = np.nan, 0.5
    assert not check(cpu, device, boxes, im_info).any()


def test_no_boxes_and_no_images(cpu, device):
    chips, num_chips = run(device, np.zeros((2, 0, 4), np.float32), np.float32([[200, 300, 1]] * 2))
    assert (chips == -1).all() and not num_chips.any()
    chips, num_chips = run(device, np.zeros((0, 5, 4), np.float32), np.zeros((0, 3), np.float32))
    assert chips.size == 0 and num_chips.size == 0


def test_an_image_with_too_many_candidates_is_marked(cpu, device):
    boxes, im_info = scene(5, 2, 6, 300, 300)
    im_info[1, :2] = 1e6
    with pytest.raises(KernelError, match='candidate chips'):
        run(cpu, boxes, im_info)
    chips, num_chips = run(device, boxes, im_info)
    assert num_chips[1] == -1 and (chips[1] == -1).all()
    np.testing.assert_array_equal(chips[0], run(cpu, boxes[:1], im_info[:1])[0][0])
    im_info[1, :2] = np.inf
    assert run(device, boxes, im_info)[1][1] == -1


def test_a_batch_beyond_the_working_memory_is_done_in_parts(cpu, device):
    """Three images of 121 MiB of room each, most of which is never touched: two fit."""
    boxes, im_info = scene(6, 3, 40, 60, 60, longest=10)
    check(cpu, device, boxes, im_info, chip_size=512, stride=1, max_chips=5)
    assert device.scratch_bytes() < (1 << 28)
