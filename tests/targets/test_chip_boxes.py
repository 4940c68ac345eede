"""Objects in chip pixels, the object table, the valid range."""
import numpy as np

from configs import load_config
from lib.chips import ChipSampler, ChipSettings, Window
from lib.targets import ChipBoxes, ChipTargets, TargetSettings
from lib.targets.chip_boxes import chip_boxes, to_window, write_gt_boxes

RANGES = ((-1, 80), (32, 150), (120, -1))


def entry(boxes, overlaps=None):
    boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    overlaps = np.ones(len(boxes), np.float32) if overlaps is None else np.array(overlaps, np.float32)
    return dict(boxes=boxes, max_overlaps=overlaps, max_classes=np.arange(1, len(boxes) + 1), width=640, height=480)


def chip(box=(100., 50., 355., 305.), scale=2.0, props=(), index=0):
    return Window(box, scale, scale, 512, 512, index, rows=np.array(props, dtype=np.int32))


def test_shift_scale_round_clip():
    got = to_window(np.array([[110.25, 60.3, 120, 90], [0, 0, 1000, 1000]], np.float32),
                    Window((100, 50, 356, 306), 2.0, 2.0, 512, 512), 512)
    np.testing.assert_array_equal(got, [[20, 21, 40, 80], [0, 0, 511, 511]])  # 20.5 rounds to the even 20
    assert got.dtype == np.float32


def test_objects_outside_or_small_vanish_and_rows_are_kept():
    rows = entry([[0, 0, 50, 40], [120, 70, 180, 130], [200, 100, 203, 103], [210, 110, 230, 130]],
                 [1, 1, 1, 0.9])
    found = chip_boxes(rows, chip(props=[1, 2, 3]), 512)
    np.testing.assert_array_equal(found.rows, [1])  # outside; kept; 7 pixels wide; not an object
    np.testing.assert_array_equal(found.boxes, [[40, 40, 160, 160]])
    np.testing.assert_array_equal(found.labels, [2])
    assert found.valid.tolist() == [True]


def test_ten_pixels_are_enough():
    rows = entry([[110, 60, 114.5, 64.5], [110, 60, 114, 64.5]])  # 10 and 9 pixels wide in the chip
    np.testing.assert_array_equal(chip_boxes(rows, chip(), 512).rows, [0])


def test_valid_if_assigned_or_equal_to_an_assigned_one():
    rows = entry([[120, 70, 180, 130], [120.1, 70.1, 180, 130], [130, 70, 180, 130]])
    assert chip_boxes(rows, chip(props=[0]), 512).valid.tolist() == [True, True, False]
    assert chip_boxes(rows, chip(props=[]), 512).valid.tolist() == [False, False, False]


def test_no_objects_and_nan():
    for boxes in ([], [[np.nan, 60, 300, 300]]):
        found = chip_boxes(entry(boxes), chip(), 512)
        assert found.boxes.shape == (0, 4) and found.valid.shape == (0,)


def test_entry_is_left_as_it_was():
    rows = entry([[120, 70, 180, 130]])
    before = rows['boxes'].copy()
    chip_boxes(rows, chip(props=[0]), 512)
    np.testing.assert_array_equal(rows['boxes'], before)


def made(count, valid):
    boxes = np.arange(4 * count, dtype=np.float32).reshape(-1, 4)
    return ChipBoxes(boxes, np.arange(count) + 1, np.array(valid, dtype=bool), np.arange(count))


def test_object_table_is_padded():
    out = np.zeros((4, 5), np.float32)
    assert write_gt_boxes(made(2, [True, False]), out) == 0
    np.testing.assert_array_equal(out, [[0, 1, 2, 3, 1], [4, 5, 6, 7, 2], [-1] * 5, [-1] * 5])
    assert write_gt_boxes(made(0, []), out) == 0
    assert (out == -1).all()


def test_overflow_prefers_valid_objects_and_is_counted():
    out = np.zeros((3, 5), np.float32)
    assert write_gt_boxes(made(6, [False, True, False, True, False, False]), out) == 3
    np.testing.assert_array_equal(out[:, 4], [1, 2, 4])
    assert write_gt_boxes(made(5, [True] * 5), out) == 2
    np.testing.assert_array_equal(out[:, 4], [1, 2, 3])


def test_a_thousand_objects_in_one_chip():
    rng = np.random.default_rng(0)
    corners = rng.uniform(100, 300, (1000, 2))
    rows = entry(np.hstack([corners, corners + rng.uniform(6, 40, (1000, 2))]))
    targets, out = ChipTargets(TargetSettings(RANGES)), np.zeros((100, 5), np.float32)
    found = targets.boxes(rows, chip(props=range(0, 1000, 20)))
    assert len(found.boxes) == 1000
    assert targets.gt_array(found, out) == 900
    assert set(found.labels[found.valid]) <= set(out[:, 4])


def test_valid_ranges_in_chip_pixels():
    targets = ChipTargets(TargetSettings(RANGES))
    assert targets.valid_range(chip(scale=3.0, index=0)) == (0, 240)
    assert targets.valid_range(chip(scale=1.667, index=1)) == (32 * 1.667, 150 * 1.667)
    assert targets.valid_range(chip(scale=0.5, index=2)) == (60, 512)


def test_every_seed_is_a_valid_object_of_one_of_its_chips():
    rng = np.random.default_rng(4)
    corners = rng.uniform(0, 400, (20, 2))
    rows = entry(np.hstack([corners, corners + rng.uniform(20, 79, (20, 2))]))
    targets, seen = ChipTargets(TargetSettings(RANGES)), set()
    for found in ChipSampler(ChipSettings((3.0, 1.667, 512.0), RANGES)).sample(rows, rng):
        boxes = targets.boxes(rows, found)
        seen |= set(boxes.rows[boxes.valid].tolist())
    assert seen == set(range(20))


def test_from_config():
    from configs import load_config
    settings = TargetSettings.from_config(load_config('configs/faster/sniper_res101_e2e.yml'), 16)
    assert settings.feat_stride == 16 and settings.negative_overlap == 0.4 and settings.batch_size == 256
    assert len(settings.anchor_scales) == 7


def test_the_least_side_is_configured():
    config = load_config('configs/faster/sniper_tiny_e2e.yml', ['TRAIN.MIN_OBJECT_SIDE', '4', 'TRAIN.CHIP_SIZE', '512'])
    rows = entry([[110, 60, 111.5, 61.5], [110, 60, 111, 61.5]])  # 4 and 3 pixels wide in the chip
    np.testing.assert_array_equal(ChipTargets(TargetSettings.from_config(config, 8)).boxes(rows, chip()).rows, [0])
