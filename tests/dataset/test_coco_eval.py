"""Results files and COCO metrics."""
import json
import os
import time

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset import get_dataset
from lib.dataset.base import per_class_table
from lib.dataset.coco_eval import METRICS
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder
from tests.detections import flat

TWO_IMAGES = {4: [(1, 10, 10, 20, 20), (7, 40, 40, 30, 30)], 9: [(1, 5, 5, 50, 50)]}


def open_set(tmp_path, file=None, name='val2017'):
    folder = make_folder(tmp_path, {name: file or content(TWO_IMAGES)})
    return get_dataset('coco', 'val2017', folder, folder)


def nothing(dataset):
    return [[np.zeros((0, 5), np.float32) for _ in dataset.image_ids] for _ in dataset.classes]


def perfect(dataset):
    """Every object found, score 0.9."""
    detections = nothing(dataset)
    for index, record in enumerate(dataset.roidb()):
        for label, box in zip(record['gt_classes'], record['boxes']):
            row = np.append(box, 0.9).astype(np.float32)[None]
            detections[label][index] = np.concatenate([detections[label][index], row])
    return detections


def read(folder, name='detections_val2017_results.json'):
    with open(os.path.join(str(folder), name)) as stream:
        return stream.read()


def test_perfect_detections(tmp_path):
    dataset = open_set(tmp_path)
    metrics = dataset.evaluate(flat(perfect(dataset)), str(tmp_path / 'out'))
    assert metrics['AP'] == metrics['AP50'] == metrics['AR100'] == pytest.approx(1)
    assert metrics['per_class'] == pytest.approx({'cat': 1, 'dog': 1})
    assert set(METRICS) < set(metrics)
    assert json.loads(read(tmp_path / 'out', 'detections_val2017_metrics.json')) == metrics


def test_results_text(tmp_path):
    dataset = open_set(tmp_path)
    detections = nothing(dataset)
    detections[2][1] = np.array([[1.26, 2, 11.5, 22.04, 0.123456789]], np.float32)
    detections[1][0] = [[0, 0, 9, 9, 1.0]]
    dataset.evaluate(flat(detections), str(tmp_path / 'out'))
    expected = [{'bbox': [0.0, 0.0, 10.0, 10.0], 'category_id': 1, 'image_id': 4, 'score': 1.0},
                {'bbox': [1.3, 2.0, 11.2, 21.0], 'category_id': 7, 'image_id': 9, 'score': 0.12345679}]
    assert read(tmp_path / 'out') == json.dumps(expected, sort_keys=True, indent=4)


def test_no_detections(tmp_path):
    dataset = open_set(tmp_path)
    metrics = dataset.evaluate(flat(nothing(dataset)), str(tmp_path / 'out'))
    assert read(tmp_path / 'out') == '[]'
    assert metrics['AP'] == 0 and metrics['AR100'] == 0


def test_set_without_ground_truth_is_only_written(tmp_path):
    file = content(TWO_IMAGES)
    del file['annotations']
    dataset = open_set(tmp_path, file, 'image_info_val2017.json')
    detections = nothing(dataset)
    detections[1][0] = np.array([[1, 2, 3, 4, 0.5]], np.float32)
    assert dataset.evaluate(flat(detections), str(tmp_path / 'out')) is None
    assert len(json.loads(read(tmp_path / 'out'))) == 1


def test_annotation_id_zero_and_missing_optional_keys(tmp_path):
    """pycocotools itself takes a match with annotation 0 for a miss, and needs area and iscrowd."""
    file = content(TWO_IMAGES)
    for number, annotation in enumerate(file['annotations']):
        annotation['id'] = number
        del annotation['area'], annotation['iscrowd']
    dataset = open_set(tmp_path, file)
    assert dataset.evaluate(flat(perfect(dataset)), str(tmp_path / 'out'))['AP'] == pytest.approx(1)


def test_text_ids(tmp_path):
    dataset = open_set(tmp_path, content({'b': TWO_IMAGES[4], 3: TWO_IMAGES[9]}))
    assert dataset.evaluate(flat(perfect(dataset)), str(tmp_path / 'out'))['AP'] == pytest.approx(1)
    assert {result['image_id'] for result in json.loads(read(tmp_path / 'out'))} == {'b', 3}


def test_detections_in_crowds_do_not_count(tmp_path):
    file = content(TWO_IMAGES)
    file['annotations'].append({'id': 50, 'image_id': 9, 'category_id': 1, 'bbox': [60, 5, 35, 60], 'area': 2100,
                                'iscrowd': 1, 'segmentation': {'size': [80, 100], 'counts': [8000]}})
    dataset = open_set(tmp_path, file)
    detections = perfect(dataset)
    detections[1][1] = np.concatenate([[[62, 10, 75, 30, 0.99]], detections[1][1]])
    assert dataset.evaluate(flat(detections), str(tmp_path / 'out'))['AP'] == pytest.approx(1)


@pytest.mark.parametrize('sticks_out', [0, 40])
def test_agrees_with_pycocotools_on_the_file(tmp_path, sticks_out):
    """Boxes that stick out are cut for training only: they are scored as they are given."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    seed = 11
    rng = np.random.default_rng(seed)

    def random_boxes():
        count = rng.integers(0, 9)
        corners, sizes = rng.uniform(0, 50, (count, 2)), rng.uniform(5, 45, (count, 2))
        corners += rng.uniform(-sticks_out, sticks_out, (count, 2))
        boxes = np.concatenate([corners, sizes], axis=1).round(1).tolist()
        return [tuple([int(rng.choice([1, 7]))] + box) for box in boxes]

    dataset = open_set(tmp_path, content({int(i): random_boxes() for i in rng.permutation(15)}))
    detections = perfect(dataset)
    for of_class in detections[1:]:
        for index, rows in enumerate(of_class):
            rows = rows[rng.random(len(rows)) < 0.8]
            rows = rows + np.append(rng.normal(0, 3, 4), 0)
            rows[:, 4] = rng.random(len(rows))
            of_class[index] = rows
    metrics = dataset.evaluate(flat(detections), str(tmp_path / 'out'))
    truth = COCO(dataset.file.path)
    evaluator = COCOeval(truth, truth.loadRes(str(tmp_path / 'out' / 'detections_val2017_results.json')), 'bbox')
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    np.testing.assert_allclose([metrics[key] for key in METRICS], evaluator.stats, atol=1e-12, err_msg=f'seed {seed}')
    assert 0.02 < metrics['AP'] < 0.98


def test_few_detections_of_many_classes_and_images(tmp_path):
    """3,000 classes and 5,000 images: lists by class and image would be 15 million arrays."""
    file = {'images': [{'id': number, 'file_name': f'{number}.jpg', 'width': 100, 'height': 80}
                       for number in range(5000)],
            'categories': [{'id': number, 'name': f'class {number}'} for number in range(3000)]}
    dataset = open_set(tmp_path, file, 'image_info_val2017.json')
    rng = np.random.default_rng(4)
    detections = Detections(rng.integers(5000, size=300), rng.integers(1, 3001, 300), np.tile([1, 2, 30, 40], (300, 1)),
                            rng.random(300))
    start = time.perf_counter()
    assert dataset.evaluate(detections, str(tmp_path / 'out')) is None
    assert time.perf_counter() - start < 5
    found = [(row['category_id'], row['image_id']) for row in json.loads(read(tmp_path / 'out'))]
    assert len(found) == 300 and found == sorted(found)


def test_images_that_there_are_not(tmp_path):
    dataset = open_set(tmp_path)
    with pytest.raises(ValueError, match='image numbers from 0 to 2, but there are only 0 to 1'):
        dataset.evaluate(flat([[], [[[0, 0, 9, 9, 0.5]]] * 3]), str(tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()


def test_per_class_table_is_aligned():
    lines = per_class_table({'a': 0.5, 'long name': 0.25, 'absent': -1.0, 'd': 1.0})
    assert lines == ['AP per class',
                     'a          0.500   absent         -',
                     'long name  0.250   d          1.000']


def test_unwritable_folder(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    dataset = open_set(tmp_path)
    with pytest.raises(SniperError, match='cannot write .*results.json'):
        dataset.evaluate(flat(nothing(dataset)), str(tmp_path / 'file' / 'results'))


def test_thousands_of_classes_are_scored_class_by_class_with_the_same_numbers(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    corners = rng.integers(0, 60, (80, 2))
    images = {image: [(int(rng.choice([1, 7])), *map(int, corner), 20, 20 + 30 * image) for corner in corners[image::9]]
              for image in range(1, 9)}
    dataset = open_set(tmp_path, content(images))
    truth = dataset.truth()
    moved = truth.box + rng.normal(0, 4, truth.box.shape)
    found = Detections(truth.image, truth.label, moved, rng.random(len(moved)))
    whole = dataset.evaluate(found, str(tmp_path / 'out'))
    monkeypatch.setattr('lib.dataset.coco_many_classes.MOST_PAIRS', 0)
    assert dataset.evaluate(found, str(tmp_path / 'out')) == whole
    assert 0.1 < whole['AP'] < 0.9 and whole['APs'] != whole['APm']
