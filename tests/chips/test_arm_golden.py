"""Chips, objects and labels of arm_SNIPER against numbers of the original program (golden/detectors/arm_chips)."""
import numpy as np
import pytest

import lib.targets.chip_boxes
from configs import load_config
from lib.chips import ChipSampler
from lib.targets.chip_targets import ChipTargets, TargetSettings
from tests.golden import golden_file

FILE = 'detectors/arm_chips.npz'


@pytest.fixture(scope='module')
def config():
    return load_config('configs/arm/sniper_arm_deepv.yml', ['gpus', 'cpu'])


def case_of(number):
    with np.load(golden_file(FILE)) as data:
        prefix = f'{number:03d}/'
        return {key[len(prefix):]: data[key] for key in data.files if key.startswith(prefix)}


def ragged(case, name):
    ends = case[name + '_off'].astype(int)
    return [case[name][start:end] for start, end in zip(ends, ends[1:])]


def entry_of(case):
    boxes, objects = case['boxes'].astype(np.float32), int(case['n_gt'])
    ones = np.ones(len(boxes), np.int64)
    return dict(boxes=boxes, max_overlaps=(np.arange(len(boxes)) < objects).astype(np.float32), max_classes=ones,
                gt_classes=ones, ignored=np.zeros(len(boxes), bool), width=int(case['width']),
                height=int(case['height']))


def all_chips(config, case):
    return ChipSampler(config).all_chips(entry_of(case), int(case['stride']), 0, ragged(case, 'extract_perm'),
                                         ragged(case, 'neg_perm'))


def numbers(chips):
    return np.array([(*chip.box, chip.scale, chip.height, chip.width) for chip in chips]).reshape(-1, 7)


@pytest.mark.parametrize('number', range(4))
def test_chips_and_their_rows(config, number):
    case = case_of(number)
    positives, _ = all_chips(config, case)
    np.testing.assert_array_equal(numbers(positives), case['chips'])
    for chip, rows in zip(positives, ragged(case, 'props')):
        np.testing.assert_array_equal(chip.rows, rows)


@pytest.mark.parametrize('number', range(4))
def test_negative_chips(config, number):
    """The original counts up only at chips that it keeps, and so looks at the rows of another chip (a defect that the
    facts name): which chips it keeps differs, where they lie does not."""
    case = case_of(number)
    _, negatives = all_chips(config, case)
    places = {tuple(row) for row in numbers(negatives)}
    assert {tuple(row) for row in case['neg_chips']} <= places
    assert all(len(chip.rows) > (25 if chip.level == 0 else 10) for chip in negatives)


def labels_of(config, case, which):
    """(objects of the chip, labels, targets, weights)."""
    targets = ChipTargets(TargetSettings.from_config(config, 8))
    chip = all_chips(config, case)[0][case['anchor_chips'][which]]
    objects = targets.boxes(entry_of(case), chip)
    label, match, valid = targets.label_anchors(objects)
    out = np.zeros(label.size, np.float32), np.zeros((72, 27, 27), np.float32), np.zeros((72, 27, 27), np.float32)
    targets._labeller.write(label, match, valid, *out)
    return (objects, *out)


def in_double_precision(boxes, window, chip_size):
    corner, scales = np.array(window.box[:2] * 2), np.array((window.scale_x, window.scale_y) * 2)
    return np.clip(np.round((boxes - corner) * scales), 0, chip_size - 1)


@pytest.mark.parametrize('which', range(3))
@pytest.mark.parametrize('number', range(4))
def test_labels_before_sampling(config, number, which, monkeypatch):
    """The fork's boxes are integers, and so it places them in double precision."""
    monkeypatch.setattr(lib.targets.chip_boxes, 'to_window', in_double_precision)
    case = case_of(number)
    objects, label, target, weight = labels_of(config, case, which)
    shown = case[f'gt_{which}'][:len(objects.boxes)]
    np.testing.assert_array_equal(objects.boxes, shown[:, :4])
    np.testing.assert_array_equal(np.flatnonzero(objects.valid), case[f'valid_{which}'])
    np.testing.assert_array_equal(np.flatnonzero(~objects.valid), case[f'invalid_{which}'])
    np.testing.assert_array_equal(label, case[f'label_{which}'])
    places = tuple(case[f'pos_{which}'])
    np.testing.assert_allclose(target[places], case[f'target_{which}'], atol=1e-5)
    assert weight.sum() == len(places[0])


@pytest.mark.parametrize('number', range(4))
def test_labels_in_single_precision(config, number):
    """As all other sources here do it: corners at half a pixel may go the other way, and nothing else changes."""
    case = case_of(number)
    for which in range(3):
        _, label, _, _ = labels_of(config, case, which)
        assert (label != case[f'label_{which}']).sum() <= 5
