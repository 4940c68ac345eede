"""Masks of boxes pasted into images: against a slow reference, pycocotools and cases by hand."""
import tracemalloc

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from lib.masks import pack, paste, unpack


def slow_probabilities(mask, box, width, height, least=1.0):
    """(height, width) float64: the mask's probability at every pixel's centre, NaN outside the box."""
    size = len(mask)
    picture = np.full((height, width), np.nan)
    extent = [max(box[2] - box[0], least), max(box[3] - box[1], least)]
    for y in range(height):
        for x in range(width):
            if not (box[0] <= x + 0.5 < box[2] + 1 and box[1] <= y + 0.5 < box[3] + 1):
                continue
            places = []
            for centre, low, length in ((y + 0.5, box[1], extent[1]), (x + 0.5, box[0], extent[0])):
                at = min(max((centre - low) * size / length - 0.5, 0), size - 1)
                first = min(int(at), size - 2) if size > 1 else 0
                places.append((first, min(first + 1, size - 1), at - first))
            (top, bottom, down), (left, right, across) = places
            upper = (1 - across) * mask[top, left] + across * mask[top, right]
            lower = (1 - across) * mask[bottom, left] + across * mask[bottom, right]
            picture[y, x] = (1 - down) * upper + down * lower
    return picture


def full(code, width, height):
    return coco_mask.decode({'size': [height, width], 'counts': code}).astype(bool)


@pytest.mark.parametrize('seed', range(40))
def test_against_the_slow_reference(seed):
    rng = np.random.default_rng(seed)
    width, height, size = rng.integers(1, 70), rng.integers(1, 70), rng.choice([1, 2, 5, 28])
    corner = rng.uniform(-20, 60, 2)
    box = np.concatenate([corner, corner + rng.uniform(0, 50, 2) ** rng.choice([0.2, 1, 1.3])])
    if seed % 4 == 0:
        box = np.round(box)
    mask = rng.random((size, size)).astype(np.float32)
    code, = paste(mask[None], box[None], width, height)
    expected = slow_probabilities(mask.astype(np.float64), box, width, height)
    clear = ~(np.abs(expected - 0.5) < 1e-6)
    with np.errstate(invalid='ignore'):
        np.testing.assert_array_equal(full(code, width, height)[clear], (expected >= 0.5)[clear], f'seed {seed}')


@pytest.mark.parametrize('seed', range(10))
def test_codes_are_those_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    width, height = rng.integers(1, 90, 2)
    masks = rng.random((6, 4, 4)).astype(np.float32) + rng.uniform(-0.4, 0.4)
    corner = rng.uniform(-5, 40, (6, 2))
    boxes = np.hstack([corner, corner + rng.uniform(0, 60, (6, 2))])
    for code in paste(masks, boxes, width, height):
        picture = full(code, width, height)
        assert coco_mask.encode(np.asfortranarray(picture, dtype=np.uint8))['counts'] == code
        np.testing.assert_array_equal(unpack(code, width, height), picture)


@pytest.mark.parametrize('shape', [(1, 1), (300, 7), (3, 2000), (400, 400)])
@pytest.mark.parametrize('share', [0, 0.001, 0.5, 1])
def test_pack_and_unpack(shape, share):
    picture = np.random.default_rng(5).random(shape) < share
    code = coco_mask.encode(np.asfortranarray(picture, dtype=np.uint8))['counts']
    np.testing.assert_array_equal(unpack(code, shape[1], shape[0]), picture)
    assert pack(picture) == code


FULL = np.ones((1, 28, 28), np.float32)


@pytest.mark.parametrize('box, least, rows, columns', [
    ((2, 3, 5, 4), 1, slice(3, 5), slice(2, 6)),            # corners are inclusive
    ((4, 4, 4, 4), 1, slice(4, 5), slice(4, 5)),            # one pixel
    ((4, 4, 4, 4), 0.2, slice(4, 5), slice(4, 5)),
    ((0, 0, 11, 9), 1, slice(0, 10), slice(0, 12)),         # the whole image
    ((-1e6, -3, 3, 1e30), 1, slice(0, 10), slice(0, 4)),    # partly outside
    ((9, 8, 40, 40), 1, slice(8, 10), slice(9, 12)),
    ((20, 2, 30, 5), 1, slice(0, 0), slice(0, 0)),          # outside
    ((-9, -9, -2, -2), 1, slice(0, 0), slice(0, 0)),
    ((1.4, 1.6, 3.4, 3.6), 1, slice(2, 5), slice(1, 4)),    # a pixel counts with its centre
    ((5, 2, 3, 4), 1, slice(2, 5), slice(0, 0)),            # turned round: too narrow for any
    ((np.nan, 0, 5, 5), 1, slice(0, 0), slice(0, 0)),
    ((0, 0, np.inf, 5), 1, slice(0, 0), slice(0, 0)),
])
def test_boxes_by_hand(box, least, rows, columns):
    expected = np.zeros((10, 12), bool)
    expected[rows, columns] = True
    np.testing.assert_array_equal(full(paste(FULL, np.array([box]), 12, 10, least)[0], 12, 10), expected)


def test_cells_by_hand():
    """A box of 4 x 4 pixels in the units of operators.md 8: a cell is a pixel, row before column."""
    mask = np.zeros((1, 4, 4), np.float32)
    mask[0, 1, 2] = mask[0, 3, 3] = 0.9
    picture = full(paste(mask, np.array([[10, 20, 14, 24]]), 40, 30)[0], 40, 30)
    expected = np.zeros((30, 40), bool)
    expected[21, 12] = True
    expected[23:25, 13:15] = True  # the outermost cell goes on to the inclusive corner
    np.testing.assert_array_equal(picture, expected)


def test_threshold_is_inside():
    assert full(paste(np.full((1, 2, 2), 0.5), np.array([[0, 0, 2, 2]]), 3, 3)[0], 3, 3).all()
    assert not full(paste(np.full((1, 2, 2), 0.49), np.array([[0, 0, 2, 2]]), 3, 3)[0], 3, 3).any()
    assert not full(paste(np.full((1, 2, 2), np.nan), np.array([[0, 0, 2, 2]]), 3, 3)[0], 3, 3).any()


def test_no_mask():
    assert paste(np.zeros((0, 28, 28)), np.zeros((0, 4)), 10, 10) == []


@pytest.mark.parametrize('masks, boxes', [((2, 3, 3), (1, 4)), ((1, 3, 4), (1, 4)), ((1, 0, 0), (1, 4)),
                                          ((3, 3), (1, 4))])
def test_wrong_shapes(masks, boxes):
    with pytest.raises(ValueError, match='masks are'):
        paste(np.zeros(masks), np.zeros(boxes), 10, 10)


@pytest.mark.parametrize('code', [b'P', b'00', b'zzz', b'\xff0', bytes([48 + 32] * 30)])
def test_broken_codes(code):
    with pytest.raises(ValueError, match='run-length'):
        unpack(code, 3, 3)


def test_memory_does_not_grow_with_the_image():
    rng = np.random.default_rng(1)
    masks = np.repeat(np.repeat(rng.random((20, 4, 4)), 7, axis=1), 7, axis=2)
    boxes = np.tile([10.0, 10.0, 19000.0, 14000.0], (20, 1))
    tracemalloc.start()
    codes = paste(masks, boxes, 20000, 15000)  # 300 megapixels each
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
    areas = coco_mask.area([{'size': [15000, 20000], 'counts': code} for code in codes])
    np.testing.assert_allclose(areas, (masks >= 0.5).mean(axis=(1, 2)) * 19000 * 14000, rtol=0.2, atol=1e7)


def polygon_target(polygon, box, size=28):
    """What a mask is trained on (reference/operators.md 8.2): rows first, then transposed."""
    x1, y1, x2, y2 = box
    points = np.array(polygon).reshape(-1, 2)
    rows = (points[:, 1] - y1) * size / max(1, y2 - y1)
    columns = (points[:, 0] - x1) * size / max(1, x2 - x1)
    ring = np.stack([rows, columns], axis=1).reshape(-1).tolist()
    return coco_mask.decode(coco_mask.frPyObjects([ring], size, size))[:, :, 0].T.astype(np.float32)


@pytest.mark.parametrize('scale, least_iou', [(0.5, 0.87), (1, 0.9), (2, 0.9)])
def test_perfect_targets_give_the_object_back(scale, least_iou):
    """Objects of 8 to 30 pixels, made into targets at a test scale and pasted at original size."""
    rng = np.random.default_rng(2)
    overlaps = []
    for _ in range(60):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
        radius = rng.uniform(4, 15)
        polygon = np.stack([40 + radius * np.cos(angles), 35 + radius * np.sin(angles)], axis=1)
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        box = np.round(np.trunc([*low, *(high - 1)]) * scale)  # corners are inclusive, whole in original and input
        target = polygon_target((polygon * scale).reshape(-1), box)
        code, = paste(target[None], box[None] / scale, 80, 70, 1 / scale)
        truth = coco_mask.frPyObjects([polygon.reshape(-1).tolist()], 70, 80)
        overlaps.append(coco_mask.iou([{'size': [70, 80], 'counts': code}], truth, [0])[0, 0])
    assert np.mean(overlaps) > least_iou
