"""The Open Images configuration for CPUs by the command lines, on files in the official form made in the test."""
import csv
import json
import os

import cv2
import numpy as np
import pytest

import demo
import main_test
import main_train
from lib.weights.params_file import read_arrays
from tests.conftest import ROOT
from tests.dataset.openimages.made_up import make, row

CFG = os.path.join(ROOT, 'configs', 'openimages', 'openimages_tiny.yml')
SMALL = {'TRAIN.CHIP_SIZE': '64', 'TRAIN.CHIP_STRIDES': '[8]', 'TRAIN.SCALES': '[64px]',
         'TRAIN.VALID_RANGES': '[[-1, -1]]', 'TRAIN.BATCH_IMAGES': '2', 'TRAIN.end_epoch': '1',
         'TRAIN.warmup_step': '2', 'TRAIN.NUM_PROCESS': '0', 'TEST.NUM_PROCESS': '0', 'TEST.SCALES': '[64px]',
         'TEST.VALID_RANGES': '[[-1, -1]]', 'TEST.BATCH_IMAGES': '[2]', 'TRAIN.RPN_POST_NMS_TOP_N': '16',
         'TEST.RPN_POST_NMS_TOP_N': '16', 'gpus': 'cpu', 'TEST.CONCURRENT_JOBS': '1'}
ROWS = [row('a'), row('a', box=(0, 1, 0, 1), flags='0,0,1,0,0'), row('b', '/m/0dog', box=(0.5, 0.9, 0.3, 0.9)),
        row('c', flags='0,0,1,0,0')]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('openimages')
    for image_set in ('train', 'val'):
        make(folder, ROWS, image_set, labels=['a,verification,/m/0cat,1', 'b,verification,/m/0cat,0'])
        for number, name in enumerate('abc'):
            pixels = np.random.default_rng(number).integers(0, 255, (100, 200, 3)).astype(np.uint8)
            assert cv2.imwrite(str(folder / 'images' / image_set / f'{name}.jpg'), pixels)
    return str(folder)


def words(data, output, *more):
    keys = dict(SMALL, **{'output_path': str(output), 'dataset.root_path': str(output), 'dataset.dataset_path': data})
    keys.update(zip(more[::2], more[1::2]))
    return ['--cfg', CFG, '--set'] + [word for pair in keys.items() for word in pair]


def test_training_test_and_demo(data, tmp_path):
    assert main_train.main(words(data, tmp_path)) == 0
    place = os.path.join(str(tmp_path), 'openimages_tiny', 'train')
    assert read_arrays(os.path.join(place, 'SNIPER-0001.params'))['arg:cls_score_weight'].shape[0] == 5
    assert main_test.main(words(data, tmp_path)) == 0
    results = os.path.join(place, 'results', 'openimages_val', 'SNIPER-0001')
    with open(os.path.join(results, 'predictions_val.csv')) as stream:
        found = list(csv.DictReader(stream))
    assert {line['ImageID'] for line in found} <= set('abc') and all(0 <= float(line['XMax']) <= 1 for line in found)
    with open(os.path.join(results, 'predictions_val_metrics.json')) as stream:
        assert json.load(stream)['groups'] == 2
    picture = os.path.join(data, 'images', 'val', 'a.jpg')
    assert demo.main(['--im_path', picture, '--out', str(tmp_path / 'drawn'), *words(data, tmp_path)]) == 0


@pytest.mark.parametrize('symbol', ['sniper_tiny_openimages', 'sniper_tiny'])
def test_soft_sampling_changes_what_is_learnt(data, tmp_path, symbol):
    weights = []
    for number, switch in enumerate(('False', 'True')):
        out = tmp_path / str(number)
        assert main_train.main(words(data, out, 'symbol', symbol, 'TRAIN.SOFT_SAMPLING', switch,
                                     'TRAIN.SOFT_SAMPLING_RPN', switch)) == 0
        weights.append(read_arrays(os.path.join(str(out), 'openimages_tiny', 'train', 'SNIPER-0001.params')))
    for name in ('arg:cls_score_bias', 'arg:rpn_cls_score_bias'):
        assert not np.array_equal(weights[0][name], weights[1][name]), name
