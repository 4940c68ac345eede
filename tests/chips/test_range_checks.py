"""Scales and ranges that miss objects: each is warned of once, with the figure, and what the line says mends it."""
import re
import shlex

import numpy as np
import pytest

from lib.tasks.seen_report import report_test, report_training
from tests.chips.pictures import make_pictures, tiny

GOOD = make_pictures((8, 250))
RANGES, SCALES = 'TRAIN.VALID_RANGES', 'TRAIN.SCALES'


def warnings(records, *overrides):
    return report_training(tiny(*overrides), records)[1]


def mended(records, line, *overrides):
    """Warnings of the configuration with what a line says after --set."""
    words = shlex.split(re.split(r', or TRAIN', line)[0].partition(': --set ')[2])
    return warnings(records, *overrides, *words)


@pytest.mark.parametrize('overrides, expected', [
    ((RANGES, '[[-1, 20], [40, 100], [72, -1]]'), r'RANGES leave out 2\d % .* 2\d to \d\d pixels, for which no'),
    ((RANGES, '[[-1, 9], [10, 20], [150, -1]]'), r'leave out 6\d % .* sides of [\d.]+ to 14\d pixels'),
    ((RANGES, '[[-1, 40], [24, 60], [60.5, -1]]'), None),  # a gap of half a pixel holds next to nothing
    (('TEST.VALID_RANGES', '[[60, 80], [70, 120], [100, 160]]'), r'TEST.VALID_RANGES leave out 7\d %'),
    (('TEST.VALID_RANGES', '[[-1, 20], [40, 120], [60, -1]]'), r'TEST.VALID_RANGES leave out \d+ %'),
    ((RANGES, '[[72, -1], [24, 100], [-1, 40]]'), r'give a coarser scale smaller objects .*\[-1, 40\], \[24, 100\]'),
    ((RANGES, '[[24, 100], [-1, 40], [72, -1]]'), 'give a coarser scale smaller objects'),
    (('TEST.VALID_RANGES', '[[60, -1], [20, 120], [-1, 48]]'), 'TEST.VALID_RANGES give a coarser scale smaller'),
    ((RANGES, '[[-1, -1], [-1, -1], [-1, -1]]'), r'no upper end at 2x, 1x, and so chips take no object there'),
    ((RANGES, '[[-1, 40], [24, -1], [72, -1]]'), r'no upper end at 1x, .*\[\[-1, 40\], \[24, 196\], \[72, -1\]\]'),
    ((SCALES, '[1.0, 2.0, 256.0]'), r'do not go from fine to coarse \(factors 1, 2, 0.4\)'),
    ((SCALES, '[256px, 1x, 2x]', RANGES, '[[72, -1], [24, 100], [-1, 40]]'),
     r"'\[2x, 1x, 256px\]' .*\[-1, 40\], \[24,"),
    ((SCALES, '[[192, 256], [480, 640], [960, 1280]]'), r'\[\[960, 1280\], \[480, 640\], \[192, 256\]\]'),
    ((SCALES, '[1.0, 1.0, 256.0]'), r"two of TRAIN.SCALES are the same .*'\[1x, 256px\]' .*\[-1, 100\], \[72, -1\]"),
    ((SCALES, '[2x, 640px, 1x]', RANGES, '[[-1, 40], [24, 100], [72, -1]]'), 'two of TRAIN.SCALES are the same'),
    (('TEST.SCALES', '[2x, 1x, [480, 640]]'), r'two of TEST.SCALES are the same \(factors 2, 1, 1\)'),
    ((), None),
    ((SCALES, '[2x, 1x, 0.4x]'), None),
    ((SCALES, '[[960, 1280], [480, 640], [-1, 256]]'), None),
])
def test_scales_and_ranges(overrides, expected):
    found = warnings(GOOD, *overrides)
    if expected is None:
        assert found == []
        return
    assert len(found) == 1 and re.search(expected, found[0]), found
    if '--set' in found[0]:
        again = mended(GOOD, found[0], *overrides)
        assert not any(line.split(' --set')[0] == found[0].split(' --set')[0] for line in again)
        assert not any('leave out' in line or 'coarse' in line or 'the same' in line for line in again)


def test_objects_longer_than_chips():
    large = make_pictures((100, 400), ((1600, 1200),))
    overrides = (RANGES, '[[-1, 40], [24, 300], [250, -1]]')
    line, = [line for line in warnings(large, *overrides) if 'longer than a chip' in line]
    assert re.match(r'\d+ % \(\d+ of 480\) of the objects, 2\d\d to [23]\d\d pixels long, are longer than a chip '
                    r'\(TRAIN.CHIP_SIZE 256\)', line)
    assert not any('longer than' in line for line in mended(large, line, *overrides))
    overrides = (SCALES, '[2x, 1x, 0.9x]')  # the coarsest has no room either
    line, = [line for line in warnings(large, *overrides) if 'longer than a chip' in line]
    assert re.search(r"--set TRAIN.SCALES '\[2x, 1x, 0.[45]\d?x\]'", line)
    assert not any('longer than' in line for line in mended(large, line, *overrides))


def test_objects_that_are_too_small():
    small = make_pictures((2, 6))
    found = warnings(small)
    assert len(found) == 1
    assert re.search(r'% .* have a side below TRAIN.MIN_OBJECT_SIDE, 10 network pixels', found[0])
    assert not any('MIN_OBJECT_SIDE' in line for line in mended(small, found[0]))


def test_sizes_in_pixels_on_pictures_of_mixed_sizes():
    drone = make_pictures((16, 220), ((547, 684), (1920, 1080), (4000, 2250), (1920, 1080)))
    found = warnings(drone)
    assert len(found) == 1
    assert 'pictures differ in size, and 256px of TRAIN.SCALES shows them at 0.064 to 0.37' in found[0]
    assert found[0].endswith("--set TRAIN.SCALES '[2x, 1x, 0.33x]'")
    assert not mended(drone, found[0])
    whole = make_pictures((100, 1000), ((1280, 1280), (320, 212)), each=20)     # objects that fill the pictures
    line, = [line for line in warnings(whole) if 'differ in size' in line]
    assert not any('longer than' in line for line in mended(whole, line))
    crossing = make_pictures((8, 60), ((120, 90), (640, 480)))
    found = warnings(crossing)
    assert len(found) == 1 and 'stand in another order on 50 % of the pictures' in found[0]
    assert not any('order' in line for line in mended(crossing, found[0]))


def test_without_objects_a_gap_is_seen_too():
    bare = make_pictures((8, 250), each=0)
    config = tiny('TEST.VALID_RANGES', '[[-1, 20], [40, 120], [60, -1]]')
    line, = [line for line in report_test(config, bare, {})[1] if 'leave out' in line]
    assert 'sides of 20 to 40 pixels' in line and report_test(tiny(), bare, {})[1] == []


def test_autofocus_on_pictures_where_the_finer_scale_is_coarser():
    path = 'configs/faster/sniper_tiny_autofocus.yml'
    large = make_pictures((8, 250), ((2000, 1500), (640, 480)))
    config = tiny('TEST.SCALES', '[64px, 0.5x, 1000px]', path=path)
    line, = [line for line in report_test(config, large, {})[1] if 'AutoFocus' in line]
    assert '1000px of TEST.SCALES is no finer than 0.5x on 50 % of the pictures' in line
    again = tiny(*shlex.split(line.partition('--set ')[2]), path=path)
    assert not any('AutoFocus' in line for line in report_test(again, large, {})[1])
    config.TEST.DO_PRUNING = [False, False, False]  # the order matters to AutoFocus alone
    assert not any('AutoFocus' in line for line in report_test(config, large, {})[1])


def test_crowded_pictures():
    crowd = make_pictures((8, 100), count=10, each=250)
    found = report_test(tiny('TEST.MAX_PER_IMAGE', 100, 'TEST.RPN_POST_NMS_TOP_N', 128), crowd, {})[1]
    assert [line for line in found if line.endswith('--set TEST.MAX_PER_IMAGE 300')]
    assert [line for line in found if 'TEST.RPN_POST_NMS_TOP_N is 128 proposals: --set TEST.RPN_POST_NMS_TOP_N' in line]
    assert not any('MAX_PER_IMAGE' in line for line in report_test(tiny('TEST.MAX_PER_IMAGE', 0), crowd, {})[1])


@pytest.mark.parametrize('seed', range(12))
def test_nothing_breaks_on_odd_data_and_scales(seed):
    """Whatever data and scales: lines of text, no error."""
    rng = np.random.default_rng(seed)
    forms = ['2x', '0.05x', '64px', '300px', (100, 200), (-1, 50), (800, 1333), '30x']
    count = int(rng.integers(1, 5))
    scales = [forms[place] for place in rng.integers(0, len(forms), count)]
    bounds = rng.integers(1, 300, count).tolist()
    ranges = [(-1, bound) if rng.random() < 0.5 else (bound, -1) for bound in bounds]
    low = float(rng.choice([0.2, 5, 100]))
    records = make_pictures((low, low * 3), rng.integers(1, 3000, (5, 2)).tolist(), count=int(rng.integers(1, 9)),
                            each=int(rng.integers(0, 4)))
    config = tiny('TRAIN.SAMPLER', rng.choice(['chips', 'chips', 'images', 'crops']))
    config.TRAIN.SCALES, config.TRAIN.VALID_RANGES = scales, ranges
    config.TEST.SCALES, config.TEST.VALID_RANGES = scales[::-1], ranges
    config.TEST.BATCH_IMAGES = [1] * count
    lines, found, trained = report_training(config, records)
    assert len(lines) >= 3 + count and all(isinstance(line, str) and '\n' not in line for line in found)
    for sidecar in ({}, {'seen': trained.facts()} if trained else {}, {'config': {'TRAIN.SCALES': 'nonsense'}}):
        report_test(config, records, sidecar)


def test_large_factors_are_written_out():
    """Tiny objects, which only a large factor mends: 110x, which a configuration takes, not 1.1e+02x."""
    lines = warnings(make_pictures((2, 2.5)), SCALES, '[3x]', RANGES, '[[-1, -1]]')
    assert any('MIN_OBJECT_SIDE' in line for line in lines) and not any('e+' in line for line in lines)
