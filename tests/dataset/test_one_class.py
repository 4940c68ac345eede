"""dataset.CLASS_AGNOSTIC: every data set, and those joined, as one class 'object'."""
import json

import pytest

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import load_test_dataset, load_training_roidb
from lib.dataset.class_choice import OneClass, one_class_mend
from lib.utils.errors import SniperError
from tests.dataset.formats import folders
from tests.dataset.voc_folder import make_part, write, xml

ONE = ('__background__', 'object')


def settings(path, form, image_set=folders.SET, **more):
    pairs = [word for name, value in more.items() for word in (name.replace('__', '.'), value)]
    return load_config(overrides=[
        'dataset.dataset', form, 'dataset.dataset_path', str(path), 'dataset.root_path', str(path).split('+')[0],
        'dataset.image_set', image_set, 'dataset.test_image_set', image_set, 'TRAIN.USE_NEG_CHIPS', 'False',
        'TRAIN.FLIP', 'False', 'TRAIN.BACKGROUND_IMAGES', '0', 'dataset.NUM_CLASSES', '0',
        'dataset.CLASS_AGNOSTIC', 'True', *pairs])


def everything(dataset):
    truth = dataset.truth()
    return Detections.from_rows(truth.image.tolist(), [[*box, 0.9, label] for box, label in zip(
        truth.box.tolist(), truth.label.tolist())])


@pytest.mark.parametrize('name', sorted(folders.WRITERS))
def test_any_format(tmp_path, name):
    writer, form = folders.WRITERS[name]
    writer(tmp_path)
    roidb, classes = load_training_roidb(settings(tmp_path, form))
    assert classes == ONE
    assert [record['gt_classes'].tolist() for record in roidb] == [[1, 1], [1], [1, 1]]
    chosen, classes = load_training_roidb(settings(tmp_path, form, dataset__CLASSES='[ball, rod]'))
    assert classes == ONE and [record['gt_classes'].tolist() for record in chosen] == [[1, 1], [1]]


@pytest.mark.parametrize('name', ['coco', 'VOC'])
def test_scored_as_one_class(tmp_path, name):
    writer, form = folders.WRITERS[name]
    writer(tmp_path)
    dataset, _ = load_test_dataset(settings(tmp_path, form))
    metrics = dataset.evaluate(everything(dataset), str(tmp_path / 'results'))
    assert 'object' in str(metrics) and 'ball' not in str(metrics)
    assert form == 'coco' or [path.name for path in tmp_path.rglob('comp4_det*')] == ['comp4_det_val_object.txt']


def test_joined_sets_of_different_classes(tmp_path, caplog):
    folders.coco(tmp_path / 'coco')
    make_part(tmp_path / 'voc', {'p': xml(('cup', 5, 5, 40, 40), ('ignore', 50, 50, 90, 70))}, {'val': ['p']})
    config = settings(f'{tmp_path}/coco+{tmp_path}/voc', 'auto')
    roidb, classes = load_training_roidb(config)
    assert classes == ONE and [record['gt_classes'].tolist() for record in roidb] == [[1, 1], [1], [1, 1], [1, 0]]
    assert 'only ' not in caplog.text   # no class that one of them labels alone
    dataset, roidb = load_test_dataset(config)
    assert dataset.classes == ONE and len(roidb) == 5
    assert dataset.evaluate(everything(dataset), str(tmp_path / 'results'))['per_class'] == {'object': 1.0}


def test_crowds_and_difficult_ones_keep_their_meaning(tmp_path):
    folders.coco(tmp_path)
    path = tmp_path / 'annotations' / 'instances_val.json'
    content = json.loads(path.read_text())
    content['annotations'][0]['iscrowd'] = 1
    path.write_text(json.dumps(content))
    config = settings(tmp_path, 'coco', TRAIN__IGNORED_OBJECTS='ignore')
    assert [record['ignored'].tolist() for record in load_training_roidb(config)[0]][0] == [False, True]
    truth = load_test_dataset(config)[0].truth()
    assert truth.crowd.tolist() == [True, False, False, False, False] and set(truth.label.tolist()) == {1}
    root = make_part(tmp_path / 'voc', {'p': xml(('cat', 5, 5, 40, 40, 1), ('dog', 50, 50, 90, 70))}, {'val': ['p']})
    truth = load_test_dataset(settings(root, 'PascalVOC'))[0].truth()
    assert truth.ignored.tolist() == [True, False] and truth.label.tolist() == [1, 1]


def test_a_class_that_is_ignored_stays_so(tmp_path):
    folders.voc(tmp_path)
    config = settings(tmp_path, 'PascalVOC', dataset__CLASSES='[rod, "ignore = ball"]', TRAIN__IGNORED_OBJECTS='ignore')
    assert [record['gt_classes'].tolist() for record in load_training_roidb(config)[0]] == [[1, 0]]


def test_contradictions(tmp_path):
    write(tmp_path / 'x', '')
    config = settings(tmp_path, 'auto', dataset__CLASSES='["round = ball + egg"]')
    with pytest.raises(SniperError, match=r"dataset.CLASSES holds 'round = ball \+ egg', and dataset.CLASS_AGNOSTIC"):
        load_training_roidb(config)
    assert OneClass(['Object = ball + egg', 'rod']).labels(['egg', 'cup', 'rod'], 'x')[0] == [1, None, 1]
    assert 'CLASS_AGNOSTIC True' in one_class_mend(ONE, ('__background__', 'ball'))
    assert 'CLASS_AGNOSTIC False' in one_class_mend(('__background__', 'ball'), ONE)
    assert one_class_mend(('__background__', 'ball'), ('__background__', 'egg')) == ''
