"""The data set `imagenet`: the development kit's layout, and anybody's folder a class."""
import json
import logging
import os

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset import get_dataset
from lib.dataset.class_choice import ClassChoice, OneClass
from lib.dataset.image_sets import find_image_sets
from lib.dataset.imagenet import dataset as module, reading
from lib.dataset.imagenet.layout import found_in
from lib.dataset.imagenet.result_files import read_rows
from tests.dataset.imagenet.made_up import annotation, picture, write_kit, write_set
from tests.golden import real_data


@pytest.fixture
def kit(tmp_path):
    write_kit(tmp_path / 'data', matching={0: 5, 1: 202, 2: 3})
    write_set(tmp_path / 'data')
    return str(tmp_path / 'data')


def opened(folder, image_set, **options):
    return get_dataset('imagenet', image_set, os.path.join(folder, 'own'), folder, **options)


def test_classes_are_those_of_the_cluster_file_in_its_order(kit):
    dataset = opened(kit, 'fall11_whole')
    assert dataset.wnids == ('', 'n03', 'n01', 'n02')
    assert dataset.classes == ('__background__', 'crane (n03)', 'tench, Tinca tinca', 'crane (n02)')
    assert dataset.super_classes.names == ('0',) and dataset.super_classes.of_class.tolist() == [0, 0, 0]


def test_training_pictures_come_in_the_order_of_the_index_with_labels_from_one(kit):
    roidb = opened(kit, 'fall11_whole').roidb('background')
    assert [record['image_id'] for record in roidb] == [f'{wnid}/{wnid}_{number}' for wnid in ('n01', 'n02', 'n03')
                                                        for number in (7, 2)]
    assert [record['gt_classes'].tolist() for record in roidb] == [[2], [2], [3], [3], [1], [1]]
    assert roidb[0]['boxes'].tolist() == [[2, 1, 12, 8]]   # as in the file, without -1
    assert all(os.path.isfile(record['image']) for record in roidb)


def test_test_pictures_are_kept_without_boxes_and_boxes_end_inside(kit):
    roidb = opened(kit, 'ILSVRC2013_DET_val').roidb()
    assert [record['image_id'] for record in roidb] == ['val_9', 'val_3', 'val_5']
    assert [record['boxes'].tolist() for record in roidb] == [[[0, 0, 19, 9]], [], [[0, 0, 19, 9]]]


def test_the_kit_may_lie_beside_the_data(kit, tmp_path):
    os.rename(os.path.join(kit, 'ILSVRC2014_devkit'), str(tmp_path / 'ILSVRC2014_devkit'))
    assert len(opened(kit, 'fall11_whole').roidb()) == 6
    assert opened(kit + os.sep, 'fall11_whole').num_classes == 4


def test_what_is_left_out_is_counted(kit, caplog):
    name = os.path.join(kit, 'fall11_whole_bbox', 'n01', 'n01_7.xml')
    annotation(name, [('n01', 2, 1, 12, 8), ('n01', 0, 0, 4001, 8), ('n01', 0, 0, 21, 8), ('n01', 0, 0, 5, 11),
                      ('n01', 5, 5, 5, 8), ('n01', 8, 5, 5, 8), ('n99', 1, 1, 5, 5), ('n01', 'x', 1, 5, 5)])
    annotation(os.path.join(kit, 'fall11_whole_bbox', 'n02', 'n02_2.xml'), [('n99', 1, 1, 5, 5)])
    dataset = opened(kit, 'fall11_whole')
    assert len(dataset.roidb()) == 6 and len(dataset.roidb('background')) == 5
    for said in ('1 box has a coordinate above 4000', '2 boxes reach beyond', '2 boxes are empty',
                 '2 boxes are of a class that the data set has not', '1 object has no box of four numbers',
                 '1 picture has no box of its classes and is not trained on'):
        assert said in caplog.text
    assert dataset.roidb('background')[0]['boxes'].tolist() == [[2, 1, 12, 8]]


def test_the_size_comes_from_the_picture_where_the_annotation_has_none(kit):
    annotation(os.path.join(kit, 'fall11_whole_bbox', 'n01', 'n01_7.xml'), [('n01', 2, 1, 12, 8)], size=None)
    record = opened(kit, 'fall11_whole').roidb()[0]
    assert (record['width'], record['height']) == (20, 10)


def test_plain_folders(tmp_path, caplog):
    folder = str(tmp_path)
    picture(tmp_path / 'train' / 'dog' / 'b.png')
    annotation(tmp_path / 'train' / 'dog' / 'b.xml', [('Dog', 2, 1, 12, 8), ('cat', 0, 0, 5, 5)])
    picture(tmp_path / 'train' / 'cat' / 'a.jpg')
    annotation(tmp_path / 'train_bbox' / 'cat' / 'a.xml', [('cat', 0, 0, 5, 5)])
    picture(tmp_path / 'train' / 'cat' / 'c.jpg')
    picture(tmp_path / 'val' / 'emu' / 'e.jpg')
    dataset = opened(folder, 'train')
    assert dataset.classes == ('__background__', 'cat', 'dog', 'emu')
    assert [record['image_id'] for record in dataset.roidb()] == ['cat/a', 'cat/c', 'dog/b']
    assert [record['gt_classes'].tolist() for record in dataset.roidb('background')] == [[1], [2, 1]]
    assert '1 picture has no box of its classes and is not trained on' in caplog.text
    assert '1 class without a box cannot be learnt: emu' in caplog.text
    assert dataset.super_classes.names == ('object',)
    (tmp_path / 'classes.txt').write_text('emu\ndog\ncat\n')
    (tmp_path / 'superclasses.json').write_text(json.dumps({'beast': ['Cat', 'dog'], 'bird': ['emu']}))
    dataset = opened(folder, 'train')
    assert dataset.classes[1:] == ('emu', 'dog', 'cat')
    assert dataset.super_classes.names == ('beast', 'bird')
    assert dataset.super_classes.of_class.tolist() == [1, 0, 0]


def test_plain_folders_without_sets_and_a_list(tmp_path):
    for name in ('dog/a', 'dog/b', 'cat/c'):
        picture(tmp_path / (name + '.jpg'))
        annotation(tmp_path / (name + '.xml'), [(name[:3], 2, 1, 12, 8)])
    assert opened(str(tmp_path), 'all').image_ids == ['cat/c', 'dog/a', 'dog/b']
    (tmp_path / 'mine.txt').write_text('dog/b\ncat/c\n')
    assert opened(str(tmp_path), 'mine').image_ids == ['dog/b', 'cat/c']


def test_a_list_of_names_with_blanks_and_endings(tmp_path, caplog):
    for name in ('Bär groß/Bär 12', 'Bär groß/b.c', 'bus stop/a'):
        picture(tmp_path / (name + '.jpg'))
        annotation(tmp_path / (name + '.xml'), [(os.path.dirname(name), 2, 1, 12, 8)])
    (tmp_path / 'mine.txt').write_text('Bär groß/Bär 12\nbus stop/a.jpg\nBär groß/b.c\n', encoding='utf-8')
    assert opened(str(tmp_path), 'mine').image_ids == ['Bär groß/Bär 12', 'bus stop/a', 'Bär groß/b.c']
    assert not caplog.text
    (tmp_path / 'mine.txt').write_text('bus stop/a\nbus stop/a.jpg\nbus stop/a.png\n')
    assert opened(str(tmp_path), 'mine').image_ids == ['bus stop/a']
    assert 'names 2 pictures more than once' in caplog.text


def test_chosen_classes_keep_their_super_class_and_their_class_of_det(kit, tmp_path):
    (tmp_path / 'data' / 'superclasses.json').write_text(json.dumps({'a': ['n02'], 'b': ['n01', 'n03']}))
    dataset = opened(kit, 'fall11_whole', choice=ClassChoice(['heron = crane (n02)', 'crane (n03)']))
    assert dataset.classes == ('__background__', 'heron', 'crane (n03)') and dataset.wnids == ('', 'n02', 'n03')
    assert dataset.super_classes.names == ('a', 'b') and dataset.super_classes.of_class.tolist() == [0, 1]
    assert [record['gt_classes'].tolist() for record in dataset.roidb('background')] == [[1], [1], [2], [2]]
    assert dataset._det_classes().tolist() == [3, 5]
    one = opened(kit, 'fall11_whole', choice=OneClass())
    assert one.classes == ('__background__', 'object') and {label for record in one.roidb('background')
                                                            for label in record['gt_classes'].tolist()} == {1}
    assert one._det_classes().tolist() == [0]   # no class of DET is all of them


def test_evaluation_writes_the_official_files(kit, tmp_path):
    dataset = opened(kit, 'ILSVRC2013_DET_val')
    found = Detections([2, 0, 0, 1], [2, 3, 3, 1], [[0, 0, 19, 9], [0, 0, 19, 9], [0, 0, 4, 4], [1, 2, 3, 4.126]],
                       [0.5, 0.25, 0.0004, 0.75])
    metrics = dataset.evaluate(found, str(tmp_path / 'out'))
    assert set(dataset.own_scores) <= set(metrics)
    assert (tmp_path / 'out' / 'det_val_pred.txt').read_text().splitlines() == [
        '1 2 0.250000 1.00 1.00 20.00 10.00', '1 2 0.000400 1.00 1.00 5.00 5.00', '2 0 0.750000 2.00 3.00 4.00 5.13',
        '3 1 0.500000 1.00 1.00 20.00 10.00']
    # Class 2 is 3 of DET, class 0 is 5, class 1 is none of it.
    assert (tmp_path / 'out' / 'modified_det_val_pred.txt').read_text().splitlines() == [
        '1 3 0.250000 1.00 1.00 20.00 10.00', '2 5 0.750000 2.00 3.00 4.00 5.13']
    assert metrics['mAP'] == 1.0 and metrics['per_class'] == {'crane (n02) (DET 3)': 1.0}
    assert json.loads((tmp_path / 'out' / 'det_val_metrics.json').read_text()) == metrics
    part = dataset.part([2])
    part.evaluate(found.of_image(2).replace(image=[0]), str(tmp_path / 'part'))
    assert read_rows(str(tmp_path / 'part' / 'det_val_pred.txt')).image.tolist() == [3]


def test_without_boxes_nothing_is_scored(tmp_path):
    picture(tmp_path / 'all' / 'dog' / 'a.jpg')
    dataset = opened(str(tmp_path), 'all')
    assert dataset.evaluate(Detections([0], [1], [[0, 0, 5, 5]], [0.5]), str(tmp_path / 'out')) is None
    assert (tmp_path / 'out' / 'det_all_pred.txt').read_text() == '1 0 0.500000 1.00 1.00 6.00 6.00\n'


def test_the_cache_is_read_until_a_file_changes(kit, monkeypatch, caplog):
    monkeypatch.setattr(module, 'WORTHWHILE', 1)
    caplog.set_level(logging.INFO)
    first = opened(kit, 'fall11_whole').roidb()
    again = opened(kit, 'fall11_whole').roidb()
    assert caplog.text.count('records written to') == 1 and caplog.text.count('records read from') == 1
    assert [record['image'] for record in again] == [record['image'] for record in first]
    np.testing.assert_array_equal(again.columns['boxes'], first.columns['boxes'])
    annotation(os.path.join(kit, 'fall11_whole_bbox', 'n01', 'n01_7.xml'), [('n01', 2, 1, 13, 8), ('n01', 2, 1, 9, 9)])
    assert opened(kit, 'fall11_whole').roidb()[0]['boxes'].tolist() == [[2, 1, 13, 8], [2, 1, 9, 9]]


def test_processes_read_what_one_reads(kit, monkeypatch):
    one = opened(kit, 'fall11_whole').roidb()
    monkeypatch.setattr(reading, 'WORTH_PROCESSES', 1)
    monkeypatch.setattr(reading, 'PIECE', 2)
    monkeypatch.setattr(reading, 'num_cores', lambda: 2)
    several = opened(kit, 'fall11_whole').roidb()
    np.testing.assert_array_equal(one.columns['boxes'], several.columns['boxes'])
    assert one.image_ids() == several.image_ids()


def test_the_real_layout(tmp_path):
    path = real_data('imagenet_tiny24')
    dataset = get_dataset('imagenet', 'fall11_whole', str(tmp_path), path)
    roidb = dataset.roidb('background')
    assert (dataset.num_classes, len(roidb)) == (25, 1436)     # 1,440 pictures, four have an empty box
    assert dataset.wnids[1] == 'n02099601' and dataset.classes[1] == 'golden retriever'
    assert set(np.unique(roidb.columns['gt_classes'])) == set(range(1, 25))
    tested = get_dataset('imagenet', 'ILSVRC2013_DET_val', str(tmp_path), path)
    truth = tested.truth()
    assert len(tested.roidb()) == 480
    found = Detections(truth.image, truth.label, truth.box, np.linspace(0.5, 1, len(truth.label)))
    assert tested.evaluate(found, str(tmp_path))['mAP'] == 1.0


def test_folders_are_recognised(kit, tmp_path):
    assert checked(kit) == ('imagenet', ('ILSVRC2013_DET_val', 'fall11_whole'), ('fall11_whole',), 'ILSVRC2013_DET_val')
    plain = tmp_path / 'plain'
    for image_set, boxes in (('train', 'train_bbox'), ('val', 'val')):
        picture(plain / image_set / 'dog' / 'a.jpg')
        assert not found_in(str(plain)) or image_set == 'val'     # pictures alone are anything
        annotation(plain / boxes / 'dog' / 'a.xml', [('dog', 2, 1, 12, 8)])
    assert checked(plain) == ('imagenet', ('train', 'val'), ('train',), 'val')
    picture(tmp_path / 'voc' / 'JPEGImages' / 'a.jpg')
    annotation(tmp_path / 'voc' / 'Annotations' / 'a.xml', [('dog', 2, 1, 12, 8)])
    picture(tmp_path / 'export' / 'train' / 'a.jpg')
    annotation(tmp_path / 'export' / 'train' / 'a.xml', [('dog', 2, 1, 12, 8)])
    assert checked(tmp_path / 'voc')[0] == checked(tmp_path / 'export')[0] == 'PascalVOC'


def checked(folder):
    found = find_image_sets(str(folder))
    return found.format, tuple(sorted(found.names)), found.training, found.test
