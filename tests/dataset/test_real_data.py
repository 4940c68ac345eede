"""Real annotation files: 80-class COCO and the three-class blood cells, when they lie beside the project."""
import os

import numpy as np
import pytest

from lib.dataset import get_dataset
from lib.dataset.roidb import validate
from tests.detections import flat
from tests.golden import real_data


@pytest.mark.parametrize('folder, image_set, images, classes', [
    ('coco_mini', 'train2017', 80, 81), ('coco_mini', 'val2017', 79, 81),
    ('bccd/coco', 'train2017', 205, 4), ('bccd/coco', 'val2017', 87, 4), ('bccd/coco', 'test2017', 72, 4)])
def test_load(folder, image_set, images, classes):
    path = real_data(folder)
    dataset = get_dataset('coco', image_set, path, path, masks=True)
    roidb = dataset.roidb()
    validate(roidb, classes)
    assert (len(roidb), dataset.num_classes) == (images, classes)
    assert all(os.path.isfile(record['image']) for record in roidb)
    assert dataset.file.has_annotations


def test_truth_as_detections_scores_high(tmp_path):
    path = real_data('coco_mini')
    dataset = get_dataset('coco', 'val2017', path, path)
    roidb = dataset.roidb()
    detections = [[np.zeros((0, 5), np.float32)] * len(roidb) for _ in dataset.classes]
    for index, record in enumerate(roidb):
        rows = np.column_stack([record['boxes'], np.full(len(record['boxes']), 0.9)])
        for label in np.unique(record['gt_classes']):
            detections[label][index] = rows[record['gt_classes'] == label]
    metrics = dataset.evaluate(flat(detections), str(tmp_path))
    # Not 1: boxes are truncated to whole pixels, and at most 100 detections an image count.
    assert metrics['AP50'] > 0.98 and metrics['AP'] > 0.85
    assert len(metrics['per_class']) == 80
