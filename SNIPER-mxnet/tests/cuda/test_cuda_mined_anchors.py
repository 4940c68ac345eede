"""The kernels of MinedAnchorTarget against the CPU's loops."""
import numpy as np
import pytest

RULES = dict(stride=8, base_size=16, border=0, positive=0.5, negative=0.3, ignore=0.3, force_best=0, batch_size=256,
             most_positives=64)


def random_case(seed, images=2, cells=(9, 12), anchors=2, rows=12):
    """Whole pixels and few different probabilities, so that there are ties."""
    draw = np.random.RandomState(seed)
    size = 8 * np.array([cells[1], cells[0]])
    corners = np.round(draw.uniform(-0.1, 0.9, (images, rows, 2)) * size)
    sides = np.round(2 ** draw.uniform(1, 6.5, (images, rows, 1)) * draw.uniform(0.7, 1.3, (images, rows, 2)))
    kinds = draw.choice([1, 1, 1, -1, -2, -3], (images, rows, 1))
    boxes = np.concatenate([corners, corners + sides - 1, kinds], axis=2)
    info = np.tile([size[1] - 7, size[0], 1], (images, 1))
    return [array.astype(np.float32) for array in (draw.randint(0, 9, (images, anchors) + cells) / 10, boxes, info)]


def run(library, case, scales=(1, 2), ratios=(1,), **rules):
    """(label, bbox_target, bbox_weight)."""
    prob, boxes, _ = case
    images, anchors, height, width = prob.shape
    outputs = [library.output(images, anchors * height * width), library.output(images, 4 * anchors, height, width),
               library.output(images, 4 * anchors, height, width)]
    sizes = np.array([images, boxes.shape[1], height, width], np.int64)
    values = np.array(list(dict(RULES, **rules).values()), np.float64)
    library.call('mined_anchors', *[library.array(value) for value in case], *outputs, sizes, values,
                 np.array(scales + ratios, np.float32), np.array([len(scales), len(ratios)], np.int64))
    return [output.numpy() for output in outputs]


def check(cpu, device, case, **options):
    expected, found = run(cpu, case, **options), run(device, case, **options)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=1e-6)
    np.testing.assert_array_equal(found[2], expected[2])
    return found


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('rules', [
    {}, dict(force_best=1), dict(batch_size=10, most_positives=3), dict(border=20, batch_size=40, most_positives=0),
    dict(positive=0.3, negative=0.01, ignore=0), dict(batch_size=3, most_positives=3, force_best=1)], ids=str)
def test_agrees_with_the_cpu(cpu, device, seed, rules):
    check(cpu, device, random_case(seed), **rules)


def test_more_rows_than_a_block_has_threads(cpu, device):
    check(cpu, device, random_case(7, images=1, cells=(13, 17), rows=300), force_best=1)


def test_more_anchors_than_fit_into_a_launch(cpu, device):
    """Anchors reach the device with the arguments of a kernel, 64 at a time."""
    ratios = tuple(np.linspace(0.3, 3, 35).tolist())
    check(cpu, device, random_case(8, images=1, cells=(3, 4), anchors=70), ratios=ratios, border=8)


def test_odd_numbers(cpu, device):
    case = random_case(9, images=3)
    case[0][0, 0, :4] = np.nan
    case[0][0, 1, 3] = [np.inf, -np.inf, 0, -0.0] * 3
    case[1][1, ::2, 1] = [np.nan, np.inf, -np.inf, 3e38, -3e38, 0]
    case[1][1, 1::2, 4] = np.nan
    case[2][2] = np.nan
    for batch_size in (20, 1000):
        check(cpu, device, case, batch_size=batch_size, force_best=1)


@pytest.mark.parametrize('sizes', [dict(images=0), dict(rows=0), dict(cells=(0, 3)), dict(cells=(1, 1), rows=1)],
                         ids=str)
def test_empty_and_small_ones(cpu, device, sizes):
    check(cpu, device, random_case(10, **sizes), force_best=1)


def test_working_memory_is_bounded(device):
    case = random_case(11, cells=(40, 60))
    run(device, case)
    assert device.scratch_bytes() <= 40 * case[0].size + 4096
