"""M2Det's task: targets of a window, pictures that it draws, decoding, metrics, and what it refuses."""
import os

import cv2
import numpy as np
import pytest

from configs import ConfigError, load_config
from lib.bbox.priors import ssd_priors
from lib.bbox.ssd_coding import decode_ssd, encode_ssd
from lib.chips.samplers import RandomCrops, WholeImages
from lib.chips.window import Window
from lib.dataset.roidb import make_record, with_regions
from lib.iterators import TestIterator, TrainIterator
from lib.iterators.samples import picture_of_window
from lib.tasks import check_config, get_task
from lib.utils.errors import SniperError
from tests.conftest import ROOT

TINY = os.path.join(ROOT, 'configs', 'm2det', 'm2det_tiny.yml')
SMALL = ('M2DET.input_size', '64', 'M2DET.num_scales', '3', 'M2DET.size_pattern', '[0.15, 0.4, 0.7, 0.9]',
         'dataset.NUM_CLASSES', '4', 'TRAIN.NUM_PROCESS', '0', 'TEST.NUM_PROCESS', '0', 'TRAIN.BATCH_IMAGES', '2')
PRIORS = 6 * (8 * 8 + 4 * 4 + 2 * 2)


def config_of(*overrides):
    return load_config(TINY, list(SMALL + overrides))


def task_of(*overrides, purpose='train'):
    return get_task(config_of(*overrides), purpose)


def priors_of(config):
    return ssd_priors(64, [8, 16, 32], config.M2DET.size_pattern)


def write_image(path, width=96, height=80):
    """Blue on the left, red on the right, with a green square of 24 pixels at (40, 20)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :width // 2, 0] = 200
    pixels[:, width // 2:, 2] = 150
    pixels[20:44, 40:64] = (0, 255, 0)
    cv2.imwrite(str(path), pixels)
    return pixels


def record_of(path, boxes=((40, 20, 63, 43),), labels=(2,)):
    return make_record(str(path), 'one', 96, 80, np.array(boxes).reshape(-1, 4), labels)


def empty_outputs(task):
    return {name: np.full(shape, 7, np.float32) for name, shape, _ in task.inputs()}


def told(out, config):
    """What the arrays of a sample say of objects -> rows (class, x1, y1, x2, y2 in shares), each once."""
    positive = np.flatnonzero(out['cls_target'])
    boxes = decode_ssd(out['loc_target'][positive], priors_of(config)[positive], config.M2DET.variance)
    rows = []
    for row in np.column_stack([out['cls_target'][positive], boxes]):
        if not any(np.allclose(row, other, atol=1e-3) for other in rows):
            rows.append(row)
    return np.array(sorted(rows, key=tuple))


def test_inputs_are_those_of_the_graph():
    from symbols import get_detector
    config = config_of()
    data, labels = get_task(config).layout(2)
    symbol = get_detector('m2det').train_symbol(config)
    assert {name for name, _ in data + labels} <= set(symbol.list_arguments())
    assert dict(data + labels) == {'data': (2, 3, 64, 64), 'cls_target': (2, PRIORS), 'loc_target': (2, PRIORS, 4)}
    names = symbol.list_outputs()
    assert {metric.output for metric in get_task(config).metrics()} <= set(names)
    _, shapes, _ = symbol.infer_shape(**dict(data + labels))
    assert dict(zip(names, shapes))['conf_loss_output'] == (1,)


@pytest.mark.parametrize('variance', ['[0.1, 0.2]', '[0.3, 0.5]'])
def test_targets_of_a_window_with_two_scales(tmp_path, variance):
    config = config_of('M2DET.variance', variance)
    task, out = get_task(config), empty_outputs(get_task(config))
    record = record_of(tmp_path / 'a.png', [(40, 20, 63, 43), (0, 0, 95, 79)], [2, 3])
    [window] = task.sampler().windows(record, None)
    assert window.box == (0, 0, 96, 80) and (window.height, window.width) == (64, 64)
    task.targets(record, window, None, out)
    expected = [(2, 40 / 96, 20 / 80, 63 / 96, 43 / 80), (3, 0, 0, 95 / 96, 79 / 80)]
    np.testing.assert_allclose(told(out, config), expected, atol=1e-5)
    assert (out['loc_target'][out['cls_target'] == 0] == 0).all()


def test_an_object_is_cut_at_the_border_of_a_crop(tmp_path):
    config = config_of('TRAIN.SAMPLER', 'crops', 'M2DET.augment', 'False')
    task, out = get_task(config), empty_outputs(get_task(config))
    window = Window((48, 0, 96, 40), 64 / 48, 64 / 40, 64, 64, rows=np.array([0]))
    task.targets(record_of(tmp_path / 'a.png'), window, None, out)
    np.testing.assert_allclose(told(out, config), [(2, 0, 0.5, 15 / 48, 1)], atol=1e-5)


@pytest.mark.parametrize('boxes', [(), ((5, 5, 5, 30),)], ids=['none', 'without area'])
def test_a_picture_without_objects(tmp_path, boxes):
    write_image(tmp_path / 'a.png')
    record = record_of(tmp_path / 'a.png', boxes, [1] * len(boxes))
    for augment in ('True', 'False'):
        with TrainIterator([record, record], config_of('M2DET.augment', augment), 2) as batches:
            batches.start_epoch(0)
            [batch] = list(batches)
            assert (batch.label['cls_target'] == 0).all() and (batch.label['loc_target'] == 0).all()
            assert np.ptp(batch.data['data']) > 100


def test_training_pixels_are_blue_green_red(tmp_path):
    write_image(tmp_path / 'a.png')
    with TrainIterator([record_of(tmp_path / 'a.png')], config_of('M2DET.augment', 'False'), 1) as batches:
        batches.start_epoch(0)
        [batch] = list(batches)
        planes = batch.data['data'][0]
    np.testing.assert_array_equal(planes[:, 40, 4], np.array([200, 0, 0]) - (104, 117, 123))
    np.testing.assert_array_equal(planes[:, 40, 60], np.array([0, 0, 150]) - (104, 117, 123))


def test_test_pixels_fill_the_input(tmp_path):
    """Reference/m2det.md 8.2: bilinear, both sides on their own, minus means."""
    pixels = write_image(tmp_path / 'a.png')
    with TestIterator([record_of(tmp_path / 'a.png')], config_of(), 0, 1) as batches:
        [batch] = list(batches)
        planes = batch.data['data'][0].copy()
    expected = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_LINEAR).astype(np.float32) - (104, 117, 123)
    np.testing.assert_array_equal(planes, expected.transpose(2, 0, 1))
    window = batch.windows[0]
    assert (window.scale_x, window.scale_y, window.height, window.width) == (64 / 96, 64 / 80, 64, 64)


def test_images_of_any_shape_make_one_batch(tmp_path):
    records = []
    for number, (width, height) in enumerate(((96, 80), (37, 201), (501, 3))):
        path = str(tmp_path / f'{number}.png')
        cv2.imwrite(path, np.full((height, width, 3), 90, np.uint8))
        records.append(make_record(path, number, width, height, np.zeros((0, 4)), []))
    with TestIterator(records, config_of(), 0, 3) as batches:
        assert {batch.data['data'].shape for batch in batches} == {(3, 3, 64, 64)}


def test_drawn_pictures_show_what_is_told(tmp_path):
    """Whatever was drawn, the green square lies where the network is told that it lies."""
    write_image(tmp_path / 'a.png')
    record, config, found, boxes = record_of(tmp_path / 'a.png'), config_of(), 0, []
    with TrainIterator([record] * 40, config, 40) as batches:
        batches.start_epoch(0)
        [batch] = list(batches)
        planes, labels = batch.data['data'].copy(), {name: array.copy() for name, array in batch.label.items()}
    for number in range(40):
        [(label, *box)] = told({name: array[number] for name, array in labels.items()}, config)
        boxes.append(box)
        assert label == 2
        blue, green, red = planes[number] + np.array([104, 117, 123])[:, None, None]
        rows, columns = np.nonzero((green > 1.5 * blue + 30) & (green > 1.5 * red + 30))
        if len(rows) < 20:      # colours were moved away from green
            continue
        found += 1
        seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 64
        assert np.abs(seen - box).max() < 0.06
    assert found > 20 and (np.ptp(boxes, axis=0) > 0.2).all()


def test_the_draws_of_a_sample_are_its_own(tmp_path):
    write_image(tmp_path / 'a.png')
    records = [record_of(tmp_path / 'a.png')] * 3

    def epoch(number, workers):
        with TrainIterator(records, config_of(), 3, num_workers=workers) as batches:
            batches.start_epoch(number)
            [batch] = list(batches)
            return batch.data['data'].tobytes(), batch.label['loc_target'].tobytes()

    assert epoch(0, 0) == epoch(0, 0) == epoch(0, 1) == epoch(0, 4) != epoch(1, 0)


def test_mirrored_records_are_drawn_from_mirrored_pixels(tmp_path):
    from lib.dataset.roidb import mirrored
    from lib.image import ImageFile
    pixels, record = write_image(tmp_path / 'a.png'), record_of(tmp_path / 'a.png')
    task = task_of('M2DET.expand', '0')
    task.drawn_picture = lambda found, row, window, rng: (found, dict(row, flipped=False), window)
    found, _, _ = picture_of_window(ImageFile(record['image'], 96, 80), mirrored(record),
                                    Window((0, 0, 96, 80), 1, 1, 80, 96), task, True, None)
    np.testing.assert_array_equal(found, pixels[:64, ::-1][:, :64])


def test_decode_gives_boxes_of_the_image():
    task = task_of('TEST.SCORE_THRESH', '0.1', purpose='test')
    priors, boxes = priors_of(task.config), np.array([[0.1, 0.2, 0.5, 0.6], [-0.1, 0.3, 0.4, 1.2]], np.float32)
    loc, conf = np.zeros((2, PRIORS, 4), np.float32), np.zeros((2, PRIORS, 4), np.float32)
    loc[0, [3, 200]] = encode_ssd(boxes, priors[[3, 200]], task.config.M2DET.variance)
    loc[1, 50] = encode_ssd(boxes[:1], priors[[50]], task.config.M2DET.variance)[0]
    conf[:, :, 0], conf[0, 3, 2], conf[0, 200, 1], conf[1, 50, 3] = 1, 0.9, 0.5, 0.2
    conf[0, 200, 2] = 0.1    # not above
    windows = [Window((0, 0, 200, 100), 0.32, 0.64, 64, 64), Window((10, 20, 60, 120), 1.28, 0.64, 64, 64)]
    found = task.decode({'loc_output': loc, 'conf_output': conf}, windows)
    assert found.image.tolist() == [0, 0, 1] and found.label.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.score, [0.5, 0.9, 0.2])
    np.testing.assert_allclose(found.box, [[-20, 30, 80, 120], [20, 20, 100, 60], [15, 40, 35, 80]], atol=1e-4)


def test_decode_without_detections():
    task = task_of(purpose='test')
    outputs = {'loc_output': np.zeros((1, PRIORS, 4), np.float32), 'conf_output': np.zeros((1, PRIORS, 4), np.float32)}
    assert len(task.decode(outputs, [Window((0, 0, 9, 9), 7, 7, 64, 64)])) == 0


def test_samplers():
    assert task_of().sampler() == WholeImages(64, 64, True)
    assert task_of('TRAIN.SAMPLER', 'crops').sampler() == RandomCrops(64, 64)


def test_the_heads_keep_float32():
    names = ['loc.0', 'conf.2', 'reduce.conv', 'base.0', 'unet1.latlayer.0.conv']
    assert task_of().float32_layers(names) == {'loc.0', 'conf.2'}


@pytest.mark.parametrize('purpose, key, value, message', [
    ('train', 'TRAIN.SAMPLER', 'chips', "TRAIN.SAMPLER is 'chips'"),
    ('train', 'TRAIN.WITH_MASK', 'True', 'TRAIN.WITH_MASK is True'),
    ('train', 'TRAIN.USE_NEG_CHIPS', 'True', 'TRAIN.USE_NEG_CHIPS is True, but m2det has nothing of the kind'),
    ('train', 'TRAIN.AUTO_FOCUS', 'True', 'TRAIN.AUTO_FOCUS is True'),
    ('test', 'TEST.WITH_MASK', 'True', 'TEST.WITH_MASK is True'),
    ('train', 'dataset.NUM_CLASSES', '1', 'dataset.NUM_CLASSES is 1; it counts the background too'),
    ('train', 'TRAIN.ONLY_PROPOSAL', 'True', 'TRAIN.ONLY_PROPOSAL is True'),
    ('test', 'TEST.AUTO_FOCUS', 'True', 'TEST.AUTO_FOCUS is True'),
    ('test', 'TEST.EXTRACT_PROPOSALS', 'True', 'TEST.EXTRACT_PROPOSALS is True'),
    ('test', 'TEST.ONLY_PROPOSAL', 'True', 'TEST.ONLY_PROPOSAL is True'),
    ('test', 'TEST.DO_PRUNING', '[True]', 'm2det has no FocusPixels'),
    ('test', 'TEST.SLICES', '[256]', 'm2det looks at whole images'),
    ('demo', 'M2DET.input_size', '63', 'no multiple of 16'),
    ('train', 'M2DET.input_size', '32', 'too small for 3 maps')])
def test_refused(purpose, key, value, message):
    with pytest.raises(ConfigError, match=message):
        check_config(config_of(key, value), purpose)


def test_keys_of_other_families_are_said_to_be_unused():
    copied = ('TRAIN.SCALES', '[2.5, 512]', 'TRAIN.VALID_RANGES', '[[-1, 70], [60, -1]]', 'TRAIN.CHIP_SIZE', '256',
              'network.ANCHOR_SCALES', '[2, 4]', 'TEST.DO_PRUNING', '[True]', 'TRAIN.WITH_MASK', 'False')
    line, = task_of(*copied).remarks('train')
    assert line.startswith('m2det does not use network.ANCHOR_SCALES, TRAIN.SCALES, TRAIN.VALID_RANGES, '
                           'TRAIN.CHIP_SIZE: ')
    line, = task_of(*copied, purpose='test').remarks('test')
    assert line.startswith('m2det does not use network.ANCHOR_SCALES, TEST.DO_PRUNING: ')
    line, = task_of('TRAIN.FLIP', 'True').remarks('train')
    assert 'M2DET.augment mirrors too' in line
    assert task_of('TRAIN.FLIP', 'True', 'M2DET.augment', 'False').remarks('train') == []


@pytest.mark.parametrize('name', sorted(os.listdir(os.path.dirname(TINY))))
def test_the_configurations_say_nothing_in_vain(name):
    config = load_config(os.path.join(os.path.dirname(TINY), name), [])
    assert [get_task(config, purpose).remarks(purpose) for purpose in ('train', 'test')] == [[], []]


BROKEN = [(200, 200, 300, 300), (-50, -50, -10, -10), (-50, -50, 30, 30), (np.nan, 0, 10, 10), (0, 0, np.inf, 10),
          (30, 30, 10, 10), (5, 5, 5, 40), (-1e6, -1e6, 1e6, 1e6), (0, 5, 95, 5.0001), (5, 5, 5.001, 5.001)]


@pytest.mark.parametrize('box', BROKEN, ids=str)
def test_no_box_gives_targets_that_are_not_finite(box):
    """Data sets leave most of these out; records of a program of one's own may have them."""
    record = dict(record_of('a.png'), boxes=np.array([box, (10, 10, 40, 40)], np.float32), gt_classes=np.array([1, 2]),
                  ignored=np.zeros(2, bool), max_overlaps=np.ones(2, np.float32))
    task, pixels = task_of(), np.zeros((80, 96, 3), np.uint8)
    window = WholeImages(64, 64, True).windows(record_of('a.png', [(1, 1, 9, 9)] * 2, [1, 2]), None)[0]
    samples = [(record, window)] + [task.drawn_picture(pixels, record, window, np.random.default_rng(seed))[1:]
                                    for seed in range(5)]
    for shown, seen in samples:
        out = empty_outputs(task)
        task.targets(shown, seen, None, out)
        assert np.isfinite(out['loc_target']).all() and (out['cls_target'] > 0).any()


def test_regions_of_which_nothing_is_learnt():
    """The right half of the picture: priors whose centre lies well inside are not used, those on the left are."""
    task = task_of()
    for regions in ([], [(48, 0, 95, 79)]):
        record = with_regions(record_of('a.png', [(4, 10, 40, 60)], [1]), regions)
        window = WholeImages(64, 64, True).windows(record, None)[0]
        out = empty_outputs(task)
        task.targets(record, window, None, out)
        centre, side = priors_of(task.config)[:, 0], priors_of(task.config)[:, 2]
        assert (out['cls_target'] > 0).any()
        unused = out['cls_target'] == -1
        assert unused[centre - side / 2 >= 0.5].all() == bool(regions)
        assert not unused[centre + side / 2 <= 0.5].any() and unused.any() == bool(regions)


def test_memory_that_is_too_small_names_what_to_lower(monkeypatch):
    from lib.engine import memory_need
    from lib.train.initialise import make_step
    from sniper_mxnet import mx
    from symbols import get_detector
    monkeypatch.setattr(memory_need, 'available_memory', lambda: 1 << 20)
    config = config_of('M2DET.planes', '16')

    class Batches:
        provide_data, provide_label = get_task(config).layout(2)

    with pytest.raises(SniperError, match=r'memory is too small to train on 2 chips .* GiB at the very least .* lower '
                                          r'TRAIN.BATCH_IMAGES .* or M2DET.input_size, M2DET.planes'):
        make_step(config, get_detector('m2det'), Batches, [mx.cpu()])


def test_other_families_have_no_input_of_one_size():
    config = load_config(os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml'),
                         ['TEST.SCALES', '[input]', 'TEST.VALID_RANGES', '[[-1, -1]]', 'TEST.BATCH_IMAGES', '1'])
    with pytest.raises(ConfigError, match='sniper_tiny takes images of any size'):
        check_config(config, 'test')
