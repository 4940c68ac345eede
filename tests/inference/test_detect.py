"""The loop over scales and the inference processes, with a fake network."""
import os

import numpy as np
import pytest

from lib.image import ImageNotices
from lib.inference.detect import detect
from lib.inference.detection_store import DetectionStore
from lib.inference.scale import joined, run_scale, whole_images
from lib.utils.clock import StageClock
from tests.detections import assert_same
from tests.inference import fakes


def test_every_image_gets_its_own_detections(tmp_path):
    """Batching by size must not mix images up: each alone gives the same as all together."""
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_config()
    together = detect(roidb, fakes.FakePredictor, config)
    assert set(together.image) == set(range(len(roidb))) and (together.label > 0).all()
    assert_same(together, together.in_image_order())
    for index, entry in enumerate(roidb):
        alone = detect([entry], fakes.FakePredictor, config)
        assert_same(alone, together.of_image(index).replace(image=np.zeros_like(alone.image)))


def test_boxes_lie_in_the_image(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    detections = detect(roidb, fakes.FakePredictor, fakes.make_config())
    assert len(detections) and (detections.box >= 0).all()
    for image, found in detections.by_image():
        assert (found.box[:, [0, 2]] <= roidb[image]['width']).all()
        assert (found.box[:, [1, 3]] <= roidb[image]['height']).all()


def test_the_best_of_a_window_go_on(tmp_path):
    roidb, whole, few = fakes.make_roidb(tmp_path), [], []
    for limit, results in ((0, whole), (5, few)):
        config = fakes.make_config(MAX_PER_WINDOW=limit)
        detect(roidb, fakes.FakePredictor, config, on_scale=lambda _, result, results=results: results.append(result))
    for every, best in zip(whole, few):
        for window, found in every.detections.by_image():
            kept = best.detections.of_image(window)
            assert len(found) > 5 and sorted(kept.score) == sorted(found.score)[-5:]


def test_nothing_found(tmp_path):
    detections = detect(fakes.make_roidb(tmp_path), fakes.NothingPredictor, fakes.make_config())
    assert len(detections) == 0


def test_no_image():
    assert len(detect([], fakes.FakePredictor, fakes.make_config())) == 0


@pytest.mark.parametrize('jobs, readers', [(1, 0), (1, 2), (2, 0)])
def test_an_image_that_cannot_be_read_has_no_detections_and_harms_no_other(tmp_path, jobs, readers, caplog):
    roidb, config = fakes.make_roidb(tmp_path), fakes.make_config(CONCURRENT_JOBS=jobs, NUM_PROCESS=readers)
    expected = detect(roidb, fakes.FakePredictor, fakes.make_config())
    with open(roidb[3]['image'], 'wb') as stream:
        stream.write(b'not an image')
    notices = ImageNotices()
    found = detect(roidb, fakes.FakePredictor, config, notices=notices)
    assert_same(found, expected.take(expected.image != 3))
    assert list(notices.unreadable) == [roidb[3]['image']]
    assert caplog.text.count('image3.png is damaged or not an image, but text') == 1     # though there are two scales


def test_an_image_that_vanishes_between_two_scales_has_none_either(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    expected = detect(roidb, fakes.FakePredictor, fakes.make_config())
    made = []

    class Vanishing(fakes.FakePredictor):
        def predict(self, batch):
            made.append(batch)
            if len(made) == 4 and os.path.exists(roidb[1]['image']):
                os.remove(roidb[1]['image'])
            return super().predict(batch)
    notices = ImageNotices()
    found = detect(roidb, Vanishing, fakes.make_config(), notices=notices)
    assert 'image1.png cannot be read (No such file' in notices.unreadable[roidb[1]['image']]
    assert_same(found, expected.take(expected.image != 1))


def test_batches_of_unreadable_images_alone_are_not_run(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    for entry in roidb:
        os.remove(entry['image'])
    assert len(detect(roidb, fakes.BuggyPredictor, fakes.make_config())) == 0


def test_unreadable_images_and_kept_scales(tmp_path, caplog):
    """A scale that lacks an image is read again as long as the image is bad, and run again when it is not."""
    roidb, config = fakes.make_roidb(tmp_path), fakes.make_config(USE_CACHE=[True, True])
    store = DetectionStore(str(tmp_path / 'kept'), config, roidb, 'weights')
    with open(roidb[2]['image'], 'rb') as stream:
        good = stream.read()
    with open(roidb[2]['image'], 'wb') as stream:
        stream.write(b'?' * len(good))
    first = detect(roidb, fakes.FakePredictor, config, store)
    notices = ImageNotices()
    assert_same(detect(roidb, fakes.BuggyPredictor, config, store, notices=notices), first)
    assert list(notices.unreadable) == [roidb[2]['image']]
    with open(roidb[2]['image'], 'wb') as stream:
        stream.write(good)
    found = detect(roidb, fakes.FakePredictor, config, store)
    assert 'image2.png could not be read: the scale is run again' in caplog.text and 2 in found.image


def test_crops(tmp_path):
    """Several windows of an image, one without any: detections come back by window, shifted to the image."""
    roidb = fakes.make_roidb(tmp_path)[:2]
    config = fakes.make_config()
    crops = [[(10.0, 5.0, 40.0, 35.0), (0.0, 0.0, 20.0, 20.0)], []]
    result = run_scale(roidb, crops, fakes.FakePredictor(), config, 0, StageClock(), lambda count: None)
    assert set(result.detections.image) == {0, 1} and result.counts.tolist() == [2, 0]
    assert set(result.image_detections.image) == {0}
    for number, window in enumerate(crops[0]):
        box = result.detections.of_image(number).box
        assert (box[:, :2] >= window[:2]).all() and (box[:, 2:] <= window[2:]).all()
    counts = []
    run_scale(roidb, whole_images(roidb), fakes.FakePredictor(), config, 1, StageClock(), counts.append)
    assert sum(counts) == 2
    predictor = fakes.FakePredictor()
    nothing = run_scale(roidb, [[], []], predictor, config, 0, StageClock(), counts.append)
    assert len(nothing.detections) == predictor.batches == 0


def test_parts_of_a_result(tmp_path):
    """Images of a result taken out and joined again."""
    roidb, config = fakes.make_roidb(tmp_path)[:4], fakes.make_config()
    crops = [[(0.0, 0.0, 20.0, 20.0)] * 2, [], [(5.0, 5.0, 25.0, 25.0)], [(0.0, 0.0, 9.0, 9.0), (0.0, 0.0, 30.0, 30.0)]]
    whole = run_scale(roidb, crops, fakes.FakePredictor(), config, 0, StageClock(), lambda count: None)
    whole = whole._replace(maps=[np.full((1, 1), number) for number in range(5)], network_pixels=0)
    parts = [whole.of_images(numbers) for numbers in ([1, 3], [0, 2])]
    assert [part.crops for part in parts] == [[[], crops[3]], [crops[0], crops[2]]]
    assert [int(array[0, 0]) for array in parts[0].maps] == [3, 4]
    again = joined(parts, [[1, 3], [0, 2]])
    assert again.crops == crops and again.maps == whole.maps
    assert_same(again.detections, whole.detections)
