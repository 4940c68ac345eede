"""Which images int8 is calibrated on, and when it has to be calibrated again."""
import os

import cv2
import numpy as np
import pytest

from configs import load_config
from lib.engine.calibrate import calibration_roidb
from lib.engine.precision import treatment
from lib.utils.errors import SniperError

CONFIG = 'configs/faster/sniper_tiny_e2e.yml'


def words(*pairs):
    return treatment(load_config(CONFIG, ['TEST.PRECISION', 'int8'] + list(pairs)))


def test_other_images_are_another_treatment(tmp_path):
    folder = str(tmp_path)
    for name in ('a.jpg', 'b.png', 'notes.txt'):
        (tmp_path / name).write_bytes(b'x' * 10)
    before = words('TEST.CALIBRATION_IMAGES', folder)
    (tmp_path / 'notes.txt').write_bytes(b'other')
    assert words('TEST.CALIBRATION_IMAGES', folder) == before  # no image
    assert words('TEST.CALIBRATION_IMAGES', folder, 'TEST.CALIBRATION_COUNT', '7') != before
    (tmp_path / 'b.png').write_bytes(b'x' * 11)
    changed = words('TEST.CALIBRATION_IMAGES', folder)
    os.remove(str(tmp_path / 'b.png'))
    assert len({before, changed, words('TEST.CALIBRATION_IMAGES', folder)}) == 3
    os.remove(str(tmp_path / 'a.jpg'))
    with pytest.raises(SniperError, match='which holds no image'):
        words('TEST.CALIBRATION_IMAGES', folder)
    with pytest.raises(SniperError, match='TEST.CALIBRATION_IMAGES is .*gone, which cannot be read'):
        words('TEST.CALIBRATION_IMAGES', os.path.join(folder, 'gone'))


def test_another_data_set_is_another_treatment():
    assert words() == words() != words('dataset.dataset_path', 'elsewhere')


@pytest.mark.parametrize('pair', [('network.PIXEL_MEANS', '[9, 9, 9]'), ('TEST.REDUCED_DECODE', 'True'),
                                  ('TEST.SCALES', '[(96, 160), (192, 320), (384, 640)]')])
def test_other_pixels_are_another_treatment(pair):
    assert words(*pair) != words()


def test_what_comes_after_the_network_is_no_matter():
    assert words('TEST.NMS', '0.2', 'TRAIN.lr', '1.0') == words()


def test_a_bad_image_of_the_folder_is_left_out(tmp_path, caplog):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / 'b.jpg').write_bytes(b'GIF89a')
    config = load_config(None, ['TEST.CALIBRATION_IMAGES', str(tmp_path)])
    assert [entry['image'] for entry in calibration_roidb(config)] == [str(tmp_path / 'a.png')]
    assert 'b.jpg is a GIF' in caplog.text
    (tmp_path / 'a.png').unlink()
    with pytest.raises(SniperError, match='where no image can be read'):
        calibration_roidb(config)
