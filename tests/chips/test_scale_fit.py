"""Test scales against what a network was trained on: warned of where they do not fit, with what would."""
import json
import re
import shlex

import numpy as np
import pytest

from lib.chips.scale_fit import TrainedSizes, seen_otherwise
from lib.chips.seen_sizes import seen_in_test
from lib.dataset.object_sizes import object_sizes
from lib.tasks import check_config, get_task
from lib.tasks.seen_report import report_test, report_training
from tests.chips.pictures import make_pictures, tiny

# Test scales by the size of the picture, made for pictures of about 750x600, and a training by factors.
PAIRS = ('TRAIN.SCALES', '[2.0, 1.0, 256.0]', 'TRAIN.VALID_RANGES', '[[-1, 40], [24, 100], [72, -1]]',
         'TEST.SCALES', '[[960, 1280], [480, 640], [192, 256]]', 'TEST.VALID_RANGES', '[[-1, 48], [20, 120], [60, -1]]',
         'TEST.BATCH_IMAGES', '[2, 4, 8]', 'TEST.USE_CACHE', '[False, False, False]', 'TEST.DO_PRUNING',
         '[False, False, False]', 'TEST.CHIP_HYPERPARAMS', '[[-1, -1, -1], [-1, -1, -1], [-1, -1, -1]]')
FOCUS = ('TRAIN.SCALES', '[2.0, 0.7, 256.0]', 'TRAIN.VALID_RANGES', '[[-1, 48], [20, 340], [72, -1]]',
         'TEST.SCALES', '[[336, 448], [960, 1280]]', 'TEST.VALID_RANGES', '[[24, -1], [-1, 60]]',
         'TEST.BATCH_IMAGES', '[8, 2]', 'TEST.USE_CACHE', '[False, False]', 'TEST.DO_PRUNING', '[False, True]',
         'TEST.CHIP_HYPERPARAMS', '[[3, 0.15, 4], [-1, -1, -1]]', 'TEST.AUTO_FOCUS', 'True')
SCENES = make_pictures((8, 300), ((750, 600), (660, 500), (890, 700)))
TRAINED = {'seen': json.loads(json.dumps(report_training(tiny(*PAIRS), SCENES)[2].facts()))}


def found(records, *overrides, sidecar=TRAINED, base=PAIRS):
    return [line for line in report_test(tiny(*base, *overrides), records, sidecar)[1] if 'SCALES' in line]


def words_of(line):
    return shlex.split(line.partition(': --set ')[2])


def share_off(records, *overrides):
    config, sizes = tiny(*PAIRS, *overrides), object_sizes(records)
    scales = seen_in_test(get_task(config, 'test'), sizes)
    return seen_otherwise(scales, sizes, TrainedSizes.from_facts(TRAINED['seen'])).mean()


def test_the_data_it_was_trained_on_fits():
    assert found(SCENES) == [] and share_off(SCENES) < 0.05


@pytest.mark.parametrize('sizes', [((2670, 2100),), ((1920, 1080), (4000, 2250)), ((330, 250),), ((5000, 400),)])
def test_objects_of_the_same_sizes_in_other_pictures(sizes):
    """Case 03: the same objects, larger and smaller pictures: the factors of training fit."""
    records = make_pictures((8, min(300, min(map(min, sizes)) / 2)), sizes, seed=1)
    assert found(records, base=()) == []  # sniper_tiny_e2e.yml has the factors of training
    line, = found(records)
    assert re.search(r'TEST.SCALES do not fit what the network was trained on: \d+ % of the objects', line)
    assert re.search(r'objects (up to|of|from) .* pixels are tested at [\d.]+ of their size and were trained at', line)
    words = words_of(line)
    assert words[1].startswith('[2x, 1x, 0.3')
    assert found(records, *words) == [] and share_off(records, *words) < 0.05


def test_the_figures_of_case_03():
    line, = found(make_pictures((8, 300), ((2670, 2100),)))
    assert 'objects up to 48 pixels are tested at 0.46 of their size and were trained at 2:' in line
    assert line.endswith("TEST.BATCH_IMAGES '[1, 1, 1]'")  # for inputs of 19 times the pixels


def test_pictures_of_a_higher_resolution():
    """Everything five times as large: neither the factors nor the ranges of training fit."""
    records = make_pictures((40, 1500), ((3750, 3000),))
    line, = found(records)
    words = words_of(line)
    assert re.search('were trained at 0.[0-4]', line)
    assert 'TEST.VALID_RANGES' in words and found(records, *words) == [] and share_off(records, *words) < 0.1


def test_pictures_of_half_the_resolution():
    """The smallest objects alone are seen too small, fewer than make a line elsewhere."""
    records = make_pictures((3, 120), ((340, 260),))
    factors = ('TEST.SCALES', '[2x, 1x, 0.33x]')
    assert 0.1 < share_off(records, *factors) < 0.25
    line, = found(records, *factors)
    words = words_of(line)
    assert found(records, *words) == [] and share_off(records, *words) < 0.05


def test_one_scale_for_all():
    one = ('TEST.SCALES', '[[480, 640]]', 'TEST.VALID_RANGES', '[[-1, -1]]', 'TEST.BATCH_IMAGES', 1, 'TEST.USE_CACHE',
           '[False]', 'TEST.DO_PRUNING', '[False]', 'TEST.CHIP_HYPERPARAMS', '[[-1, -1, -1]]')
    line, = found(SCENES, *one)
    for cached in ([], ['TEST.USE_CACHE', '[True]'], ['TEST.CHIP_HYPERPARAMS', '[[3, 0.15, 4]]']):
        again = tiny(*PAIRS, *one, *cached, *words_of(found(SCENES, *one, *cached)[0]))
        check_config(again, 'test')  # every key a scale has its length
        assert len(again.TEST.SCALES) == len(again.TEST.USE_CACHE) == 3
    assert found(SCENES, *one, *words_of(line)) == []


def test_only_the_small_objects_are_off():
    """A scale that few objects need has a line too."""
    records = make_pictures((8, 30), count=15, seed=2) + make_pictures((60, 300), seed=3)
    line, = found(records, 'TEST.SCALES', '[0.9x, 0.8x, 0.33x]')
    assert 'objects up to 48 pixels are tested at 0.9' in line


def test_autofocus_keeps_its_order():
    sidecar = {'seen': report_training(tiny(*FOCUS), SCENES)[2].facts()}
    assert found(SCENES, sidecar=sidecar, base=FOCUS) == []
    line, = found(make_pictures((8, 300), ((2670, 2100),)), sidecar=sidecar, base=FOCUS)
    assert words_of(line)[1] == '[0.7x, 2x]'


def test_a_test_set_without_annotations():
    """By the objects of training."""
    bare = make_pictures((8, 300), ((2670, 2100),), each=0)
    line, = found(bare)
    assert words_of(line)[1].startswith('[2x, 1x, 0.3') and found(bare, *words_of(line)) == []
    assert found(make_pictures((8, 300), ((750, 600),), each=0)) == []


def test_checkpoints_that_do_not_say():
    """TRAIN.SCALES of a side file of before, else those of the configuration, which the line and the table say."""
    large = make_pictures((8, 300), ((2670, 2100),))
    line, = found(large, sidecar={})
    assert 'TEST.SCALES do not fit TRAIN.SCALES' in line and words_of(line)[1].startswith('[2x, 1x,')
    assert 'does not say: by TRAIN of this configuration' in report_test(tiny(*PAIRS), large, {})[0][-1]
    kept = {'config': {'TRAIN.SCALES': [4.0, 2.0, 512.0], 'TRAIN.VALID_RANGES': [[-1, 20], [12, 50], [36, -1]]}}
    line, = found(large, sidecar=kept)
    assert words_of(line)[1].startswith('[4x, 2x,')
    assert 'by TRAIN.SCALES in its side file' in report_test(tiny(*PAIRS), large, kept)[0][-1]
    assert found(SCENES, 'TRAIN.SCALES', '[9x, 5x, 3x]') == []  # what this configuration would train does not matter


@pytest.mark.parametrize('spoil', [
    lambda facts: facts.pop('scales'), lambda facts: facts.update(scales=[]), lambda facts: facts.update(sizes=[1, 2]),
    lambda facts: facts.update(sides=[float('nan')] * 21), lambda facts: facts['scales'][0].update(factor=0),
    lambda facts: facts.update(picture='large'), lambda facts: facts.update(picture=[float('inf'), 1]),
    lambda facts: facts['scales'][0].update(scale=7),
    lambda facts: facts['scales'][0].update(scale='twice')])
def test_damaged_facts_are_none(spoil):
    facts = json.loads(json.dumps(TRAINED['seen']))
    spoil(facts)
    assert TrainedSizes.from_facts(facts) is None
    assert TrainedSizes.from_facts(None) is None and TrainedSizes.from_facts([1]) is None


def test_facts_come_back():
    trained = report_training(tiny(*PAIRS), SCENES)[2]
    again = TrainedSizes.from_facts(json.loads(json.dumps(trained.facts())))
    np.testing.assert_allclose(again.sizes, trained.sizes, atol=0.05)
    assert again.scales[2].high == np.inf and again.scales[0].definition == '2x' and again.picture == trained.picture
