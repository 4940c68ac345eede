"""ChipSampler over whole entries: properties, determinism, edges."""
import numpy as np
import pytest

from lib.chips import ChipSampler, ChipSettings, scaled_size, training_scales
from lib.chips.scales import scale_rule, seed_rows
from lib.utils.errors import SniperError
from tests.chips import slow

SETTINGS = ChipSettings((3.0, 1.667, 512.0), ((-1, 80), (32, 150), (120, -1)))


def random_entry(rng, count=12):
    width, height = (int(v) for v in rng.integers(100, 900, 2))
    sides = np.exp(rng.uniform(1, 5.5, (count, 2)))
    corners = rng.uniform(0, [width, height], (count, 2))
    boxes = np.hstack([corners, np.minimum(corners + sides, [width - 1, height - 1])]).astype(np.float32)
    overlaps = np.where(rng.random(count) < 0.8, 1, 0.6).astype(np.float32)
    return dict(boxes=boxes, max_overlaps=overlaps, width=width, height=height)


def same(first, second):
    return len(first) == len(second) and all(
        a[:5] == b[:5] and np.array_equal(a.props, b.props) for a, b in zip(first, second))


@pytest.mark.parametrize('seed', range(20))
def test_chips_of_an_entry(seed):
    rng = np.random.default_rng(seed)
    entry = random_entry(rng)
    chips = ChipSampler(SETTINGS).sample(entry, rng, stride=57)
    scales = training_scales(SETTINGS.scales, entry['width'], entry['height'])
    assert [chip.scale_index for chip in chips] == sorted(chip.scale_index for chip in chips)
    for index, scale in enumerate(scales):
        of_scale = [chip for chip in chips if chip.scale_index == index]
        size = scaled_size(entry['width'], entry['height'], scale)
        rule = scale_rule(SETTINGS.valid_ranges[index], 512, 57, scale, index, 3)
        seeds = seed_rows(entry['boxes'], rule) & (entry['max_overlaps'] == 1)
        inside = slow.clipped(entry['boxes'][seeds] * np.float32(scale), *size)
        windows = np.array([chip.box for chip in of_scale]).reshape(-1, 4) * scale
        if index < 2:  # the side limit makes sure that a chip can hold each
            assert slow.containment(np.round(windows), inside).any(axis=0).all(), f'seed {seed}'
        assert (windows >= 0).all() and (windows[:, 2] <= size[0] - 1 + 1e-6).all()
        assert (windows[:, 3] <= size[1] - 1 + 1e-6).all()
        rows = np.concatenate([chip.props for chip in of_scale]) if of_scale else []
        assert len(set(rows)) == len(rows)  # a row belongs to one chip of a scale at most
        for chip in of_scale:
            assert chip.scale == scale and not chip.negative and chip.props.dtype == np.int32
            assert (chip.height, chip.width) == ((512, 512) if index < 2 else size[::-1])


def test_same_seed_same_chips():
    entry = random_entry(np.random.default_rng(0), 60)
    sampler = ChipSampler(SETTINGS)
    first = sampler.sample(entry, np.random.default_rng(5))
    assert same(first, sampler.sample(entry, np.random.default_rng(5)))
    assert any(not same(first, sampler.sample(entry, np.random.default_rng(seed))) for seed in range(4))


@pytest.mark.parametrize('make', [lambda: 3, lambda: None, lambda: np.random.RandomState(3)])
def test_other_sources_of_randomness(make):
    entry = random_entry(np.random.default_rng(0), 60)
    sampler = ChipSampler(SETTINGS)
    first = sampler.sample(entry, make())
    assert first and same(first, sampler.sample(entry, make()))


def test_entry_is_left_as_it_was():
    entry = random_entry(np.random.default_rng(0))
    before = {key: np.array(value) for key, value in entry.items()}
    ChipSampler(SETTINGS).sample(entry, np.random.default_rng(0))
    assert set(before) == set(entry)
    for key, value in before.items():
        np.testing.assert_array_equal(entry[key], value)


def test_entries_without_chips():
    sampler, rng = ChipSampler(SETTINGS), np.random.default_rng(0)
    empty = dict(boxes=np.zeros((0, 4), np.float32), max_overlaps=np.zeros(0, np.float32), width=640, height=480)
    assert sampler.sample(empty, rng) == []
    proposals = dict(boxes=np.array([[0, 0, 50, 50]]), max_overlaps=np.array([0.9]), width=640, height=480)
    assert sampler.sample(proposals, rng) == []
    broken = dict(boxes=np.array([[np.nan, 0, 50, 50]]), max_overlaps=np.array([1.0]), width=640, height=480)
    assert sampler.sample(broken, rng) == []


def test_single_precision_key_changes_the_test_only():
    entry = random_entry(np.random.default_rng(2), 60)
    for single in (True, False):
        chips = ChipSampler(SETTINGS._replace(single_precision=single)).sample(entry, np.random.default_rng(0))
        assert chips


def test_strides_are_drawn_from_the_settings():
    sampler, rng = ChipSampler(SETTINGS), np.random.default_rng(0)
    assert {sampler.draw_stride(rng) for _ in range(100)} == {56, 57, 58, 59}


def test_wrong_input():
    with pytest.raises(SniperError, match='pair up'):
        ChipSampler(SETTINGS._replace(valid_ranges=((-1, 80),)))
    with pytest.raises(ValueError, match='2 boxes but 1 overlaps'):
        ChipSampler(SETTINGS).sample(
            dict(boxes=np.zeros((2, 4)), max_overlaps=np.ones(1), width=64, height=48), np.random.default_rng(0))
    with pytest.raises(ValueError, match='at least 1'):
        ChipSampler(SETTINGS).sample(random_entry(np.random.default_rng(0)), np.random.default_rng(0), stride=0)


def test_from_config():
    from configs import load_config
    config = load_config(overrides=['TRAIN.CHIP_SIZE', '256', 'TRAIN.CHIP_STRIDES', '[30]'])
    settings = ChipSampler(config).settings
    assert settings.chip_size == 256 and settings.strides == (30,)
    assert len(settings.scales) == len(settings.valid_ranges) == 3


def crowded_entry(count=300, objects=5):
    entry = random_entry(np.random.default_rng(1), count)
    entry['max_overlaps'] = np.where(np.arange(count) < objects, 1, 0.3).astype(np.float32)
    return entry


WITH_NEGATIVES = SETTINGS._replace(negatives=2, negative_rows=(5, 3))


def test_negative_chips_come_last_and_hold_what_was_left_over():
    entry, sampler = crowded_entry(), ChipSampler(WITH_NEGATIVES)
    positives, negatives = sampler.all_chips(entry, 57, 3)
    assert same(positives, ChipSampler(SETTINGS).positive_chips(entry, 57, 3)) and len(negatives) > 4
    for chip in negatives:
        assert len(chip.props) > (5 if chip.scale_index == 0 else 3) and chip.negative
        taken = [row for other in positives if other.scale_index == chip.scale_index for row in other.props]
        assert not set(taken) & set(chip.props)
    chips = sampler.sample(entry, np.random.default_rng(0), stride=57)
    assert [chip.negative for chip in chips] == [False] * (len(chips) - 2) + [True] * 2


def test_negative_chips_are_drawn_among_all():
    entry, sampler = crowded_entry(), ChipSampler(WITH_NEGATIVES)
    drawn = {chip.box for seed in range(40) for chip in sampler.sample(entry, np.random.default_rng(seed), stride=57)
             if chip.negative}
    assert len(drawn) > 10
    again = [chip.box for chip in sampler.sample(entry, np.random.default_rng(7), stride=57)]
    assert again == [chip.box for chip in sampler.sample(entry, np.random.default_rng(7), stride=57)]


def test_an_image_without_objects_has_negative_chips_only():
    entry = crowded_entry(objects=0)
    chips = ChipSampler(WITH_NEGATIVES).sample(entry, 0)
    assert len(chips) == 2 and all(chip.negative for chip in chips)
    few = ChipSampler(WITH_NEGATIVES._replace(negative_rows=(400, 400))).sample(entry, 0)
    assert few == []
