"""ChipGenerator: against plain NumPy, lib.chips.generate_chips, properties, cases by hand, empty images."""
import numpy as np
import pytest

import chip_reference as reference
from lib.chips import generate_chips
from sniper_mxnet import mx
from tests.bbox.golden_cases import cases
from tests.chips.slow import candidates, clipped, containment


def random_batch(rng, images, rows):
    """Boxes (images, rows, 4), some of them unused in various ways, and im_info."""
    sizes = rng.randint(40, 1500, (images, 2))
    boxes = np.empty((images, rows, 4), np.float32)
    for n, (height, width) in enumerate(sizes):
        corners = rng.uniform(-20, [width, height], (rows, 2))
        boxes[n] = np.hstack([corners, corners + rng.uniform(0, 300, (rows, 2))])
    if rng.rand() < 0.5:
        boxes = np.round(boxes)
    boxes[rng.rand(images, rows) < 0.1] = -1
    boxes[rng.rand(images, rows) < 0.05, 2] = np.nan
    boxes[rng.rand(images, rows) < 0.05] = (-1, -1, -2, -2)
    return boxes, np.hstack([sizes, np.ones((images, 1))]).astype(np.float32)


def generate(boxes, im_info, **attributes):
    """[chips (M, 4) of every image], after checking the padding behind them."""
    arrays = [mx.nd.array(boxes), mx.nd.array(im_info)]
    chips, count = (result.asnumpy() for result in mx.nd.ChipGenerator(*arrays, **attributes))
    for array, before in zip(arrays, (boxes, im_info)):
        np.testing.assert_array_equal(array.asnumpy(), np.asarray(before, np.float32))
    assert chips.shape == (len(boxes), attributes.get('max_chips', 100), 4) and count.shape == (len(boxes),)
    assert chips.dtype == count.dtype == np.float32
    found = []
    for rows, number in zip(chips, count):
        used = min(int(number), len(rows))
        assert (rows[used:] == -1).all() and (rows[:used] >= 0).all()
        found.append(rows[:used])
    return found


@pytest.mark.parametrize('seed', range(10))
def test_equals_plain_numpy_and_lib(seed):
    rng = np.random.RandomState(seed)
    boxes, im_info = random_batch(rng, rng.randint(1, 4), rng.randint(1, 40))
    options = dict(chip_size=int(rng.choice([120, 300, 512])), stride=int(rng.choice([20, 57])), seed=seed * 1000)
    for rows, (height, width, _), result in zip(boxes, im_info, generate(boxes, im_info, **options)):
        expected = reference.generate(rows, height, width, **options)
        np.testing.assert_array_equal(result, expected, err_msg=f'seed {seed}')
        kept = rows[(rows != -1).any(axis=1)]
        np.testing.assert_array_equal(result, generate_chips(
            kept, width, height, options['chip_size'], options['stride'], options['seed']), err_msg=f'seed {seed}')


@pytest.mark.parametrize('seed', range(10))
def test_every_box_that_fits_lies_in_a_chip_and_no_chip_is_needless(seed):
    rng = np.random.RandomState(100 + seed)
    boxes, im_info = random_batch(rng, 3, rng.randint(1, 80))
    for rows, (height, width, _), chips in zip(boxes, im_info, generate(boxes, im_info, chip_size=300, seed=seed)):
        usable = rows[(rows[:, 2] >= rows[:, 0]) & (rows[:, 3] >= rows[:, 1]) & (rows != -1).any(axis=1)]
        inside = clipped(usable, width, height)
        windows = candidates(int(width), int(height), 300, 56)
        assert {tuple(chip) for chip in chips} <= {tuple(window) for window in windows}
        coverable = containment(windows, inside).any(axis=0)
        covered = containment(chips, inside)[:, coverable]
        assert covered.any(axis=0).all(), f'seed {seed}'
        assert all(not np.delete(covered, m, axis=0).any(axis=0).all() for m in range(len(chips))), f'seed {seed}'


def test_golden_counts():
    for case in cases('pipeline/chip_generate.npz'):
        boxes = case['boxes'].astype(np.float32).reshape(1, -1, 4)
        if boxes.size == 0:
            continue
        for seed in range(5):
            chips, = generate(boxes, [[int(case['height']), int(case['width']), 1]], seed=seed, max_chips=500,
                              chip_size=int(case['chipsize']), stride=int(case['stride']))
            assert len(chips) <= min(case['chip_count_max'], len(case['c_chips']))
            inside = clipped(boxes[0], int(case['width']), int(case['height']))[case['coverable']]
            assert containment(chips, inside).any(axis=0).all()


def test_by_hand():
    """Two boxes 700 pixels apart need two chips of 512; a third beside the first needs none of its own."""
    boxes = np.array([[[100, 100, 150, 150], [800, 100, 850, 150], [200, 120, 260, 180]]], np.float32)
    chips, = generate(boxes, [[600, 1000, 3]])
    assert len(chips) == 2
    first, second = chips
    assert first[0] <= 100 and first[2] >= 260 and second[0] <= 800 and second[2] >= 850  # most boxes first


def test_an_image_smaller_than_a_chip_has_one():
    chips, = generate(np.array([[[3, 3, 50, 60], [100, 3, 120, 60]]]), [[200, 300, 1]])
    np.testing.assert_array_equal(chips, [[0, 0, 299, 199]])


def test_more_chips_than_fit_are_counted():
    corners = np.stack(np.meshgrid(np.arange(0, 3000, 600), np.arange(0, 3000, 600)), axis=2).reshape(-1, 2)
    boxes, im_info = mx.nd.array(np.hstack([corners, corners + 50])[None]), mx.nd.array([[3000, 3000, 1]])
    full, count = mx.nd.ChipGenerator(boxes, im_info)
    few, same_count = mx.nd.ChipGenerator(boxes, im_info, max_chips=4)
    assert count.asscalar() == same_count.asscalar() == 25
    np.testing.assert_array_equal(few.asnumpy()[0], full.asnumpy()[0, :4])


def test_the_seed_decides():
    boxes, im_info = random_batch(np.random.RandomState(0), 1, 40)
    runs = [generate(boxes, im_info, chip_size=120, seed=seed)[0] for seed in (1, 1, 2, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert any(len(run) != len(runs[0]) or (run != runs[0]).any() for run in runs[2:])


def test_images_are_independent():
    boxes, im_info = random_batch(np.random.RandomState(6), 5, 30)
    for n, chips in enumerate(generate(boxes, im_info)):
        np.testing.assert_array_equal(generate(boxes[n:n + 1], im_info[n:n + 1])[0], chips)


UNUSED = [(-1, -1, -1, -1), (-1, -1, -2, -2), (50, 50, 40, 60), (5000, 10, 4000, 20), (np.nan, 0, 9, 9),
          (0, 0, 9, np.nan), (0, 0, np.inf, 9), (-np.inf, 0, 9, 9)]


@pytest.mark.parametrize('unused', UNUSED, ids=str)
def test_unused_rows(unused):
    box = (10, 20, 60, 80)
    alone, = generate(np.array([[box]], np.float32), [[700, 900, 1]])
    beside, = generate(np.array([[unused, box, unused]], np.float32), [[700, 900, 1]])
    np.testing.assert_array_equal(beside, alone)
    assert len(generate(np.array([[unused]], np.float32), [[700, 900, 1]])[0]) == 0


def test_boxes_that_no_chip_holds_have_none():
    boxes = np.array([[[0, 0, 900, 900], [30, 30, 60, 60]]], np.float32)
    assert len(generate(boxes, [[1000, 1000, 1]])[0]) == 1
    assert len(generate(boxes[:, :1], [[1000, 1000, 1]])[0]) == 0


@pytest.mark.parametrize('size', [(0, 0), (-5, 100), (np.nan, 100), (100, np.nan)])
def test_no_image_no_chips(size):
    assert len(generate(np.array([[[0, 0, 9, 9]]], np.float32), [size + (1,)])[0]) == 0


def test_no_boxes():
    with mx.util.np_shape(True):
        for shape in ((2, 0, 4), (0, 3, 4)):
            chips, count = mx.nd.ChipGenerator(mx.nd.zeros(shape), mx.nd.zeros((shape[0], 3)) + 600, max_chips=7)
            assert chips.shape == (shape[0], 7, 4) and (chips.asnumpy() == -1).all() and (count.asnumpy() == 0).all()


def test_symbol():
    symbol = mx.sym.ChipGenerator(mx.sym.var('boxes'), mx.sym.var('im_info'), max_chips=9, name='chips')
    assert symbol.list_outputs() == ['chips_chips', 'chips_num_chips']
    assert symbol.infer_shape(boxes=(4, 50, 4), im_info=(4, 3))[1] == [(4, 9, 4), (4,)]


@pytest.mark.parametrize('size', [(1e9, 1e9), (np.inf, 100), (2e6, 2e6)])
def test_an_image_too_large_for_the_stride(size):
    with pytest.raises(mx.MXNetError, match='ChipGenerator: row 1 of im_info is an image of .* at most 100000000 cand'):
        mx.nd.ChipGenerator(mx.nd.zeros((2, 1, 4)), mx.nd.array([(9, 9, 1), size + (1,)]))[0].wait_to_read()


@pytest.mark.parametrize('attributes, shapes, message', [
    (dict(chip_size=0), {}, 'ChipGenerator: chip_size must be above 0, got 0'),
    (dict(stride=-1), {}, 'ChipGenerator: stride must be above 0, got -1'),
    (dict(stride=1.5), {}, 'ChipGenerator: stride must be a whole number, got 1.5'),
    (dict(max_chips=0), {}, 'ChipGenerator: max_chips must be above 0, got 0'),
    (dict(max_chips=2 ** 31 - 1), {}, 'ChipGenerator: the output would have 4294967294 rows'),
    (dict(seed=-3), {}, 'ChipGenerator: seed must be 0 or above, got -3'),
    ({}, dict(boxes=(2, 4)), r'ChipGenerator: boxes must be \(N, boxes, 4\) with 3 known sizes, got \(2, 4\)'),
    ({}, dict(boxes=(2, 3, 5)), r'ChipGenerator: boxes must be \(N, boxes, 4\) = \(2, 3, 4\), got \(2, 3, 5\)'),
    ({}, dict(im_info=(3, 3)), r'ChipGenerator: im_info must be \(N, 3\) = \(2, 3\), got \(3, 3\)'),
])
def test_mistakes(attributes, shapes, message):
    shapes = dict(dict(boxes=(2, 3, 4), im_info=(2, 3)), **shapes)
    with pytest.raises(mx.MXNetError, match=message):
        mx.nd.ChipGenerator(**{name: mx.nd.zeros(shape) for name, shape in shapes.items()}, **attributes)
