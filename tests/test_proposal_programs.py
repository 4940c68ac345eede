"""A network that only proposes, through the programs as a user runs them."""
import glob
import json
import os

import cv2
import numpy as np
import pytest

import demo
import main_test
from configs import load_config
from lib.api import Detector
from lib.chips.window import Window
from lib.tasks import get_task
from lib.utils.errors import SniperError
from tests.conftest import ROOT
from tests.synthetic_folder import one_scale, synthetic_folder

CONFIG = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    """Folder of a synthetic data set with three pictures to test on."""
    return synthetic_folder(tmp_path_factory, 1, 3)


def settings(scenes, output, *more):
    return one_scale(scenes, output, 'TEST.ONLY_PROPOSAL', 'True', 'TEST.NMS', '-1', 'TEST.NMS_SIGMA', '0.55', *more)


def metrics_of(output):
    path, = glob.glob(str(output / '**' / 'metrics_*_object.json'), recursive=True)
    with open(path) as stream:
        return json.load(stream), os.path.dirname(path)


def test_a_test_in_shards(scenes, tmp_path, capsys):
    assert main_test.main(['--cfg', CONFIG, '--shard', '1/1', '--set', *settings(scenes, tmp_path)]) == 0
    assert main_test.main(['--cfg', CONFIG, '--merge', '--report', '--set', *settings(scenes, tmp_path)]) == 0
    metrics, folder = metrics_of(tmp_path)
    assert metrics['recall50']['all']['100'] > 0.5 > metrics['AP'] > 0.02
    assert metrics['objects']['all'] == sum(metrics['objects'][size] for size in ('small', 'medium', 'large'))
    names = os.listdir(folder)
    assert {'precision_recall.png', 'report.html', 'test.json'} <= set(names)
    assert [name for name in names if name.startswith('comp4_det_') and name.endswith('_object.txt')]
    said = capsys.readouterr().err
    assert 'recall at IoU 0.5' in said and 'AP of PASCAL VOC at IoU 0.5' in said


def test_proposals_that_are_written():
    """Of a score above TEST.PROPOSAL_MIN_SCORE, then after soft-NMS, a window each."""
    boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 9], [50, 50, 59, 59], [0, 0, 9, 9]] * 2, np.float32)
    outputs = {'rois_output': np.column_stack([np.repeat([0, 1], 4), boxes]).astype(np.float32),
               'rois_score': np.array([0.9, 0.8, 0.7, 0.4, 0.5, 0.5, 0.5, 0.6], np.float32)}
    windows = [Window((0, 0, 100, 100), 1.0, 1.0, 100, 100)] * 2

    def written(*words):
        config = load_config(None, ['symbol', 'deepv_arm_net', 'TEST.EXTRACT_PROPOSALS', True, *words])
        return get_task(config, 'test').decode(outputs, windows)
    assert written('TEST.PROPOSAL_MIN_SCORE', 0.5).score.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6])
    soft = written('TEST.PROPOSAL_MIN_SCORE', 0.5, 'TEST.PROPOSAL_NMS_SIGMA', 0.55)
    assert soft.image.tolist() == [0, 0, 0, 1] and set(soft.label) == {1}
    assert soft.score.tolist() == pytest.approx([0.9, 0.7, 0.8 * np.exp(-1 / 0.55), 0.6])
    assert not len(written('TEST.PROPOSAL_MIN_SCORE', 0.95, 'TEST.PROPOSAL_NMS_SIGMA', 0.55))


def test_demo_and_api(scenes, tmp_path, capsys):
    picture, = glob.glob(os.path.join(scenes, 'images', 'val*', '*'))[:1]
    out = str(tmp_path / 'drawn.png')
    words = settings(scenes, tmp_path)
    assert demo.main(['--cfg', CONFIG, '--im_path', picture, '--out', out, '--set', *words]) == 0
    assert 'object' in capsys.readouterr().out
    assert (cv2.imread(out) != cv2.imread(picture)).any()
    with Detector.load(CONFIG, words) as detector:
        found = detector.detect(picture)
    assert detector.classes == ('__background__', 'object') and set(found.label) == {1}
    assert (np.diff(found.score) <= 0).all() and found.score[0] > 0.5 and len(found) > 10


@pytest.mark.parametrize('words, said', [
    (['TEST.WITH_MASK', 'True'], 'TEST.WITH_MASK is True'), (['TEST.DO_PRUNING', '[True]'], 'TEST.DO_PRUNING is')])
def test_what_proposals_have_not(scenes, tmp_path, words, said):
    with pytest.raises(SniperError, match=said):
        main_test.main(['--cfg', CONFIG, '--set', *settings(scenes, tmp_path, *words)])
