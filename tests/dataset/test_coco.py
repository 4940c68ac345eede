"""COCO loader: records, order, image paths, masks."""
import os

import numpy as np
import pytest

from lib.dataset import get_dataset
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder, touch


def load(folder, image_set='train2017', masks=False):
    return get_dataset('coco', image_set, folder, folder, masks=masks)


def test_record(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({3: [(7, 10, 20, 30, 40)]})})
    dataset = load(folder)
    record, = dataset.roidb()
    assert dataset.classes == ('__background__', 'cat', 'dog')
    assert dataset.num_classes == 3
    assert record['boxes'].tolist() == [[10, 20, 39, 59]] and record['boxes'].dtype == np.float32
    assert record['gt_classes'].tolist() == [2] and record['gt_classes'].dtype == np.int32
    assert record['max_classes'].tolist() == [2] and record['max_classes'].dtype == np.int64
    assert record['max_overlaps'].tolist() == [1] and record['max_overlaps'].dtype == np.float32
    assert (record['width'], record['height'], record['image_id']) == (100, 80, 3)
    assert record['flipped'] is False and 'gt_masks' not in record


def test_order_is_that_of_sorted_ids(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({12: [], 'b': [], 2: [], 'a': [], 1000000007: []})})
    assert [record['image_id'] for record in load(folder).roidb()] == [2, 12, 1000000007, 'a', 'b']


@pytest.mark.parametrize('box, expected', [
    ((-5, -5, 20, 20), [0, 0, 14, 14]),
    ((-40, 30, 60, 40), [0, 30, 19, 69]),
    ((30, -40, 50, 60), [30, 0, 79, 19]),
    ((-10, -10, 300, 300), [0, 0, 99, 79]),
    ((-0.4, 3, 10, 10), [0, 3, 8, 12]),
    ((90, 70, 50, 50), [90, 70, 99, 79]),
    ((1.9, 2.9, 3.9, 3.9), [1, 2, 4, 5]),  # truncated, not rounded
    ((5, 5, 1, 1), [5, 5, 5, 5]),
    ((5, 5, 0.5, 0.5), [5, 5, 5, 5]),
])
def test_corners(tmp_path, box, expected):
    folder = make_folder(tmp_path, {'train2017': content({1: [(1,) + box]})})
    assert load(folder).roidb()[0]['boxes'].tolist() == [expected]


@pytest.mark.parametrize('box', [(5, 5, 0, 9), (5, 5, 9, 0), (5, 5, -3, 9), (100, 5, 9, 9), (5, 80, 9, 9),
                                 (-30, 5, 20, 9), (5, -9, 9, 9), (-20, 5, 20, 9), (5, -8.5, 9, 9)])
def test_boxes_without_area_in_the_image_are_left_out_and_counted(tmp_path, caplog, box):
    folder = make_folder(tmp_path, {'train2017': content({1: [(1,) + box, (1, 1, 1, 5, 5)]})})
    record, = load(folder).roidb()
    assert record['boxes'].tolist() == [[1, 1, 5, 5]]
    assert 'instances_train2017.json: 1 box lies outside' in caplog.text


def test_crowd_is_left_out(tmp_path):
    file = content({1: [(1, 1, 1, 5, 5), (7, 2, 2, 5, 5)]})
    file['annotations'][0].update(iscrowd=1, segmentation={'size': [80, 100], 'counts': [8000]})
    dataset = load(make_folder(tmp_path, {'train2017': file}), masks=True)
    record, = dataset.roidb()
    assert record['gt_classes'].tolist() == [2] and len(record['gt_masks']) == 1 and not record['crowd'].any()
    record, = dataset.roidb('objects')
    assert record['gt_classes'].tolist() == [1, 2] and len(record['gt_masks']) == 2
    assert record['crowd'].tolist() == [True, False]


def test_image_without_annotations(tmp_path):
    record, = load(make_folder(tmp_path, {'train2017': content({1: []})})).roidb()
    assert record['boxes'].shape == (0, 4) and record['max_overlaps'].shape == (0,)


def test_masks(tmp_path):
    file = content({1: [(1, 1, 1, 5, 5)] * 3})
    file['annotations'][0]['segmentation'] = [[1, 1, 5, 1, 5, 5], [2, 2, 3, 3]]  # the second is no polygon
    file['annotations'][1]['segmentation'] = {'size': [80, 100], 'counts': [8000]}
    del file['annotations'][2]['segmentation']
    record, = load(make_folder(tmp_path, {'train2017': file}), masks=True).roidb()
    assert [len(parts) for parts in record['gt_masks']] == [1, 0, 0]
    assert record['gt_masks'][0][0].tolist() == [1, 1, 5, 1, 5, 5]
    assert record['gt_masks'][0][0].dtype == np.float32
    assert record['gt_masks'][-3][0].tolist() == [1, 1, 5, 1, 5, 5]
    with pytest.raises(IndexError):
        record['gt_masks'][3]


def test_objects_without_outline_are_counted(tmp_path, caplog):
    file = content({1: [(1, 1, 1, 5, 5)] * 4, 2: [(1, 1, 1, 5, 5)]})
    file['annotations'][0]['segmentation'] = [[1, 1, 5, 1]]
    file['annotations'][1]['segmentation'] = []
    del file['annotations'][4]['segmentation']
    folder = make_folder(tmp_path, {'train2017': file})
    assert len(load(folder).roidb()) == 2 and 'segmentation' not in caplog.text
    load(folder, masks=True).roidb()
    assert 'instances_train2017.json: 3 objects have no usable segmentation' in caplog.text
    assert '(annotation 1, 2, 5)' in caplog.text


@pytest.mark.parametrize('segmentation', [None, [], [[1, 1, 5, 1]]])
def test_masks_need_outlines(tmp_path, segmentation):
    file = content({1: [(1, 1, 1, 5, 5)], 2: []})
    file['annotations'][0].update(segmentation=segmentation)
    folder = make_folder(tmp_path, {'train2017': file})
    with pytest.raises(SniperError, match='no object of .*instances_train2017.json has a usable segmentation'):
        load(folder, masks=True).roidb()
    assert len(load(folder).roidb()) == 2


def test_masks_need_no_objects(tmp_path):
    """That nothing can be trained on is said by others, who see all sets."""
    folder = make_folder(tmp_path, {'train2017': content({1: []})})
    assert len(load(folder, masks=True).roidb()) == 1


@pytest.mark.parametrize('image_set, place', [
    ('train2017', 'images/train2017/1.jpg'),
    ('train2017', 'images/train2017/COCO_train2017_000000000001.jpg'),
    ('train2017', 'images/1.jpg'),
    ('minival2014', 'images/val2014/1.jpg'),
    ('valminusminival2014', 'images/val2014/COCO_val2014_000000000001.jpg'),
    ('sminival2014', 'images/val2014/COCO_val2014_000000000001.jpg'),
])
def test_image_places(tmp_path, image_set, place):
    folder = make_folder(tmp_path, {image_set: content({1: []})}, image_files=False)
    expected = touch(folder, place)
    assert load(folder, image_set).roidb()[0]['image'] == expected


def test_file_name_is_the_first_choice(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: []})}, image_files=False)
    touch(folder, 'images/1.jpg')
    touch(folder, 'images/train2017/COCO_train2017_000000000001.jpg')
    first = touch(folder, 'images/train2017/1.jpg')
    assert load(folder).roidb()[0]['image'] == first
    os.remove(first)
    assert os.path.basename(load(folder).roidb()[0]['image']) == 'COCO_train2017_000000000001.jpg'


@pytest.mark.parametrize('image_set, folder_name', [('test-dev2015', 'test2015'), ('test-dev2017', 'test2017')])
def test_sets_without_ground_truth(tmp_path, image_set, folder_name):
    file = content({1: [], 2: []})
    del file['annotations']
    folder = make_folder(tmp_path, {f'image_info_{image_set}.json': file}, image_files=False)
    expected = touch(folder, 'images', folder_name, '1.jpg')
    dataset = load(folder, image_set)
    assert dataset.roidb()[0]['image'] == expected and not dataset.file.has_annotations


def test_a_set_named_test_may_have_ground_truth(tmp_path):
    folder = make_folder(tmp_path, {'test2017': content({1: [(1, 1, 1, 5, 5)]}),
                                    'image_info_test2017.json': content({1: []})})
    assert len(load(folder, 'test2017').roidb()[0]['boxes']) == 1
