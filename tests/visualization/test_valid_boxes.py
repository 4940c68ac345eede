"""Pictures of training chips with valid and invalid objects: what is drawn where, of which chips, and refusals."""
import os

import cv2
import numpy as np
import pytest

from configs import load_config
from lib.chips import stats
from lib.chips.window import Window
from lib.targets.chip_boxes import chip_boxes
from lib.utils.errors import SniperError
from lib.visualization.valid_boxes import INVALID, OBJECT, UNLEARNT, VALID, draw_training_chips, draw_valid_boxes

TITLE = 26      # pixels of the title's line


def record(path='', count=1, regions=0):
    """A picture of 200 x 100 with an object of 20 x 40 at (10, 10), `count` of 60 x 60, and regions at the right."""
    boxes = np.array([[10, 10, 30, 50]] + [[40, 20, 100, 80]] * count + [[140, 10, 180, 50]] * regions, np.float32)
    ignored = np.arange(len(boxes)) > count
    return dict(image=path, image_id=1, boxes=boxes, max_overlaps=np.where(ignored, 0, 1).astype(np.float32),
                max_classes=np.ones(len(boxes), np.int64), gt_classes=np.ones(len(boxes), np.int32), width=200,
                height=100, flipped=False, flipped_vertical=False, ignored=ignored)


def test_every_colour_where_it_belongs():
    """Three times enlarged: lines of a box are its outermost pixels, those of its state two further in."""
    entry = record(regions=1)
    window = Window((0, 0, 199, 199), 1.0, 1.0, 200, 200, rows=np.array([0], np.int32))
    told = chip_boxes(entry, window, 200)
    assert told.valid.tolist() == [True, False] and len(told.regions) == 1
    picture = draw_valid_boxes(np.zeros((200, 200, 3), np.uint8), told.boxes, np.array([28.28, 60]), told, 'a title')
    times = 3
    assert picture.shape[1] == 600 + 8 and picture[:TITLE].any()

    def line(x, y):
        return tuple(picture[TITLE + y * times, x * times + 1].tolist()), tuple(
            picture[TITLE + y * times, x * times + 3].tolist())
    assert line(10, 45) == (OBJECT, VALID) and line(40, 70) == (OBJECT, INVALID)
    assert line(140, 30)[1] == UNLEARNT and line(120, 60) == ((0, 0, 0), (0, 0, 0))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.RandomState(3)
    for name in ('a', 'b'):
        cv2.imwrite(str(tmp_path / f'{name}.png'), rng.randint(0, 256, (100, 200, 3)).astype(np.uint8))
    return tmp_path


def config_of(*pairs):
    return load_config('configs/faster/sniper_tiny_e2e.yml', [
        'TRAIN.CHIP_SIZE', '128', 'TRAIN.SCALES', '[2x, 1x, 128px]', 'TRAIN.VALID_RANGES',
        '[[-1, 30], [25, 80], [70, -1]]', 'TRAIN.BACKGROUND_IMAGES', '0', *pairs])


def test_chips_of_a_training(folder, caplog):
    caplog.set_level('INFO')
    roidb = [record(str(folder / 'a.png')), record(str(folder / 'missing.png')), record(str(folder / 'b.png'), 0)]
    out = folder / 'chips'
    assert draw_training_chips(config_of('TRAIN.VISUALIZE_VALID_GT', '9'), roidb, str(out)) == 4
    names = sorted(os.listdir(str(out)))    # of each image one at either scale that has an object
    assert [name.split('_')[0] for name in names] == [f'{number // 2:04d}' for number in range(8)]
    assert {name.split('_', 1)[1] for name in names} == {f'{image}_pos{kind}.png' for image in 'ab'
                                                       for kind in ('', '_boxes')}
    raw = cv2.imread(str(out / [name for name in names if name.endswith('a_pos.png')][-1]))
    assert max(raw.shape[:2]) == 128
    assert 'chips are not drawn: image' in caplog.text and f'4 chips in {out}, raw' in caplog.text
    assert draw_training_chips(config_of('TRAIN.VISUALIZE_VALID_GT', '1'), roidb[:1], str(folder / 'one')) == 1


def test_what_cannot_be_drawn_is_said(folder):
    config = load_config('configs/m2det/m2det_tiny.yml', ['TRAIN.VISUALIZE_VALID_GT', '2'])
    with pytest.raises(SniperError, match='set TRAIN.VISUALIZE_VALID_GT to 0'):
        draw_training_chips(config, [record(str(folder / 'a.png'))], str(folder))
    with pytest.raises(SniperError, match='give --draw N FOLDER too'):
        stats.main(['--cfg', 'configs/faster/sniper_tiny_e2e.yml', '--valid'])
