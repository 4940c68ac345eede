"""A family that only this folder knows trains, resumes, tests and draws by the command lines."""
import os
import subprocess

import cv2
import numpy as np
import pytest

import demo
import main_test
import main_train
from lib.weights.params_file import read_arrays
from tests.conftest import ROOT
from tests.inference import tiny_data
from tests.tasks import one_stage


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three images, the configuration, and two epochs of training, stopped after the first and resumed."""
    path = str(tmp_path_factory.mktemp('family'))
    tiny_data.write_data(os.path.join(path, 'data'))
    with open(os.path.join(path, 'cells.yml'), 'w') as stream:
        stream.write(one_stage.CONFIGURATION)
    assert main_train.main(arguments(path, 'TRAIN.end_epoch', '1')) == 0
    assert main_train.main(['--resume'] + arguments(path)) == 0
    return path


def arguments(path, *words):
    return ['--cfg', os.path.join(path, 'cells.yml'), '--set', 'output_path', os.path.join(path, 'out'),
            'dataset.dataset_path', os.path.join(path, 'data'), 'dataset.root_path', path] + list(words)


def output(path, *names):
    return os.path.join(path, 'out', 'cells', 'val', *names)


def test_it_trained(folder):
    first, second = (read_arrays(output(folder, f'SNIPER-000{epoch}.params')) for epoch in (1, 2))
    assert set(first) == set(second) and 'arg:cell_class_weight' in first
    assert all(np.isfinite(array).all() for array in second.values())
    assert (first['arg:cell_class_weight'] != second['arg:cell_class_weight']).any()


def test_it_is_tested_and_drawn(folder, capsys):
    assert main_test.main(['--vis'] + arguments(folder)) == 0
    assert 'Average Precision' in capsys.readouterr().err
    results = output(folder, 'results', 'coco_val', 'SNIPER-0002')
    with np.load(os.path.join(results, 'dets_final', 'detections.npz')) as file:
        assert len(file['rows']) > 10
    assert len(os.listdir(os.path.join(results, 'pictures', 'dets_final'))) == 3


def test_other_processes_learn_of_it(folder):
    """Those of inference, and those that make training samples, import the task with what they are given."""
    path = output(folder, 'results', 'coco_val', 'SNIPER-0002', 'dets_final', 'detections.npz')
    assert main_test.main(arguments(folder)) == 0
    with np.load(path) as file:
        rows = file['rows']
    assert main_test.main(arguments(folder, 'TEST.CONCURRENT_JOBS', '2')) == 0
    with np.load(path) as file:
        np.testing.assert_array_equal(file['rows'], rows)
    assert main_train.main(['--resume'] + arguments(folder, 'TRAIN.end_epoch', '3', 'TRAIN.NUM_PROCESS', '1')) == 0


def test_demo(folder, tmp_path, capsys):
    image = str(tmp_path / 'photo.png')
    cv2.imwrite(image, np.full((64, 96, 3), 90, np.uint8))
    assert demo.main(['--im_path', image] + arguments(folder, 'TEST.VIS_THRESH', '0.0')) == 0
    assert os.listdir(os.path.join(folder, 'out', 'demo')) == ['photo_detections.jpg']
    assert 'class' in capsys.readouterr().out


def test_nobody_else_knows_it():
    found = subprocess.run(['grep', '-rlE', 'one_stage|cell_prob|CellTask', 'lib', 'symbols', 'configs'], cwd=ROOT,
                           stdout=subprocess.PIPE, text=True, check=False).stdout
    assert [path for path in found.split() if not path.endswith('.pyc')] == []
