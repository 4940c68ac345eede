"""Chips, tables and labels of the Open Images branch against numbers of the original program (golden/detectors)."""
import numpy as np
import pytest

from configs import load_config
from lib.chips import ChipSampler
from lib.tasks import get_task
from tests.golden import golden_file

FILE = 'detectors/openimages_chips.npz'
CONFIG = 'configs/openimages/openimages_res101.yml'


def case_of(number):
    with np.load(golden_file(FILE)) as data:
        prefix = f'{number:03d}/'
        return {key[len(prefix):]: data[key] for key in data.files if key.startswith(prefix)}


def ragged(case, name):
    ends = case[name + '_off']
    return [case[name][start:end] for start, end in zip(ends, ends[1:])]


def entry_of(case):
    objects, groups = len(case['boxes']), len(case['crowd'])
    boxes = np.concatenate([case['boxes'], case['crowd'].reshape(-1, 4)]).astype(np.float32)
    is_group = np.arange(objects + groups) >= objects
    labels = np.where(is_group, 1, np.pad(case['classes'].ravel(), (0, groups))).astype(np.int64)
    return dict(boxes=boxes, max_classes=labels, gt_classes=labels, group_of=is_group,
                max_overlaps=np.where(is_group, 0, 1).astype(np.float32), ignored=np.zeros(len(boxes), bool),
                width=int(case['width']), height=int(case['height']))


def chips_of(case, sampler, entry):
    """Positive chips of both scales, each with the stride that the original drew for it."""
    orders, chips = ragged(case, 'perm'), []
    for level, stride in enumerate(case['strides'].tolist()):
        own = [order if place == level else () for place, order in enumerate(orders)]
        chips += [chip for chip in sampler.positive_chips(entry, stride, 0, own) if chip.level == level]
    return chips


@pytest.fixture(scope='module')
def config():
    return load_config(CONFIG, ['gpus', 'cpu', 'TRAIN.fp16', 'False'])


@pytest.mark.parametrize('number', range(4))
def test_chips_and_their_objects(config, number):
    case = case_of(number)
    chips = chips_of(case, ChipSampler(config), entry_of(case))
    rows = [(*chip.box, chip.scale, chip.height, chip.width) for chip in chips]
    np.testing.assert_allclose(rows, case['chips'], rtol=1e-6, atol=1e-6)
    for chip, objects in zip(chips, ragged(case, 'props')):
        np.testing.assert_array_equal(chip.rows[chip.rows < len(case['boxes'])], objects)


@pytest.mark.parametrize('number', range(4))
def test_tables_labels_and_ranges(config, number):
    case, task = case_of(number), get_task(config)
    entry = entry_of(case)
    chips = chips_of(case, ChipSampler(config), entry)
    for place, index in enumerate(case['anchor_chips'].tolist()):
        out = {name: np.full(shape, 7, np.float32) for name, shape, _ in task.inputs()}
        np.random.seed(int(case[f'seed_{place}']))
        task.targets(entry, chips[index], np.random, out)
        np.testing.assert_array_equal(out['gt_boxes'], case[f'gt_{place}'])
        np.testing.assert_array_equal(out['crowd_boxes'], case[f'crowd_{place}'])
        np.testing.assert_allclose(out['valid_ranges'], case[f'valid_range_{place}'])
        np.testing.assert_array_equal(out['label'], case[f'label_{place}'])
        np.testing.assert_allclose(out['bbox_target'][tuple(case[f'pos_{place}'])], case[f'target_{place}'], atol=1e-5)
        assert out['bbox_weight'].sum() == 4 * (case[f'label_{place}'] == 1).sum()
