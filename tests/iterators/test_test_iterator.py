"""TestIterator: geometry, tensors, crops, broken images."""
import os

import numpy as np
import pytest

from lib.image import read_image
from lib.iterators import TestIterator
from lib.tasks import Task
from lib.tasks.registry import TASKS
from lib.utils.errors import SniperError
from symbols.registry import DETECTORS, Entry
from tests.golden import golden_file
from tests.iterators.scenes import assert_same_batches, make_entry, make_roidb, small_config, snapshot, write_image


def all_batches(iterator):
    with iterator:
        return [snapshot(batch) for batch in iterator]


def test_whole_images(tmp_path):
    config = small_config()
    roidb = make_roidb(tmp_path, 5, suffix='.png')
    seen = set()
    with TestIterator(roidb, config, 1, 2, num_workers=0) as iterator:
        for batch in iterator:
            assert list(batch.data) == ['data', 'im_info', 'im_ids', 'chip_ids'] and batch.label == {}
            assert batch.data['data'].shape == iterator.batch_shapes[batch.index]
            assert all(array.dtype == np.float32 for array in batch.data.values())
            for row, image in enumerate(batch.data['im_ids'].astype(int)):
                height, width, scale = batch.data['im_info'][row]
                entry = roidb[image]
                assert batch.images[row] == entry['image'] and batch.data['chip_ids'][row] == 0
                assert scale == np.float32(120 / min(entry['width'], entry['height'])) or max(height, width) == 160
                assert abs(height - entry['height'] * scale) <= 1 and abs(width - entry['width'] * scale) <= 1
                planes = batch.data['data'][row]
                assert not planes[:, int(height):].any() and not planes[:, :, int(width):].any()
                seen.add(image)
    assert seen == set(range(len(roidb)))


def test_unscaled_image_keeps_its_pixels(tmp_path):
    rng = np.random.default_rng(0)
    write_image(tmp_path / 'a.png', 160, 120, rng)
    config = small_config()
    batch, = all_batches(TestIterator([make_entry(tmp_path / 'a.png', 160, 120, [])], config, 1, 1, num_workers=0))
    planes = read_image(str(tmp_path / 'a.png')).transpose(2, 0, 1)[::-1]
    expected = planes - config.network.PIXEL_MEANS[::-1, None, None]
    np.testing.assert_allclose(batch[0]['data'][0], expected, atol=1e-4)


def test_workers_give_the_same_batches_twice(tmp_path):
    config = small_config()
    roidb = make_roidb(tmp_path, 7)
    serial = all_batches(TestIterator(roidb, config, 0, 3, num_workers=0))
    with TestIterator(roidb, config, 0, 3, num_workers=2) as iterator:
        first = [snapshot(batch) for batch in iterator]
        next(iter(iterator))  # a pass that is given up
        second = [snapshot(batch) for batch in iterator]
    assert_same_batches(serial, first)
    assert_same_batches(serial, second)


def test_crops_of_some_images(tmp_path):
    config = small_config()
    roidb = make_roidb(tmp_path, 4)
    crops = [[] for _ in roidb]
    crops[1] = np.array([[10.5, 20.2, 60.7, 70.1], [0, 0, 50, 90]])
    crops[3] = [(5, 5, 45, 25)]
    found = set()
    for arrays, images in all_batches(TestIterator(roidb, config, 0, 4, num_workers=0, crops=crops)):
        for image, chip, path in zip(arrays['im_ids'], arrays['chip_ids'], images):
            assert path == roidb[int(image)]['image']
            found.add((int(image), int(chip)))
    assert found == {(1, 0), (1, 1), (3, 0)}


def test_no_crop_at_all_is_no_batch(tmp_path):
    roidb = make_roidb(tmp_path, 2)
    iterator = TestIterator(roidb, small_config(), 0, 4, num_workers=0, crops=[[]] * len(roidb))
    assert iterator.num_batches == 0 and all_batches(iterator) == []


def test_wrong_number_of_crop_lists(tmp_path):
    with pytest.raises(SniperError, match='crops were given for 1 images'):
        TestIterator(make_roidb(tmp_path, 2), small_config(), 0, 1, num_workers=0, crops=[[]])


@pytest.mark.parametrize('num_workers', [0, 1])
def test_broken_images_are_empty_and_named_once(tmp_path, num_workers, caplog):
    roidb = make_roidb(tmp_path, 3)
    expected = all_batches(TestIterator(roidb, small_config(), 0, 2, num_workers=0))
    os.remove(roidb[1]['image'])
    with TestIterator(roidb, small_config(), 0, 2, num_workers=num_workers) as iterator:
        for _ in range(2):
            for batch, (arrays, images) in zip(iterator, expected):
                empty = [row for row, path in enumerate(images) if path == roidb[1]['image']]
                assert batch.empty == empty
                for row, path in enumerate(batch.images):
                    assert batch.data['data'][row].any() == (row not in empty)
                    if row not in empty:
                        np.testing.assert_array_equal(batch.data['data'][row], arrays['data'][row])
    assert caplog.text.count('image001.jpg cannot be read (No such file or directory)') == 1


def test_crops_beyond_the_picture_are_empty(tmp_path, caplog):
    """An annotation that claims a larger picture, and a chip there."""
    write_image(tmp_path / 'a.png', 50, 40, np.random.default_rng(0))
    roidb = [{'image': str(tmp_path / 'a.png'), 'width': 400, 'height': 300}]
    crops = [[(0, 0, 40, 40), (200, 200, 300, 250)]]
    with TestIterator(roidb, small_config(), 0, 2, num_workers=0, crops=crops) as iterator:
        batch = next(iter(iterator))
    assert [batch.data['data'][row].any() for row in (0, 1)] == [row not in batch.empty for row in (0, 1)]
    assert len(batch.empty) == 1 and 'its annotation says 400 x 300' in caplog.text


def test_image_of_another_size_is_used_with_a_warning(tmp_path, caplog):
    write_image(tmp_path / 'a.png', 150, 100, np.random.default_rng(0))
    roidb = [make_entry(tmp_path / 'a.png', 160, 120, [])]
    batch, = all_batches(TestIterator(roidb, small_config(), 1, 1, num_workers=0))
    assert 'a.png is 150 x 100 pixels but its annotation says 160 x 120' in caplog.text
    np.testing.assert_array_equal(batch[0]['im_info'], [[100, 150, 1]])


def test_entry_without_objects_is_enough(tmp_path):
    write_image(tmp_path / 'a.png', 50, 40, np.random.default_rng(0))
    roidb = [{'image': str(tmp_path / 'a.png'), 'width': 50, 'height': 40}]
    assert len(all_batches(TestIterator(roidb, small_config(), 0, 1))) == 1


def test_golden_batches():
    cases = np.load(golden_file('pipeline/test_batching.npz'))
    for number in range(int(cases['n_cases'])):
        case = {key[4:]: cases[key] for key in cases.files if key.startswith(f'{number:03d}/')}
        roidb = [{'image': 'none', 'width': int(width), 'height': int(height)} for width, height in case['wh']]
        crops = [case['crops'][case['crops'][:, 0] == image, 1:] for image in range(len(roidb))]
        config = small_config()
        config.TEST.SCALES = [tuple(case['test_scale'].tolist())]
        iterator = TestIterator(roidb, config, 0, int(case['batch_size']), num_workers=0, crops=crops)
        np.testing.assert_array_equal(iterator.batch_shapes, case['batch_shapes'], err_msg=str(number))
        samples = [iterator.sample(crop) for batch in iterator.batches for crop in batch]
        samples = [(image, chip, scale_x) for image, chip, (scale_x, _) in samples]
        np.testing.assert_allclose(samples, case['samples'], rtol=1e-12, err_msg=str(number))


def test_a_factor_is_of_each_image_by_itself():
    """Sets of mixed sizes: what each record is looked at with, and in which shapes."""
    roidb = [{'image': f'{width}.jpg', 'width': width, 'height': height}
             for width, height in ((640, 480), (2670, 2100), (320, 256), (200, 900))]
    config = small_config()
    config.TEST.SCALES, config.TEST.SLICES = ['2x', '0.33x', '256px', (480, 640)], [0] * 4
    wanted = [[2, 2, 2, 2], [0.33] * 4, [256 / 640, 256 / 2670, 0.8, 256 / 900], [1, 480 / 2100, 1.875, 640 / 900]]
    for index, of_scale in enumerate(wanted):
        iterator = TestIterator(roidb, config, index, 2, num_workers=0)
        found = {image: scales for image, _, scales in map(iterator.sample, np.concatenate(iterator.batches))}
        for image, scale in enumerate(of_scale):
            assert found[image] == pytest.approx((scale, scale)), (index, image)
    shapes = TestIterator(roidb, config, 0, 2, num_workers=0).batch_shapes  # 5340 x 4200 alone, in a batch of its own
    assert shapes == [(2, 3, 960, 1280), (1, 3, 4200, 5340), (2, 3, 1800, 400)]


def test_images_too_large_for_any_memory_are_shown_smaller(caplog):
    roidb = [{'image': f'{width}.jpg', 'width': width, 'height': height}
             for width, height in ((640, 480), (20000, 9000))]
    config = small_config()
    config.TEST.SCALES = ['2x']
    iterator = TestIterator(roidb, config, 0, 4, num_workers=0)
    assert iterator.sample(0)[2] == (2, 2) and iterator.sample(1)[2][0] == pytest.approx(0.745, abs=1e-3)
    assert all(np.prod(shape) <= 3.01e8 for shape in iterator.batch_shapes)
    line, = [record.getMessage() for record in caplog.records]
    assert '1 images' in line and '20000.jpg' in line and '2x' in line and '0.75x' in line and 'TEST.SCALES' in line
    config.TEST.SLICES = [256]
    slices = [[(0, 0, 128, 128)], [(0, 0, 128, 128), (19872, 0, 20000, 128)]]
    iterator = TestIterator(roidb, config, 0, 4, num_workers=0, crops=slices, fitted=True)
    assert {iterator.sample(number)[2] for number in range(3)} == {(2, 2)} and len(caplog.records) == 1
    assert [shape[2:] for shape in iterator.batch_shapes] == [(256, 256)] * len(iterator.batches)


class Squeezed(Task):
    """Every image fills an input of 40 x 80 pixels, by two scales."""

    name = 'squeezed'
    exact_sizes = True

    def test_scales(self, index, width, height):
        return 80 / width, 40 / height


def test_two_scales(tmp_path, monkeypatch):
    monkeypatch.setitem(DETECTORS, 'squeezed', Entry('nowhere:build', 'squeezed'))
    monkeypatch.setitem(TASKS, 'squeezed', Squeezed)
    config, roidb = small_config(), make_roidb(tmp_path, 3, suffix='.png')
    config.symbol = 'squeezed'
    with TestIterator(roidb, config, 0, 2, num_workers=0) as iterator:
        for batch in iterator:
            assert batch.data['data'].shape == (2, 3, 40, 80) and batch.data['data'].any(axis=(1, 2, 3)).all()
            for window, image in zip(batch.windows, batch.data['im_ids'].astype(int)):
                entry = roidb[image]
                assert window.box == (0, 0, entry['width'], entry['height'])
                assert (window.scale_x, window.scale_y) == (80 / entry['width'], 40 / entry['height'])
                assert (window.height, window.width) == (40, 80)
