"""M2Det at several input sides: configurations, graphs, priors, and what is found."""
import cv2
import numpy as np
import pytest

from configs import ConfigError
from configs.m2det_keys import Pyramid
from configs.m2det_scales import scale_config, scale_side
from lib.api import Detector
from lib.bbox.detections import Detections
from lib.inference import PredictorFactory, Suppression, aggregate, detect, find_weights
from lib.inference.evaluate import time_an_image
from lib.tasks import check_config
from lib.utils.errors import SniperError
from scripts import optimize_model
from tests.detections import assert_same
from tests.inference.random_weights import write_checkpoint
from tests.tasks.test_m2det import SMALL, TINY, config_of, record_of, write_image

CLASSES = ('__background__', 'cat', 'dog', 'disc')
SHOWN = ('M2DET.planes', '16', 'M2DET.num_levels', '1', 'TEST.SCORE_THRESH', '0.4', 'TEST.NMS_METHOD', 'hard',
         'TEST.NMS', '0.5', 'gpus', 'cpu')


def test_what_a_side_changes():
    config = config_of('TEST.SCALES', '[64px, 96px, input]', 'M2DET.input_size', '128', 'M2DET.step_pattern',
                       '[8, 16, 21.4]')
    assert [scale_side(config, index) for index in range(3)] == [64, 96, 128]
    assert config.TEST.VALID_RANGES == [(-1, -1)] * 3 and config.TEST.BATCH_IMAGES == [8] * 3
    own = scale_config(config, 1)
    assert own.TEST.SCALES == ['input'] and own.TEST.VALID_RANGES == [(-1, -1)] and own.TEST.BATCH_IMAGES == [8]
    one, other = (Pyramid.from_config(each) for each in (config, own))
    assert (other.size, other.sides) == (96, (12, 6, 4)) and config.M2DET.input_size == 128
    np.testing.assert_allclose(np.multiply(other.sizes, 96), np.multiply(one.sizes, 128))   # in pixels
    assert scale_config(config, 2).M2DET == config.M2DET


def test_one_side_is_the_configuration_itself():
    for scales in ('[input]', '[64px]'):
        config = config_of('TEST.SCALES', scales)
        assert scale_config(config, 0) is config


@pytest.mark.parametrize('scales, message', [
    ('[input, 2x]', 'TEST.SCALES has 2x, but m2det resizes both sides of an image to those of a square: write input'),
    ('[[64, 96]]', 'TEST.SCALES has 64x96, but'), ('[96.5px]', 'TEST.SCALES has 96.5px, but'),
    ('[72px]', 'a side of TEST.SCALES is 72, no multiple of 16, .* take 64 or 80'),
    ('[input, 32px]', 'a side of TEST.SCALES 32 is too small for 3 maps')])
@pytest.mark.parametrize('purpose', ['test', 'demo'])
def test_sides_that_there_cannot_be(scales, message, purpose):
    with pytest.raises(ConfigError, match=message) as error:
        check_config(config_of('TEST.SCALES', scales), purpose)
    assert '\n' not in str(error.value)


@pytest.fixture(scope='module')
def shown(tmp_path_factory):
    """(overrides that find weights as they come, record of a picture, record of the same in a mirror)."""
    folder = tmp_path_factory.mktemp('shown')
    words = [*SHOWN, 'output_path', str(folder), 'TEST.TEST_EPOCH', '1']
    write_checkpoint(config_of(*words), TINY, CLASSES, score_spread=3)
    pixels = write_image(folder / 'a.png')
    cv2.imwrite(str(folder / 'b.png'), pixels[:, ::-1])
    return words, record_of(folder / 'a.png'), record_of(folder / 'b.png')


def found_in(record, words, *more):
    """-> detections of a picture, those of each scale before they are joined."""
    config, scales = config_of(*words, *more), []
    check_config(config, 'test')
    weights = find_weights(config, f'{config.output_path}/m2det_tiny/train', 'SNIPER')
    final = detect([record], PredictorFactory(config, weights), config,
                   on_scale=lambda _, result: scales.append(result.image_detections))
    return final, scales


def test_two_sides_give_the_union(shown):
    words, record, _ = shown
    alone = [found_in(record, words, 'TEST.SCALES', f'[{side}]') for side in ('input', '96px')]
    final, scales = found_in(record, words, 'TEST.SCALES', '[input, 96px]')
    assert all(len(of_scale) > 5 for of_scale in scales)
    for (_, [of_side]), of_scale in zip(alone, scales):
        assert_same(of_side, of_scale)
    config = config_of(*words)
    assert_same(final, aggregate(scales, [(-1, -1)] * 2, Suppression.from_config(config), config.TEST.MAX_PER_IMAGE))
    assert_same(alone[0][0], found_in(record, words, 'TEST.SCALES', '[64px]')[0])


def test_ranges_of_sides(shown):
    words, record, _ = shown
    more = ('TEST.SCALES', '[input, 96px]', 'TEST.VALID_RANGES', '[[20, -1], [-1, 20]]')
    _, (coarse, fine) = found_in(record, words, *more)
    boxes = found_in(record, words, *more)[0].box
    def sides(box):
        return np.sqrt(np.maximum((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]), 0))
    for box, side in zip(boxes, sides(boxes)):
        assert (box == (coarse if side > 20 else fine).box).all(axis=1).any()


def test_the_mirrored_pass(shown):
    """Finds what is found in the mirrored picture, mirrored; in all sides."""
    words, record, other = shown
    more = ('TEST.SCALES', '[input, 96px]')
    _, plain = found_in(record, words, *more)
    _, turned = found_in(other, words, *more)
    _, both = found_in(record, words, *more, 'TEST.FLIP', 'True')
    for of_plain, of_turned, of_both in zip(plain, turned, both):
        box = np.column_stack([96 - of_turned.box[:, 2], of_turned.box[:, 1], 96 - of_turned.box[:, 0],
                               of_turned.box[:, 3]])
        assert len(of_both) == len(of_plain) + len(of_turned)
        expected = Detections.concatenate([of_plain, of_turned.replace(box=box)])
        for name in ('label', 'box', 'score'):
            np.testing.assert_allclose(getattr(of_both, name), getattr(expected, name), rtol=1e-4, atol=1e-3)


def test_the_api_keeps_a_network_a_side(shown):
    words, record, _ = shown
    more = ['TEST.SCALES', '[input, 96px]', 'TEST.FLIP', 'True']
    expected, _ = found_in(record, words, *more)
    with Detector.load(config_of(*words, *more), save_prefix=f'{words[-3]}/m2det_tiny/train/SNIPER') as detector:
        for found in (detector.detect(record['image']), detector.detect(record['image'])):
            assert_same(found.replace(classes=()), expected)


def test_time_of_an_image():
    assert time_an_image({'set-up': 9, 'read': 0.5, 'network': 1, 'suppression': 0.1}, 4) == [
        'an image: detection 375.0 ms, suppression 25.00 ms, in all 400.0 ms, 2.5 frames/s (set-up left out)']
    assert time_an_image({'suppression': 1}, 4) == time_an_image({'network': 1}, 0) == []


def test_one_network_of_files_has_one_side(shown):
    words, record, _ = shown
    weights = find_weights(config_of(*words), f'{words[-3]}/m2det_tiny/train', 'SNIPER')._replace(optimized=True)
    with pytest.raises(SniperError, match='is one network, but m2det has several for TEST.SCALES'):
        PredictorFactory(config_of(*words, 'TEST.SCALES', '[input, 96px]'), weights)
    with pytest.raises(SniperError, match=r"has a network for each: give the one to write, .* '\[input\]'"):
        optimize_model.main(['--cfg', TINY, '--out', f'{words[-3]}/written', '--set', *SMALL, *words, 'TEST.SCALES',
                             '[input, 96px]'])
