"""dataset.CLASSES: a part of the classes, renamed and joined, in COCO's, VOC's and another format."""
import os

import pytest

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import load_test_dataset, load_training_roidb
from lib.dataset.class_choice import ClassChoice
from lib.utils.errors import SniperError
from tests.dataset.formats import folders

CLASSES = ['round = ball + EGG', 'bar=rod']


def settings(folder, form, classes):
    return load_config(overrides=[
        'dataset.dataset', form, 'dataset.dataset_path', str(folder), 'dataset.root_path', str(folder),
        'dataset.image_set', folders.SET, 'dataset.test_image_set', folders.SET, 'TRAIN.USE_NEG_CHIPS', 'False',
        'TRAIN.FLIP', 'False', 'TRAIN.BACKGROUND_IMAGES', '0', 'dataset.NUM_CLASSES', '0', 'dataset.CLASSES',
        str(classes)])


@pytest.mark.parametrize('name', ['coco', 'VOC', 'YOLO'])
def test_joined_renamed_and_left_out(tmp_path, name):
    writer, form = folders.WRITERS[name]
    writer(tmp_path)
    roidb, classes = load_training_roidb(settings(tmp_path, form, CLASSES))
    assert classes == ('__background__', 'round', 'bar')
    assert [record['gt_classes'].tolist() for record in roidb] == [[2, 1], [1], [1, 1]]
    roidb, classes = load_training_roidb(settings(tmp_path, form, ['rod']))
    assert classes == ('__background__', 'rod')
    assert [record['gt_classes'].tolist() for record in roidb if len(record['boxes'])] == [[1]]
    with pytest.raises(SniperError, match=r"dataset.CLASSES \(cat\) names no class of .*; it has ball, egg, rod"):
        load_training_roidb(settings(tmp_path, form, ['cat']))


@pytest.mark.parametrize('name', ['coco', 'VOC'])
def test_scored_as_what_they_became(tmp_path, name):
    writer, form = folders.WRITERS[name]
    writer(tmp_path)
    dataset, roidb = load_test_dataset(settings(tmp_path, form, CLASSES))
    rows = [(image, [*box, 1.0], label) for image, record in enumerate(roidb)
            for box, label in zip(record['boxes'].tolist(), record['gt_classes'].tolist())]
    images, boxes, labels = zip(*rows)
    metrics = dataset.evaluate(Detections.from_rows(list(images), list(boxes), list(labels)),
                               os.path.join(str(tmp_path), 'results'))
    assert 'round' in str(metrics) and 'ball' not in str(metrics)
    assert form != 'coco' or metrics['per_class'] == pytest.approx({'round': 1.0, 'bar': 1.0})


@pytest.mark.parametrize('entries', [[''], ['a = '], ['a = b + '], ['a', 'A'], ['a = x', 'b = X'], ['a=b', 'a=c'],
                                     ['__background__']])
def test_entries_that_cannot_be_meant(entries):
    with pytest.raises(SniperError, match=r'dataset\.CLASSES'):
        ClassChoice(entries)
