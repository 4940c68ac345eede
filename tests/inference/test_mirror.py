"""TEST.FLIP with a fake network: every scale once more on mirrored images."""
import cv2
import numpy as np
import pytest

from configs import ConfigError
from lib.bbox.detections import Detections
from lib.dataset.compact import CompactRoidb
from lib.inference.detect import detect
from lib.inference.detection_store import DetectionStore
from lib.inference.mirror import mirrored_back, mirrored_roidb, mirrored_window
from lib.tasks import check_config
from tests.detections import assert_same
from tests.inference import fakes


def scales_of(roidb, predictor=fakes.FakePredictor, make=fakes.make_config, **test):
    """-> final detections, ScaleResults."""
    found = []
    final = detect(roidb, predictor, make(**test), on_scale=lambda _, result: found.append(result))
    return final, found


def test_boxes_there_and_back():
    boxes = np.array([[0, 5, 9, 20], [3, 1, 3, 1]], np.float32)
    assert mirrored_back(boxes, np.array([10, 20]), True).tolist() == [[0, 5, 9, 20], [16, 1, 16, 1]]
    assert mirrored_back(boxes, np.array([10, 20]), False).tolist() == [[1, 5, 10, 20], [17, 1, 17, 1]]
    assert mirrored_window((2.0, 1.0, 7.0, 4.0), 10) == (3.0, 1.0, 8.0, 4.0)


def test_what_is_found_in_the_mirror_joins_the_rest(tmp_path):
    roidb, turned = fakes.make_roidb(tmp_path), tmp_path / 'turned'
    turned.mkdir()
    others = [dict(entry, image=str(turned / f'{number}.png')) for number, entry in enumerate(roidb)]
    for entry, other in zip(roidb, others):
        cv2.imwrite(other['image'], cv2.imread(entry['image'])[:, ::-1])
    _, plain = scales_of(roidb)
    _, mirror = scales_of(others)
    final, both = scales_of(roidb, FLIP=True)
    widths = np.array([entry['width'] for entry in roidb], np.float32)
    for one, other, result in zip(plain, mirror, both):
        box = mirrored_back(other.detections.box, widths[other.detections.image], True)
        union = Detections.concatenate([one.detections, other.detections.replace(box=box)])
        assert_same(result.detections, union.take(np.argsort(union.image, kind='stable')))
        assert result.network_pixels == 2 * one.network_pixels
    assert_same(final, scales_of(CompactRoidb.from_records(roidb), FLIP=True)[0])
    assert [entry['flipped'] for entry in mirrored_roidb(mirrored_roidb(roidb))] == [False] * len(roidb)


def test_kept_scales_know_it(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_config(USE_CACHE=[True, True], FLIP=True)
    store = DetectionStore(str(tmp_path / 'kept'), config, roidb, 'weights')
    expected = detect(roidb, fakes.FakePredictor, config, store)
    assert_same(detect(roidb, fakes.BuggyPredictor, config, store), expected)
    plain = fakes.make_config(USE_CACHE=[True, True])
    with pytest.raises(ZeroDivisionError):
        detect(roidb, fakes.BuggyPredictor, plain, DetectionStore(str(tmp_path / 'kept'), plain, roidb, 'weights'))


def test_chips_are_those_of_the_first_pass(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    _, plain = scales_of(roidb, fakes.FocusPredictor, fakes.make_focus_config)
    _, both = scales_of(roidb, fakes.FocusPredictor, fakes.make_focus_config, FLIP=True)
    assert [result.crops for result in both] == [result.crops for result in plain]
    for result in both[1:]:
        found = result.detections
        windows = np.array([window for windows in result.crops for window in windows])[found.image]
        assert (found.box[:, :2] >= windows[:, :2] - 1).all() and (found.box[:, 2:] <= windows[:, 2:]).all()
    assert any(len(result.detections) > len(one.detections) for one, result in zip(plain[1:], both[1:]))


@pytest.mark.parametrize('name', ['WITH_MASK', 'EXTRACT_PROPOSALS'])
def test_refused(name):
    with pytest.raises(ConfigError, match=f'TEST.FLIP is True, but TEST.{name} takes images as they are'):
        check_config(fakes.make_config(FLIP=True, **{name: True}), 'test')
