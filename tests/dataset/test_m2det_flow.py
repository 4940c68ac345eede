"""Boxes that M2Det is trained on, and results of its data sets, as recorded from the original."""
import json

import numpy as np
import pytest

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import get_dataset, load_training_roidb
from lib.dataset.voc_eval import area_ap, eleven_point_ap, match, precision_recall
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.voc_folder import make_part, xml
from tests.golden import golden_file

VOC_CLASSES = ('aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person '
               'pottedplant sheep sofa train tvmonitor').split()
AS_THE_ORIGINAL = ['TRAIN.IGNORED_OBJECTS', 'objects', 'TRAIN.BACKGROUND_IMAGES', 'all', 'TRAIN.WHOLE_PIXELS', 'False',
                   'TRAIN.FLIP', 'False', 'TRAIN.USE_NEG_CHIPS', 'False', 'dataset.NUM_CLASSES', '0']


def flow(name):
    with open(golden_file(f'm2det/{name}_flow.json')) as stream:
        return json.load(stream)


def coco_content(case):
    """The recorded annotations, of one image. Those of area 0 are left out: the original drops them, but own files
    often say 0 where they mean nothing."""
    annotations = [dict(annotation, id=number, image_id=case['image_ids'][0])
                   for number, annotation in enumerate(case['annotations'], 1) if annotation['area'] > 0]
    return {'images': [dict(case['image'], id=number, file_name=f'{number}.jpg') for number in case['image_ids']],
            'categories': [{'id': number, 'name': f'class {number}'} for number in case['category_ids']],
            'annotations': annotations}


def training_records(folder, *overrides, image_set='valminusminival2014', name='coco'):
    return load_training_roidb(load_config(overrides=[
        'dataset.dataset', name, 'dataset.dataset_path', str(folder), 'dataset.root_path', str(folder),
        'dataset.image_set', image_set, *AS_THE_ORIGINAL, *overrides]))


def coco_folder(path, image_set, file):
    """images/val2014 holds the pictures of the minival sets."""
    folder = make_folder(path, {image_set: file}, image_files=False)
    for image in file['images']:
        place = path / 'images' / 'val2014' / f'COCO_val2014_{image["id"]:012d}.jpg'
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return folder


def test_recorded_boxes_of_coco(tmp_path):
    """Crowd regions and all, in fractions of pixels, an image without objects too.

    A box that begins outside its image is cut there, where the original moved it as a whole.
    """
    case = flow('coco')
    roidb, classes = training_records(coco_folder(tmp_path, 'valminusminival2014', coco_content(case)))
    expected = np.array(case['training_boxes'])
    moved, = np.flatnonzero(np.isclose(expected[:, :4], [0, 7, 29, 18]).all(axis=1))
    expected[moved, 2] -= 4
    assert len(classes) == 1 + len(case['category_ids']) and len(roidb) == 2
    np.testing.assert_allclose(roidb[0]['boxes'], expected[:, :4], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(roidb[0]['gt_classes'], expected[:, 4])
    assert len(roidb[1]['boxes']) == 0 and roidb[0]['image'].endswith('val2014/COCO_val2014_000000000139.jpg')


def test_recorded_results_of_coco(tmp_path):
    case = flow('coco')
    dataset = get_dataset('coco', 'minival2014', str(tmp_path),
                          coco_folder(tmp_path, 'minival2014', coco_content(case)))
    rows = np.array(case['detections'][0])
    label = 1 + case['category_ids'].index(case['detection_category'])
    dataset.evaluate(Detections.from_rows(0, rows, label), str(tmp_path / 'results'))
    with open(str(tmp_path / 'results' / 'detections_minival2014_results.json')) as stream:
        found = json.load(stream)
    assert len(found) == len(case['result_rows'])
    for row, expected in zip(found, case['result_rows']):
        assert (row['image_id'], row['category_id']) == (expected['image_id'], expected['category_id'])
        np.testing.assert_allclose(row['bbox'], expected['bbox'], rtol=0, atol=0.0501)   # one decimal is written
        assert row['score'] == pytest.approx(expected['score'], abs=1e-3)


def test_images_without_objects_are_said(tmp_path, caplog):
    folder = coco_folder(tmp_path, 'minival2014', content({1: [(1, 10, 10, 20, 20)], 2: [], 3: []}))
    caplog.set_level('INFO')
    training_records(folder, image_set='minival2014')
    assert '2 of 3 (mirrored copies count) have no objects and are trained on as background' in caplog.text
    training_records(folder, 'TRAIN.BACKGROUND_IMAGES', '0', image_set='minival2014')
    assert '1 of 3 (mirrored copies count) hold objects, 2 without are left out' in caplog.text
    empty = coco_folder(tmp_path / 'empty', 'minival2014', content({1: [], 2: []}))
    with pytest.raises(SniperError, match='no image of minival2014 has an object that can be trained on'):
        training_records(empty, image_set='minival2014')


def test_what_the_keys_change(tmp_path):
    file = content({1: [(1, 10.6, 10.2, 20, 20), (7, 30, 30, 9.5, 9.5)], 2: [], 3: [(1, 1, 1, 5, 5)]})
    file['annotations'][1]['iscrowd'] = 1
    folder = coco_folder(tmp_path, 'minival2014', file)
    def boxes(*overrides):
        return [record['boxes'].round(2).tolist() for record in
                training_records(folder, *overrides, image_set='minival2014')[0]]
    one, crowd, whole = [10.6, 10.2, 29.6, 29.2], [30, 30, 38.5, 38.5], [10, 10, 29, 29]
    np.testing.assert_allclose(boxes()[0], [one, crowd], atol=1e-2)
    assert [len(of_image) for of_image in boxes()] == [2, 0, 1]
    assert [len(of_image) for of_image in boxes('TRAIN.BACKGROUND_IMAGES', '0')] == [2, 1]
    assert boxes('TRAIN.WHOLE_PIXELS', 'True')[0] == [whole, [30, 30, 38, 38]]
    np.testing.assert_allclose(boxes('TRAIN.IGNORED_OBJECTS', 'background')[0], [one], atol=1e-2)


def test_ignored_objects_are_said_only_where_they_are(tmp_path, caplog):
    file = content({1: [(1, 10, 10, 20, 20), (7, 30, 30, 9, 9)]})
    file['annotations'][1]['iscrowd'] = 1
    folder = coco_folder(tmp_path, 'minival2014', file)
    training_records(folder, image_set='minival2014')
    assert 'not trained on' not in caplog.text
    training_records(folder, 'TRAIN.IGNORED_OBJECTS', 'background', image_set='minival2014')
    assert '1 of 2 objects are crowd regions' in caplog.text


def test_images_without_objects_alone_are_no_training_set(tmp_path):
    folder = coco_folder(tmp_path, 'minival2014', content({1: [], 2: []}))
    with pytest.raises(SniperError, match='no image of minival2014 has an object'):
        training_records(folder, image_set='minival2014')


def test_recorded_boxes_and_precision_of_voc(tmp_path):
    case = flow('voc')
    of_images = case['ground_truth']
    annotations = {name: xml(*[(item['name'], *item['bbox'], item['difficult']) for item in objects], size=(250, 250))
                   for name, objects in of_images.items()}
    names = sorted(of_images)
    make_part(tmp_path / 'VOC2007', annotations, {'trainval': names, 'test': names})
    roidb, classes = training_records(tmp_path, image_set='2007_trainval', name='PascalVOC')
    assert list(classes[1:]) == VOC_CLASSES and [record['image_id'] for record in roidb] == names
    record = roidb[names.index(case['training_targets_image'])]
    expected = np.array(case['training_targets'])
    np.testing.assert_array_equal(np.column_stack([record['boxes'], record['gt_classes']]), expected)
    dataset = get_dataset('PascalVOC', '2007_test', str(tmp_path), str(tmp_path))
    truth = dataset.objects_by_class()[classes.index(case['class_name'])]
    images = np.array([names.index(row[0]) for row in case['detections']])
    rows = np.array([row[2] + [row[1]] for row in case['detections']])
    positives = sum(int((~difficult).sum()) for _, difficult in truth.values())
    recall, precision = precision_recall(match(images, rows, truth, {}), positives, 0.5)
    np.testing.assert_allclose(recall, case['recall'])
    np.testing.assert_allclose(precision, case['precision'])
    assert eleven_point_ap(recall, precision) == pytest.approx(case['ap_11point'])
    assert area_ap(recall, precision) == pytest.approx(case['ap_area'])
