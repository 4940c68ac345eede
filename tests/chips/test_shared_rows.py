"""TRAIN.CHIP_SHARE and TRAIN.VALID_RANGES_IN 'chip': objects in several chips, ranges in shares of a chip."""
import numpy as np
import pytest

from lib.chips import ChipSampler, ChipSettings
from lib.chips.scales import COARSEST, FINEST, ScaleRule, seed_rows
from lib.chips.seen_sizes import seen_in_training
from lib.chips.statistics import ChipStatistics
from lib.dataset.object_sizes import object_sizes
from lib.targets.chip_boxes import chip_boxes
from lib.tasks import check_config
from lib.utils.errors import SniperError
from tests.chips.pictures import make_pictures, tiny

SHARED = ChipSettings(('1x', '0.5x', '64px'), ((0.1, 0.5),) * 3, 64, (16,), False, share=0.5, ranges_in_chip=True)
CHIP = ('TRAIN.VALID_RANGES_IN', 'chip', 'TRAIN.VALID_RANGES', '[[0.1, 0.5], [0.1, 0.5], [0.1, 0.5]]')


def square(side, x=0, y=0):
    return [x, y, x + side, y + side]


def record_of(boxes, width=1000, height=1000):
    count = len(boxes)
    return dict(boxes=np.array(boxes, np.float32), max_overlaps=np.ones(count, np.float32), width=width, height=height,
                max_classes=np.ones(count, int), image='a.jpg')


def shown(chip, box, plus):
    """Sides of what a chip shows of a box, with so much added."""
    return [min(chip[2 + axis], box[2 + axis]) - max(chip[axis], box[axis]) + plus for axis in (0, 1)]


def slow_rows(chip, boxes, low, high, share):
    """Rows that belong to a chip, box by box."""
    rows = []
    for row, box in enumerate(boxes):
        whole = np.trunc([box[2] - box[0], box[3] - box[1]])
        if not low <= np.sqrt(np.prod(whole)) < high:
            continue
        inside, sides = shown(chip, box, 1), shown(chip, box, 0)
        if min(inside) <= 0 or min(sides) < 1:
            continue
        part = np.prod(inside) / ((box[2] - box[0] + 1) * (box[3] - box[1] + 1))
        if part > share and low <= np.sqrt(np.prod(sides)) <= high:
            rows.append(row)
    return rows


@pytest.mark.parametrize('seed', range(6))
def test_rows_against_a_slow_reference(seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, (380, 280), (200, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(3, 60, (200, 2))], axis=1)
    boxes = boxes.clip(0, [399, 299, 399, 299])
    entry = record_of(boxes, 400, 300)
    chips = ChipSampler(SHARED).positive_chips(entry, 16, seed)
    assert chips and max(np.bincount(np.concatenate([chip.rows for chip in chips if chip.level == 0]))) > 1
    for chip in chips:
        low, high = (end * 64 / chip.scale for end in (0.1, 0.5))
        assert chip.rows.tolist() == slow_rows(chip.box, entry['boxes'].astype(np.float64), low, high, 0.5)


def test_a_box_belongs_to_every_chip_that_shows_more_than_half():
    """Two chips 16 pixels apart show three fifths of a box each; a box with its half in each belongs to neither."""
    anchors = [square(20, 0, 0), square(20, 90, 0)]     # that chips are made for
    entry = record_of(anchors + [[36, 10, 65, 39]], 200, 64)
    chips = [chip for chip in ChipSampler(SHARED).positive_chips(entry, 16, 0) if chip.level == 0]
    for chip in chips:
        part = (min(chip.box[2], 65) - max(chip.box[0], 36) + 1) / 30
        assert (2 in chip.rows) == (part > 0.5)
    assert sum(2 in chip.rows for chip in chips) >= 1


def test_both_ends_hold_at_every_scale():
    """At a factor of 0.5 chips of 216 pixels take boxes of 43.2 to below 216 (reference, acceptance facts D)."""
    settings = ChipSettings((0.5,), ((0.1, 0.5),), 216, (56,), share=0.5, ranges_in_chip=True)
    rule, = settings.rules([0.5], 56)
    boxes = np.array([square(43), square(44), square(215), square(216)], np.float32)
    assert seed_rows(boxes, rule).tolist() == [False, True, True, False]
    for place in (FINEST, COARSEST):
        assert seed_rows(boxes, ScaleRule(44, 216, 1000, place, 0.5)).tolist() == [False, True, True, False]


def test_without_a_share_ranges_in_chips_are_only_another_unit():
    in_pixels = tiny('TRAIN.SCALES', '[2x, 1x, 0.5x]', 'TRAIN.VALID_RANGES', '[[12.8, 64], [25.6, 128], [51.2, 256]]')
    in_chips = tiny('TRAIN.SCALES', '[2x, 1x, 0.5x]', *CHIP)
    for entry in make_pictures((3, 400), ((640, 480),)):
        found = [ChipSampler(config).sample(entry, 3, 28) for config in (in_pixels, in_chips)]
        assert [chip.box for chip in found[0]] == [chip.box for chip in found[1]]
        assert all((a.rows == b.rows).all() for a, b in zip(*found))


def test_what_the_network_sees_and_statistics_agree_with_the_chips():
    config = tiny('TRAIN.SCALES', '[2x, 1x, 256px]', 'TRAIN.CHIP_SHARE', '0.5', *CHIP)
    records = make_pictures((3, 400), ((640, 480), (1000, 2000), (200, 120)))
    sampler, sizes = ChipSampler(config), object_sizes(records)
    for index, scale in enumerate(seen_in_training(sampler, sizes)):
        seeds = []
        for entry in records:
            factors = [2, 1, 256 / max(entry['width'], entry['height'])]
            seeds.append(seed_rows(np.asarray(entry['boxes']), sampler.settings.rules(factors, 31)[index]))
        thick = (sizes.objects >= 2).all(axis=1) & scale.fits(sizes)
        np.testing.assert_array_equal(scale.taken[thick], np.concatenate(seeds)[thick])
        assert scale.low / scale.unit == pytest.approx(0.1) and scale.high / scale.unit == pytest.approx(0.5)
    statistics = ChipStatistics(sampler.settings)
    for entry in records:
        statistics.add(entry, sampler.sample(entry, 0, 28), 28)
    np.testing.assert_allclose(statistics.ranges[:2], [[12.8, 64], [25.6, 128]])
    assert statistics.reasons.sum() == sum((~covered).sum() for covered in statistics.covered)


def test_nearly_the_same_part_of_an_object_is_valid_too():
    """Two objects that a chip shows alike but for a strip of a twentieth: one belongs to it, the other does not."""
    sampler = ChipSampler(SHARED)
    entry = record_of([square(20, 10, 10), [10, 10, 31, 30]], 64, 64)
    chip = sampler.positive_chips(entry, 16, 0)[0]._replace(rows=np.array([0]))
    assert chip_boxes(entry, chip, 64).valid.tolist() == [True, False]
    assert chip_boxes(entry, chip, 64, valid_overlap=0.9).valid.tolist() == [True, True]
    assert chip_boxes(entry, chip, 64, valid_overlap=0.96).valid.tolist() == [True, False]


@pytest.mark.parametrize('ranges, name', [('[[-1, 0.5], [0.1, 0.5], [0.1, 0.5]]', '(-1, 0.5)'),
                                          ('[[0.1, 40], [0.1, 0.5], [0.1, 0.5]]', '(0.1, 40)'),
                                          ('[[0.1, 1], [0.1, 0.5], [0.1, 0.5]]', '(0.1, 1)')])
def test_ranges_that_are_no_shares(ranges, name):
    config = tiny('TRAIN.VALID_RANGES_IN', 'chip', 'TRAIN.VALID_RANGES', ranges)
    with pytest.raises(SniperError) as error:
        check_config(config, 'train')
    assert name in str(error.value) and "'image'" in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('section, mend', [('TRAIN', "set TRAIN.VALID_RANGES_IN to 'chip'"), ('TEST', 'for example')])
def test_shares_where_pixels_are_meant(section, mend):
    config = tiny(f'{section}.SCALES', '[1x, 0.5x, 216px]', f'{section}.VALID_RANGES',
                  '[[-1, 80], [0.1, 0.5], [0.1, -1]]')
    with pytest.raises(SniperError, match=rf'{section}.VALID_RANGES has the entry \(0.1, 0.5\), but these .*{mend}$'):
        check_config(config, section.lower())
