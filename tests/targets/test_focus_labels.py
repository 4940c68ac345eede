"""FocusPixel labels: by hand, against a slow twin, against the original's, and what must hold for any objects."""
import math
import os

import numpy as np
import pytest

from configs import load_config
from lib.chips import Window
from lib.targets.chip_boxes import to_window
from lib.targets.focus_labels import FocusSizes, label_focus, write_focus_labels
from lib.tasks import check_config
from symbols.registry import feature_stride
from tests.bbox.golden_cases import cases
from tests.conftest import ROOT
from tests.targets.test_golden import entry_and_chip, iterator_chip, iterator_entry

SIZES = FocusSizes(low=5, small=64, high=90)


def labels(boxes, sizes=SIZES, cells=8, stride=16):
    out = np.full((cells, cells), 7, np.float32)
    write_focus_labels(np.array(boxes, np.float32).reshape(-1, 4), sizes, stride, out)
    return out


def slow_labels(boxes, sizes, cells, stride):
    """Cell by cell, from reference/pipeline.md 10.9 alone."""
    out = np.zeros((cells, cells))
    for x1, y1, x2, y2 in boxes.tolist():
        side = math.sqrt((x2 - x1) * (y2 - y1))
        if side >= sizes.high:
            continue
        value = 1 if sizes.low < side < sizes.small else -1
        for row in range(int(y1 / stride), min(math.ceil(y2 / stride), cells - 1) + 1):
            for column in range(int(x1 / stride), min(math.ceil(x2 / stride), cells - 1) + 1):
                out[row, column] = value
    return out


def whole(size):
    """A window of `size` pixels that shows the original ones."""
    return Window((0., 0., size - 1., size - 1.), 1.0, 1.0, size, size)


def random_boxes(rng, count, size):
    """Objects on, across and outside a chip of `size` pixels, as to_window leaves them."""
    corners = rng.uniform(-0.5 * size, 1.2 * size, (count, 2))
    sides = size * np.exp(rng.uniform(math.log(0.005), math.log(0.6), (count, 2)))
    return to_window(np.hstack([corners, corners + sides]).astype(np.float32), whole(size), size)


def test_by_hand():
    """A chip of 8 x 8 cells of 16 pixels with one object of every kind."""
    out = labels([[0, 0, 0, 100],         # outside, to the left: its clipped line is ignored
                  [33, 17, 63, 47],       # side 30: columns 2 to ceil(63 / 16) = 4, rows 1 to 3
                  [96, 96, 100, 101],     # side 4.5: too small, columns 6 to 7, rows 6 to 7
                  [0, 0, 127, 127]])      # side 127: too large to matter, paints nothing
    expected = np.zeros((8, 8))
    expected[0:8, 0] = -1                 # rows 0 to ceil(100 / 16) = 7
    expected[1:4, 2:5] = 1
    expected[6:8, 6:8] = -1
    np.testing.assert_array_equal(out, expected)


def test_thresholds_by_hand():
    for side, value in ((5, -1), (6, 1), (63, 1), (64, -1), (89, -1), (90, 0)):
        assert labels([[0, 0, side, side]])[0, 0] == value, side


def test_later_rows_lie_on_top():
    focus, ignored = [16, 16, 40, 40], [16, 16, 86, 86]
    assert labels([focus, ignored])[2, 2] == -1
    assert labels([ignored, focus])[2, 2] == 1


def test_no_objects_and_odd_ones():
    assert not labels([]).any()
    assert not labels([[np.nan, 10, 20, 30], [np.inf, 0, np.inf, 5]]).any()
    assert set(np.unique(labels([[60, 60, 20, 20]]))) <= {-1, 0}       # corners exchanged: nothing of a size


def test_agrees_with_the_slow_twin():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        stride = int(rng.choice([4, 8, 16, 32]))
        cells = int(rng.integers(2, 20))
        boxes = random_boxes(rng, int(rng.integers(0, 60)), cells * stride)
        sizes = FocusSizes(*np.sort(rng.uniform(0, 0.5 * cells * stride, 3)).tolist())
        np.testing.assert_array_equal(labels(boxes, sizes, cells, stride), slow_labels(boxes, sizes, cells, stride),
                                      err_msg=f'seed {seed}')


def test_properties():
    """Objects of one kind: cells that an object touches have its label, cells far from all objects are 0."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        corners = rng.uniform(0, 440, (6, 2))
        boxes = np.round(np.hstack([corners, corners + rng.uniform(10, 60, (6, 2))]))
        out = labels(boxes, cells=32)
        assert set(np.unique(out)) <= {0, 1}, seed
        for x1, y1, x2, y2 in boxes:
            assert (out[int(y1) // 16:int(y2) // 16 + 1, int(x1) // 16:int(x2) // 16 + 1] == 1).all(), seed
        for row, column in zip(*np.nonzero(out)):
            reach = np.array([column * 16 - 16, row * 16 - 16, column * 16 + 16, row * 16 + 16])    # a cell more
            assert ((boxes[:, :2] <= reach[2:]).all(axis=1) & (boxes[:, 2:] > reach[:2]).all(axis=1)).any(), seed


def test_the_same_picture_at_another_stride():
    """Twice the stride, sizes and coordinates: the same labels."""
    boxes = random_boxes(np.random.default_rng(3), 30, 256)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])
    twice = FocusSizes(*(2 * size for size in SIZES))
    np.testing.assert_array_equal(labels(boxes, SIZES, 32, 8), labels(2 * boxes, twice, 32, 16))


def test_boxes_stay_as_they_were():
    boxes = random_boxes(np.random.default_rng(0), 10, 128)
    before = boxes.copy()
    write_focus_labels(boxes, SIZES, 16, np.zeros((8, 8), np.float32))
    np.testing.assert_array_equal(boxes, before)


def test_golden_labels():
    for case in cases('pipeline/focus.npz'):
        size, stride = int(case['chip_size']), int(case['stride'])
        boxes = to_window(case['boxes'], whole(size), size)
        sizes = FocusSizes(int(case['low']), int(case['small']), int(case['high']))
        got = labels(boxes, sizes, size // stride, stride)
        np.testing.assert_array_equal(got.ravel(), case['focus'], err_msg=f'case {case["number"]}')


def focus_of(entry, chip, sizes, chip_size=512, stride=16):
    out = np.full((chip_size // stride) ** 2, 7, np.float32)
    label_focus(entry, chip, chip_size, stride, sizes, out)
    return out


def test_golden_labels_of_whole_chips():
    """With the chip's corner and scale, and the objects that the 10-pixel filter drops elsewhere."""
    for case in cases('pipeline/anchor_targets.npz'):
        sizes = FocusSizes(int(case['focus_low']), int(case['focus_small']), int(case['focus_high']))
        got = focus_of(*entry_and_chip(case), sizes, int(case['chip_size']), int(case['feat_stride']))
        np.testing.assert_array_equal(got, case['focus'].ravel(), err_msg=f'case {case["number"]}')


def test_golden_labels_of_the_training_iterator():
    for case in cases('pipeline/train_iterator.npz'):
        if not case['auto_focus']:
            continue
        for batch in ('b0', 'b1'):
            for slot, (image, number) in enumerate(case[batch + '_pick'].tolist()):
                got = focus_of(iterator_entry(case, image), iterator_chip(case, image, number), SIZES)
                np.testing.assert_array_equal(got, case[batch + '_scale_label'][slot])


@pytest.mark.parametrize('file, sizes, cells', [('sniper_res101_e2e_autofocus.yml', (5, 64, 90), 32),
                                                ('sniper_tiny_autofocus.yml', None, 32)])
def test_sizes_and_cells_of_the_configurations(file, sizes, cells):
    config = load_config(os.path.join(ROOT, 'configs', 'faster', file))
    stride, train = feature_stride(config.symbol), config.TRAIN
    found = FocusSizes.from_config(train)
    assert found == (sizes or (train.AUTO_FOCUS_DC_LOW, train.AUTO_FOCUS_SMALL_THRESH, train.AUTO_FOCUS_DC_HIGH))
    entry = dict(boxes=np.array([[10, 10, 25, 25]], np.float32), max_overlaps=np.ones(1), max_classes=np.ones(1))
    size = train.CHIP_SIZE
    window = Window((0., 0., size - 1., size - 1.), 1.0, 1.0, size, size, rows=np.array([0]))
    out = focus_of(entry, window, found, size, stride)
    assert (out.reshape(cells, cells) == 1).sum() == (math.ceil(25 / stride) - 10 // stride + 1) ** 2


def test_one_switch_takes_the_originals_sizes():
    config = load_config(os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml'), ['TRAIN.AUTO_FOCUS', 'True'])
    check_config(config, 'train')
    assert FocusSizes.from_config(config.TRAIN) == (5, 64, 90)
    config.TRAIN.AUTO_FOCUS_SMALL_THRESH = 30
    assert FocusSizes.from_config(config.TRAIN) == (5, 30, 90)
