"""R-FCN-3K by the command lines, on a folder a class made in the test: training, resuming, super-classes, a test with
DET's files, pictures, other classes from the weights."""
import json
import os

import cv2
import numpy as np
import pytest

import demo
import main_test
import main_train
from lib.api import Detector
from lib.utils.errors import SniperError
from lib.weights.params_file import read_arrays
from tests.conftest import ROOT

CFG = os.path.join(ROOT, 'configs', 'rfcn3k', 'rfcn3k_tiny.yml')
CLASSES = {'red disc': (40, 40, 220), 'blue box': (220, 60, 40), 'green box': (50, 200, 60)}
XML = ('<annotation><size><width>80</width><height>60</height></size><object><name>{}</name><bndbox><xmin>{}</xmin>'
       '<ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object></annotation>')
SMALL = {'TRAIN.CHIP_SIZE': '64', 'TRAIN.SCALES': '[64px]', 'TRAIN.BATCH_IMAGES': '4', 'TRAIN.end_epoch': '2',
         'TRAIN.warmup_step': '2', 'TRAIN.NUM_PROCESS': '0', 'TEST.NUM_PROCESS': '0', 'TEST.SCALES': '[64px]',
         'TEST.BATCH_IMAGES': '[4]', 'TRAIN.RPN_POST_NMS_TOP_N': '16', 'TEST.RPN_POST_NMS_TOP_N': '16', 'gpus': 'cpu',
         'dataset.image_set': 'train', 'dataset.test_image_set': 'val', 'TEST.CONCURRENT_JOBS': '1'}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('classes')
    rng = np.random.default_rng(0)
    for split, count in (('train', 4), ('val', 2)):
        for name, colour in CLASSES.items():
            place = root / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(90, 120, (60, 80, 3)).astype(np.uint8)
                x, y = rng.integers(2, 30, 2).tolist()
                pixels[y:y + 25, x:x + 30] = colour
                assert cv2.imwrite(str(place / f'{number}.png'), pixels)
                (place / f'{number}.xml').write_text(XML.format(name, x, y, x + 29, y + 24))
    (root / 'superclasses.json').write_text(json.dumps({'round': ['red disc'], 'square': ['blue box', 'green box']}))
    return str(root)


def words(folder, output, *more):
    keys = dict(SMALL, **{'output_path': str(output), 'dataset.root_path': str(output), 'dataset.dataset_path': folder})
    keys.update(zip(more[::2], more[1::2]))
    return ['--cfg', CFG, '--set'] + [word for pair in keys.items() for word in pair]


def checkpoint(output, number):
    return os.path.join(str(output), 'rfcn3k_tiny', 'train', f'SNIPER-{number:04d}.params')


@pytest.fixture(scope='module')
def trained(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp('one')
    assert main_train.main(words(folder, output)) == 0
    return output


def test_files_and_scores(folder, trained):
    arrays = read_arrays(checkpoint(trained, 2))
    assert arrays['arg:conv_new_3_weight'].shape[0] == 3 and arrays['arg:rfcn_cls_weight'].shape[0] == 98
    ratio = arrays['arg:rfcn_bbox_weight_test'] / arrays['arg:rfcn_bbox_weight']
    np.testing.assert_allclose(ratio[:, 0, 0, 0], np.repeat([0.1, 0.1, 0.2, 0.2], 49), rtol=1e-5)
    assert main_test.main(words(folder, trained)) == 0
    results = os.path.join(os.path.dirname(checkpoint(trained, 2)), 'results', 'imagenet_val', 'SNIPER-0002')
    with open(os.path.join(results, 'det_val_metrics.json')) as stream:
        metrics = json.load(stream)
    assert metrics['classes'] == 3 and 0 <= metrics['mAP'] <= 1
    with open(os.path.join(results, 'det_val_pred.txt')) as stream:
        rows = [line.split() for line in stream]
    assert rows and {int(row[1]) for row in rows} <= {0, 1, 2} and {int(row[0]) for row in rows} <= set(range(1, 7))


def test_demo_and_api_name_the_classes(folder, trained, tmp_path):
    picture = os.path.join(folder, 'val', 'red disc', '0.png')
    assert demo.main(['--im_path', picture, '--out', str(tmp_path / 'out'), *words(folder, trained)]) == 0
    assert os.listdir(tmp_path / 'out')
    with Detector.load(CFG, words(folder, trained)[3:]) as detector:
        found = detector.detect(picture)
    assert set(detector.classes) >= set(CLASSES) and (found.label >= 1).all() and (found.label <= 3).all()


def test_a_stopped_training_goes_on_as_if_it_had_not(folder, trained, tmp_path):
    arguments = words(folder, tmp_path, 'TRAIN.end_epoch', '1')
    whole = read_arrays(checkpoint(trained, 1))
    keys = words(folder, tmp_path)
    assert main_train.main(arguments) == 0      # its rate ends elsewhere: what counts is that both go on
    assert main_train.main([*keys[:2], '--resume', *keys[2:]]) == 0
    assert set(read_arrays(checkpoint(tmp_path, 2))) == set(whole)


def test_super_classes_come_from_a_file_and_stay_in_the_weights(folder, tmp_path):
    path = os.path.join(folder, 'superclasses.json')
    several = ('RFCN.num_super_classes', '2')
    assert main_train.main(words(folder, tmp_path, *several, 'RFCN.super_classes', path, 'TRAIN.end_epoch', '1')) == 0
    table = read_arrays(checkpoint(tmp_path, 1))['arg:super_class_of']
    assert table.tolist() == [1, 1, 0]          # classes in alphabetical order: blue box, green box, red disc
    assert main_test.main(words(folder, tmp_path, *several)) == 0
    with pytest.raises(SniperError, match='another rfcn_3k_tiny: --set RFCN.num_super_classes 2'):
        main_test.main(words(folder, tmp_path))


def test_super_classes_of_another_number(folder, tmp_path):
    with pytest.raises(SniperError, match='RFCN.num_super_classes is 3, but .* has 2: set it to 2'):
        main_train.main(words(folder, tmp_path, 'RFCN.num_super_classes', '3', 'RFCN.super_classes',
                              os.path.join(folder, 'superclasses.json')))
