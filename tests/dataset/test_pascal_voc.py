"""Loading data in PASCAL VOC's format: layouts, boxes, difficult objects, classes."""
import os

import numpy as np
import pytest

from configs import load_config
from lib.dataset import get_dataset, load_training_roidb
from lib.dataset.voc_classes import PASCAL_VOC
from lib.utils.errors import SniperError
from tests.dataset.voc_folder import make_part, touch, write, write_image, xml

CAT = ('cat', 11, 21, 30, 40)


def load(folder, image_set='train'):
    return get_dataset('PascalVOC', image_set, str(folder), str(folder))


def kit(tmp_path):
    """A development kit of two years."""
    make_part(tmp_path / 'VOC2007', {'000001': xml(CAT), '000002': xml(('dog', 1, 1, 9, 9))},
              {'trainval': ['000002', '000001'], 'test': ['000001']})
    make_part(tmp_path / 'VOC2012', {'2012_000001': xml(CAT)}, {'trainval': ['2012_000001']})
    return str(tmp_path)


def test_development_kit(tmp_path):
    dataset = load(kit(tmp_path), '2007_trainval')
    assert dataset.name == 'PASCALVOC_2007_trainval' and dataset.classes[1:] == PASCAL_VOC
    first, second = dataset.roidb()  # in the order of the list
    assert first['image'] == os.path.join(str(tmp_path), 'VOC2007', 'JPEGImages', '000002.jpg')
    assert (first['image_id'], first['width'], first['height'], first['flipped']) == ('000002', 100, 80, False)
    assert second['boxes'].tolist() == [[10, 20, 29, 39]] and second['boxes'].dtype == np.float32
    assert second['gt_classes'].tolist() == [8] and first['gt_classes'].tolist() == [12]


def test_joined_sets_are_mirrored_one_by_one(tmp_path):
    config = load_config(overrides=['dataset.dataset', 'PascalVOC', 'dataset.dataset_path', kit(tmp_path),
                                    'dataset.image_set', '2007_trainval+2012_trainval',
                                    'TRAIN.USE_NEG_CHIPS', 'False'])
    roidb, classes = load_training_roidb(config)
    assert classes[1:] == PASCAL_VOC
    assert [(r['image_id'], r['flipped']) for r in roidb] == [
        ('000002', False), ('000001', False), ('000002', True), ('000001', True),
        ('2012_000001', False), ('2012_000001', True)]
    assert roidb[3]['boxes'].tolist() == [[70, 20, 89, 39]]


def test_plain_folder_with_and_without_lists(tmp_path):
    make_part(tmp_path, {'b': xml(CAT), 'a': xml(CAT), 'c d': xml(CAT)}, {'train': ['c d', 'b']})
    assert load(tmp_path).image_ids == ['c d', 'b']
    dataset = load(tmp_path, 'all')
    assert dataset.image_ids == ['a', 'b', 'c d'] and dataset.name == 'PASCALVOC_all'
    assert all(os.path.isfile(record['image']) for record in dataset.roidb())


def test_a_year_of_a_kit_is_a_plain_folder(tmp_path):
    assert load(os.path.join(kit(tmp_path), 'VOC2007'), 'test').image_ids == ['000001']


def test_difficult_objects_are_for_evaluation_only(tmp_path):
    make_part(tmp_path, {'a': xml(CAT, CAT + (1,))}, {'train': ['a']})
    dataset = load(tmp_path)
    assert len(dataset.roidb()[0]['boxes']) == 1
    assert dataset.roidb('objects')[0]['difficult'].tolist() == [False, True]
    boxes, difficult = dataset.objects_by_class()[8][0]
    assert boxes.tolist() == [[11, 21, 30, 40]] * 2 and difficult.tolist() == [False, True]


def test_boxes_end_at_the_image(tmp_path, caplog):
    make_part(tmp_path, {'a': xml(('cat', 0, 1, 120, 90), ('cat', -5, -5, 3.9, 4.9), ('cat', 101, 1, 110, 9),
                                  ('cat', 5, 5, 5, 9), size=('100', '80.0'))}, {'train': ['a']})
    assert load(tmp_path).roidb()[0]['boxes'].tolist() == [[0, 0, 99, 79], [0, 0, 2, 3]]
    assert '2 boxes lie outside their image or have no area' in caplog.text
    assert '(annotation a object 3, a object 4)' in caplog.text


@pytest.mark.parametrize('extension', ['.jpeg', '.png', '.JPG'])
def test_image_files_of_other_kinds(tmp_path, extension):
    make_part(tmp_path, {'a': xml(CAT)}, {'train': ['a']}, image_files=False)
    path = touch(tmp_path, 'JPEGImages', 'a' + extension)
    assert load(tmp_path).roidb()[0]['image'] == path


def test_file_name_of_the_annotation(tmp_path):
    make_part(tmp_path, {'a': xml(CAT, extra=r'<filename>C:\photos\holiday.tif</filename>')}, image_files=False)
    path = touch(tmp_path, 'JPEGImages', 'holiday.tif')
    assert load(tmp_path, 'all').roidb()[0]['image'] == path


@pytest.mark.parametrize('size', [None, (0, 0), (-3, 5), ('', ''), ('wide', 'high'), ('nan', 'inf')])
def test_size_is_read_from_the_image_if_the_annotation_lacks_it(tmp_path, caplog, size):
    make_part(tmp_path, {'a': xml(CAT, size=size)}, image_files=False)
    write_image(tmp_path, 'a', 64, 48)
    record, = load(tmp_path, 'all').roidb()
    assert (record['width'], record['height']) == (64, 48)
    assert '1 annotations lack the size of their image' in caplog.text


def test_parts_of_objects_and_other_elements_are_skipped(tmp_path):
    text = xml(CAT, extra='<owner><name>me</name></owner>').replace(
        '</object>', '<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>')
    make_part(tmp_path, {'a': text}, {'train': ['a']})
    dataset = load(tmp_path)
    assert dataset.classes[1:] == PASCAL_VOC and dataset.roidb()[0]['boxes'].tolist() == [[10, 20, 29, 39]]


def test_classes_of_the_user(tmp_path, caplog):
    caplog.set_level('INFO')
    make_part(tmp_path, {'a': xml(('WBC', 1, 1, 9, 9), ('rbc', 1, 1, 9, 9)),
                         'b': xml(('RBC ', 1, 1, 9, 9), ('RBC', 1, 1, 9, 9)),
                         'c': xml(('Platelets', 1, 1, 9, 9))}, {'train': ['a'], 'val': ['b']})
    for image_set in ('train', 'val'):  # every annotation of the folder counts: sets have the same classes
        assert load(tmp_path, image_set).classes == ('__background__', 'Platelets', 'RBC', 'WBC')
    assert load(tmp_path).roidb()[0]['gt_classes'].tolist() == [3, 2]  # written in whatever case
    assert 'classes found in the annotations: Platelets 1, RBC 3, WBC 1' in caplog.text


def test_classes_are_found_anew_when_files_change(tmp_path):
    make_part(tmp_path, {'a': xml(('cell', 1, 1, 9, 9))})
    assert load(tmp_path, 'all').classes[1:] == ('cell',)
    make_part(tmp_path, {'b': xml(('another', 1, 1, 9, 9))})
    assert load(tmp_path, 'all').classes[1:] == ('another', 'cell')


def test_class_list(tmp_path):
    make_part(tmp_path, {'a': xml(CAT, ('dog', 1, 1, 9, 9))})
    write(tmp_path / 'classes.txt', '\ufeffdog\n\n Cat \r\nhot  dog\n')
    dataset = load(tmp_path, 'all')
    assert dataset.classes == ('__background__', 'dog', 'Cat', 'hot dog')
    assert dataset.roidb()[0]['gt_classes'].tolist() == [2, 1]
    write(tmp_path / 'classes.txt', '__background__\ndog\ncat\n')
    assert load(tmp_path, 'all').classes == ('__background__', 'dog', 'cat')


@pytest.mark.parametrize('text, part', [('', 'is empty'), ('dog\ncat\nDog\n', 'names dog twice'),
                                        ('dog\n', r'lacks classes of the annotations: cat \(1 objects\)')])
def test_bad_class_list(tmp_path, text, part):
    make_part(tmp_path, {'a': xml(CAT)})
    write(tmp_path / 'classes.txt', text)
    with pytest.raises(SniperError, match=r'classes\.txt ' + part):
        load(tmp_path, 'all')


def test_masks_are_refused(tmp_path):
    with pytest.raises(SniperError, match='TRAIN.WITH_MASK is True.*no masks'):
        get_dataset('PascalVOC', '2007_test', '.', kit(tmp_path), masks=True)
