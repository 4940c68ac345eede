"""Records and results against those of the original program."""
import json
import os

import numpy as np
import pytest

from configs import load_config
from lib.dataset import get_dataset, load_training_roidb
from lib.dataset.coco_eval import METRICS
from tests.dataset.coco_folder import make_folder, touch
from tests.detections import flat
from tests.golden import golden_file

# Of METRICS, those over objects of all sizes: the original takes an object of `area` 0 as small, whatever its box.
ALL_SIZES = [0, 1, 2, 6, 7, 8]


@pytest.fixture
def golden_folder(tmp_path):
    """A COCO folder with the golden annotation files and empty images. -> (path, golden facts)."""
    return make_golden_folder(tmp_path, lambda annotation: True)


@pytest.fixture
def folder_with_areas(tmp_path):
    """The same without annotations of `area` 0, whose boxes the original leaves out."""
    return make_golden_folder(tmp_path, lambda annotation: annotation['area'] > 0)


def make_golden_folder(tmp_path, wanted):
    with open(golden_file('pipeline/roidb_coco.json')) as stream:
        facts = json.load(stream)
    for content in facts['annotations'].values():
        content['annotations'] = list(filter(wanted, content['annotations']))
    folder = make_folder(tmp_path, facts['annotations'], image_files=False)
    for path in facts['image_paths'] + facts['minival_image_paths']:
        touch(folder, path)
    return folder, facts


def golden_records(prefix, paths):
    """Golden records by (image path, flipped): dicts of boxes, classes, overlaps, size, masks."""
    data = np.load(golden_file('pipeline/roidb_coco.npz'))

    def get(name):
        return data[f'{prefix}_{name}']

    rows = np.concatenate([[0], np.cumsum(get('n'))])
    mask_rows = np.concatenate([[0], np.cumsum(get('mask_nobj'))])
    rings = np.concatenate([[0], np.cumsum(get('mask_nseg'))])
    numbers = np.concatenate([[0], np.cumsum(get('mask_len'))])
    records = {}
    for index, path in enumerate(paths):
        part = slice(rows[index], rows[index + 1])
        masks = [[get('mask_flat')[numbers[ring]:numbers[ring + 1]] for ring in range(rings[obj], rings[obj + 1])]
                 for obj in range(mask_rows[index], mask_rows[index + 1])]
        records[path, bool(get('flipped')[index])] = {
            'boxes': get('boxes')[part], 'gt_classes': get('gt_classes')[part],
            'max_classes': get('max_classes')[part], 'max_overlaps': get('max_overlaps')[part],
            'size': get('size')[index], 'gt_masks': masks}
    return records


def assert_records_equal(roidb, expected, folder):
    found = {(os.path.relpath(record['image'], folder).replace(os.sep, '/'), record['flipped']): record
             for record in roidb}
    assert len(found) == len(roidb) and set(found) == set(expected)
    for key, record in found.items():
        for field in ('boxes', 'gt_classes', 'max_classes', 'max_overlaps'):
            np.testing.assert_allclose(record[field], expected[key][field], atol=1e-5, err_msg=f'{key} {field}')
        assert [record['width'], record['height']] == expected[key]['size'].tolist()
        assert [len(parts) for parts in record['gt_masks']] == [len(parts) for parts in expected[key]['gt_masks']]
        for ours, theirs in zip(record['gt_masks'], expected[key]['gt_masks']):
            for polygon, other in zip(ours, theirs):
                np.testing.assert_allclose(polygon, other, atol=5e-5)     # float32


def test_one_set(folder_with_areas):
    folder, facts = folder_with_areas
    dataset = get_dataset('coco', 'train2014', folder, folder, masks=True)
    assert list(dataset.classes) == facts['classes']
    assert_records_equal(dataset.roidb(), golden_records('gt', facts['image_paths']), folder)


def test_merged_mirrored_and_filtered(folder_with_areas):
    folder, facts = folder_with_areas
    config = load_config(overrides=[
        'dataset.dataset', 'coco', 'dataset.dataset_path', folder, 'dataset.image_set', 'train2014+minival2014',
        'dataset.NUM_CLASSES', '6', 'TRAIN.WITH_MASK', 'True', 'TRAIN.USE_NEG_CHIPS', 'False',
        'TRAIN.IGNORED_OBJECTS', 'background', 'TRAIN.BACKGROUND_IMAGES', '0'])
    roidb, classes = load_training_roidb(config)
    assert list(classes) == facts['classes']
    assert_records_equal(roidb, golden_records('merged', facts['merged_image_paths']), folder)
    flipped = np.load(golden_file('pipeline/roidb_coco.npz'))['merged_flipped']
    assert [record['flipped'] for record in roidb] == flipped.tolist()  # parts and copies in the same order


def test_results_and_numbers(golden_folder, tmp_path):
    with open(golden_file('pipeline/eval_coco.json')) as stream:
        golden = json.load(stream)
    folder, _ = golden_folder
    dataset = get_dataset('coco', golden['annotations_set'], folder, folder)
    ours = [dataset.image_ids.index(image_id) for image_id in golden['image_order']]
    detections = [[[] for _ in dataset.image_ids] for _ in dataset.classes]
    for label, image, *row in golden['detections']:
        detections[label][ours[image]].append(row)
    metrics = dataset.evaluate(flat(detections), str(tmp_path / 'results'))
    found, original = np.array([metrics[key] for key in METRICS]), np.array(golden['stats'])
    np.testing.assert_allclose(found[ALL_SIZES], original[ALL_SIZES], atol=1e-6)
    # The original visits images in the order of a Python 2 dictionary; ours is that of the ids.
    labels = {category['id']: label for label, category in enumerate(dataset.file.categories)}
    expected = sorted(golden['results'], key=lambda r: (labels[r['category_id']], r['image_id']))  # stable
    with open(str(tmp_path / golden['results_file'])) as stream:
        assert stream.read() == json.dumps(expected, sort_keys=True, indent=4)
