"""lib.api: a detector in a program, from a configuration and from an exported model."""
import os
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from configs import load_config
from lib.api import Detector, to_coco
from lib.utils.errors import SniperError
from tests.conftest import ROOT
from tests.detections import assert_same
from tests.inference import tiny_data


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('api'))
    tiny_data.write_all(path)
    return path


def pictures(folder):
    images = os.path.join(folder, 'data', 'images', 'val')
    return [os.path.join(images, name) for name in sorted(os.listdir(images))]


@pytest.fixture(scope='module')
def detector(folder):
    with Detector.load(tiny_data.CONFIG, tiny_data.settings(folder)) as loaded:
        yield loaded


def test_an_image_and_a_list(detector, folder):
    paths = pictures(folder)
    together = detector.detect(paths)
    assert set(together.image) == {0, 1, 2} and len(together) > 10
    assert together.classes == detector.classes == tiny_data.CLASSES
    for number, path in enumerate(paths):
        alone = detector.detect(path)
        assert_same(alone, detector.detect([path]))
        of_list = together.of_image(number)
        assert len(alone) and alone.image.max() == 0
        # Beside others an image is padded in another way.
        assert abs(len(alone) - len(of_list)) <= 0.1 * len(alone)


def test_arrays_are_what_files_are(detector, folder):
    path = pictures(folder)[0]
    assert_same(detector.detect(cv2.imread(path)), detector.detect(path))


def test_pictures_of_pillow_and_turned_files(detector, folder, tmp_path):
    path = pictures(folder)[1]      # 64 x 96
    expected = detector.detect(path)
    image = Image.open(path)
    assert_same(detector.detect(image), expected)
    assert_same(detector.detect([image.convert('RGBA'), pathlib.Path(path)]).of_image(1), detector.detect(
        [path, path]).of_image(1))
    exif = Image.Exif()
    exif[0x0112] = 3
    image.transpose(Image.ROTATE_180).save(str(tmp_path / 'down.png'), exif=exif)
    assert_same(detector.detect(str(tmp_path / 'down.png')), expected)
    assert_same(detector.detect(Image.open(str(tmp_path / 'down.png'))), expected)


@pytest.mark.parametrize('thing, words', [(None, 'not NoneType'), (b'\xff\xd8', 'bytes: decode it first'),
                                          (7, 'not int'),
                                          ({'a': 1}, 'not dict'), ([None], 'not NoneType'), ([[]], 'not list'),
                                          (np.zeros((2, 5, 5, 3), np.uint8), 'give a list of arrays'),
                                          (np.zeros((5, 5), np.uint8), 'COLOR_GRAY2BGR'),
                                          (np.zeros((5, 5, 4), np.uint8), 'leave out its transparency'),
                                          (np.zeros((5, 5, 3), np.float32), 'astype'),
                                          (Image.new('F', (5, 5)), "mode 'F'"),
                                          (os.path.dirname(ROOT), 'it is a folder')])
def test_what_is_no_image_is_one_error(detector, thing, words):
    with pytest.raises(SniperError, match=words):
        detector.detect(thing)


def test_threads_share_a_detector(detector, folder):
    path = pictures(folder)[2]
    expected = detector.detect(path)
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(detector.detect, [path, cv2.imread(path), path]):
            assert_same(found, expected)
    assert found.sizes == ((80, 80),) and detector.clock.seconds['network'] > 0


def test_threads_with_detectors_of_their_own_and_one_that_is_closed_meanwhile(detector, folder):
    path = pictures(folder)[2]
    expected = detector.detect(path)
    with Detector.load(tiny_data.CONFIG, tiny_data.settings(folder)) as other, ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(used.detect, path) for used in (detector, other) * 3]
        calls.insert(3, pool.submit(other.close))
        assert calls.pop(3).result() is None
        for call in calls:
            assert_same(call.result(), expected)


def test_results_are_what_pycocotools_takes(detector, folder):
    coco = COCO(os.path.join(folder, 'data', 'annotations', 'instances_val.json'))
    found = detector.detect([os.path.join(folder, 'data', 'images', 'val', image['file_name'])
                             for image in coco.dataset['images']])
    categories = {label: coco.getCatIds(name)[0] for label, name in enumerate(detector.classes) if label}
    results = coco.loadRes(to_coco(found, coco.getImgIds(), categories))
    scores = COCOeval(coco, results, 'bbox')
    scores.evaluate()
    assert len(results.anns) == len(found) and any(image['dtIds'] for image in scores.evalImgs if image)


def test_batches_are_no_larger_than_there_are_images(detector, monkeypatch):
    monkeypatch.setattr(detector.config.TEST, 'BATCH_IMAGES', [4, 6])
    monkeypatch.setattr(detector.config.TEST, 'DO_PRUNING', [False, False])
    assert detector.batch_images == 12
    assert [detector._config_of(count).TEST.BATCH_IMAGES for count in (0, 1, 5, 9)] == [[1, 1], [1, 1], [4, 5], [4, 6]]
    monkeypatch.setattr(detector.config.TEST, 'DO_PRUNING', [False, True])
    assert detector._config_of(1).TEST.BATCH_IMAGES == [1, 6] and detector.config.TEST.BATCH_IMAGES == [4, 6]


def test_no_image(detector):
    assert len(detector.detect([])) == 0


def test_the_network_is_loaded_once(folder):
    with Detector.load(tiny_data.CONFIG, tiny_data.settings(folder)) as detector:
        detector.detect(pictures(folder)[0])
        predictor = detector._predictor
        detector.detect(pictures(folder))
        assert detector._predictor is predictor
    assert detector._predictor is None
    assert len(detector.detect(pictures(folder)[0])) > 0  # loads again
    detector.close()


@pytest.mark.parametrize('array', [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)])
def test_arrays_that_are_no_images(detector, array):
    with pytest.raises(ValueError, match='an image must be'):
        detector.detect(array)


def test_what_is_missing_is_named(detector, folder):
    with pytest.raises(SniperError, match='nowhere.jpg'):
        detector.detect('nowhere.jpg')
    with pytest.raises(SniperError, match='SNIPER-0009.params do not exist'):
        Detector.load(tiny_data.CONFIG, tiny_data.settings(folder, TEST_EPOCH=9))
    with pytest.raises(SniperError, match='nothing.yml'):
        Detector.load('nothing.yml')


def test_an_exported_model_knows_its_configuration(detector, folder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(os.path.join(ROOT, 'scripts'))
    import optimize_model
    prefix = str(tmp_path / 'tiny')
    arguments = ['--cfg', tiny_data.CONFIG, '--out', prefix, '--set'] + tiny_data.settings(folder)
    assert optimize_model.main(arguments) == 0
    expected = detector.detect(pictures(folder)[1])
    with Detector.load(prefix) as exported:
        assert exported.classes == detector.classes
        assert exported.config.TEST.SCALES == detector.config.TEST.SCALES
        found = exported.detect(pictures(folder)[1])
    assert len(found) == len(expected)
    np.testing.assert_allclose(np.sort(found.score), np.sort(expected.score), rtol=1e-3, atol=1e-4)


def test_a_loaded_configuration(detector, folder):
    config = load_config(tiny_data.CONFIG, tiny_data.settings(folder))
    prefix = os.path.join(folder, 'out', 'sniper_tiny_e2e', 'train', 'SNIPER')
    with Detector.load(config, save_prefix=prefix) as other:
        assert_same(other.detect(pictures(folder)), detector.detect(pictures(folder)))
    assert config.dataset.NUM_CLASSES == load_config(tiny_data.CONFIG).dataset.NUM_CLASSES  # it was copied
    with pytest.raises(ValueError, match='overrides'):
        Detector.load(config, ['gpus', 'cpu'])


def test_the_import_does_not_load_mxnet():
    code = 'import sys, lib.api; sys.exit("mxnet" in sys.modules)'
    assert subprocess.call([sys.executable, '-c', code], cwd=ROOT) == 0


@pytest.mark.parametrize('source, overrides, words', [
    ('out/SNIPER-0001.params', [], 'holds weights alone: load the configuration'),
    (None, [], 'from the path of a configuration, not from None'),
    ('a.yml', 'gpus cpu', "a list such as ['gpus', 'cpu'], or a dict, not 'gpus cpu'"),
    ('configs/faster/sniper_tiny_e2e.yml', {'TEST.TEST_EPOCH': 'two'}, 'TEST.TEST_EPOCH wants a whole number'),
])
def test_what_no_detector_can_be_loaded_from(source, overrides, words, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SniperError, match=re.escape(words)):
        Detector.load(source, overrides)
