"""TRAIN.SCALE_WEIGHTS on the way through the iterator: samples by scale, the length of an epoch, resuming, trainers."""
import collections

import pytest

from lib.iterators import TrainIterator
from tests.iterators.scenes import assert_same_batches, epoch_batches, make_roidb, small_config
from tests.iterators.test_negative_chips import negative_config, roidb_with_proposals


@pytest.fixture(scope='module')
def roidb(tmp_path_factory):
    return make_roidb(tmp_path_factory.mktemp('images'), 8)


def samples_by_scale(roidb, config, epoch=0, batch=1):
    with TrainIterator(roidb, config, batch, num_workers=0) as iterator:
        batches = iterator.start_epoch(epoch)
        assert batches == iterator.count_batches(epoch)
        chips = [chip for _, chip in iterator.epoch_chips()]
        return collections.Counter((chip.level, chip.negative) for chip in chips), iterator.epoch_stats, batches


def test_weights_of_one_change_nothing(roidb):
    with TrainIterator(roidb, small_config(), 4, num_workers=0) as plain, \
            TrainIterator(roidb, small_config(SCALE_WEIGHTS=[1.0, 1.0]), 4, num_workers=0) as weighted:
        assert_same_batches(epoch_batches(plain, 1), epoch_batches(weighted, 1))


def test_samples_and_length_of_an_epoch(roidb):
    plain, stats, batches = samples_by_scale(roidb, small_config())
    weighted, new_stats, new_batches = samples_by_scale(roidb, small_config(SCALE_WEIGHTS=[0.5, 3.0]))
    fine, coarse = plain[0, False], plain[1, False]
    assert stats['chips_per_scale'] == new_stats['chips_per_scale'] == [fine, coarse] and fine and coarse
    assert new_stats['samples_per_scale'] == [round(fine / 2), 3 * coarse] == [weighted[0, False], weighted[1, False]]
    assert 'samples_per_scale' not in stats
    assert (batches, new_batches) == (fine + coarse, round(fine / 2) + 3 * coarse)


def test_negative_chips_keep_their_share_of_a_scale(tmp_path):
    roidb = roidb_with_proposals(tmp_path)
    plain, _, _ = samples_by_scale(roidb, negative_config())
    weighted, _, _ = samples_by_scale(roidb, negative_config(SCALE_WEIGHTS=[2.0, 3.0]))
    assert sum(count for (_, negative), count in plain.items() if negative) > 0
    assert weighted == {(level, negative): count * (2, 3)[level] for (level, negative), count in plain.items()}


def test_an_epoch_goes_on_where_it_was_left_and_trainers_share_it(roidb):
    config = small_config(SCALE_WEIGHTS=[0.7, 2.5])
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator:
        expected = epoch_batches(iterator, 2)
        other = epoch_batches(iterator, 3)
        assert_same_batches(epoch_batches(iterator, 2, 3), expected[3:])
    assert [images for _, images in expected] != [images for _, images in other]
    with TrainIterator(roidb, config, 4, num_workers=2) as iterator:
        assert_same_batches(epoch_batches(iterator, 2, 1), expected[1:])
    parts = []
    for rank in (0, 1):
        with TrainIterator(roidb, config, 2, num_workers=0, shard=(rank, 2)) as iterator:
            parts.append(epoch_batches(iterator, 2))
    assert [first + second for (_, first), (_, second) in zip(*parts)] == [images for _, images in expected]


def test_other_batches_in_the_middle_of_an_epoch(roidb):
    """Chips from the sixth on of the order that was begun with batches of 4."""
    config = small_config(SCALE_WEIGHTS=[0.7, 2.5])
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator:
        whole = [path for _, images in epoch_batches(iterator, 0) for path in images]
    with TrainIterator(roidb, config, 3, num_workers=0) as iterator:
        iterator.start_epoch(0, 0, 6, 4)
        rest = [path for batch in iterator for path in batch.images]
    assert rest[:len(whole) - 6] == whole[6:]
