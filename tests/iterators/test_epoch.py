"""Order of an epoch, replacement of chips, and the tables that carry them."""
import numpy as np
import pytest

from lib.chips import Window
from lib.iterators.epoch import EpochPlan, WindowTable, draw_order
from lib.iterators.prefetch import resolve_prefetch
from lib.iterators.shared import PackedRoidb
from lib.utils import seeds
from lib.utils.errors import SniperError
from lib.utils.processes import num_cores, resolve_workers


@pytest.mark.parametrize('seed', range(5))
def test_order_has_each_chip_once_and_pads_from_the_first_images(seed):
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(7), rng.integers(0, 5, 7))
    batch = int(rng.integers(1, 40))
    order = draw_order(image, batch, rng)
    uses = np.bincount(order, minlength=len(image))
    assert len(order) == -(-len(image) // batch) * batch, seed
    assert uses.min() >= len(order) // len(image) and uses.max() <= -(-len(order) // len(image)), seed
    extra = image[np.repeat(np.arange(len(image)), uses - len(order) // len(image))]
    np.testing.assert_array_equal(np.sort(extra), image[:len(extra)], err_msg=str(seed))


def test_generators_differ_by_every_part():
    draws = {seeds.generator(*key).integers(2 ** 60) for key in
             [(0, 0, seeds.CHIPS, 0), (1, 0, seeds.CHIPS, 0), (0, 1, seeds.CHIPS, 0), (0, 0, seeds.SAMPLE, 0),
              (0, 0, seeds.CHIPS, 1)]}
    assert len(draws) == 5
    assert seeds.generator(1, 2, 3, 4).random() == seeds.generator(1, 2, 3, 4).random()


def make_windows(count, rng):
    return [Window(tuple(rng.uniform(0, 99, 4).tolist()), rng.uniform(), rng.uniform(), int(rng.integers(1, 512)), 7,
                   int(rng.integers(3)), bool(rng.integers(2)),
                   rng.integers(0, 50, rng.integers(0, 4)).astype(np.int32)) for _ in range(count)]


def test_window_table_gives_back_what_was_put_in():
    rng = np.random.default_rng(2)
    chips = make_windows(9, rng)
    table = WindowTable.concatenate([WindowTable.from_windows([0] * 4, chips[:4]), WindowTable.from_windows([], []),
                                   WindowTable.from_windows([2] * 5, chips[4:])])
    assert table.num_windows == 9 and table.image.tolist() == [0] * 4 + [2] * 5
    for index, chip in enumerate(chips):
        assert table.window(index)._replace(rows=None) == chip._replace(rows=None)
        np.testing.assert_array_equal(table.window(index).props, chip.props)


def roidb(count):
    return [{'image': f'image{number}', 'width': 10, 'height': 10} for number in range(count)]


def plan_of(images, order, broken):
    table = WindowTable.from_windows(images, make_windows(len(images), np.random.default_rng(0)))
    return EpochPlan(table, np.array(order), PackedRoidb(roidb(max(images) + 1)), broken)


def test_replacement_is_the_next_good_chip_whether_or_not_the_breakage_is_known():
    images, order = [0, 1, 1, 2, 3], [1, 2, 0, 4, 3]  # images of the order: 1 1 0 3 2
    known = plan_of(images, order, {'image1', 'image0'})
    known.assign(0)
    learning = plan_of(images, order, set())
    learning.assign(0)
    for _ in range(3):
        learning.reject(0)
    assert known.chip_index(0) == learning.chip_index(0) == 4 and known.path(0) == 'image3'
    assert known.release(0)
    known.assign(4)
    assert known.chip_index(4) == 3 and not known.release(4)


def test_a_chip_in_the_making_stays_assigned_when_its_image_becomes_known_as_broken():
    broken = set()
    plan = plan_of([0, 1], [0, 1], broken)
    plan.assign(0)
    broken.add('image0')
    assert plan.path(0) == 'image0'
    plan.reject(0)
    assert plan.path(0) == 'image1'


def test_no_good_image_is_an_error():
    plan = plan_of([0, 1], [0, 1], {'image0', 'image1'})
    with pytest.raises(SniperError, match=r'no image .* \(2 tried\), for example image0'):
        plan.assign(1)


def test_packed_roidb_gives_back_the_fields_workers_need():
    entries = [{'image': 'a/ä.jpg', 'width': 10.5, 'height': 7, 'flipped': True,
                'boxes': np.float32([[1, 2, 3, 4], [5, 6, 7, 8]]), 'max_overlaps': np.float32([1, 0.5]),
                'max_classes': np.array([3, 4]), 'gt_classes': np.array([3, 0], np.int32)},
               {'image': 'b.jpg', 'width': 5, 'height': 5}]
    packed = PackedRoidb(entries)
    assert len(packed) == 2
    first, second = packed.entry(0), packed.entry(1)
    for name in ('boxes', 'max_overlaps', 'max_classes', 'gt_classes'):
        np.testing.assert_array_equal(first[name], entries[0][name])
    fields = [first[name] for name in ('image', 'width', 'flipped', 'flipped_vertical')]
    assert fields == ['a/ä.jpg', 10.5, True, False]
    assert second['boxes'].shape == (0, 4) and second['image'] == 'b.jpg' and second['flipped'] is False


def test_number_of_workers(caplog):
    assert resolve_workers(0, 1000) == 0
    assert resolve_workers('auto', 3) == 0
    assert resolve_workers('auto', 1000) == min(32, num_cores())
    assert resolve_workers(1, 3) == 1
    with caplog.at_level('INFO'):
        assert resolve_workers(10 ** 6, 3) == num_cores()
    assert 'NUM_PROCESS 1000000 is more' in caplog.text


def test_automatic_sizes_follow_cores_and_memory(monkeypatch):
    monkeypatch.setattr('lib.utils.processes.num_cores', lambda: 64)
    for free, workers in ((None, 32), (1 << 40, 32), (1 << 32, 10), (1 << 20, 1)):
        monkeypatch.setattr('lib.utils.processes.available_memory', lambda free=free: free)
        assert resolve_workers('auto', 1000) == workers
    cases = [(0, 16, 0, None), (2, 16, 2, None), (32, 16, 8, None), (32, 16, 8, 1 << 40), (32, 16, 3, 12 << 20),
             (32, 16, 1, 1 << 10)]
    for workers, batch_size, batches, free in cases:
        monkeypatch.setattr('lib.iterators.prefetch.available_memory', lambda free=free: free)
        assert resolve_prefetch('auto', workers, batch_size, 1 << 20) == batches
    assert resolve_prefetch(7, 2, 16, 1 << 20) == 7
