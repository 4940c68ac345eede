"""The data set `deepv`, and a folder of its own for the test set."""
import pytest

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import get_dataset, load_test_dataset, load_training_roidb
from lib.dataset.parts import path_of_tests
from lib.utils.errors import SniperError
from tests.dataset.voc_folder import make_part, write, xml


def open_set(root, **more):
    return get_dataset('deepv', 'train', str(root), str(root), **more)


def test_classes_coordinates_and_difficult(tmp_path):
    text = xml(('tricycle', 11, 21, 50, 60), ('Person', 1, 1, 9, 30, 1)).replace('<difficult>0</difficult>', '')
    make_part(tmp_path, {'a': text}, {'train': ['a']})
    dataset = open_set(tmp_path)
    assert dataset.classes == ('__background__', 'person', 'car', 'bicycle', 'tricycle')
    assert dataset.name == 'deepv_train'
    record, = dataset.roidb('objects')
    assert record['boxes'].tolist() == [[10, 20, 49, 59], [0, 0, 8, 29]]
    assert record['gt_classes'].tolist() == [4, 1] and record['difficult'].tolist() == [False, True]
    assert dataset.truth().ignored.tolist() == [True, False]     # by class: the person is difficult


def test_score_by_eleven_points(tmp_path):
    make_part(tmp_path, {'a': xml(('car', 11, 21, 50, 60), ('car', 51, 1, 90, 30))}, {'train': ['a']})
    dataset = open_set(tmp_path)
    metrics = dataset.evaluate(Detections.from_rows([0], [[10, 20, 49, 59, 0.9, 2]]), str(tmp_path / 'results'))
    assert metrics['rule'] == '11point' and metrics['per_class']['car'] == pytest.approx(6 / 11)


def test_an_unknown_class_is_one_line_that_names_file_class_and_mend(tmp_path):
    make_part(tmp_path, {'a': xml(('car', 11, 21, 50, 60)), 'b': xml(('car', 1, 1, 9, 9), ('truck', 1, 1, 30, 30))},
              {'train': ['a', 'b']})
    with pytest.raises(SniperError) as caught:
        open_set(tmp_path)
    said = str(caught.value)
    assert '\n' not in said and f'{tmp_path}/Annotations/b.xml: object 2 is of the class \'truck\'' in said
    assert '(person, car, bicycle, tricycle)' in said and f'list all classes in {tmp_path}/classes.txt' in said
    write(tmp_path / 'classes.txt', 'truck\ncar\nbus\n')
    assert open_set(tmp_path).classes == ('__background__', 'truck', 'car', 'bus')


def settings(train, test, *more):
    return load_config(overrides=[
        'dataset.dataset', 'deepv', 'dataset.dataset_path', str(train), 'dataset.test_dataset_path', str(test),
        'dataset.image_set', 'train', 'dataset.test_image_set', 'val', 'dataset.root_path', str(train),
        'TRAIN.USE_NEG_CHIPS', 'False', 'TRAIN.FLIP', 'False', 'dataset.NUM_CLASSES', '0', *more])


def test_a_test_set_of_another_folder(tmp_path):
    one = make_part(tmp_path / 'one', {'a': xml(('car', 11, 21, 50, 60))}, {'train': ['a'], 'val': ['a']})
    other = make_part(tmp_path / 'other', {'b': xml(('person', 11, 21, 50, 60))}, {'val': ['b']})
    config = settings(one, other, 'dataset.CLASS_AGNOSTIC', 'True')
    roidb, classes = load_training_roidb(config)
    assert [record['image_id'] for record in roidb] == ['a'] and classes == ('__background__', 'object')
    dataset, roidb = load_test_dataset(config)
    assert dataset.image_ids == ['b'] and dataset.name == 'deepv_val' and path_of_tests(config.dataset) == other
    assert load_test_dataset(settings(one, ''))[0].image_ids == ['a']
    with pytest.raises(SniperError, match='3 entries between commas, and test_dataset_path 2 folders'):
        load_test_dataset(settings(one, f'{one}+{other}', 'dataset.test_image_set', 'val,val,val'))
