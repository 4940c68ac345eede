"""Batches of chips of many shapes: complete, within bounds, cheap."""
import numpy as np
import pytest

from lib.iterators import TestIterator
from lib.iterators.batching import BATCH_COST, MOST_PIXELS, SHAPE_COST, SLOT_COST, bounded, order_crops, plan_batches
from tests.iterators.scenes import make_roidb, small_config, snapshot

BUDGET = 2 * 960 * 1280


def sizes_of(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(8, 40, (count, 2)) * 16


def cost_of(plan):
    shapes = np.array(plan.shapes)
    return ((shapes[:, 0] * (shapes[:, 1] * shapes[:, 2] + SLOT_COST) + BATCH_COST).sum() +
            SHAPE_COST * len(np.unique(shapes, axis=0)))


@pytest.mark.parametrize('count', [1, 2, 3, 7, 50, 400])
@pytest.mark.parametrize('unit', [1, 2, 3])
@pytest.mark.parametrize('max_shapes', [1, 5, 32])
def test_every_chip_fits_its_batch(count, unit, max_shapes):
    sizes = sizes_of(count)
    plan = plan_batches(sizes, unit, BUDGET, max_shapes)
    assert set(np.concatenate(plan.batches).tolist()) == set(range(count))
    for chips, (slots, height, width) in zip(plan.batches, plan.shapes):
        assert len(chips) == slots and slots % unit == 0 and (slots // unit) & (slots // unit - 1) == 0
        assert (sizes[chips] <= (height, width)).all()
        assert slots == unit or slots * height * width <= BUDGET
    assert len(set(plan.shapes)) <= max_shapes
    pixels = [np.prod(shape) for shape in plan.shapes]
    assert pixels[0] == max(pixels)


def test_splitting_pays():
    """More shapes, as long as they cost less than the padding that they save."""
    sizes = sizes_of(400)
    one, few, many = (plan_batches(sizes, 1, BUDGET, most) for most in (1, 4, 32))
    assert cost_of(one) > cost_of(few) > cost_of(many)
    padding = sum(np.prod(shape) for shape in many.shapes) / sizes.prod(axis=1).sum()
    assert padding < 1.25, padding


def test_no_better_split_is_missed_for_two_sizes():
    sizes = np.array([[100, 100]] * 64 + [[500, 500]] * 64)
    assert {shape[1:] for shape in plan_batches(sizes, 1, BUDGET, 32).shapes} == {(100, 100), (500, 500)}
    alike = np.array([[100, 100], [101, 100]])  # a shape of its own would cost more than a row of padding
    assert {shape[1:] for shape in plan_batches(alike, 1, BUDGET, 32).shapes} == {(101, 100)}


def test_chips_of_an_image_are_made_at_about_the_same_time():
    """But for the first batch, batches come in the order of their first chips."""
    plan = plan_batches(sizes_of(300), 1, BUDGET, 8)
    first = [chips[0] for chips in plan.batches[1:]]
    assert first == sorted(first)
    for chips in plan.batches:
        distinct = list(dict.fromkeys(chips.tolist()))
        assert distinct == sorted(distinct)


def test_no_chip_no_batch():
    assert plan_batches(np.zeros((0, 2)), 1, BUDGET, 4) == ([], [])


def test_same_input_same_batches():
    one, two = (plan_batches(sizes_of(200), 2, BUDGET, 16) for _ in range(2))
    assert one.shapes == two.shapes and all(np.array_equal(a, b) for a, b in zip(one.batches, two.batches))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_pixels_are_those_of_the_other_order(tmp_path, num_workers):
    """The iterator gives every chip the same pixels in whatever batch, also from images decoded before."""
    config, roidb = small_config(), make_roidb(tmp_path, 4)
    rng = np.random.default_rng(2)
    crops = [[(x, y, x + width, y + height) for x, y, width, height in rng.integers(5, 40, (count, 4)).tolist()]
             for count in (5, 0, 9, 2, 0, 1)]
    found = []
    for devices in (0, 2):
        with TestIterator(roidb, config, 0, 4, num_workers, crops, max(1, devices), fitted=devices > 0) as iterator:
            chips = {}
            for arrays, _ in map(snapshot, iterator):
                assert len(arrays['data']) % 2 == 0
                for row, key in enumerate(zip(arrays['im_ids'], arrays['chip_ids'])):
                    height, width, scale = arrays['im_info'][row]
                    chips[key] = scale, arrays['data'][row, :, :int(height), :int(width)]
                    assert not arrays['data'][row, :, int(height):].any()
            found.append(chips)
    assert len(found[0]) == 17 and found[0].keys() == found[1].keys()
    for key, (scale, pixels) in found[0].items():
        assert scale == found[1][key][0]
        np.testing.assert_array_equal(pixels, found[1][key][1])


def test_batches_of_large_images_are_split():
    """Images of a large set: no batch is larger than the bound, nothing is lost, and small ones stay as they were."""
    sizes = np.array([(480, 640)] * 3 + [(2100, 2670)] + [(4200, 5340)] * 3)
    order = order_crops(np.array([(0, 0, width, height) for height, width in sizes]), 4).reshape(-1, 4)
    assert order.tolist() == [[0, 1, 2, 3], [4, 5, 6, 6]]
    assert [part.tolist() for part in bounded(order, sizes, 1)] == [[0, 1, 2], [3], [4], [5], [6]]
    assert [part.tolist() for part in bounded(order, sizes, 2)] == [[0, 1, 2, 3], [4, 5], [6, 6]]
    assert [part.tolist() for part in bounded(order[:, :1].repeat(4, 1), sizes, 1)] == [[0] * 4, [4]]
    assert [part.tolist() for part in bounded(order, sizes // 4, 1)] == order.tolist()
    assert all(sizes[part].max(axis=0).prod() * len(part) <= MOST_PIXELS or len(part) == 1
               for part in bounded(order, sizes, 1))
