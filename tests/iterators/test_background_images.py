"""Pictures without objects as background: how many of an epoch, drawn anew, and nothing changes where they are off."""
import numpy as np
import pytest

from lib.chips.chip_sampler import ChipSampler, ChipSettings
from lib.chips.samplers import chosen_background
from lib.chips.statistics import count_chips
from lib.iterators.train import TrainIterator
from tests.iterators.scenes import make_roidb, small_config


def epoch_of(roidb, epoch=0, **train):
    with TrainIterator(roidb, small_config(**train), 4, num_workers=0) as iterator:
        batches = iterator.start_epoch(epoch)
        assert batches == iterator.count_batches(epoch)
        return dict(iterator.epoch_stats), [(image, chip.box, chip.level) for image, chip in iterator.epoch_chips()]


@pytest.mark.parametrize('wanted, expected', [(0, 0), (0.2, 2), (0.5, 8), (3, 3), (100, 10), ('all', 10)])
def test_how_many_stay(wanted, expected):
    """Of eight windows with objects and ten without."""
    is_background = np.arange(18) % 2 == 0
    is_background[-2] = is_background[-1] = True
    kept = chosen_background(is_background, wanted, np.random.default_rng(0))
    assert kept[~is_background].all() and kept[is_background].sum() == expected


def test_a_chip_of_any_scale_inside_its_picture():
    settings = ChipSettings(('2x', '1x', '64px'), ((-1, 40), (24, 100), (72, -1)), 64)
    record = {'boxes': np.zeros((0, 4), np.float32), 'max_overlaps': np.zeros(0, np.float32), 'width': 100,
              'height': 50}
    chips = [ChipSampler(settings).windows(record, np.random.default_rng(number))[0] for number in range(60)]
    assert {chip.level for chip in chips} == {0, 1, 2}
    for chip in chips:
        x1, y1, x2, y2 = chip.box
        assert 0 <= x1 < x2 < 100 and 0 <= y1 < y2 < 50 and chip.negative and not len(chip.rows)
        assert (chip.height, chip.width) == ((64, 64), (50, 64), (32, 64))[chip.level]
    assert len({chip.box for chip in chips}) > 20


def test_an_epoch(tmp_path):
    roidb = [record for record in make_roidb(tmp_path, 6) if not record['flipped']]
    for record in roidb[3:]:
        for name in ('boxes', 'gt_classes', 'max_classes', 'max_overlaps', 'crowd', 'difficult', 'group_of', 'weight',
                     'source', 'attributes'):
            record[name] = record[name][:0]
    without, chips = epoch_of(roidb, BACKGROUND_IMAGES=0)
    assert without['background_chips'] == 0 and {image for image, *_ in chips} == {0, 1, 2}
    assert epoch_of(roidb[:3], BACKGROUND_IMAGES=0.5)[1] == chips    # bit for bit
    for number in (1, 2):
        stats, chips = epoch_of(roidb, BACKGROUND_IMAGES=number)
        assert stats['background_chips'] == stats['negative_chips'] == number
        assert stats['chips'] == without['chips'] + number
        assert len({image for image, *_ in chips} - {0, 1, 2}) == number
    drawn = [frozenset(image for image, *_ in epoch_of(roidb, epoch, BACKGROUND_IMAGES=1)[1]) for epoch in range(8)]
    assert len(set(drawn)) > 1
    statistics = count_chips(roidb, small_config(BACKGROUND_IMAGES=2))
    assert sum(negative for _, negative in statistics.chips_per_image) == 2
