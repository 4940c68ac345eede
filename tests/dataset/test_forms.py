"""The same objects in COCO's and in PASCAL VOC's format give the same records, and their evaluations agree."""
import os

import numpy as np
import pytest

from configs import load_config
from lib.dataset import get_dataset, load_training_roidb
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.voc_folder import make_part, write, xml
from tests.detections import flat
from tests.golden import real_data

FIELDS = ('boxes', 'gt_classes', 'max_classes', 'max_overlaps', 'width', 'height', 'flipped')


def both_forms(tmp_path, class_list):
    """Random objects of three classes in a COCO folder and a plain VOC folder. -> their paths."""
    draw = np.random.RandomState(3)
    names = ('rod', 'ball', 'egg')
    boxes = {number: [(draw.randint(1, 4), *draw.randint(0, 60, 2).tolist(), *draw.randint(2, 19, 2).tolist())
                      for _ in range(draw.randint(0, 5))] for number in range(1, 9)}
    file = content(boxes, categories=list(enumerate(names, 1)))
    for image in file['images']:
        image['file_name'] = f'{image["id"]:03d}.jpg'
    # x y w h from 0 -> corners from 1, both inside
    annotations = {f'{number:03d}': xml(*[(names[label - 1], x + 1, y + 1, x + w, y + h) for label, x, y, w, h in rows])
                   for number, rows in boxes.items()}
    voc = make_part(tmp_path / 'voc', annotations, {'train': sorted(annotations)})
    if class_list:
        write(os.path.join(voc, 'classes.txt'), '\n'.join(names))
    return make_folder(tmp_path / 'coco', {'train': file}), voc


def training(name, path):
    return load_training_roidb(load_config(overrides=[
        'dataset.dataset', name, 'dataset.dataset_path', path, 'dataset.image_set', 'train',
        'TRAIN.USE_NEG_CHIPS', 'False', 'TRAIN.FLIP_VERTICAL', 'True', 'dataset.NUM_CLASSES', '0']))


def test_equal_training_records_with_a_class_list(tmp_path):
    """Whatever follows reads records and classes only, so training is the same too."""
    coco, voc = both_forms(tmp_path, class_list=True)
    (ours, classes), (others, other_classes) = training('PascalVOC', voc), training('coco', coco)
    assert classes == other_classes and len(ours) == len(others) > 10
    for record, other in zip(ours, others):
        assert os.path.basename(record['image']) == os.path.basename(other['image'])
        for field in FIELDS:
            np.testing.assert_array_equal(record[field], other[field])
            assert getattr(record[field], 'dtype', None) == getattr(other[field], 'dtype', None)


def test_without_one_only_the_numbers_of_classes_differ(tmp_path):
    coco, voc = both_forms(tmp_path, class_list=False)
    (ours, classes), (others, other_classes) = training('PascalVOC', voc), training('coco', coco)
    assert classes == ('__background__', 'ball', 'egg', 'rod')
    assert other_classes == ('__background__', 'rod', 'ball', 'egg')
    for record, other in zip(ours, others):
        np.testing.assert_array_equal(record['boxes'], other['boxes'])
        assert [classes[label] for label in record['gt_classes']] == [
            other_classes[label] for label in other['gt_classes']]


@pytest.fixture(scope='module')
def blood_cells():
    """(VOC data set, COCO data set) by part of bccd."""
    voc, coco = real_data('bccd/VOCdevkit'), real_data('bccd/coco')
    return {part: (get_dataset('PascalVOC', '2007_' + part, voc, voc), get_dataset('coco', part + '2017', coco, coco))
            for part in ('train', 'val', 'test')}


@pytest.mark.parametrize('part, images, boxes', [('train', 205, 2804), ('val', 87, 1137), ('test', 72, 945)])
def test_blood_cells(blood_cells, part, images, boxes):
    """The COCO files of bccd give widths as xmax - xmin, so their boxes end one pixel before those of VOC's rule."""
    ours, others = blood_cells[part]
    assert ours.classes == ('__background__', 'Platelets', 'RBC', 'WBC')
    roidb, other_roidb = ours.roidb(), others.roidb()
    assert len(roidb) == len(other_roidb) == images and sum(len(r['boxes']) for r in roidb) == boxes
    for record, other in zip(roidb, other_roidb):
        assert os.path.basename(record['image']) == os.path.basename(other['image'])
        assert (record['width'], record['height']) == (other['width'], other['height'])
        np.testing.assert_array_equal(record['boxes'] - [0, 0, 1, 1], other['boxes'])
        assert [ours.classes[label] for label in record['gt_classes']] == [
            others.classes[label] for label in other['gt_classes']]


def test_evaluations_of_blood_cells_agree(blood_cells, tmp_path):
    """The same detections: area AP at IoU 0.5 against COCO's AP50 (101 recalls, 100 detections an image)."""
    draw = np.random.RandomState(0)
    ours, others = blood_cells['test']
    by_name = {name: [[] for _ in ours.image_ids] for name in ours.classes}
    for image, record in enumerate(ours.roidb()):
        for box, label in zip(record['boxes'], record['gt_classes']):
            if draw.rand() < 0.9:
                by_name[ours.classes[label]][image].append(list(box + draw.normal(0, 4, 4)) + [draw.uniform(0.3, 1)])
            by_name[draw.choice(ours.classes[1:])][image].append(list(box + 40) + [draw.uniform(0, 0.7)])
    voc = ours.evaluate(flat([by_name[name] for name in ours.classes]), str(tmp_path))
    assert set(ours.own_scores) <= set(voc) and not others.own_scores
    coco = others.evaluate(flat([by_name[name] for name in others.classes]), str(tmp_path))
    assert 0.5 < coco['AP50'] < 0.95
    assert voc['AP50_area'] == pytest.approx(coco['AP50'], abs=0.01)
    assert voc['rule'] == '11point'  # the folder is called VOC2007
