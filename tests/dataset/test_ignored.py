"""Regions and classes that do not count: no rows of objects in training, neither right nor wrong in a score."""
import json

import pytest

from configs import load_config
from lib.bbox.detections import Detections
from lib.dataset import get_dataset, load_training_roidb, roidb_cache
from lib.dataset.class_list import is_ignored
from lib.dataset.roidb import mirrored, validate
from lib.utils.errors import SniperError
from tests.dataset.coco_folder import content, make_folder
from tests.dataset.formats import folders
from tests.dataset.voc_folder import make_part, write, xml

OBJECT, REGION = (10, 10, 20, 20), (50, 30, 40, 40)   # x, y, width, height in a picture of 100x80


@pytest.mark.parametrize('name, ignored', [
    ('ignore', True), ('Ignored regions', True), ('DontCare', True), ("don't care", True), ('ignore_region', True),
    ('ignorance', False), ('region', False), ('cat', False)])
def test_names(name, ignored):
    assert is_ignored(name) == ignored


def coco(root, name='ignore', crowd=0):
    """A cat, and a region of the class `name`."""
    document = content({1: [(1, *OBJECT), (9, *REGION)]}, [(1, 'cat'), (9, name), (12, 'dog')])
    document['annotations'][1]['iscrowd'] = crowd
    return make_folder(root, {'val': document}), 'coco', 'val'


def voc(root, name='ignore', difficult=0):
    boxes = [(x + 1, y + 1, x + w, y + h) for x, y, w, h in (OBJECT, REGION)]
    write(root / 'classes.txt', 'cat\ndog\n' + (name if name == 'van' else ''))
    return make_part(root, {'1': xml(('cat', *boxes[0]), (name, *boxes[1], difficult))}), 'PascalVOC', 'all'


def rows_of(record):
    return list(zip(record['boxes'].tolist(), record['gt_classes'].tolist(), record['ignored'].tolist()))


OBJECT_ROW, REGION_ROW = ([10, 10, 29, 29], 1, False), ([50, 30, 89, 69], 0, True)


@pytest.mark.parametrize('make', [coco, voc])
@pytest.mark.parametrize('mode, expected', [
    ('', [OBJECT_ROW]), ('ignore', [OBJECT_ROW, REGION_ROW]), ('background', [OBJECT_ROW, REGION_ROW]),
    ('objects', [OBJECT_ROW, REGION_ROW])])
def test_what_is_called_ignore_is_no_class(tmp_path, make, mode, expected):
    folder, form, image_set = make(tmp_path)
    dataset = get_dataset(form, image_set, folder, folder)
    assert dataset.classes == ('__background__', 'cat', 'dog')
    record, = dataset.roidb(mode)
    assert rows_of(record) == expected
    validate([record, mirrored(record)], 3)
    truth = dataset.truth()     # a crowd of each class
    assert sorted(zip(truth.label.tolist(), truth.crowd.tolist())) == [(1, False), (1, True), (2, True)]


@pytest.mark.parametrize('make', [coco, voc])
@pytest.mark.parametrize('mode, rows', [('ignore', 2), ('background', 1), ('objects', 2), ('', 1)])
def test_crowds_and_difficult_objects(tmp_path, make, mode, rows):
    folder, form, image_set = make(tmp_path, 'dog', 1)
    record, = get_dataset(form, image_set, folder, folder).roidb(mode)
    assert len(record['boxes']) == rows
    assert record['ignored'].tolist()[1:] == [mode == 'ignore'] * (rows - 1)
    assert record['max_overlaps'].tolist()[1:] == [mode == 'objects'] * (rows - 1)


@pytest.mark.parametrize('make', [coco, voc])
def test_ignored_classes(tmp_path, make):
    folder, form, image_set = make(tmp_path, 'van')
    config = load_config(overrides=[
        'dataset.dataset', form, 'dataset.dataset_path', folder, 'dataset.root_path', folder, 'dataset.image_set',
        image_set, 'TRAIN.USE_NEG_CHIPS', 'False', 'TRAIN.FLIP', 'False', 'dataset.NUM_CLASSES', '0', 'dataset.CLASSES',
        '["dog", "cat", "ignore = van"]'])
    (record,), classes = load_training_roidb(config)
    assert classes == ('__background__', 'dog', 'cat')
    assert rows_of(record) == [([10, 10, 29, 29], 2, False), REGION_ROW]
    with pytest.raises(SniperError, match='leaves no class'):
        config.dataset.CLASSES = ['ignore = cat + van + dog']
        load_training_roidb(config)


def test_the_same_in_formats_of_labelling_tools(tmp_path):
    for name, writer in (('labelme', folders.labelme), ('cvat', folders.cvat), ('yolo', folders.yolo)):
        writer(tmp_path / name, ['a'])
        place = {'labelme': 'val/a.json', 'cvat': 'annotations.xml', 'yolo': 'data.yaml'}[name]
        path = tmp_path / name / place
        path.write_text(path.read_text().replace('rod', 'ignore'))
        dataset = get_dataset(name, 'val', str(tmp_path), str(tmp_path / name))
        record, = dataset.roidb('ignore')
        assert 'ignore' not in dataset.classes
        assert rows_of(record) == [([50, 10, 66, 18], 1, False), ([5, 6, 34, 45], 0, True)]


def test_kept_in_a_cache_each(tmp_path, monkeypatch):
    monkeypatch.setattr(roidb_cache, 'WORTHWHILE', 0)
    folder, *_ = coco(tmp_path)
    expected = {mode: rows_of(get_dataset('coco', 'val', folder, folder).roidb(mode)[0]) for mode in ('ignore', '')}
    monkeypatch.setattr('lib.dataset.coco.CocoFile', None)      # nothing is parsed again
    for mode, rows in expected.items():
        assert rows_of(get_dataset('coco', 'val', folder, folder).roidb(mode)[0]) == rows


# Boxes x1 y1 x2 y2, best score first, and the AP at IoU 0.5 of the one cat: precision is 1 or 1/2 where it is found.
CASES = [('the object alone', [(10, 10, 29, 29)], 1.0),
         ('in the region too, with higher scores', [(52, 32, 70, 60), (60, 35, 80, 65), (10, 10, 29, 29)], 1.0),
         ('a wrong one first', [(0, 40, 30, 70), (10, 10, 29, 29)], 0.5)]


@pytest.mark.parametrize('make', [coco, voc])
@pytest.mark.parametrize('what, boxes, expected', CASES)
def test_neither_right_nor_wrong(tmp_path, make, what, boxes, expected):
    folder, form, image_set = make(tmp_path)
    dataset = get_dataset(form, image_set, folder, folder)
    dataset.roidb()
    rows = [[*box, 0.9 - 0.1 * number, 1] for number, box in enumerate(boxes)]
    metrics = dataset.evaluate(Detections.from_rows([0] * len(rows), rows), str(tmp_path / 'results'))
    assert metrics['per_class']['cat'] == pytest.approx(expected, abs=0.01), what


def test_what_is_said(tmp_path, caplog):
    folder, *_ = coco(tmp_path, 'dog', 1)
    overrides = ['dataset.dataset', 'coco', 'dataset.dataset_path', folder, 'dataset.root_path', folder,
                 'dataset.image_set', 'val', 'TRAIN.USE_NEG_CHIPS', 'False', 'dataset.NUM_CLASSES', '0']
    load_training_roidb(load_config(overrides=overrides))
    assert ('1 of 2 objects are crowd regions (iscrowd) and are not trained on (1 dog): they are neither objects nor '
            'background') in caplog.text
    path = folder + '/annotations/instances_val.json'
    with open(path, encoding='utf-8') as stream:
        document = json.load(stream)
    document['annotations'] = document['annotations'][1:]
    with open(path, 'w', encoding='utf-8') as stream:
        json.dump(document, stream)
    with pytest.raises(SniperError, match='has an object that can be trained on'):
        load_training_roidb(load_config(overrides=overrides))
