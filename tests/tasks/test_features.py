"""Every family says where its feature map is and what objects there are, for classes that it does not know."""
import os
import types

import numpy as np
import pytest

from configs import load_config
from lib.bbox import bbox_overlaps
from lib.bbox.detections import Detections
from lib.chips.window import Window
from lib.fewshot.network import FeatureNetwork
from lib.tasks import get_task
from lib.tasks.base import OBJECT_NMS, Task, best_boxes
from lib.tasks.faster_rcnn import FasterRcnnTask
from lib.utils.errors import SniperError
from symbols import get_detector
from symbols.registry import detector_entry, detector_names
from tests.conftest import ROOT
from tests.symbols.test_graphs import run

FILES = {'faster_rcnn': 'faster/sniper_tiny_e2e.yml', 'fast_rcnn': 'faster/sniper_tiny_e2e.yml',
         'm2det': 'm2det/m2det_tiny.yml', 'ssh': 'ssh/ssh_tiny.yml', 'rfcn3k': 'rfcn3k/rfcn3k_tiny.yml',
         'openimages': 'openimages/openimages_tiny.yml', 'proposals': 'arm/sniper_arm_slim.yml'}


def config_of(name, *overrides):
    family = detector_entry(name).task
    config = load_config(os.path.join(ROOT, 'configs', FILES[family]), [
        'symbol', name, 'gpus', 'cpu', 'TRAIN.fp16', 'False', 'TEST.RPN_POST_NMS_TOP_N', '6', *overrides])
    config.dataset.NUM_CLASSES = 2 if family == 'ssh' else 4
    return config


OURS = [name for name in detector_names() if str(detector_entry(name).build).startswith('symbols.')]   # no test's own


@pytest.mark.parametrize('name', OURS)
def test_a_map_of_the_stride_that_the_task_says(name):
    config = config_of(name)
    graph, detector = get_task(config, 'test').feature, get_detector(name)
    symbol = detector.symbol(config, graph.variant)
    shapes = detector.input_shapes(config, 2, 64, 96, graph.variant)
    shapes = {key: shape for key, shape in shapes.items() if key in symbol.list_arguments()}
    height, width = shapes['data'][2:]
    outputs = dict(zip(symbol.list_outputs(), symbol.infer_shape(**shapes)[1]))
    batch, channels, rows, columns = outputs[graph.output]
    assert (batch, rows, columns) == (2, -(-height // graph.stride), -(-width // graph.stride)) and channels >= 96
    trunk = symbol[graph.output]        # pictures need no more than this
    assert len(trunk.list_arguments()) < len(symbol.list_arguments())
    assert trunk.infer_shape(data=shapes['data'])[1] == [outputs[graph.output]]


@pytest.mark.parametrize('name', ['sniper_tiny', 'ssh_tiny', 'rfcn_3k_tiny', 'deepv_arm_net'])
def test_objects(name):
    """What a random network calls objects: apart from each other, inside, best first; the map does not change them."""
    config = config_of(name, 'TEST.SCORE_THRESH', '0.0')
    task, detector = get_task(config, 'test'), get_detector(name)
    outputs = run(detector, config, task.feature.variant, 2, 64, 96, seed=5)
    plain = run(detector, config, task.test_graph, 2, 64, 96, seed=5)
    for key in set(outputs) - {task.feature.output}:
        np.testing.assert_array_equal(outputs[key], plain[key])
    windows = [Window((0.0, 0.0, 48.0, 32.0), 2.0, 2.0, 64, 96, 0)] * 2
    found = task.objects(outputs, windows)
    assert set(found.image.tolist()) == {0, 1} and not found.label.any()
    for _, of_image in found.by_image():
        assert (np.diff(of_image.score) <= 0).all() and (of_image.box >= 0).all()
        assert (of_image.box <= [48, 32, 48, 32]).all()
        overlaps = bbox_overlaps(of_image.box, of_image.box)
        assert (overlaps[~np.eye(len(overlaps), dtype=bool)] <= OBJECT_NMS + 1e-6).all()


def test_a_box_of_two_classes_is_one_object():
    same, other = (10, 10, 50, 50), (60, 10, 90, 50)
    best = best_boxes(Detections([0, 0, 0, 1], [2, 1, 1, 2], [same, same, other, same], [0.3, 0.6, 0.7, 0.2]))
    assert best.score.tolist() == pytest.approx([0.7, 0.6, 0.2]) and best.image.tolist() == [0, 0, 1]


def test_the_object_score_of_rfcn_is_that_of_no_class():
    """1 - P(background): what the scores of all classes add up to."""
    config = config_of('rfcn_3k_tiny', 'TEST.SCORE_THRESH', '0.0')
    task, detector = get_task(config, 'test'), get_detector('rfcn_3k_tiny')
    outputs = run(detector, config, 'test', 1, 64, 96, seed=5)
    windows = [Window((0.0, 0.0, 96.0, 64.0), 1.0, 1.0, 64, 96, 0)]
    every = task.decode(outputs, windows)
    found = task.objects(run(detector, config, 'feature', 1, 64, 96, seed=5), windows)
    for box, score in zip(found.box, found.score):
        of_classes = every.score[(every.box == box).all(axis=1)].reshape(3, -1)     # of the proposals with that box
        assert of_classes.sum(axis=0).max() == pytest.approx(score, abs=1e-6)


def test_a_task_without_a_map_is_refused(monkeypatch):
    assert Task(None).feature is None
    monkeypatch.setattr(FasterRcnnTask, 'feature', None)
    with pytest.raises(SniperError, match='sniper_tiny gives no feature map .*: take another network'):
        FeatureNetwork(config_of('sniper_tiny'), types.SimpleNamespace(optimized=False, onnx=''))
