"""Results file and metrics of masks."""
import json
import logging
import os

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lib.dataset import get_dataset
from lib.dataset.coco_eval import METRICS, true_masks
from lib.dataset.coco_file import CocoFile
from tests.dataset.coco_folder import make_folder
from tests.detections import flat

WIDTH, HEIGHT = 90, 70
TRIANGLE = [[10, 10, 40, 12, 22, 40]]
TWO_PARTS = [[50, 5, 60, 5, 60, 20, 50, 20], [65, 5, 70, 5, 68, 30]]


def code_of(picture):
    return coco_mask.encode(np.asfortranarray(picture, dtype=np.uint8))['counts']


def code_of_polygons(polygons):
    return coco_mask.merge(coco_mask.frPyObjects(polygons, HEIGHT, WIDTH))['counts']


def annotation(identity, image, category, segmentation, box=(5, 5, 40, 40), **more):
    return dict({'id': identity, 'image_id': image, 'category_id': category, 'bbox': list(box), 'area': 500,
                 'segmentation': segmentation, 'iscrowd': 0}, **more)


def content(*annotations):
    return {'images': [{'id': number, 'file_name': f'{number}.jpg', 'width': WIDTH, 'height': HEIGHT}
                       for number in (3, 8)],
            'categories': [{'id': 1, 'name': 'cat'}, {'id': 7, 'name': 'dog'}], 'annotations': list(annotations)}


FILE = content(annotation(1, 3, 1, TRIANGLE), annotation(2, 3, 7, TWO_PARTS), annotation(3, 8, 7, TRIANGLE))


def open_set(tmp_path, file=FILE):
    folder = make_folder(tmp_path, {'val': file})
    return get_dataset('coco', 'val', folder, folder)


ROW = np.array([[5, 5, 44, 44, 0.9]], np.float32)
NOTHING = np.zeros((0, 5), np.float32)


def perfect():
    """Detections and masks of FILE."""
    detections = [[NOTHING] * 2, [ROW, NOTHING], [ROW, ROW]]
    masks = [[[], []], [[code_of_polygons(TRIANGLE)], []], [[code_of_polygons(TWO_PARTS)],
                                                            [code_of_polygons(TRIANGLE)]]]
    return detections, masks


def read(tmp_path, name):
    with open(os.path.join(str(tmp_path / 'out'), name)) as stream:
        return stream.read()


def test_perfect_masks(tmp_path):
    detections, masks = perfect()
    metrics = open_set(tmp_path).evaluate(flat(detections, masks), str(tmp_path / 'out'))
    assert metrics['segm']['AP'] == metrics['segm']['AP50'] == pytest.approx(1)
    assert set(METRICS) < set(metrics['segm']) and metrics['segm']['per_class'] == pytest.approx({'cat': 1, 'dog': 1})
    assert metrics['AP'] == pytest.approx(1)
    assert json.loads(read(tmp_path, 'detections_val_metrics.json')) == metrics


def test_masks_count_not_boxes(tmp_path):
    detections, masks = perfect()
    masks[2][0] = [code_of(np.zeros((HEIGHT, WIDTH)))]
    masks[1][0] = [code_of_polygons([[10, 10, 40, 10, 40, 40, 10, 40]])]  # the triangle is about half of it
    metrics = open_set(tmp_path).evaluate(flat(detections, masks), str(tmp_path / 'out'))
    assert metrics['AP'] == pytest.approx(1)
    assert metrics['segm']['per_class']['cat'] < 0.2
    assert metrics['segm']['per_class']['dog'] == pytest.approx(51 / 101 / 2)  # the second of two is right


def test_results_file_is_what_pycocotools_reads(tmp_path):
    detections, masks = perfect()
    masks[2][1] = [code_of_polygons([[10, 10, 40, 12, 24, 30]])]
    metrics = open_set(tmp_path).evaluate(flat(detections, masks), str(tmp_path / 'out'))
    text = read(tmp_path, 'detections_val_segm_results.json')
    results = json.loads(text)
    assert text == json.dumps(results, sort_keys=True, indent=4) and len(results) == 3
    truth = COCO(str(tmp_path / 'annotations' / 'instances_val.json'))
    evaluator = COCOeval(truth, truth.loadRes(str(tmp_path / 'out' / 'detections_val_segm_results.json')), 'segm')
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    assert 0.5 < evaluator.stats[0] < 1
    np.testing.assert_allclose([metrics['segm'][name] for name in METRICS], evaluator.stats)


def test_detections_without_mask_are_left_out(tmp_path, caplog):
    detections, masks = perfect()
    masks[2][0] = [b'']
    with caplog.at_level(logging.INFO):
        metrics = open_set(tmp_path).evaluate(flat(detections, masks), str(tmp_path / 'out'))
    assert '2 masks written to' in caplog.text and '1 detections have none' in caplog.text
    assert len(json.loads(read(tmp_path, 'detections_val_segm_results.json'))) == 2
    assert metrics['segm']['per_class']['dog'] == pytest.approx(0.505, abs=0.01)


def test_no_detection(tmp_path):
    nothing = [[NOTHING] * 2] * 3
    metrics = open_set(tmp_path).evaluate(flat(nothing, [[[], []]] * 3), str(tmp_path / 'out'))
    assert read(tmp_path, 'detections_val_segm_results.json') == '[]' and metrics['segm']['AP'] == 0


def test_without_masks_there_is_no_file(tmp_path):
    metrics = open_set(tmp_path).evaluate(flat(perfect()[0]), str(tmp_path / 'out'))
    assert 'segm' not in metrics and not (tmp_path / 'out' / 'detections_val_segm_results.json').exists()


def test_set_without_segmentations(tmp_path, caplog):
    file = content(annotation(1, 3, 1, []))
    del file['annotations'][0]['segmentation']
    with caplog.at_level(logging.INFO):
        metrics = open_set(tmp_path, file).evaluate(flat(*perfect()), str(tmp_path / 'out'))
    assert 'segm' not in metrics and 'has no segmentations: masks are not scored' in caplog.text
    assert len(json.loads(read(tmp_path, 'detections_val_segm_results.json'))) == 3


CROWD = np.zeros((HEIGHT, WIDTH), bool)
CROWD[5:45, 5:45] = True
COUNTS = [int(n) for n in np.diff(np.flatnonzero(np.diff(np.concatenate([[0], CROWD.T.reshape(-1), [0]]))))]
COUNTS = [5 * HEIGHT + 5] + COUNTS + [WIDTH * HEIGHT - 5 * HEIGHT - 5 - sum(COUNTS)]


@pytest.mark.parametrize('segmentation', [{'size': [HEIGHT, WIDTH], 'counts': COUNTS},
                                          {'size': [HEIGHT, WIDTH], 'counts': code_of(CROWD).decode()}])
def test_crowd(tmp_path, segmentation):
    """Masks within a crowd are not wrong."""
    file = content(annotation(1, 3, 1, segmentation, iscrowd=1), annotation(2, 8, 1, TRIANGLE))
    detections = [[NOTHING] * 2, [np.repeat(ROW, 3, axis=0), ROW * np.float32([1, 1, 1, 1, 0.5])], [NOTHING] * 2]
    inside = code_of_polygons([[8, 8, 20, 8, 20, 20, 8, 20]])
    masks = [[[], []], [[inside] * 3, [code_of_polygons(TRIANGLE)]], [[], []]]
    metrics = open_set(tmp_path, file).evaluate(flat(detections, masks), str(tmp_path / 'out'))
    assert metrics['segm']['AP'] == pytest.approx(1)


@pytest.mark.parametrize('segmentation', [
    [], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5, None]], 'text', {'size': [5, 5], 'counts': [25]},
    {'size': [HEIGHT, WIDTH], 'counts': [10, -10, WIDTH * HEIGHT]}, {'size': [HEIGHT, WIDTH], 'counts': 'zz'},
    {'counts': []}, {}])
def test_objects_without_usable_outline(tmp_path, segmentation, caplog):
    file = content(annotation(1, 3, 1, segmentation), annotation(2, 8, 1, TRIANGLE))
    path = os.path.join(make_folder(tmp_path, {'val': file}), 'annotations', 'instances_val.json')
    with caplog.at_level(logging.WARNING):
        broken, fine = true_masks(CocoFile(path, True))
    assert broken['iscrowd'] == 1 and fine['iscrowd'] == 0
    np.testing.assert_array_equal(coco_mask.decode(broken['segmentation']), CROWD)
    assert 'no usable segmentation' in caplog.text


@pytest.mark.parametrize('segmentation, area', [
    ([[10, 10, 1e6, 10, 10, 1e6]], (80 * 60, 80 * 60)),           # corners far outside: moved in
    ([[0, 0, 20, 20, 20, 0, 0, 20]], (150, 250)),                  # crosses itself
    ([[10, 10, 12, 12], TRIANGLE[0]], (400, 440)),                 # a part of two points is left out
    (TRIANGLE[0], (400, 440)),                                     # no list around it
])
def test_odd_outlines(tmp_path, segmentation, area):
    path = os.path.join(make_folder(tmp_path, {'val': content(annotation(1, 3, 1, segmentation))}), 'annotations',
                        'instances_val.json')
    record, = true_masks(CocoFile(path, True))
    assert area[0] <= coco_mask.area(record['segmentation']) <= area[1]


def test_a_box_far_outside_instead_of_an_outline(tmp_path):
    """pycocotools walks along the border step by step."""
    file = content(dict(annotation(1, 3, 1, []), bbox=[-5e8, 10, 9e8, 20]))
    path = os.path.join(make_folder(tmp_path, {'val': file}), 'annotations', 'instances_val.json')
    record, = true_masks(CocoFile(path, True))
    assert coco_mask.area(record['segmentation']) == 20 * WIDTH


def test_many_corners(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 20000)
    ring = np.stack([45 + 30 * np.cos(angle), 35 + 30 * np.sin(angle)], 1).reshape(-1).tolist()
    path = os.path.join(make_folder(tmp_path, {'val': content(annotation(1, 3, 1, [ring]))}), 'annotations',
                        'instances_val.json')
    record, = true_masks(CocoFile(path, True))
    assert coco_mask.area(record['segmentation']) == pytest.approx(np.pi * 900, rel=0.02)
