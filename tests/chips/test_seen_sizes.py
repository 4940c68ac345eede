"""What a network sees at every scale: against the rules of the sampler, image by image."""
import numpy as np
import pytest

from lib.chips import ChipSampler
from lib.chips.samplers import make_sampler
from lib.chips.scales import scale_rule, seed_rows, training_scales
from lib.chips.seen_sizes import (
    ranges_text,
    scales_text,
    seen_in_test,
    seen_in_training,
    table,
    taken_sides,
    with_unit,
)
from lib.dataset.object_sizes import object_sizes
from lib.inference.aggregate import in_valid_range
from lib.tasks import get_task
from tests.chips.pictures import make_pictures, tiny

MIXED = ((640, 480), (1000, 2000), (200, 120))


@pytest.mark.parametrize('ranges', ['[[-1, 40], [24, 100], [72, -1]]', '[[20, 30], [40, -1], [50, 60]]'])
def test_chips_take_what_the_rule_says(ranges):
    config = tiny('TRAIN.SCALES', '[2x, [480, 640], 256px]', 'TRAIN.VALID_RANGES', ranges)
    records, sampler = make_pictures((3, 400), MIXED), ChipSampler(config)
    scales = seen_in_training(sampler, object_sizes(records))
    for index, scale in enumerate(scales):
        seeds, fits, factors = [], [], []
        for record in records:
            factor = training_scales(config.TRAIN.SCALES, record['width'], record['height'])[index]
            low, high = sampler.settings.valid_ranges[index]
            rule = scale_rule((low, high), 256, max(sampler.settings.strides), factor, index, 3)
            boxes = np.asarray(record['boxes'])
            seeds.append(seed_rows(boxes, rule))
            sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
            fits.append((sides.max(axis=1) < rule.limit) | (index == 2))
            factors.append(factor)
        thick = (object_sizes(records).objects >= 2).all(axis=1)
        found = (scale.taken & scale.fits(object_sizes(records))) if index < 2 else scale.taken
        np.testing.assert_array_equal(found[thick], np.concatenate(seeds)[thick])
        np.testing.assert_allclose(scale.factor, factors)


def test_a_test_takes_what_its_valid_ranges_say():
    config = tiny('TEST.SCALES', '[2x, [480, 640], 256px]', 'TEST.VALID_RANGES', '[[-1, 40], [24, 100], [72, -1]]')
    records = make_pictures((3, 400), MIXED)
    sizes = object_sizes(records)
    boxes = np.concatenate([record['boxes'] for record in records])
    for index, scale in enumerate(seen_in_test(get_task(config, 'test'), sizes)):
        np.testing.assert_array_equal(scale.taken, in_valid_range(boxes, config.TEST.VALID_RANGES[index]))
    assert scale.factor[:3].tolist() == pytest.approx([256 / 640, 256 / 2000, 256 / 200])


@pytest.mark.parametrize('sampler', ['images', 'crops'])
def test_samplers_without_ranges(sampler):
    """Sides in the windows that are made lie in the range that is said."""
    config = tiny('TRAIN.SAMPLER', sampler)
    records = make_pictures((20, 200), MIXED, count=30)
    made, sizes = make_sampler(config), object_sizes(records)
    scales = seen_in_training(made, sizes)
    low, high = np.quantile(taken_sides(scales, sizes), (0, 1))
    sides = []
    for number, record in enumerate(records):
        for window in made.windows(record, np.random.default_rng(number)):
            boxes = record['boxes'][window.rows]
            scale = np.sqrt(window.scale_x * window.scale_y)
            sides.append(np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)) * scale)
    sides = np.concatenate(sides)
    assert low * 0.999 <= sides.min() and sides.max() <= high * 1.001
    assert len(scales) == (1 if sampler == 'images' else 3) and all(scale.taken.all() for scale in scales)


def test_table():
    config = tiny()
    sizes = object_sizes(make_pictures((8, 300), ((640, 480), (800, 600))))
    training = seen_in_training(ChipSampler(config), sizes)
    lines = table([('TRAIN', training), ('TEST', seen_in_test(get_task(config, 'test'), sizes))], sizes)
    assert len(lines) == 3 + 3 + 4
    assert lines[0].split() == 'pictures 60: 640x480 to 800x600, median 800x600 pixels'.split()
    assert lines[3].startswith('TRAIN 2x           2 ') and 'up to 40' in lines[3] and ' %' in lines[3]
    assert '0.32 to 0.4' in lines[5] and 'from 72' in lines[5] and lines[6].startswith('TEST 2x')


def test_table_without_objects_and_without_pictures():
    task = get_task(tiny(), 'test')
    bare = make_pictures((8, 300), each=0)
    lines = table([('TEST', seen_in_test(task, object_sizes(bare)))], object_sizes(bare))
    assert 'not known' in lines[1] and lines[3].endswith('-') and '1280x960' in lines[3]
    assert 'none' in table([('TEST', seen_in_test(task, object_sizes([])))], object_sizes([]))[0]


def test_texts_can_be_pasted():
    config = tiny('TRAIN.SCALES', scales_text(['2x', '0.33x', '256px']).strip("'"), 'TEST.SCALES',
                  scales_text(['2x', (480.0, 640.0), '256px']).strip("'"), 'TRAIN.VALID_RANGES',
                  ranges_text([(0, 40), (24, 100.0), (72.0, np.inf)]).strip("'"))
    assert config.TRAIN.SCALES == ['2x', '0.33x', '256px'] and config.TEST.SCALES == ['2x', (480, 640), '256px']
    assert config.TRAIN.VALID_RANGES == [(-1, 40), (24, 100), (72, -1)]
    assert with_unit(512.0, True) == '512px' and with_unit(1.5) == '1.5x' and with_unit([1, 2]) == (1, 2)
