"""Polygons in training batches: in the rows of gt_boxes, mirrored, the same from workers, simplified and reported."""
import cv2
import numpy as np
import pytest

from lib.dataset.loading import load_training_roidb
from lib.iterators import TrainIterator
from lib.tasks import get_task
from tests.dataset.coco_folder import make_folder
from tests.iterators.scenes import assert_same_batches, epoch_batches, make_roidb, small_config, write_image


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
    names = [name for name, _ in get_task(mask_config(AUTO_FOCUS=True)).layout(3)[1]]
    assert names == ['label', 'bbox_target', 'bbox_weight', 'gt_boxes', 'scale_label', 'gt_masks']
    assert dict(get_task(mask_config()).layout(3)[1])['gt_masks'] == (3, 20, 30)


def test_proposal_networks_have_no_masks(roidb):
    names = [name for part in get_task(mask_config(ONLY_PROPOSAL=True)).layout(3) for name, _ in part]
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
    assert len(lines) == 1 and lines[0].startswith(f'Epoch 1: {count} times')


def mask_of(rings, size=64, fine=16):
    """What rings in image pixels cover, bool (size, size), a pixel belonging to them if most of it does."""
    drawn = np.zeros((size * fine, size * fine), np.uint8)
    for ring in rings:
        points = np.round(np.reshape(ring, (-1, 1, 2)) * fine - 0.5).astype(np.int32)
        layer = np.zeros_like(drawn)
        cv2.fillPoly(layer, [points], 1)
        drawn |= layer
    return drawn.reshape(size, fine, size, fine).mean(axis=(1, 3)) > 0.5


def circle(points, radius, x, y):
    angle = np.arange(points) * 2 * np.pi / points
    return (np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius + [x, y]).ravel().tolist()


SHAPES = {      # what the annotation file says, and the rings that must come of it, with the box
    'thousands of vertices': ([circle(5000, 14, 20, 20)], [circle(200, 14, 20, 20)], (6, 6, 28, 28)),
    'two parts': ([circle(30, 6, 12, 44), circle(30, 6, 30, 44)],) * 2 + ((6, 38, 30, 12),),
    'crosses itself': ([[40, 40, 60, 60, 60, 40, 40, 60]], [[40, 40, 50, 50, 40, 60], [50, 50, 60, 40, 60, 60]],
                       (40, 40, 20, 20)),
    'run lengths': ({'size': [64, 64], 'counts': [64 * 36 + 4] + [20, 44] * 15 + [20, 64 * 12 + 40]},
                    [[36, 4, 52, 4, 52, 24, 36, 24]], (36, 4, 16, 20)),
    'a line of two points': ([[1, 50, 30, 62]], [], (1, 50, 29, 12)),
}


def test_from_the_annotation_file_to_the_masks_of_the_operator(tmp_path):
    """Every kind of outline, and a crowd region (class -2), which is no object. Rois are the objects' boxes."""
    from sniper_mxnet import mx
    annotations = [{'id': number, 'image_id': 1, 'category_id': 1, 'bbox': list(box), 'area': 50, 'iscrowd': 0,
                    'segmentation': segmentation} for number, (segmentation, _, box) in enumerate(SHAPES.values(), 1)]
    annotations.append(dict(annotations[3], id=9, iscrowd=1))
    file = {'images': [{'id': 1, 'file_name': '1.png', 'width': 64, 'height': 64}], 'annotations': annotations,
            'categories': [{'id': 1, 'name': 'thing'}]}
    folder = make_folder(tmp_path, {'train2017': file})
    write_image(tmp_path / 'images' / 'train2017' / '1.png', 64, 64, np.random.default_rng(0))
    config = small_config(SCALES=[64.0], VALID_RANGES=[(-1, -1)], FLIP=False, WITH_MASK=True, MAX_POLYGON_LEN=60)
    config.dataset.update(dataset='coco', image_set='train2017', dataset_path=folder, root_path=folder)
    roidb, _ = load_training_roidb(config)
    with TrainIterator(roidb, config, 1, num_workers=0) as iterator:
        (arrays, _), = epoch_batches(iterator, 0)
        assert iterator.epoch_stats['simplified_masks'] == 2        # the circle, and a pair of 120 numbers
    boxes = arrays['gt_boxes'][0]
    assert (boxes[:5, 4] == 1).all() and boxes[5, 4] == -2 and (boxes[6:, 4] == -1).all()
    # A box's corners are pixels, an outline's are borders of pixels: the roi that the outline fills is one larger.
    rois = np.concatenate([np.zeros((5, 1)), boxes[:5, :4] + [0, 0, 1, 1]], axis=1)
    targets = mx.nd.MaskRcnnTarget(rois=mx.nd.array(rois), mask_polys=mx.nd.array(arrays['gt_masks']),
                                   mask_ids=mx.nd.array(np.arange(5).reshape(-1, 1)), mask_size=28)[0].asnumpy()
    for (kind, (_, rings, _)), roi, target in zip(SHAPES.items(), rois, targets):
        if not rings:
            assert (target == -1).all(), kind
            continue
        x1, y1, x2, y2 = roi[1:]
        unit = [((np.reshape(ring, (-1, 2)) - [x1, y1]) * 28 / [x2 - x1, y2 - y1]).ravel() for ring in rings]
        expected = mask_of(unit, 28)
        both, either = (target == 1) & expected, (target == 1) | expected
        assert set(np.unique(target)) <= {0, 1} and both.sum() / either.sum() > 0.88, kind
