"""What is wrong with a user's files gives one clear line."""
import json
import os
import pickle

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.dataset import get_dataset
from lib.dataset.class_choice import ClassChoice
from lib.dataset.imagenet.devkit import read_list
from lib.dataset.imagenet.result_files import Rows, as_written, read_rows, write_rows
from lib.dataset.imagenet.super_classes import read_super_classes
from lib.utils.errors import SniperError
from tests.dataset.imagenet.made_up import DEVKIT, annotation, dump, hostile, picture, write_kit, write_set


@pytest.fixture
def kit(tmp_path):
    write_kit(tmp_path / 'data')
    write_set(tmp_path / 'data')
    return tmp_path / 'data'


def opened(folder, image_set='fall11_whole', **options):
    return get_dataset('imagenet', image_set, str(folder), str(folder), **options)


def refusal(function, *arguments, **options):
    """The one line of a SniperError."""
    with pytest.raises(SniperError) as caught:
        function(*arguments, **options)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_an_index_that_names_no_folder(kit, caplog):
    (kit / DEVKIT / 'data' / '3kcls_index.txt').write_text('n77/n77_1\nn78/n78_1\n')
    said = refusal(opened, kit)
    assert '3kcls_index.txt names no folder that is in' in said and 'n77/n77_1' in said
    (kit / DEVKIT / 'data' / '3kcls_index.txt').write_text('n77/n77_1\nn01/n01_7\nn01/n01_7\n')
    assert opened(kit).image_ids == ['n01/n01_7']
    assert 'names 1 folder that is not in' in caplog.text and '(n77)' in caplog.text
    assert 'names 1 picture more than once' in caplog.text


def test_a_list_that_names_missing_pictures(kit, caplog):
    with open(str(kit / DEVKIT / 'data' / 'det_lists' / 'val.txt'), 'a') as stream:
        stream.write('val_77 4\nval_78 5\n')
    annotation(kit / 'ILSVRC2013_DET_val_bbox' / 'val_78.xml', [('n01', 0, 0, 5, 5)])
    dataset = opened(kit, 'ILSVRC2013_DET_val')
    # One without a picture is tested, as without detections, if its annotation says its size.
    assert dataset.image_ids == ['val_9', 'val_3', 'val_5', 'val_78']
    assert '1 picture is not there or cannot be read' in caplog.text and 'val_77' in caplog.text
    dataset.evaluate(Detections([3], [1], [[0, 0, 5, 5]], [0.5]), str(kit / 'out'))
    assert read_rows(str(kit / 'out' / 'det_val_pred.txt')).image.tolist() == [5]   # its place in the list
    (kit / DEVKIT / 'data' / 'det_lists' / 'val.txt').write_text('val_77 1\n')
    assert 'none of the 1 pictures of ImageNet_ILSVRC2013_DET_val is there and' in refusal(
        opened(kit, 'ILSVRC2013_DET_val').roidb)


def test_a_class_folder_without_pictures_and_one_with_a_single_picture(tmp_path, caplog):
    picture(tmp_path / 'train' / 'dog' / 'a.jpg')
    os.makedirs(str(tmp_path / 'train' / 'cat'))
    assert opened(tmp_path, 'train').classes[1:] == ('cat', 'dog')
    assert '1 class has no picture (cat)' in caplog.text
    assert '1 class has one picture, too little to learn from (dog)' in caplog.text
    os.remove(str(tmp_path / 'train' / 'dog' / 'a.jpg'))
    (tmp_path / 'classes.txt').write_text('dog\n')
    assert 'holds no picture, neither itself nor in the folders of its classes' in refusal(opened, tmp_path, 'train')


def test_pictures_without_boxes_are_for_few_shot(tmp_path):
    picture(tmp_path / 'train' / 'dog' / 'a.jpg')
    assert len(opened(tmp_path, 'train').roidb()) == 1
    said = refusal(opened(tmp_path, 'train').roidb, 'background')
    assert 'no picture of ImageNet_train' in said and 'python -m lib.fewshot' in said


@pytest.mark.parametrize('name', ['data/3kcls_cluster_result1.txt', 'data/wnid_name_dict.txt',
                                  'evaluation/3k_1C_pred/3k_1C_matching.txt'])
def test_hostile_pickles_are_not_run(kit, name, tmp_path):
    path = kit / DEVKIT / name
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    hostile(path)
    with open(str(path), 'rb') as stream:
        assert b'system' in stream.read()
    said = refusal(lambda: opened(kit)._det_classes())
    assert os.path.basename(name) in said and 'system' in said
    assert not os.path.exists('/tmp/this_must_not_be')


def test_cluster_files(kit):
    path = kit / DEVKIT / 'data' / '3kcls_cluster_result1.txt'
    for content, words in (({0: ['n01', 'n02'], 1: ['n01']}, 'names 1 classes twice: n01'),
                           ({0: ['n01', '../../n02']}, "'../../n02' is no name of a folder"),
                           ({0: ['n01', '.hidden']}, 'is no name of a folder'),
                           ({0: []}, 'super-class 0 has to hold a list'), ({}, 'is wanted as a pickle of'),
                           ([1, 2], 'got list'), ({0: [7]}, 'has to hold a list of names')):
        dump(path, content)
        assert words in refusal(opened, kit)
    os.remove(str(path))
    assert 'has no 3kcls_cluster_result1.txt' in refusal(opened, kit)
    with open(str(path), 'wb') as stream:
        stream.write(b'n01 n02\n')
    assert '3kcls_cluster_result1.txt' in refusal(opened, kit)


def test_a_matching_of_another_kit(kit):
    dump(kit / DEVKIT / 'evaluation' / '3k_1C_pred' / '3k_1C_matching.txt', {0: 1, 7: 2})
    assert 'for 3 classes: is it of another kit?' in refusal(opened(kit)._det_classes)


def test_broken_annotations(kit, caplog):
    boxes = kit / 'fall11_whole_bbox'
    (boxes / 'n01' / 'n01_7.xml').write_text('<annotation><object>')
    dataset = opened(kit)
    assert len(dataset.roidb()) == 5
    assert '1 annotation file cannot be used and is left out with its picture' in caplog.text
    assert 'is not valid XML' in caplog.text
    for name in ('n01/n01_2', 'n02/n02_7', 'n02/n02_2'):
        (boxes / (name + '.xml')).write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>')
    assert '(4 of 6 annotation files cannot be used)' in refusal(opened(kit).roidb)


def test_names_that_lead_elsewhere(tmp_path):
    path = tmp_path / 'list.txt'
    for name in ('../x', '/etc/passwd', 'a/../b', 'a\\b', 'a/.b'):
        path.write_text(f'n01/n01_1\n{name} 2\n')
        assert 'line 2' in refusal(read_list, str(path))
    path.write_text('\n')
    assert 'names no picture' in refusal(read_list, str(path))


def test_sets_and_folders_that_are_not_there(kit, tmp_path):
    assert 'is missing' in refusal(opened, tmp_path / 'nowhere', 'train')
    picture(tmp_path / 'plain' / 'train' / 'dog' / 'a.jpg')
    said = refusal(opened, tmp_path / 'plain', 'val')
    assert "has no image set 'val': sets there: train" in said
    os.makedirs(str(tmp_path / 'empty'))
    assert 'holds no folders of classes' in refusal(opened, tmp_path / 'empty', 'train')
    assert 'has no masks' in refusal(opened, kit, masks=True)
    assert 'ignores classes' in refusal(opened, kit, choice=ClassChoice(['crane (n03)', 'ignore = crane (n02)']))
    assert 'heron' in refusal(opened, kit, choice=ClassChoice(['crane (n03)', 'heron']))


@pytest.mark.parametrize('content, words', [
    ({'beast': ['cat', 'dog'], 'bird': ['emu', 'gnu']}, '1 classes are not among the 3 of the data set: gnu'),
    ({'beast': ['cat', 'dog']}, '1 of 3 classes are in no super-class: emu'),
    ({'beast': ['cat', 'dog'], 'bird': ['emu', 'cat']}, "the class 'cat' stands twice, in 'beast' and in 'bird'"),
    ({'beast': 'cat'}, "'beast' has to hold a list"), (['cat'], 'are wanted as'), ({}, 'are wanted as'),
    ('{"a": ["cat"], "a": ["dog", "emu"]}', 'have a twice'), ('{"a": [', 'are no JSON'), ('[' * 99999, 'are no JSON')])
def test_super_classes(tmp_path, content, words):
    path = tmp_path / 'superclasses.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert words in refusal(read_super_classes, str(path), ['cat', 'dog', 'emu'])


def test_super_classes_of_a_pickle(tmp_path):
    path = tmp_path / 'clusters.txt'
    dump(path, {0: ['n2'], 3: ['n1', 'n3']})
    found = read_super_classes(str(path), ['cat', 'dog', 'emu'], ['n1', 'n2', 'n3'])
    assert found.names == ('0', '3') and found.of_class.tolist() == [1, 0, 1]
    with open(str(path), 'wb') as stream:
        pickle.dump({'a': ['cat', 'dog'], 'b': ['n3']}, stream, 4)
    assert read_super_classes(str(path), ['cat', 'dog', 'emu'], ['n1', 'n2', 'n3']).of_class.tolist() == [0, 0, 1]
    assert 'is missing' in refusal(read_super_classes, str(tmp_path / 'no.json'), ['cat'])


def test_result_files_are_read_back(tmp_path):
    rng = np.random.default_rng(2)
    found = Detections(rng.integers(0, 9, 300), rng.integers(1, 3131, 300), rng.uniform(0, 500, (300, 4)),
                       rng.random(300))
    rows = as_written(found, np.arange(9) + 1)
    path = str(tmp_path / 'out' / 'det_val_pred.txt')
    write_rows(path, rows)
    again = read_rows(path)
    for name in Rows._fields:
        np.testing.assert_array_equal(getattr(again, name), getattr(rows, name))
    for line in ('1 2 0.5 1 2 3', '1 2 0.5 1 2 3 4 5', '1 2 x 1 2 3 4', '1.5 2 0.5 1 2 3 4', '1 2 nan 1 2 3 4'):
        with open(path, 'a') as stream:
            stream.write(line + '\n')
        assert 'line 301: seven numbers are wanted' in refusal(read_rows, path)
        write_rows(path, rows)
    assert 'cannot be read' in refusal(read_rows, str(tmp_path / 'none.txt'))
    write_rows(path, rows.take([]))
    assert read_rows(path).box.shape == (0, 4)
