"""The loop over scales and the jobs, with a fake network."""
import os

import numpy as np
import pytest

from lib.utils.errors import SniperError
from lib.inference.detect import detect
from lib.inference.focus import whole_images
from lib.inference.progress import StageClock
from lib.inference.scale import run_scale
from tests.inference import fakes


def assert_equal(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            np.testing.assert_array_equal(x, y)


def test_every_image_gets_its_own_detections(tmp_path):
    """Batching by size must not mix images up: each alone gives the same as all together."""
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_config()
    together = detect(roidb, fakes.FakePredictor, config, fakes.CLASSES)
    assert len(together) == fakes.CLASSES and sum(len(d) for d in together[0]) == 0
    assert all(any(len(together[label][image]) for label in range(fakes.CLASSES)) for image in range(len(roidb)))
    for index, entry in enumerate(roidb):
        alone = detect([entry], fakes.FakePredictor, config, fakes.CLASSES)
        assert_equal(alone, [[images[index]] for images in together])
    for dets in (dets for images in together for dets in images):
        assert dets.dtype == np.float32 and dets.shape[1] == 5


def test_boxes_lie_in_the_image(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    detections = detect(roidb, fakes.FakePredictor, fakes.make_config(), fakes.CLASSES)
    for images in detections:
        for entry, dets in zip(roidb, images):
            assert (dets[:, :4] >= 0).all()
            assert (dets[:, [0, 2]] <= entry['width']).all() and (dets[:, [1, 3]] <= entry['height']).all()


def test_jobs_give_what_one_process_gives(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    clock = StageClock()
    one = detect(roidb, fakes.FakePredictor, fakes.make_config(), fakes.CLASSES)
    two = detect(roidb, fakes.FakePredictor, fakes.make_config(CONCURRENT_JOBS=2), fakes.CLASSES, clock=clock)
    assert_equal(one, two)
    assert clock.seconds['network'] > 0 and clock.seconds['read'] > 0


def test_more_jobs_than_images(tmp_path):
    roidb = fakes.make_roidb(tmp_path)[:2]
    one = detect(roidb, fakes.FakePredictor, fakes.make_config(), fakes.CLASSES)
    assert_equal(one, detect(roidb, fakes.FakePredictor, fakes.make_config(CONCURRENT_JOBS=7), fakes.CLASSES))


@pytest.mark.parametrize('predictor, message', [
    (fakes.KilledPredictor, r'inference job \d of 2 was killed by signal 9 \(often: out of memory\); if memory '
                            r'ran out, lower TEST.CONCURRENT_JOBS'),
    (fakes.BuggyPredictor, r'inference job \d of 2 failed: ZeroDivisionError: a bug'),
    (fakes.ComplainingPredictor, '^the weights are of another network$')])
def test_failing_job_ends_the_run(tmp_path, predictor, message):
    with pytest.raises(SniperError, match=message):
        detect(fakes.make_roidb(tmp_path), predictor, fakes.make_config(CONCURRENT_JOBS=2), fakes.CLASSES)


def test_jobs_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '6')
    with pytest.raises(SniperError, match='threads: 3'):
        detect(fakes.make_roidb(tmp_path)[:2], fakes.ThreadsPredictor, fakes.make_config(CONCURRENT_JOBS=2),
               fakes.CLASSES)
    assert os.environ['OMP_NUM_THREADS'] == '6'


def test_nothing_found(tmp_path):
    detections = detect(fakes.make_roidb(tmp_path), fakes.NothingPredictor, fakes.make_config(), fakes.CLASSES)
    assert all(dets.shape == (0, 5) for images in detections for dets in images)


def test_no_image():
    assert detect([], fakes.FakePredictor, fakes.make_config(), fakes.CLASSES) == [[] for _ in range(fakes.CLASSES)]


def test_broken_image_is_named(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    with open(roidb[3]['image'], 'wb') as stream:
        stream.write(b'not an image')
    with pytest.raises(SniperError, match='image3.png'):
        detect(roidb, fakes.FakePredictor, fakes.make_config(), fakes.CLASSES)


def test_crops(tmp_path):
    """Several windows of an image, one without any: rows come back per window, shifted to the image."""
    roidb = fakes.make_roidb(tmp_path)[:2]
    config = fakes.make_config()
    crops = [[(10.0, 5.0, 40.0, 35.0), (0.0, 0.0, 20.0, 20.0)], []]
    rows = run_scale(roidb, crops, fakes.FakePredictor(), config, 0, StageClock(), lambda count: None).rows
    assert [len(windows) for windows in rows] == [2, 0]
    for window, found in zip(crops[0], rows[0]):
        assert len(found)
        assert (found[:, 0] >= window[0]).all() and (found[:, 1] >= window[1]).all()
        assert (found[:, 2] <= window[2]).all() and (found[:, 3] <= window[3]).all()
    counts = []
    run_scale(roidb, whole_images(roidb), fakes.FakePredictor(), config, 1, StageClock(), counts.append)
    assert sum(counts) == 2
    predictor = fakes.FakePredictor()
    assert run_scale(roidb, [[], []], predictor, config, 0, StageClock(), counts.append).rows == [[], []]
    assert predictor.batches == 0
