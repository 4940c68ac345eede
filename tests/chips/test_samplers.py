"""Whole images and random crops: one interface with chips, two scales, any size."""
import pickle

import numpy as np
import pytest

from configs import load_config
from lib.chips import ChipSampler, RandomCrops, WholeImages, make_sampler

TINY = 'configs/faster/sniper_tiny_e2e.yml'


def record(width=200, height=100, boxes=((10, 10, 40, 40), (150, 20, 190, 90)), overlaps=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return {'boxes': boxes, 'width': width, 'height': height,
            'max_overlaps': np.ones(len(boxes)) if overlaps is None else np.array(overlaps)}


@pytest.mark.parametrize('kind, wanted', [('chips', ChipSampler), ('images', WholeImages), ('crops', RandomCrops)])
def test_one_interface(kind, wanted):
    sampler = make_sampler(load_config(TINY, ['TRAIN.SAMPLER', kind]))
    assert type(sampler) is wanted and sampler.nothing and sampler.levels >= 1
    of_epoch = pickle.loads(pickle.dumps(sampler.of_epoch(np.random.default_rng(1))))
    assert isinstance(of_epoch.facts(), dict)
    first, second = (of_epoch.windows(record(), np.random.default_rng(2)) for _ in range(2))
    assert [window.box for window in first] == [window.box for window in second] and first
    for window in first:
        assert window.height <= 256 and window.width <= 256 and window.rows.dtype == np.int32


def test_whole_images():
    window, = WholeImages(64, 128).windows(record(), None)
    assert window.box == (0, 0, 200, 100) and window.scale == 0.64 and (window.height, window.width) == (64, 128)
    window, = WholeImages(64, 64).windows(record(), None)
    assert window.scale == 0.32 and (window.height, window.width) == (32, 64)
    window, = WholeImages(50, 80, fill=True).windows(record(), None)
    assert (window.scale_x, window.scale_y, window.height, window.width) == (0.4, 0.5, 50, 80)
    assert window.rows.tolist() == [0, 1] and not window.negative
    with pytest.raises(ValueError, match='0.4 and 0.5'):
        window.scale


def test_random_crops():
    rng, sampler, boxes = np.random.default_rng(3), RandomCrops(48, 96, count=20), record()['boxes']
    windows = sampler.windows(record(), rng)
    assert len(windows) == 20 and len({window.box for window in windows}) > 10
    for window in windows:
        x1, y1, x2, y2 = window.box
        assert 0 <= x1 < x2 <= 200 and 0 <= y1 < y2 <= 100
        assert (window.height, window.width) == (48, 96)
        assert window.scale_x == 96 / (x2 - x1) and window.scale_y == 48 / (y2 - y1)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = [x1 <= x < x2 and y1 <= y < y2 for x, y in centres]
        assert window.rows.tolist() == np.flatnonzero(inside).tolist() and window.rows.size


def test_images_without_objects():
    for sampler in (WholeImages(64, 64), RandomCrops(64, 64)):
        for empty in (record(boxes=()), record(overlaps=[0.2, 0.9])):
            window, = sampler.windows(empty, np.random.default_rng(0))
            assert window.negative
