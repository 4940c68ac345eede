"""An epoch shared by several trainers, and one that goes on with batches of another size."""
import collections

import numpy as np
import pytest

from lib.iterators import TrainIterator
from tests.iterators.scenes import epoch_batches, make_roidb, small_config


@pytest.fixture(scope='module')
def roidb(tmp_path_factory):
    return make_roidb(tmp_path_factory.mktemp('images'), 8)


def epoch_of(roidb, batch_size, shard, epoch=1, **start):
    """(batches, their samples in order as comparable tuples) of one trainer."""
    with TrainIterator(roidb, small_config(), batch_size, num_workers=0, shard=shard) as iterator:
        batches = iterator.start_epoch(epoch, **start)
        return batches, [(image, chip.box, chip.scale) for image, chip in iterator.epoch_chips()]


@pytest.mark.parametrize('workers', range(1, 8))
def test_shards_are_disjoint_complete_and_of_one_length(roidb, workers):
    _, chips = epoch_of(roidb, 1, (0, 1))
    batch = 3
    shards = [epoch_of(roidb, batch, (rank, workers)) for rank in range(workers)]
    batches = {count for count, _ in shards}
    assert batches == {-(-len(chips) // (workers * batch))}  # equal, and no batch more than it takes
    assert {len(samples) for _, samples in shards} == {batches.pop() * batch}
    times = collections.Counter(sample for _, samples in shards for sample in samples)
    distinct = collections.Counter(chips)
    padding = sum(times.values()) - len(chips)
    assert set(times) == set(distinct) and 0 <= padding < workers * batch
    assert sum((times - distinct).values()) == padding  # every chip as often as it is, and the padding


def test_shards_are_the_rows_of_the_batches_of_one_trainer(roidb):
    config = small_config()
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator:
        whole = epoch_batches(iterator, 2)
    parts = []
    for rank in range(2):
        with TrainIterator(roidb, config, 2, num_workers=0, shard=(rank, 2)) as iterator:
            parts.append(epoch_batches(iterator, 2))
    assert len(whole) == len(parts[0]) == len(parts[1]) > 1
    for (tensors, images), (left, left_images), (right, right_images) in zip(whole, *parts):
        assert images == left_images + right_images
        for name in tensors:
            np.testing.assert_array_equal(tensors[name], np.concatenate([left[name], right[name]]), err_msg=name)


def test_the_rest_of_an_epoch_in_batches_of_another_size(roidb):
    """12 chips in batches of 6, the rest in batches of 4 on 2 trainers: the order goes on where it stood."""
    _, order = epoch_of(roidb, 6, (0, 1))
    rest = order[12:]
    batches, left = epoch_of(roidb, 4, (0, 2), first_chip=12, order_batch=6)
    _, right = epoch_of(roidb, 4, (1, 2), first_chip=12, order_batch=6)
    went_on = [sample for start in range(0, 4 * batches, 4)
               for sample in left[start:start + 4] + right[start:start + 4]]
    assert batches == -(-len(rest) // 8)
    assert went_on[:len(rest)] == rest
    assert went_on[len(rest):] == order[:len(went_on) - len(rest)]  # padding


def test_max_batches_counts_what_was_done_before(roidb):
    config = small_config()
    config.TRAIN.MAX_BATCHES = 3
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator:
        assert iterator.start_epoch(0) == 3
        # Of 3 batches of 6 one is done: 12 chips are left.
        assert iterator.start_epoch(0, first_chip=6, order_batch=6) == 3
