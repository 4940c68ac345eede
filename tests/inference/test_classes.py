"""Classes of a data set beside those of the weights that are tested on it."""
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

import main_test
from lib.inference.classes import classes_of_test
from lib.inference.weights import Weights
from lib.utils.errors import SniperError
from tests.inference import tiny_data


def settle(known, names, objects=()):
    """classes_of_test for lists without background; objects: labels of those in the data set."""
    roidb = [{'gt_classes': np.array(objects, np.int32)}]
    classes = ('__background__', *names)
    return classes_of_test(Weights('W', 1, ('__background__', *known)),
                          SimpleNamespace(classes=classes, num_classes=len(classes), name='COCO_val'), roidb)


def test_order_and_spelling(caplog):
    found = settle(('disc', 'box', 'star'), ('Star', 'box', 'disc'), [1, 2, 3])
    assert found.names == ('__background__', 'disc', 'box', 'star') and found.labels == (0, 3, 2, 1)
    assert 'W-0001.params spells classes of COCO_val differently: Star is star' in caplog.text


def test_fewer_classes_than_the_weights_know(caplog):
    found = settle(('disc', 'block', 'ring'), ('block',), [1])
    assert found.names == ('__background__', 'disc', 'block', 'ring') and found.labels == (0, 0, 1, 0)
    assert 'knows 2 classes that COCO_val does not have: disc, ring' in caplog.text


@pytest.mark.parametrize('known, names, objects, unknown, left', [
    (('disc', 'box'), ('disc', 'Kasten'), [1, 2, 2], r'Kasten \(2 objects\)', 'box'),
    (('disc', 'box'), ('Scheibe', 'Kasten'), [1, 2, 2], r'Scheibe \(1 objects\), Kasten \(2 objects\)', 'disc, box'),
    (('disc', 'box'), ('box', 'disc', 'ring'), [1, 2, 3], r'ring \(1 objects\)', 'none'),
    (('disc',), ('disc', 'ring'), [], 'ring;', 'none'),  # a set without ground truth: nothing tells
])
def test_classes_that_the_weights_do_not_know(known, names, objects, unknown, left):
    """Never by position, and both sides are listed."""
    with pytest.raises(SniperError, match=f'COCO_val: {unknown}.*that are not there: {left}') as error:
        settle(known, names, objects)
    assert '\n' not in str(error.value)


def test_unknown_classes_without_objects_do_no_harm(caplog):
    found = settle(('disc', 'box'), ('cells', 'box', 'disc'), [2, 3, 3])
    assert found.labels == (0, 3, 2)
    assert 'does not know 1 classes of COCO_val, of which there are no objects: cells' in caplog.text


def test_weights_without_classes_take_those_of_the_data_set():
    found = classes_of_test(Weights('W', 1, ()), SimpleNamespace(classes=('__background__', 'a')), [])
    assert found.names == ('__background__', 'a') and found.labels == (0, 1)


def test_a_set_with_one_class_in_a_program(tmp_path, capsys):
    """Weights that know two classes, a file that lists one of them, spelt otherwise."""
    folder = str(tmp_path)
    tiny_data.write_all(folder)
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--set'] + tiny_data.settings(folder)) == 0
    name = 'detections_val_results.json'
    with open(tiny_data.results(folder, name)) as stream:
        both = json.load(stream)
    path = os.path.join(folder, 'data', 'annotations', 'instances_val.json')
    with open(path) as stream:
        content = json.load(stream)
    content['categories'] = [{'id': 7, 'name': 'Dogs'}]
    for annotation in content['annotations']:
        annotation['category_id'] = 7
    with open(path, 'w') as stream:
        json.dump(content, stream)
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--set'] + tiny_data.settings(folder)) == 0
    with open(tiny_data.results(folder, name)) as stream:
        one = json.load(stream)
    dogs = [dict(result, category_id=7) for result in both if result['category_id'] == 2]
    assert dogs and one == dogs
    assert 'Dogs is dog' in capsys.readouterr().err
