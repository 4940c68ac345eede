"""Counts over a data set, why objects are in no chip, the command, its plot and pictures."""
import json
import os

import cv2
import numpy as np
import pytest

from lib.chips import ChipSampler, ChipSettings, stats
from lib.chips.scales import scale_rule
from lib.chips.statistics import (
    CUT,
    NO_NUMBER,
    OUT_OF_RANGE,
    TOO_LONG,
    TOO_THIN,
    ChipStatistics,
    count_chips,
    scale_text,
    uncovered_reasons,
)
from lib.utils.errors import SniperError
from lib.visualization.chip_plot import plot_statistics
from lib.visualization.chips import NEGATIVE, POSITIVE, UNCOVERED, ChipPictures, draw_image_chips
from tests.synthetic_folder import synthetic_folder

SETTINGS = ChipSettings((2.0, 1.0, 128.0), ((-1, 20), (16, 60), (70, -1)), 128, (20,), negatives=2,
                        negative_rows=(5, 3))


def rules(width=400, height=300):
    scales = (2.0, 1.0, 128.0 / max(width, height))
    return [scale_rule(SETTINGS.valid_ranges[index], 128, 20, scale, index, 3) for index, scale in enumerate(scales)]


@pytest.mark.parametrize('box, reason', [
    ([0, 0, 65, 65], OUT_OF_RANGE),        # between the ranges
    ([0, 0, 120, 3], TOO_LONG),            # side 18: the finest scale, whose chips hold 53 pixels
    ([0, 0, 50, 1], TOO_THIN), ([0, np.nan, 5, 5], NO_NUMBER), ([0, 0, 10, 10], CUT)])
def test_reasons(box, reason):
    assert uncovered_reasons([box], rules()).tolist() == [reason]
    assert uncovered_reasons([], rules()).tolist() == []


def make_entry(path='', proposals=120):
    rng = np.random.default_rng(4)
    objects = np.array([[10, 10, 22, 24], [300, 200, 340, 240], [20, 60, 110, 170], [200, 20, 265, 85],
                        [5, 280, 125, 283]], np.float32)
    corners = rng.uniform(0, 1, (proposals, 2)) * (370, 270)
    boxes = np.vstack([objects, np.hstack([corners, corners + rng.uniform(5, 25, (proposals, 2))])]).astype(np.float32)
    overlaps = np.concatenate([np.ones(len(objects)), np.full(proposals, 0.1)]).astype(np.float32)
    return dict(image=path, boxes=boxes, max_overlaps=overlaps, width=400, height=300, flipped=False)


def test_statistics_by_hand():
    entry, statistics = make_entry(), ChipStatistics(SETTINGS)
    chips = ChipSampler(SETTINGS).sample(entry, np.random.default_rng(0), stride=20)
    statistics.add(entry, chips, 20)
    facts = statistics.facts()
    assert facts['images'] == 1 and facts['chips'] == len(chips) and facts['objects'] == 5
    assert sum(facts['negative_per_scale']) == sum(chip.negative for chip in chips) == 2
    assert facts['positive_per_scale'] == [sum(chip.scale_index == index and not chip.negative for chip in chips)
                                           for index in range(3)]
    assert facts['megapixels_per_image'] == pytest.approx(len(chips) * 128 ** 2 / 1e6)
    assert facts['against_pyramid'] == pytest.approx(len(chips) * 128 ** 2 / (800 * 600 + 400 * 300 + 128 * 96))
    assert facts['against_full_image'] == pytest.approx(len(chips) * 128 ** 2 / (800 * 800 * 4 / 3))
    assert facts['uncovered'] == 2 and sorted(facts['uncovered_by_reason'].values()) == [1, 1]
    text = '\n'.join(statistics.table())
    assert 'objects in no chip: 2 of 5 (40.00 %)' in text and '[200, 20, 265, 85]' in text and 'longer' in text


def test_scales_in_words():
    assert scale_text(3.0, False) == 'x 3' and scale_text(512.0, True) == 'long side 512'
    assert scale_text((800, 1280), False) == 'short side 800, long 1280'
    assert scale_text((-1, 512), True) == 'long side 512'


def test_empty_statistics_and_wrong_ending(tmp_path):
    plot_statistics(ChipStatistics(SETTINGS), str(tmp_path / 'x.png'))
    assert cv2.imread(str(tmp_path / 'x.png')) is not None
    with pytest.raises(SniperError, match='must end in'):
        plot_statistics(ChipStatistics(SETTINGS), str(tmp_path / 'x.jpeg2000'))


def test_picture_shows_what_there_is(tmp_path):
    path = str(tmp_path / 'x.png')
    cv2.imwrite(path, np.zeros((300, 400, 3), np.uint8))
    entry = make_entry(path)
    chips = ChipSampler(SETTINGS).sample(entry, np.random.default_rng(0), stride=20)
    picture = draw_image_chips(entry, chips, SETTINGS)

    def panels_with(colour):
        found = (picture[26:500] == colour).all(axis=2).any(axis=0)  # without title and legend
        return [bool(part.any()) for part in np.array_split(found, 3)]
    for colour, negative in ((POSITIVE, False), (NEGATIVE, True)):
        wanted = [any(chip.scale_index == index and chip.negative == negative for chip in chips) for index in range(3)]
        assert panels_with(colour) == wanted and any(wanted)
    assert all(panels_with(UNCOVERED))  # the object between the ranges
    turned = draw_image_chips(dict(entry, flipped=True, flipped_vertical=True), chips, SETTINGS)
    np.testing.assert_array_equal(turned, picture)  # a black image


def test_pictures_that_cannot_be_drawn_are_told_at_the_end(tmp_path):
    entries = []
    for number, name in enumerate(('a/x.png', 'b/x.png', 'c.png')):
        os.makedirs(str(tmp_path / name[0]), exist_ok=True)
        entries.append(dict(make_entry(str(tmp_path / name)), image_id=number))
        cv2.imwrite(entries[-1]['image'], np.zeros((300, 400, 3), np.uint8))
    os.remove(entries[2]['image'])
    pictures = ChipPictures(str(tmp_path / 'out'), SETTINGS)
    for entry in entries:
        pictures.draw(entry, [])
    assert pictures.count == 2 and sorted(os.listdir(str(tmp_path / 'out'))) == ['x.png', 'x_1.png']
    with pytest.raises(SniperError, match='1 of 3 pictures could not be drawn .first: image .*c.png cannot be read'):
        pictures.check()


@pytest.fixture(scope='module')
def synthetic_set(tmp_path_factory):
    return synthetic_folder(tmp_path_factory, 3)


def test_the_command(synthetic_set, tmp_path, capsys):
    out = {name: str(tmp_path / name) for name in ('plot.png', 'facts.json', 'pictures')}
    command = ['--cfg', 'configs/faster/sniper_tiny_e2e.yml', '--out', out['plot.png'], '--json', out['facts.json'],
               '--draw', '2', out['pictures'], '--set', 'dataset.dataset_path', synthetic_set]
    assert stats.main(command) == 0
    text = capsys.readouterr().out
    assert text.startswith('6 images') and 'one pass at 800x1333' in text
    assert 'What the network sees\npictures           3: ' in text and 'TEST 0.33x' in text
    with open(out['facts.json']) as stream:
        facts = json.load(stream)
    assert facts['images'] == 6 and facts['chips'] == sum(facts['positive_per_scale'])
    assert facts['warnings'] == [] and len(facts['seen']['scales']) == 3
    assert cv2.imread(out['plot.png']).shape[2] == 3 and len(os.listdir(out['pictures'])) == 2


@pytest.mark.parametrize('sampler', ['images', 'crops'])
def test_other_samplers(synthetic_set, tmp_path, capsys, caplog, sampler):
    command = ['--out', '', '--draw', '1', str(tmp_path), '--set', 'TRAIN.SAMPLER', sampler, 'dataset.dataset_path',
               synthetic_set, 'TRAIN.VALID_RANGES', '[[-1, 5], [6, 7], [800, -1]]']
    assert stats.main(['--cfg', 'configs/faster/sniper_tiny_e2e.yml'] + command) == 0
    text = capsys.readouterr().out
    windows = {'images': 'whole images', 'crops': 'random crops'}[sampler]
    assert f'{windows} in inputs of 256 x 256 pixels' in text.splitlines()[0] and 'TRAIN 256px' in text
    assert ('no random crop that was drawn' in text) == (sampler == 'crops')
    assert 'VALID_RANGES' not in caplog.text  # they hold for chips only


@pytest.mark.parametrize('sampler', ['chips', 'images', 'crops'])
def test_the_command_counts_the_chips_of_training(synthetic_set, sampler):
    from configs import load_config
    from lib.dataset import load_training_roidb
    from lib.iterators import TrainIterator
    config = load_config('configs/faster/sniper_tiny_e2e.yml', ['dataset.dataset_path', synthetic_set, 'TRAIN.SAMPLER',
                                                                sampler])
    roidb, _ = load_training_roidb(config)
    with TrainIterator(roidb, config, 2, num_workers=0) as iterator:
        iterator.start_epoch(3)
        expected = iterator.epoch_stats
    facts = count_chips(roidb, config, 3).facts()
    assert facts['positive_per_scale'] == expected['chips_per_scale'] and facts['objects'] == expected['objects']
    assert facts['uncovered'] == expected['uncovered_boxes']


def test_mistakes(synthetic_set):
    with pytest.raises(SniperError, match='--draw wants a number'):
        stats.main(['--draw', 'many', 'folder', '--set', 'dataset.dataset_path', synthetic_set])
    with pytest.raises(SniperError, match='--epoch -1: epochs count from 0'):
        stats.main(['--epoch', '-1', '--set', 'dataset.dataset_path', synthetic_set])
    with pytest.raises(SniperError, match='--out folder must end in .png'):     # before anything is counted
        stats.main(['--out', 'folder', '--set', 'dataset.dataset_path', 'none'])
