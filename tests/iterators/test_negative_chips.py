"""Negative chips on the way through the iterator."""
import numpy as np

from lib.dataset.proposals import with_proposals
from lib.dataset.roidb import mirrored
from lib.iterators import TrainIterator
from lib.iterators.shared import PackedRoidb
from tests.iterators.scenes import assert_same_batches, epoch_batches, make_roidb, small_config


def roidb_with_proposals(folder, count=8, per_image=120):
    rng = np.random.default_rng(0)
    roidb = []
    for entry in make_roidb(folder, count):
        if entry['flipped']:
            roidb.append(dict(mirrored(dict(roidb[-1])), flipped=True))
            continue
        size = (entry['width'], entry['height'])
        corners = rng.uniform(0, 0.8, (per_image, 2)) * size
        sides = np.exp(rng.uniform(np.log(4), np.log(60), (per_image, 2)))
        boxes = np.hstack([corners, np.minimum(corners + sides, np.array(size) - 1)]).astype(np.float32)
        roidb.append(dict(entry, proposals=boxes))
    return roidb


def negative_config(**train):
    return small_config(USE_NEG_CHIPS=True, NEG_CHIP_MIN_ROWS=[8, 4], **train)


def test_packed_entries_are_those_of_the_records(tmp_path):
    roidb = roidb_with_proposals(tmp_path)
    roidb[0] = {key: value for key, value in roidb[0].items() if key != 'proposals'}
    packed = PackedRoidb(roidb)
    stored = sum({id(entry['proposals']): len(entry['proposals']) for entry in roidb if 'proposals' in entry}.values())
    assert packed.column('proposals').shape == (stored, 4)  # once for an image and its mirrored copy
    for index, entry in enumerate(roidb):
        expected, found = with_proposals(entry), packed.entry(index)
        for name in ('boxes', 'gt_classes', 'max_classes', 'max_overlaps'):
            np.testing.assert_array_equal(found[name], expected[name])
            assert found[name].dtype == expected[name].dtype
        assert len(found['boxes']) == len(entry['boxes']) + len(entry.get('proposals', ()))


def test_mirrored_images_have_mirrored_proposals(tmp_path):
    roidb = roidb_with_proposals(tmp_path)
    entry = next(entry for entry in roidb if not entry['flipped'])
    there, back = with_proposals(mirrored(entry)), with_proposals(entry)
    np.testing.assert_allclose(mirrored(there)['boxes'], back['boxes'], atol=1e-4)
    np.testing.assert_allclose(there['max_overlaps'], back['max_overlaps'], atol=1e-5)


def test_the_same_batches_with_0_1_and_4_workers(tmp_path):
    roidb, config = roidb_with_proposals(tmp_path), negative_config()
    batches = {}
    for workers in (0, 1, 4):
        with TrainIterator(roidb, config, 4, num_workers=workers) as iterator:
            batches[workers] = [epoch_batches(iterator, epoch) for epoch in (0, 1)]
            stats = iterator.epoch_stats
        assert stats['negative_chips'] > 0
    for workers in (1, 4):
        for mine, theirs in zip(batches[workers], batches[0]):
            assert_same_batches(mine, theirs)


def test_negative_chips_are_added_and_drawn_anew(tmp_path):
    roidb = roidb_with_proposals(tmp_path)
    drawn = []
    with TrainIterator(roidb, negative_config(), 4, num_workers=0) as iterator:
        for epoch in range(3):
            iterator.start_epoch(epoch)
            table = iterator._plan.table
            per_image = np.bincount(table.image[table.negative], minlength=len(roidb))
            assert per_image.max() == 2 and iterator.epoch_stats['negative_chips'] == per_image.sum()
            drawn.append(sorted(map(tuple, table.box[table.negative].tolist())))
    assert drawn[0] != drawn[1] and drawn[1] != drawn[2]
    with TrainIterator(roidb, small_config(), 4, num_workers=0) as iterator:  # proposals alone change nothing
        iterator.start_epoch(0)
        assert not iterator._plan.table.negative.any()


def test_a_chip_without_objects_has_only_background_labels(tmp_path):
    roidb = roidb_with_proposals(tmp_path)
    seen = 0
    with TrainIterator(roidb, negative_config(), 4, num_workers=0) as iterator:
        iterator.start_epoch(0)
        plan = iterator._plan
        for number, batch in enumerate(iterator):
            for row in range(4):
                chip = plan.order[number * 4 + row]
                start, stop = plan.table.rows_start[chip:chip + 2]
                if plan.table.negative[chip] and start == stop:
                    assert (batch.label['label'][row] <= 0).all() and (batch.label['label'][row] == 0).any()
                    assert not batch.label['bbox_weight'][row].any()
                    seen += 1
    assert seen > 0
