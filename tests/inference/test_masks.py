"""Masks of detections, with a fake network: the right ones for the right boxes, whatever the way."""
import os

import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.chips.scales import test_scale as scale_of
from lib.chips.window import Window
from lib.inference.aggregate import Suppression
from lib.inference.detect import detect
from lib.inference.detection_store import DetectionStore
from lib.inference.masks import ROIS_A_RUN, MaskingPredictor, MaskMaker, final_masks
from lib.inference.scale import run_scale
from lib.masks import pack, paste, unpack
from lib.tasks import MaskGraph
from lib.utils.clock import StageClock
from tests.detections import assert_same
from tests.inference import fakes


def make_config(**test):
    return fakes.make_config(**dict(test, WITH_MASK=True))


def expected_pixels(box, label, entry, config):
    """Masks that a box may have, one a scale."""
    width, height = int(entry['width']), int(entry['height'])
    masks = fakes.template(label, width >= height)[None]
    return [unpack(paste(masks, box[None], width, height, 1 / scale_of(pair, width, height))[0], width, height)
            for pair in config.TEST.SCALES]


def check(detections, roidb, config):
    """Every mask is that of its class, window and box, or, one in twenty, borrowed and within its box. -> number."""
    own = borrowed = 0
    for image, label, box, code in zip(detections.image, detections.label, detections.box, detections.mask):
        entry = roidb[image]
        pixels = unpack(code, int(entry['width']), int(entry['height']))
        if any((pixels == expected).all() for expected in expected_pixels(box, label, entry, config)):
            own += 1
        else:
            borrowed += 1
            assert not np.delete(pixels, np.s_[int(box[1]):int(box[3]) + 2], axis=0).any()
            assert not np.delete(pixels, np.s_[int(box[0]):int(box[2]) + 2], axis=1).any()
    assert borrowed <= 0.05 * own
    return own


@pytest.mark.parametrize('keys', [{}, {'CONCURRENT_JOBS': 2}, {'NMS': 0.3, 'NMS_SIGMA': -1}, {'MAX_PER_IMAGE': -1},
                                  {'MAX_PER_IMAGE': 3}])
def test_masks_belong_to_their_detections(tmp_path, keys):
    roidb, config = fakes.make_roidb(tmp_path), make_config(**keys)
    detections = detect(roidb, fakes.MaskPredictor, config)
    assert check(detections, roidb, config) > 10
    assert_same(detections.replace(mask=None), detect(roidb, fakes.FakePredictor, fakes.make_config(**keys)))


def test_an_unreadable_image_has_no_masks_and_the_others_theirs(tmp_path):
    roidb, config = fakes.make_roidb(tmp_path), make_config()
    expected = detect(roidb, fakes.MaskPredictor, config)
    for number in (0, 3):
        os.remove(roidb[number]['image'])
    kept = [(image, code) for image, code in zip(expected.image.tolist(), expected.mask) if image not in (0, 3)]
    found = detect(roidb, fakes.MaskPredictor, config)
    assert list(zip(found.image.tolist(), found.mask)) == kept and len(kept) > 10


def test_no_masks_without_the_key(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    assert detect(roidb, fakes.FakePredictor, fakes.make_config()).mask is None


def test_nothing_found_and_no_image(tmp_path):
    roidb = fakes.make_roidb(tmp_path)

    class Nothing(fakes.MaskPredictor):
        def predict(self, batch):
            outputs = super().predict(batch)
            outputs['cls_prob_reshape_output'][:] = (1, 0, 0, 0)
            return outputs

        def predict_masks(self, feature, rois):
            raise AssertionError('masks of nothing')

    assert detect(roidb, Nothing, make_config()).mask == []
    assert detect([], Nothing, make_config()).mask == []


def test_windows_of_images(tmp_path):
    """On chips the masks lie in the image, not in the chip."""
    roidb, config = fakes.make_roidb(tmp_path)[:2], make_config()
    crops = [[(10.0, 5.0, 40.0, 35.0), (0.0, 0.0, 20.0, 20.0)], []]
    result = run_scale(roidb, crops, fakes.MaskPredictor(), config, 0, StageClock(), lambda count: None)
    found = 0
    for row, (window, label, box) in enumerate(zip(*(getattr(result.detections, name)
                                                     for name in ('image', 'label', 'box')))):
        code = result.detections.mask[row]
        if code:
            pixels = unpack(code, 50, 40)
            assert any((pixels == expected).all() for expected in expected_pixels(box, label, roidb[0], config))
            x1, y1, x2, y2 = map(int, crops[0][window])
            assert not np.delete(pixels, np.s_[y1:y2 + 1], axis=0).any()
            assert not np.delete(pixels, np.s_[x1:x2 + 1], axis=1).any()
            found += pixels.any()
    assert found > 5


def test_which_rows_get_masks():
    """Those that would be final in this window; a box that is two classes goes through the network once."""
    rows = np.array([[0, 0, 20, 20, .9, 1], [0, 0, 20, 20, .8, 2], [1, 0, 20, 20, .7, 1],  # the third: suppressed
                     [30, 30, 80, 80, .9, 1],                                              # too large
                     [30, 0, 50, 20, .6, 3], [30, 30, 50, 50, .1, 3]], np.float32)         # the last: beyond the cap
    asked = []

    def predict_masks(feature, rois):
        asked.append((feature, rois))
        yield np.arange(len(rois)), np.ones((len(rois), 3, 4, 4), np.float32)

    maker = MaskMaker('feature_output', predict_masks, (-1, 30), Suppression('hard', 0.3, 0, 0.001), 3)
    windows = [Window((0, 0, 9, 9), 1, 1, 0, 0), Window((5, 10, 90, 85), 2.0, 2.0, 200, 200)]
    found = Detections.from_rows(1, rows + np.array([5, 10, 5, 10, 0, 0], np.float32))
    codes = maker({'feature_output': 'feature'}, found, windows, np.array([(100, 90)] * 2))
    assert [bool(code) for code in codes] == [True, True, False, False, True, False]
    (feature, rois), = asked
    assert feature == 'feature'
    np.testing.assert_array_equal(rois, [[1, 0, 0, 40, 40], [1, 60, 0, 100, 40]])
    np.testing.assert_array_equal(np.argwhere(unpack(codes[0], 100, 90))[[0, -1]], [[10, 5], [30, 25]])


def row(x1, y1, x2, y2, label):
    return [x1, y1, x2, y2, 0.5, label]


def block(x1, y1, x2, y2):
    """Code of a picture of 60 x 50 with this block, ends exclusive."""
    picture = np.zeros((50, 60), bool)
    picture[y1:y2, x1:x2] = True
    return pack(picture)


def test_borrowed_masks(caplog):
    """Rows without a mask get one from their window: of their class first, then of most overlap, cut to their box."""
    rows = np.array([row(0, 0, 20, 20, 1), row(0, 0, 30, 30, 2), row(2, 2, 20, 20, 1), row(40, 40, 49, 49, 1),
                     row(0, 0, 20, 20, 2), row(4, 4, 18.6, 18.4, 2)], np.float32)
    codes = [block(0, 0, 10, 30), block(5, 5, 25, 25), b'', b'', block(1, 1, 40, 40), b'']
    every = Detections.from_rows([0, 0, 0, 1, 2, 2], rows, mask=codes)
    with caplog.at_level('INFO'):
        masks = final_masks(every, np.array([2, 3, 0, 5, 4]), np.array([(60, 50)] * 5))
    assert masks == [block(2, 2, 10, 21), b'', codes[0], block(4, 4, 20, 19), codes[4]]
    assert '2 of 5 detections have the mask of a box beside them, 1 have none' in caplog.text


def test_a_mask_of_another_class_is_better_than_none():
    rows = np.array([row(0, 0, 20, 20, 1), row(1, 1, 20, 20, 2)], np.float32)
    every = Detections.from_rows(0, rows, mask=[block(0, 0, 9, 9), b''])
    assert final_masks(every, np.array([1]), np.array([(60, 50)])) == [block(1, 1, 9, 9)]


def test_cached_masks(tmp_path, caplog):
    roidb = fakes.make_roidb(tmp_path)

    def run(factory=fakes.MaskPredictor, **keys):
        config = fakes.make_config(**dict({'WITH_MASK': True, 'USE_CACHE': [True, True]}, **keys))
        store = DetectionStore(str(tmp_path / 'out'), config, roidb, 'digest')
        return detect(roidb, factory, config, store)

    detections = run(USE_CACHE=[False, False])
    assert_same(detections, run(factory=None))
    assert any(detections.mask)
    assert_same(detections.replace(mask=None), run(factory=None, WITH_MASK=False))  # the boxes alone are there as well
    caplog.clear()
    assert check(run(NMS=0.3), roidb, make_config()) > 0                            # other detections want masks now
    assert 'made from other masks' in caplog.text


def test_cache_without_masks_is_run_again(tmp_path, caplog):
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_config(USE_CACHE=[True, True])
    detect(roidb, fakes.FakePredictor, config, DetectionStore(str(tmp_path), config, roidb, ''))
    config = make_config(USE_CACHE=[True, True])
    store = DetectionStore(str(tmp_path), config, roidb, '')
    assert check(detect(roidb, fakes.MaskPredictor, config, store), roidb, config) > 10
    assert 'masks.npz does not exist' in caplog.text


def test_final_file(tmp_path):
    roidb, config = fakes.make_roidb(tmp_path), make_config()
    store = DetectionStore(str(tmp_path / 'out'), config, roidb, '')
    detections = detect(roidb, fakes.MaskPredictor, config)
    store.save_final(detections, ['background', 'a', 'b', 'c'])
    file = np.load(store.final_path)
    np.testing.assert_array_equal(file['image_sizes'], [(entry['height'], entry['width']) for entry in roidb])
    ends = np.cumsum(file['lengths'])
    codes = [file['codes'][end - length:end].tobytes() for end, length in zip(ends, file['lengths'])]
    assert len(codes) == len(file['rows']) and len(file['codes']) == ends[-1]
    assert codes == detections.mask and file['rows_per_image'].sum() == len(codes)


class Network:
    """Mask network of two devices: the mask is the roi's box, the feature's number and whether the image is its own."""

    devices = 2

    def __init__(self):
        self.sizes = []

    def predict(self, batch):
        feature, rois = (np.split(batch.data[name], 2) for name in ('features', 'rois'))
        self.sizes.append(len(rois[0]))
        found = []
        for part, of_part in zip(feature, rois):
            assert (of_part[:, 0] < len(part)).all()
            found.append(np.concatenate([of_part[:, 1:], part[of_part[:, 0].astype(int)]], axis=1))
        return {'masks_output': np.concatenate(found)[:, :, None, None]}


@pytest.mark.parametrize('counts', [(3, 5, 0, 1), (0, 0, 0, 1), (100, 30, 200, 1), (ROIS_A_RUN, 0, 0, ROIS_A_RUN)])
def test_rois_are_split_over_devices(counts):
    network = Network()
    graph = MaskGraph('mask', 'feature_output', 'features', 'rois', 'masks_output')
    predictor = MaskingPredictor(network, network, graph)
    feature = np.arange(4, dtype=np.float32)[:, None] + 7
    slots = np.repeat(np.arange(4), counts)
    rois = np.column_stack([slots, np.random.default_rng(0).uniform(0, 9, (len(slots), 4))]).astype(np.float32)
    seen = []
    for numbers, masks in predictor.predict_masks(feature, rois):
        np.testing.assert_array_equal(masks[:, :4, 0, 0], rois[numbers, 1:])
        np.testing.assert_array_equal(masks[:, 4, 0, 0], slots[numbers] + 7)
        seen += numbers.tolist()
    assert sorted(seen) == list(range(len(rois)))
    assert len(set(network.sizes)) <= 2 and max(network.sizes) <= ROIS_A_RUN
