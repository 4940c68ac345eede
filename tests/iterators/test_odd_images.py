"""Images that cameras, scanners and annotation tools make: all are trained and tested on, with all their boxes."""
import logging
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from lib.chips.chip_sampler import ChipSampler
from lib.image import ImageFile, chip_reduction, read_image, resize_by, resized_window
from lib.iterators import TestIterator, TrainIterator
from lib.visualization.chips import draw_image_chips
from tests.image.test_image import with_exif
from tests.iterators.scenes import epoch_batches, make_entry, small_config, snapshot
from tests.iterators.test_pool import ROOT

WIDTH, HEIGHT = 160, 120
BOXES = [[10, 10, 40, 50], [60, 30, 150, 110], [5, 70, 30, 115]]


def scene(width=WIDTH, height=HEIGHT):
    """Smooth colours, different in every corner."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, (x + y) / 2], axis=2).astype(np.uint8)


def save(path, kind):
    """Write the scene as a file of some kind -> largest difference of grey levels to be expected."""
    pixels = scene()
    image = Image.fromarray(pixels[:, :, ::-1])
    if kind == 'cmyk':
        image.convert('CMYK').save(path, quality=98)
        return 8
    if kind == 'palette':
        image.quantize(256).save(path)
        return 30
    if kind == 'alpha':
        image.putalpha(128)
        image.save(path)
        return 0
    if kind == '16 bit':
        cv2.imwrite(path, pixels.astype(np.uint16) * 257)
        return 1
    assert kind == 'progressive'
    image.save(path, quality=98, progressive=True)
    return 8


def run(entry, **train):
    """All batches of the image in training and at both test scales; every box must be in some training batch."""
    config = small_config(SCALES=[1.5, 64.0], VALID_RANGES=[(-1, 40), (20, -1)], RPN_BATCH_SIZE=256, **train)
    with TrainIterator([entry], config, 2, num_workers=0) as iterator:
        batches = epoch_batches(iterator, 0)
        assert iterator.epoch_stats['uncovered_boxes'] == 0 and iterator.epoch_stats['dropped_boxes'] == 0
        assert iterator.epoch_stats['replaced_samples'] == 0
    tested = []
    for scale in (0, 1):
        with TestIterator([entry], config, scale, 1, num_workers=0) as iterator:
            tested += [snapshot(batch)[0] for batch in iterator]
    return [arrays for arrays, _ in batches], tested


@pytest.mark.parametrize('kind, name', [('cmyk', 'a.jpg'), ('palette', 'a.png'), ('alpha', 'a.png'),
                                        ('16 bit', 'a.png'), ('16 bit', 'a.tiff'), ('progressive', 'a.jpg')])
def test_kinds_of_files(tmp_path, kind, name):
    path = str(tmp_path / name)
    tolerance = save(path, kind)
    assert abs(read_image(path).astype(int) - scene()).max() <= tolerance
    trained, tested = run(make_entry(path, WIDTH, HEIGHT, BOXES))
    assert trained and tested[1]['im_info'][0].tolist() == [120, 160, 1]


@pytest.mark.parametrize('name, dtype', [('a.jpg', np.uint8), ('a.png', np.uint8), ('a.png', np.uint16)])
def test_grey_files(tmp_path, name, dtype):
    grey = scene()[:, :, 0]
    path = str(tmp_path / name)
    cv2.imwrite(path, grey.astype(dtype) * (257 if dtype == np.uint16 else 1))
    pixels = read_image(path)
    assert pixels.shape == (HEIGHT, WIDTH, 3) and abs(pixels.astype(int) - grey[:, :, None]).max() <= 3
    assert run(make_entry(path, WIDTH, HEIGHT, BOXES))[0]


def rotated_file(tmp_path, orientation):
    """A JPEG whose stored pixels are a quarter turned, with the EXIF entry that turns them back."""
    upright = scene()
    stored = {6: cv2.ROTATE_90_COUNTERCLOCKWISE, 8: cv2.ROTATE_90_CLOCKWISE}[orientation]
    content = cv2.imencode('.jpg', cv2.rotate(upright, stored), [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    path = tmp_path / 'rotated.jpg'
    path.write_bytes(with_exif(content, orientation=orientation))
    return str(path), upright


@pytest.mark.parametrize('orientation', [6, 8])
@pytest.mark.parametrize('reduction', [1, 2])
def test_the_annotated_size_says_which_way_up(tmp_path, orientation, reduction, caplog):
    path, upright = rotated_file(tmp_path, orientation)
    turned = ImageFile(path, WIDTH, HEIGHT).decode(reduction)  # a tool that showed the picture upright
    assert (turned.width, turned.height) == (WIDTH, HEIGHT)
    small = cv2.resize(upright, None, fx=1 / reduction, fy=1 / reduction, interpolation=cv2.INTER_AREA)
    assert abs(turned.pixels.astype(int) - small).max() <= 8
    stored = ImageFile(path, HEIGHT, WIDTH).decode(reduction)  # a tool that ignored EXIF
    assert stored.pixels.shape == (WIDTH // reduction, HEIGHT // reduction, 3)
    run(make_entry(path, WIDTH, HEIGHT, BOXES))
    run(make_entry(path, HEIGHT, WIDTH, [[10, 10, 40, 50]]))
    assert caplog.text == ''


def test_chips_are_drawn_on_the_picture_that_is_trained_on(tmp_path):
    path, upright = rotated_file(tmp_path, 6)
    cv2.imwrite(str(tmp_path / 'upright.png'), upright)
    settings = ChipSampler(small_config()).settings
    turned, right = (draw_image_chips(make_entry(name, WIDTH, HEIGHT, BOXES), [], settings)
                     for name in (path, str(tmp_path / 'upright.png')))
    assert turned.shape == right.shape and abs(turned.astype(int) - right).max() <= 20


@pytest.mark.parametrize('orientation, warned', [(1, False), (3, True), (2, True)])
def test_orientation_that_no_size_tells_is_named(tmp_path, orientation, warned, caplog):
    path = tmp_path / 'a.jpg'
    path.write_bytes(with_exif(cv2.imencode('.jpg', scene())[1].tobytes(), orientation=orientation))
    run(make_entry(str(path), WIDTH, HEIGHT, BOXES))
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any(f'a.jpg is to be shown turned or mirrored (EXIF orientation {orientation})' in line
               for line in lines) == warned


def test_two_thousand_objects(tmp_path, caplog):
    rng = np.random.default_rng(0)
    path = str(tmp_path / 'crowd.png')
    cv2.imwrite(path, scene(900, 700))
    low = rng.integers(0, (860, 660), (2000, 2))
    boxes = np.concatenate([low, low + rng.integers(12, 38, (2000, 2))], axis=1)
    config = small_config(SCALES=[1.0, 64.0], VALID_RANGES=[(-1, 80), (70, -1)], CHIP_SIZE=128, MAX_GT=2000)
    entry = make_entry(path, 900, 700, boxes)
    with TrainIterator([entry], config, 4, num_workers=0) as iterator:
        found = set()
        iterator.start_epoch(0)
        chips = iterator.epoch_chips()
        for batch in iterator:
            for objects, (_, chip) in zip(batch.label['gt_boxes'], chips):
                rows = objects[objects[:, 4] >= 0, :4] + (np.array(chip.box[:2] * 2) * chip.scale).round()
                found.update(map(tuple, rows.tolist()))
        assert iterator.epoch_stats['objects'] == 2000 and iterator.epoch_stats['uncovered_boxes'] == 0
        assert iterator.epoch_stats['dropped_boxes'] == 0
        assert {tuple(map(float, box)) for box in boxes.tolist()} <= found
    config.TRAIN.MAX_GT = 5
    with TrainIterator([entry], config, 4, num_workers=0) as iterator:
        epoch_batches(iterator, 0)
    assert 'objects did not fit into the 5 rows of gt_boxes; raise TRAIN.MAX_GT' in caplog.text
    with TestIterator([entry], config, 0, 1, num_workers=0) as iterator:
        assert next(iter(iterator)).data['data'].shape == (1, 3, 60, 78)


def test_hundred_megapixels(tmp_path):
    """12,000 x 9,000 pixels: one chip at full size, one of the whole image; both ways of testing it."""
    path = str(tmp_path / 'large.jpg')
    pixels = np.full((9000, 12000, 3), 90, np.uint8)
    pixels[4000:4400, 6000:6300] = 200
    cv2.imwrite(path, pixels)
    del pixels
    boxes = [[6000, 4000, 6299, 4399], [1000, 1000, 9000, 8000]]
    config = small_config(SCALES=[1.0, 64.0], VALID_RANGES=[(-1, 400), (400, -1)], CHIP_SIZE=512, REDUCED_DECODE=True)
    entry = make_entry(path, 12000, 9000, boxes)
    with TrainIterator([entry], config, 2, num_workers=1) as iterator:
        (arrays, _), = epoch_batches(iterator, 0)
        assert iterator.epoch_stats['chips'] == 2 and iterator.epoch_stats['replaced_samples'] == 0
        assert iterator.epoch_stats['uncovered_boxes'] == 0
    fine = int(arrays['im_info'][1, 2] == 1)
    shown = arrays['gt_boxes'][fine, 0, :4].astype(int)
    means = small_config().network.PIXEL_MEANS[::-1]
    inner = arrays['data'][fine][:, shown[1] + 9:shown[3] - 9, shown[0] + 9:shown[2] - 9]
    np.testing.assert_allclose(inner.mean((1, 2)), 200 - means, atol=1)
    for reduced in (False, True):
        config.TEST.REDUCED_DECODE = reduced
        with TestIterator([entry], config, 0, 1, num_workers=0) as iterator:
            data = next(iter(iterator)).data['data']
        assert data.shape == (1, 3, 61, 80)  # rounded up, as in the original
        np.testing.assert_allclose(data[0, :, 5, 5], 90 - means, atol=1)


def test_limit_of_opencv_is_named(tmp_path):
    path = str(tmp_path / 'a.jpg')
    cv2.imwrite(path, scene())
    code = 'import sys; from lib.image import read_image; read_image(sys.argv[1])'
    done = subprocess.run([sys.executable, '-c', code, path], cwd=ROOT, stderr=subprocess.PIPE, text=True,
                          env=dict(os.environ, OPENCV_IO_MAX_IMAGE_PIXELS='1000', PYTHONPATH=ROOT), check=False)
    line = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0 and 'a.jpg' in line and 'OPENCV_IO_MAX_IMAGE_PIXELS' in line


@pytest.mark.parametrize('flipped, vertical', [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize('scale', [0.5, 0.4, 0.25, 0.11])
def test_reduced_decoding_shows_the_same_window(tmp_path, scale, flipped, vertical):
    """Like a whole decode of a smooth picture, but for the noise of JPEG, at every window."""
    path = str(tmp_path / 'a.jpg')
    cv2.imwrite(path, scene(641, 483), [cv2.IMWRITE_JPEG_QUALITY, 98])
    file = ImageFile(path)
    reduction = chip_reduction(scale)
    reduced = file.decode(reduction)
    assert reduction == {0.5: 2, 0.4: 2, 0.25: 4, 0.11: 8}[scale]
    assert reduced.pixels.shape == (-(-483 // reduction), -(-641 // reduction), 3) and reduced[1:3] == (641, 483)
    for box in ((0, 0, 641, 483), (13.7, 51.2, 500.3, 400.9), (300, 200, 900, 900)):
        window = resized_window(reduced, box, scale, flipped, vertical)
        whole = resized_window(file.decode(), box, scale, flipped, vertical)
        assert window.shape == whole.shape and window.size
        difference = abs(window.astype(int) - whole)
        assert difference.max() <= 6 and difference.mean() < 0.7  # half a pixel would be 1.8 at 0.11
    assert resized_window(reduced, (700, 0, 800, 100), scale, flipped, vertical).size == 0


def test_other_formats_are_decoded_whole(tmp_path):
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, scene())
    picture = ImageFile(path).decode(4)
    assert picture.reduction == 1 and picture.pixels.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(resized_window(picture, (0, 0, WIDTH, HEIGHT), 0.2), resize_by(scene(), 0.2))


def test_images_without_a_pixel_in_a_chip_are_named(tmp_path, caplog):
    """They are not broken: one is tiny, the other is not of the size that its annotation says."""
    paths = [str(tmp_path / name) for name in ('fine.png', 'tiny.png', 'smaller.png')]
    for path, side in zip(paths, (400, 1, 20)):
        cv2.imwrite(path, scene(side, side))
    roidb = [make_entry(path, 400, 400, [[300, 300, 330, 330]]) for path in paths]
    with TrainIterator(roidb, small_config(), 2, num_workers=0) as iterator:
        epoch_batches(iterator, 0)
        replaced = iterator.epoch_stats['replaced_samples']
    lines = [record.getMessage() for record in caplog.records]
    for path in paths[1:]:
        assert sum(f'no pixel of image {path} lies in one of its chips' in line for line in lines) == 1
    assert f'Epoch 1: {replaced} samples were replaced because of 2 images without a pixel in a chip' in lines
