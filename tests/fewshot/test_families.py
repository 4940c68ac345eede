"""Networks of every family, with random weights: features of whole pictures, and objects with theirs."""
import os

import numpy as np
import pytest

from configs import load_config
from lib.fewshot.detector import load_network
from lib.fewshot.pooling import KINDS
from lib.image import Picture
from tests.conftest import ROOT
from tests.inference.random_weights import write_checkpoint

FILES = {'m2det': ('m2det/m2det_tiny.yml', ['dataset.NUM_CLASSES', '3', 'M2DET.planes', '8', 'M2DET.num_levels', '1',
                                          'M2DET.width', '0.125', 'M2DET.input_size', '320']),
         'ssh': ('ssh/ssh_tiny.yml', ['dataset.NUM_CLASSES', '2', 'TEST.SCALES', '[1x]', 'TEST.VALID_RANGES',
                                      '[[-1, -1]]', 'TEST.BATCH_IMAGES', '[2]']),
         'rfcn': ('rfcn3k/rfcn3k_tiny.yml', ['dataset.NUM_CLASSES', '4', 'TEST.TEST_EPOCH', '1'])}


@pytest.mark.parametrize('family', sorted(FILES))
def test_pictures_and_objects(family, tmp_path):
    file, overrides = FILES[family]
    path = os.path.join(ROOT, 'configs', file)
    overrides = ['gpus', 'cpu', 'output_path', str(tmp_path), 'TEST.TEST_EPOCH', '1',
                 *overrides]
    config = load_config(path, overrides)
    classes = ['__background__', *'abc'[:config.dataset.NUM_CLASSES - 1]]
    write_checkpoint(config, path, classes, score_spread=0.3)
    network = load_network(path, overrides, kind='mean', mirrored=True)
    pictures = [Picture(np.random.RandomState(seed).randint(0, 256, (*size, 3), np.uint8), size[1], size[0])
                for seed, size in enumerate([(48, 70), (60, 40)])]
    features = network.features(pictures)
    assert features.shape[:2] == (2, 2) and np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 1e-4
    np.testing.assert_allclose(network.features(pictures[1:])[0], features[1], rtol=1e-3, atol=1e-4)
    objects, described = network.objects(pictures[0])
    assert len(objects) == len(described) > 0 and described.shape[1] == features.shape[2] * KINDS['mean']
    assert np.isfinite(described).all() and (np.diff(objects.score) <= 0).all()
    network.close()
