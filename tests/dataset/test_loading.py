"""What the entry points ask for: training records and the test set."""
import os

import numpy as np
import pytest

from configs import load_config
from lib.dataset import load_test_dataset, load_training_roidb
from lib.dataset.compact import relabelled
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder

BOX = (1, 10, 10, 20, 20)


def config_for(folder, **values):
    overrides = ['dataset.dataset', 'coco', 'dataset.dataset_path', str(folder), 'dataset.image_set', 'train2017',
                 'dataset.test_image_set', 'val2017', 'dataset.NUM_CLASSES', '0', 'TRAIN.USE_NEG_CHIPS', 'False',
                 'TRAIN.BACKGROUND_IMAGES', '0']
    for key, value in values.items():
        overrides += [key.replace('__', '.'), str(value)]
    return load_config(overrides=overrides)


def test_parts_are_mirrored_one_by_one(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX], 2: []}), 'val2017': content({5: [BOX]})})
    roidb, classes = load_training_roidb(config_for(folder, dataset__image_set='train2017+val2017'))
    assert classes == ('__background__', 'cat', 'dog')
    assert [(r['image_id'], r['flipped']) for r in roidb] == [(1, False), (1, True), (5, False), (5, True)]


def test_flips_are_optional(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX]})})
    assert len(load_training_roidb(config_for(folder, TRAIN__FLIP=False))[0]) == 1
    assert len(load_training_roidb(config_for(folder, TRAIN__FLIP_VERTICAL=True))[0]) == 4


def test_number_of_classes(tmp_path, caplog):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX]}), 'val2017': content({1: [BOX]})})
    for number in (0, 3):
        load_training_roidb(config_for(folder, dataset__NUM_CLASSES=number))
    assert 'NUM_CLASSES' not in caplog.text
    assert len(load_training_roidb(config_for(folder, dataset__NUM_CLASSES=81))[1]) == 3
    assert 'NUM_CLASSES is 81, but COCO_train2017 has 3 classes with background: 3 are used' in caplog.text
    assert load_test_dataset(config_for(folder, dataset__NUM_CLASSES=81))[0].num_classes == 3
    assert 'NUM_CLASSES is 81, but COCO_val2017 has 3 classes' in caplog.text


def test_parts_with_different_classes_are_joined_by_name(tmp_path, caplog):
    other = content({5: [BOX, (2, 1, 1, 9, 9), (3, 1, 1, 8, 8)]}, categories=[(1, 'cow'), (2, 'cat'), (3, 'Dog')])
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX, (7, 1, 1, 9, 9)]}), 'val2017': other})
    roidb, classes = load_training_roidb(config_for(folder, dataset__image_set='train2017+val2017', TRAIN__FLIP=False))
    assert classes == ('__background__', 'cat', 'dog', 'cow')
    for column in ('gt_classes', 'max_classes'):
        assert [r[column].tolist() for r in roidb] == [[1, 2], [3, 1, 2]]
    assert ('COCO_train2017 and COCO_val2017 have different classes, which are matched by name: only COCO_val2017 has '
            'cow') in caplog.text and 'trained on are the classes of all: 3 (cat, dog, cow)' in caplog.text


@pytest.mark.parametrize('categories, expected', [
    ([(7, 'cat'), (1, 'dog')], [2]),    # other ids
    ([(7, 'dog'), (1, 'cat')], [1]),    # another order
    ([(1, 'dog')], [2]),                # fewer
    ([(1, 'DOG '), (2, 'cat')], [2]),   # another spelling
    ([(1, 'dogs')], [2]),
    ([(1, 'Cat'), (2, 'cat')], [3]),    # both spellings: two classes
])
def test_names_decide_when_parts_are_joined(tmp_path, categories, expected):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX]}), 'val2017': content({5: [BOX]}, categories)})
    roidb, classes = load_training_roidb(config_for(folder, dataset__image_set='train2017+val2017', TRAIN__FLIP=False))
    assert classes[:3] == ('__background__', 'cat', 'dog') and roidb[1]['gt_classes'].tolist() == expected


def test_lists_of_records_are_relabelled_too(tmp_path):
    roidb, _ = load_training_roidb(config_for(make_folder(tmp_path, {'train2017': content({1: [BOX]})})))
    for form in (roidb, list(roidb)):
        record = relabelled(form, np.array([0, 5, 6]))[0]
        assert record['gt_classes'].tolist() == record['max_classes'].tolist() == [5]
        assert record['gt_classes'].dtype == np.int32 and record['max_classes'].dtype == np.int64


def test_empty_part(tmp_path):
    with pytest.raises(SniperError, match='empty part'):
        load_training_roidb(config_for(tmp_path, dataset__image_set='train2017++val2017'))


def test_no_object_at_all(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: [], 2: []})})
    with pytest.raises(SniperError, match='no image of train2017 has an object'):
        load_training_roidb(config_for(folder))


def test_missing_images_in_training_are_counted(tmp_path, caplog):
    folder = make_folder(tmp_path, {'train2017': content({number: [BOX] for number in range(9)})})
    for number in range(5):
        os.remove(os.path.join(folder, 'images', 'train2017', f'{number}.jpg'))
    roidb, _ = load_training_roidb(config_for(folder, TRAIN__FLIP=False))
    assert [r['image_id'] for r in roidb] == [5, 6, 7, 8]
    assert '5 of 9 image files are missing' in caplog.text
    assert '2.jpg, ...' in caplog.text and '3.jpg' not in caplog.text


def test_no_image_file_at_all(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX], 2: [BOX]})}, image_files=False)
    with pytest.raises(SniperError, match='none of the 2 image files .*exists .*1.jpg.*dataset_path'):
        load_training_roidb(config_for(folder))
    for number in (1, 2):
        os.makedirs(os.path.join(folder, 'images', 'train2017', f'{number}.jpg'))
    with pytest.raises(SniperError, match=r'none of the 2 image files .*can be read \(first: .*1.jpg is a folder'):
        load_training_roidb(config_for(folder))


def test_test_set(tmp_path):
    folder = make_folder(tmp_path, {'val2017': content({2: [], 1: [BOX]})})
    dataset, roidb = load_test_dataset(config_for(folder))
    assert dataset.name == 'COCO_val2017'
    assert [(r['image_id'], r['flipped'], len(r['boxes'])) for r in roidb] == [(1, False, 1), (2, False, 0)]


def test_missing_image_of_a_test_set(tmp_path):
    folder = make_folder(tmp_path, {'val2017': content({2: [], 1: [BOX]})})
    os.remove(os.path.join(folder, 'images', 'val2017', '2.jpg'))
    with pytest.raises(SniperError, match=r'2\.jpg of COCO_val2017 is missing \(1 of 2 are\)'):
        load_test_dataset(config_for(folder))
    os.symlink('2.jpg', os.path.join(folder, 'images', 'val2017', '2.jpg'))
    with pytest.raises(SniperError, match=r'2\.jpg of COCO_val2017 is a link .* itself \(1 of 2 cannot be read\)'):
        load_test_dataset(config_for(folder))


def test_a_few_missing_images_do_not_end_a_test(tmp_path, caplog):
    folder = make_folder(tmp_path, {'val2017': content({1: [BOX], 2: [], 3: [BOX]})})
    os.remove(os.path.join(folder, 'images', 'val2017', '3.jpg'))
    _, roidb = load_test_dataset(config_for(folder))
    assert [record['image_id'] for record in roidb] == [1, 2, 3]
    assert '1 of 3 image files are missing, the test goes on without detections there: ' in caplog.text


def test_masks_when_configured(tmp_path):
    folder = make_folder(tmp_path, {'train2017': content({1: [BOX]})})
    assert 'gt_masks' not in load_training_roidb(config_for(folder))[0][0]
    roidb, _ = load_training_roidb(config_for(folder, TRAIN__WITH_MASK=True))
    assert all(len(r['gt_masks']) == 1 for r in roidb)
