"""The detections of a picture from SSH's modules: recorded vectors of the original, and one NMS over all scales."""
import os

import numpy as np

from configs import load_config
from lib.bbox.detections import Detections
from lib.inference.aggregate import Suppression, aggregate
from tests.conftest import ROOT
from tests.golden import golden_file

CONFIG = os.path.join(ROOT, 'configs', 'ssh', 'ssh_vgg16.yml')


def test_recorded_detections():
    golden, config = np.load(golden_file('detectors/ssh_detect.npz')), load_config(CONFIG)
    scale, parts = golden['detect_single/0_im_info'][0, 2], []
    for module in ('m1', 'm2', 'm3'):
        scores = golden[f'detect_single/0_{module}_scores']
        kept = scores > np.float32(config.TEST.SCORE_THRESH)
        parts.append(Detections(np.zeros(kept.sum()), np.ones(kept.sum()),
                                golden[f'detect_single/0_{module}_boxes'][kept] / scale, scores[kept]))
    found = aggregate([Detections.concatenate(parts)], [(-1, -1)], Suppression.from_config(config),
                      config.TEST.MAX_PER_IMAGE)
    np.testing.assert_allclose(found.rows(), golden['detect_single/dets'], atol=1e-4)


def test_one_suppression_over_all_scales():
    config = load_config(CONFIG.replace('vgg16', 'vgg16_pyramid'))
    same = [Detections([0], [1], [[10, 10, 49 + shift, 49]], [score])
            for shift, score in enumerate((0.6, 0.9, 0.7, 0.8))]
    found = aggregate(same, config.TEST.VALID_RANGES, Suppression.from_config(config), config.TEST.MAX_PER_IMAGE)
    assert found.score.tolist() == [np.float32(0.9)]
