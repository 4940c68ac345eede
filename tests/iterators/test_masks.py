"""Polygons in training batches: in the rows of gt_boxes, mirrored, the same from workers, simplified and reported."""
import numpy as np
import pytest

from lib.iterators import TrainIterator
from lib.iterators.layout import train_layout
from tests.iterators.scenes import assert_same_batches, epoch_batches, make_roidb, small_config


def outlined(roidb, points=4):
    """Records whose objects' outlines are ellipses that touch the box, of `points` points."""
    angle = np.arange(points) * 2 * np.pi / points
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return [dict(entry, gt_masks=[[((box[:2] + box[2:]) / 2 + unit * (box[2:] - box[:2]) / 2).ravel()]
                                  for box in entry['boxes'].astype(np.float64)]) for entry in roidb]


@pytest.fixture
def roidb(tmp_path):
    return outlined(make_roidb(tmp_path))


def mask_config(**train):
    return small_config(WITH_MASK=True, MAX_POLYGON_LEN=30, **train)


def test_layout():
    names = [name for name, _ in train_layout(mask_config(AUTO_FOCUS=True), 3)[1]]
    assert names == ['label', 'bbox_target', 'bbox_weight', 'gt_boxes', 'scale_label', 'gt_masks']
    assert dict(train_layout(mask_config(), 3)[1])['gt_masks'] == (3, 20, 30)


def test_proposal_networks_have_no_masks(roidb):
    names = [name for part in train_layout(mask_config(ONLY_PROPOSAL=True), 3) for name, _ in part]
    assert names == ['data', 'label', 'bbox_target', 'bbox_weight']
    assert epoch_batches(TrainIterator(roidb, mask_config(ONLY_PROPOSAL=True), 4, num_workers=0), 0)


def test_outlines_belong_to_the_boxes_of_their_row(roidb):
    """An ellipse of four points touches its box in all four sides."""
    rows = inside = 0
    with TrainIterator(roidb, mask_config(), 4, num_workers=0) as iterator:
        for arrays, _ in epoch_batches(iterator, 0):
            used = arrays['gt_boxes'][..., 4] != -1
            boxes, masks = arrays['gt_boxes'][used], arrays['gt_masks'][used]
            assert (arrays['gt_masks'][~used] == -1).all()
            assert (masks[:, :3] == np.stack([boxes[:, 4] - 1, 0 * boxes[:, 4] + 1, 0 * boxes[:, 4] + 8], axis=1)).all()
            points = masks[:, 3:11].reshape(-1, 4, 2)
            extent = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
            np.testing.assert_allclose(np.clip(extent, 0, 63), boxes[:, :4], atol=0.51)
            rows, inside = rows + len(boxes), inside + (extent == np.clip(extent, 0, 63)).all(axis=1).sum()
    assert 0 < inside < rows    # others reach out of their chip and are not clipped


def test_workers_and_a_roidb_as_flat_arrays_make_no_difference(roidb):
    with TrainIterator(roidb, mask_config(), 4, num_workers=0) as iterator:
        expected = epoch_batches(iterator, 1)
    with TrainIterator(roidb, mask_config(), 4, num_workers=2) as iterator:
        assert_same_batches(epoch_batches(iterator, 1), expected)
        assert iterator.epoch_stats['simplified_masks'] == 0


def test_what_does_not_fit_is_counted_and_said_once_an_epoch(tmp_path, caplog):
    with TrainIterator(outlined(make_roidb(tmp_path), 100), mask_config(), 4, num_workers=0) as iterator:
        iterator.start_epoch(0)
        rows = count = 0
        for batch in iterator:
            count += batch.stats['simplified_masks']
            used = batch.label['gt_boxes'][..., 4] != -1
            rows += used.sum()
            lengths = batch.label['gt_masks'][used][:, 2]
            assert (lengths >= 12).all() and (lengths <= 27).all()
        assert count == rows == iterator.epoch_stats['simplified_masks']
    lines = [record.getMessage() for record in caplog.records if 'MAX_POLYGON_LEN' in record.getMessage()]
    assert len(lines) == 1 and lines[0].startswith('Epoch 1: %d times' % count)
