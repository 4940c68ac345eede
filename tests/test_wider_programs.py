"""main_test.py and validations on WIDER FACE's layout with lists, with sniper_tiny of random weights."""
import json
import logging
import os

import cv2
import pytest

import main_test
from configs import ConfigError, load_config
from lib.inference.validate import Validator
from tests.dataset.formats import folders
from tests.dataset.wider.made_up import write_lists
from tests.inference import tiny_data
from tests.inference.random_weights import write_checkpoint

CLASSES = ('__background__', 'face')


@pytest.fixture(scope='module')
def settings(tmp_path_factory):
    """`--set` list for data with lists of three of its four pictures, and weights; a folder of their own."""
    folder = tmp_path_factory.mktemp('wider')
    folders.wider(folder / 'data')
    write_lists(folder / 'lists', {'0--Parade': {stem: [box for _, *box in folders.BOXES[stem]] for stem in 'abc'}})
    found = tiny_data.settings(str(folder)) + ['dataset.dataset', 'wider', 'dataset.WIDER_LISTS', str(folder / 'lists')]
    write_checkpoint(load_config(tiny_data.CONFIG, found), tiny_data.CONFIG, CLASSES)
    return str(folder), found


def test_files_metrics_and_curves(settings, capsys):
    folder, overrides = settings
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--set'] + overrides) == 0
    log = capsys.readouterr().err
    assert 'scored are the 3 pictures that are both in the lists and in this test; 1 are in no list' in log
    results = tiny_data.results(folder, dataset='wider_val')
    with open(os.path.join(results, 'detections_val_metrics.json')) as stream:
        metrics = json.load(stream)
    assert list(metrics) == ['easy', 'medium', 'hard'] and f'hard    {metrics["hard"]:.4f}   5 faces count' in log
    assert cv2.imread(os.path.join(results, 'precision_recall.png')).shape[0] > 300
    assert os.path.join(results, 'precision_recall.png') in log
    with open(os.path.join(results, 'detections', '0--Parade', 'd.txt')) as stream:
        name, count, *lines = stream.read().splitlines()
    assert name == '0--Parade/d.png' and int(count) == len(lines) > 0
    assert all(len(line.split()) == 5 and line.endswith(' ') for line in lines)


def test_validations(settings, tmp_path, caplog):
    """By the hardest setting, if no other is asked for."""
    caplog.set_level(logging.INFO)
    folder, overrides = settings
    overrides = overrides + ['TRAIN.VALIDATE_IMAGES', '2', 'dataset.NUM_CLASSES', '2']
    weights = os.path.join(folder, 'out', 'sniper_tiny_e2e', 'train', 'SNIPER')
    for metric in ('', 'easy'):
        config = load_config(tiny_data.CONFIG, overrides + ['TRAIN.VALIDATE_METRIC', metric])
        found = Validator(config, str(tmp_path / 'SNIPER'), CLASSES)(weights, '0001')
        assert found.metric == (metric or 'hard') and set(found.metrics) == {'easy', 'medium', 'hard'}
    assert 'Validation on 2 of the 4 images of WIDER_val, by easy' in caplog.text
    with pytest.raises(ConfigError, match="'AP' is unknown; WIDER_val gives easy, medium, hard"):
        Validator(load_config(tiny_data.CONFIG, overrides + ['TRAIN.VALIDATE_METRIC', 'AP']), str(tmp_path), CLASSES)
