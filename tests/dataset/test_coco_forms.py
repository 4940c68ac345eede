"""What other tools write into COCO files: flags, areas, names of files, categories, class lists."""
import os

import numpy as np
import pytest

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import get_dataset, load_training_roidb, roidb_cache
from lib.dataset.coco_values import flag_of
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder, touch

BOX = (1, 10, 10, 20, 20)
LARGE = (7, 5, 5, 60, 50)


def load(folder, masks=False):
    return get_dataset('coco', 'train2017', os.path.join(folder, 'root'), folder, masks=masks)


def train(folder):
    return load_training_roidb(load_config(overrides=[
        'dataset.dataset', 'coco', 'dataset.dataset_path', folder, 'dataset.root_path', os.path.join(folder, 'root'),
        'dataset.image_set', 'train2017', 'dataset.NUM_CLASSES', '0', 'TRAIN.USE_NEG_CHIPS', 'False',
        'TRAIN.FLIP', 'False']))


def file_with(**values):
    file = content({1: [BOX, LARGE], 2: [BOX]})
    for annotation in file['annotations']:
        annotation.update(values)
    return file


def all_found(dataset):
    """Every box of the records, as a detection."""
    rows = [(image, label, box) for image, record in enumerate(dataset.roidb('objects'))
            for label, box in zip(record['gt_classes'], record['boxes'])]
    return Detections(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]),
                      np.array([row[2] for row in rows]).reshape(-1, 4), np.full(len(rows), 0.9))


AREAS = [0, None, -1, '441', 'x', float('nan'), float('inf'), [], {}, True, 1e300]


@pytest.mark.parametrize('area', AREAS + ['missing'])
def test_boxes_count_without_area(tmp_path, caplog, area):
    file = file_with(area=area)
    if area == 'missing':
        for annotation in file['annotations']:
            del annotation['area']
    dataset = load(make_folder(tmp_path, {'train2017': file}))
    assert [len(record['boxes']) for record in dataset.roidb()] == [2, 1]
    assert ('3 areas are missing or no numbers above 0: width x height of the box is taken (annotation 1, 2, 3)'
            in caplog.text) == (area != '441')
    metrics = dataset.evaluate(all_found(dataset), str(tmp_path / 'out'))
    assert metrics['AP'] == metrics['APs'] == pytest.approx(1)
    assert metrics['APm'] == pytest.approx(1) or area == '441'    # LARGE has 3000 pixels


def test_areas_in_shares_of_the_image(tmp_path, caplog):
    dataset = load(make_folder(tmp_path, {'train2017': file_with(area=0.0004)}))
    assert 'areas are shares of the image: width x height of the box is taken' in caplog.text
    assert dataset.evaluate(all_found(dataset), str(tmp_path / 'out'))['APm'] == pytest.approx(1)


def test_a_given_area_counts_in_the_evaluation(tmp_path):
    dataset = load(make_folder(tmp_path, {'train2017': file_with(area=5000)}))
    metrics = dataset.evaluate(all_found(dataset), str(tmp_path / 'out'))
    assert metrics['APs'] == -1 and metrics['APm'] == pytest.approx(1)


@pytest.mark.parametrize('value, flag', [
    (0, False), ('0', False), ('false', False), ('False', False), (False, False), (0.0, False), (None, False),
    ('', False), ('no', False),
    (1, True), ('1', True), ('true', True), (True, True), (1.0, True), ('1.0', True),
    (2, None), ('x', None), (float('nan'), None), ([], None), ({}, None)])
def test_flags(tmp_path, caplog, value, flag):
    assert flag_of(value) is flag
    dataset = load(make_folder(tmp_path, {'train2017': file_with(iscrowd=value)}))
    assert [len(record['boxes']) for record in dataset.roidb()] == ([0, 0] if flag else [2, 1])
    assert ('3 annotations have an iscrowd that is neither 0 nor 1; it is taken as 0' in caplog.text) == (flag is None)
    metrics = dataset.evaluate(all_found(dataset), str(tmp_path / 'out'))
    assert metrics['AP'] == (-1 if flag else pytest.approx(1))


def test_crowds_are_counted(tmp_path, caplog):
    file = file_with()
    file['annotations'][1]['iscrowd'] = 1
    folder = make_folder(tmp_path, {'train2017': file})
    assert sum((record['gt_classes'] > 0).sum() for record in train(folder)[0]) == 2
    assert ('COCO_train2017: 1 of 3 objects are crowd regions (iscrowd) and are not trained on (1 dog)'
            in caplog.text)


def test_nothing_but_crowds(tmp_path):
    folder = make_folder(tmp_path, {'train2017': file_with(iscrowd='1')})
    with pytest.raises(SniperError, match=r'3 of 3 objects are crowd regions \(iscrowd\) and are not trained on '
                                          r'\(2 cat, 1 dog\); set these marks to 0'):
        train(folder)


def test_no_crowd_no_word(tmp_path, caplog):
    train(make_folder(tmp_path, {'train2017': file_with()}))
    assert caplog.text == ''


def test_what_was_said_is_said_again_from_the_cache(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(roidb_cache, 'WORTHWHILE', 0)
    file = file_with(area=0)
    file['annotations'][1]['iscrowd'] = 1
    folder = make_folder(tmp_path, {'train2017': file})
    train(folder)
    first, _ = caplog.text, caplog.clear()
    train(folder)
    words = [[line.split(' ', 2)[-1].split(' ', 1)[-1] for line in text.splitlines()] for text in (first, caplog.text)]
    assert len(words[0]) == 2 and words[0] == words[1]
    caplog.clear()
    dataset = load(folder)
    dataset.evaluate(all_found(dataset), str(tmp_path / 'out'))
    assert caplog.text.count('areas are missing') == 1


NAMES = ['./1.jpg', 'train2017/1.jpg', 'images/train2017/1.jpg', '/elsewhere/1.jpg', 'C:\\Users\\me\\1.jpg', '.\\1.jpg',
         'train2017\\1.jpg', 'file:///home/me/1.jpg', 'https://host/files/1.jpg', '1.JPG', 'train2017/1.Jpg', '%31.jpg']


@pytest.mark.parametrize('name', NAMES)
def test_names_of_files(tmp_path, caplog, name):
    file = file_with()
    file['images'][0]['file_name'] = name
    folder = make_folder(tmp_path, {'train2017': file}, image_files=False)
    touch(folder, 'images', 'train2017', '2.jpg')
    expected = touch(folder, 'images', 'train2017', '1.jpg')
    with caplog.at_level('INFO'):
        roidb = load(folder).roidb()
    assert os.path.realpath(roidb[0]['image']) == os.path.realpath(expected)
    assert ('1 pictures lie under other names' in caplog.text) == (name != './1.jpg' and name != 'train2017/1.jpg')


@pytest.mark.parametrize('written, there', [
    ('K\xe4fer.jpg', 'Ka\u0308fer.jpg'), ('Ka\u0308fer.jpg', 'K\xe4fer.jpg'), ('K\xe4fer%20a.jpg', 'K\xe4fer a.jpg'),
    ('K%C3%A4fer.jpg', 'K\xe4fer.jpg'), ('a%20b.jpg', 'a%20b.jpg'), ('sub/a.jpg', 'sub/A.JPG'),
    ('sub\\a.jpg', 'sub/a.jpg')])
def test_names_of_files_with_other_letters(tmp_path, written, there):
    file = file_with()
    file['images'][0]['file_name'] = written
    folder = make_folder(tmp_path, {'train2017': file}, image_files=False)
    expected = touch(folder, 'images', 'train2017', there)
    assert load(folder).roidb()[0]['image'] == expected


def test_absolute_names_that_are_there(tmp_path):
    file = file_with()
    file['images'][0]['file_name'] = expected = touch(tmp_path, 'elsewhere', 'a.jpg')
    folder = make_folder(tmp_path, {'train2017': file}, image_files=False)
    touch(folder, 'images', 'train2017', 'a.jpg')
    assert load(folder).roidb()[0]['image'] == expected


def test_names_are_not_mixed_up(tmp_path):
    """Of files of one name in two folders, and of files that differ in capitals, none is taken for another."""
    file = content({number: [] for number in range(1, 5)})
    for image, name in zip(file['images'], ('a/1.jpg', 'b/1.jpg', 'X.jpg', 'gone\0.jpg')):
        image['file_name'] = name
    folder = make_folder(tmp_path, {'train2017': file}, image_files=False)
    for name in ('1.jpg', 'x.jpg', 'x.JPG'):
        touch(folder, 'images', 'train2017', name)
    assert not any(os.path.isfile(record['image']) for record in load(folder).roidb())


@pytest.mark.parametrize('name', ['\ud800.jpg', 'n' * 5000, '../../../x', '', '.', '/', 'a\nb', 5, None, ['x']])
def test_impossible_names_are_missing(tmp_path, caplog, name):
    file = file_with()
    file['images'][0]['file_name'] = name
    folder = make_folder(tmp_path, {'train2017': file}, image_files=False)
    touch(folder, 'images', 'train2017', '2.jpg')
    roidb, _ = train(folder)
    assert [record['image_id'] for record in roidb] == [2] and '1 of 2 image files' in caplog.text


def test_categories_of_one_name_are_one_class(tmp_path, caplog):
    file = content({1: [(0, 1, 1, 20, 20), (1, 30, 30, 20, 20), (2, 50, 50, 20, 20)]},
                   categories=[(0, 'cell'), (1, ' cell '), (2, 'dog')])
    file['categories'][0]['supercategory'] = 'none'
    dataset = load(make_folder(tmp_path, {'train2017': file}))
    assert dataset.classes == ('__background__', 'cell', 'dog')
    assert dataset.roidb()[0]['gt_classes'].tolist() == [1, 1, 2]
    assert '1 categories have the name of another; they are one class (category cell)' in caplog.text
    assert dataset.evaluate(all_found(dataset), str(tmp_path / 'out'))['per_class'] == pytest.approx(
        {'cell': 1, 'dog': 1})


def test_categories_as_names(tmp_path):
    file = content({1: [('dog', 1, 1, 20, 20)]})
    file['categories'] = ['cat', 'dog']
    dataset = load(make_folder(tmp_path, {'train2017': file}))
    assert dataset.classes == ('__background__', 'cat', 'dog') and dataset.roidb()[0]['gt_classes'].tolist() == [2]


def test_categories_without_a_name(tmp_path, caplog):
    file = content({1: [BOX, (3, 1, 1, 9, 9), (7, 1, 1, 8, 8)]}, categories=[(3, ' '), (1, 'cat'), (7, 'dog')])
    dataset = load(make_folder(tmp_path, {'train2017': file}))
    assert dataset.classes == ('__background__', 'cat', 'dog') and dataset.roidb()[0]['gt_classes'].tolist() == [1, 2]
    assert '1 categories have an empty name and are left out (category 3)' in caplog.text


def test_addresses_instead_of_names(tmp_path):
    file = file_with()
    for image in file['images']:
        image['coco_url'] = 'http://images.cocodataset.org/val2017/' + image.pop('file_name')
    folder = make_folder(tmp_path, {'train2017': file}, image_files=False)
    expected = [touch(folder, 'images', 'val2017', '1.jpg'), touch(folder, 'images', 'train2017', '2.jpg')]
    assert [record['image'] for record in load(folder).roidb()] == expected


def test_background_is_no_class(tmp_path, caplog):
    dataset = load(make_folder(tmp_path, {'train2017': content({1: [BOX]}, [(0, '__background__'), (1, 'cat')])}))
    assert dataset.classes == ('__background__', 'cat') and 'called __background__ and are left out' in caplog.text


@pytest.mark.parametrize('names, labels', [
    ('cat\ndog\n', [1, 2]), ('dog\ncat', [2, 1]), ('\ufeffcow\r\n\r\nDog\r\n cat ', [3, 2]),
    ('__background__\ncat\ndog', [1, 2])])
def test_class_list(tmp_path, names, labels):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX, LARGE]})})
    (tmp_path / 'classes.txt').write_text(names, encoding='utf-8')
    dataset = load(folder)
    assert [dataset.classes[label].lower() for label in labels] == ['cat', 'dog']
    assert dataset.roidb()[0]['gt_classes'].tolist() == labels
    metrics = dataset.evaluate(all_found(dataset), str(tmp_path / 'out'))
    assert metrics['AP'] == pytest.approx(1) and list(metrics['per_class']) == list(dataset.classes[1:])


def test_class_list_for_a_file_with_fewer_classes(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX]}, categories=[(1, 'cat')])})
    (tmp_path / 'classes.txt').write_text('dog\ncat\nstar\n')
    dataset = load(folder)
    boxes = np.tile([10, 10, 29, 29], (3, 1))
    detections = Detections(np.zeros(3, np.int64), np.array([1, 2, 3]), boxes, np.ones(3))
    metrics = dataset.evaluate(detections, str(tmp_path / 'out'))
    assert metrics['AP'] == pytest.approx(1)
    assert metrics['per_class'] == pytest.approx({'dog': -1, 'cat': 1, 'star': -1})


def test_class_list_that_lacks_a_class(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX, LARGE]})})
    (tmp_path / 'classes.txt').write_text('cat\n')
    with pytest.raises(SniperError, match=r'classes.txt lacks classes of the annotations: dog \(1 objects\)'):
        load(folder)
    make_folder(tmp_path, {'train2017': content({1: [BOX]})})
    assert load(folder).classes == ('__background__', 'cat')      # a class without objects may go


def test_class_list_that_is_no_file(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX]})})
    (tmp_path / 'classes.txt').mkdir()
    with pytest.raises(SniperError, match='classes.txt is a folder, not a file'):
        load(folder)


def test_a_changed_class_list_is_noticed_by_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(roidb_cache, 'WORTHWHILE', 0)
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX, LARGE]})})
    for names in ('dog\ncat', 'cat\ndog', 'cow\ncat\ndog'):
        (tmp_path / 'classes.txt').write_text(names)
        for _ in range(2):
            dataset = load(folder)
            assert list(dataset.classes[1:]) == names.split()
            assert dataset.roidb()[0]['gt_classes'].tolist() == [dataset.classes.index(name) for name in ('cat', 'dog')]


def test_a_file_of_pictures_without_objects_lists_no_classes(tmp_path, caplog):
    """Exports that name the classes that occur name none where none occurs; such pictures may be joined to others."""
    empty = dict(content({1: [], 2: []}), annotations=[], categories=[])
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX]}), 'empty': empty})
    dataset = get_dataset('coco', 'empty', folder, folder)
    assert len(dataset.roidb()) == 2 and len(dataset.classes) == 1
    _, classes = load_training_roidb(load_config(overrides=[
        'dataset.dataset', 'coco', 'dataset.dataset_path', folder, 'dataset.root_path', folder,
        'dataset.image_set', 'train2017+empty', 'TRAIN.USE_NEG_CHIPS', 'False']))
    assert classes == get_dataset('coco', 'train2017', folder, folder).classes
