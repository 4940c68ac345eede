"""Regions of which nothing is learnt: anchors, objects' table, FocusPixels, priors, augmented pictures. By hand."""
import numpy as np

from lib.bbox.boxes import covered
from lib.chips.window import Window
from lib.dataset.roidb import make_record, with_regions
from lib.targets import ChipTargets, TargetSettings
from lib.targets.focus_labels import ignore_focus
from lib.targets.prior_matching import PriorTargets
from lib.targets.ssd_augmentation import SsdAugmentation
from lib.utils.draws import Draws

# Anchors of 16 pixels, one a cell of 16: anchor (row, column) covers the cell exactly.
SETTINGS = TargetSettings(valid_ranges=((-1, -1),), chip_size=64, feat_stride=16, anchor_ratios=(1,),
                          anchor_scales=(1,), positive_overlap=0.6, negative_overlap=0.4, border=8)
CHIP = Window((0., 0., 63., 63.), 1.0, 1.0, 64, 64, rows=np.array([0], np.int32))


def record(objects, regions):
    made = make_record('x.jpg', 1, 64, 64, objects, np.ones(len(objects), int))
    return with_regions(made, regions)


def labels_of(entry):
    targets = ChipTargets(SETTINGS)
    label, _, _ = targets.label_anchors(targets.boxes(entry, CHIP))
    return label.reshape(4, 4)


def test_covered():
    boxes = [[0, 0, 9, 9], [5, 0, 14, 9], [6, 0, 15, 9], [100, 0, 109, 9]]
    np.testing.assert_array_equal(covered(boxes, [[0, 0, 9, 9]]), [True, True, False, False])   # 1, 0.5, 0.4, 0
    assert not covered(boxes, np.zeros((0, 4))).any()


def test_anchors():
    """An object in the first cell; a region over the lower half but the last four columns of pixels."""
    without = labels_of(record([[0, 0, 15, 15]], []))
    expected = np.zeros((4, 4), int)
    expected[0, 0] = 1
    np.testing.assert_array_equal(without, expected)
    expected[2:] = -1
    np.testing.assert_array_equal(labels_of(record([[0, 0, 15, 15]], [[0, 32, 59, 63]])), expected)
    expected[2:, 3] = 0     # from column 48 to 54 are 7 of 16
    np.testing.assert_array_equal(labels_of(record([[0, 0, 15, 15]], [[0, 32, 54, 63]])), expected)
    inside = labels_of(record([[0, 0, 15, 15]], [[0, 0, 63, 63]]))     # the object stays, nothing else
    assert inside[0, 0] == 1 and (inside.ravel()[1:] == -1).all()


def test_table_of_objects():
    targets, out = ChipTargets(SETTINGS), np.zeros((4, 5), np.float32)
    boxes = targets.boxes(record([[0, 0, 15, 15]], [[0, 32, 200, 63], [70, 70, 90, 90]]), CHIP)
    assert targets.gt_array(boxes, out) == 0
    np.testing.assert_array_equal(out, [[0, 0, 15, 15, 1], [0, 32, 63, 63, -2], [-1] * 5, [-1] * 5])
    assert targets.gt_array(boxes, out[:1]) == 0 and out[0, 4] == 1     # objects come first


def test_focus_labels():
    out = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    ignore_focus([[0, 0, 31, 20]], 16, out)
    np.testing.assert_array_equal(out, [[1, -1, 0], [-1, -1, 0], [0, 0, 0]])


def test_priors():
    priors = np.array([[0.25, 0.25, 0.5, 0.5], [0.75, 0.25, 0.5, 0.5], [0.5, 0.5, 1, 1], [1, 0.25, 0.5, 0.5]],
                      np.float32)
    matched = PriorTargets(priors)
    region = np.array([[0.5, 0, 1, 0.5]])       # the second whole, a quarter of the third, the inside of the last
    np.testing.assert_array_equal(matched.covered(region, np.arange(4)), [False, True, False, True])
    np.testing.assert_array_equal(matched.covered(region, np.array([1, 2])), [True, False])


def test_augmented_pictures():
    """Regions go where the pixels go, no draw depends on them, and they are cut at the border."""
    pixels = np.zeros((80, 100, 3), np.uint8)
    pixels[20:40, 30:60] = 255
    augmentation = SsdAugmentation(100, expand=0.6)
    moved = 0
    for seed in range(40):
        draws = [Draws(np.random.default_rng(seed)) for _ in range(2)]
        plain = augmentation.picture(pixels, [[5, 5, 20, 20]], [1], draws[0])
        picture, truths = augmentation.picture(pixels, [[5, 5, 20, 20]], [1], draws[1], [[30, 20, 60, 40]])
        np.testing.assert_array_equal(picture, plain[0])
        np.testing.assert_array_equal(truths[truths[:, 4] > 0], plain[1])
        regions = truths[truths[:, 4] == -1, :4]
        assert len(truths) == len(regions) + len(plain[1]) and len(regions) <= 1
        for x1, y1, x2, y2 in regions:
            assert 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
            if min(x2 - x1, y2 - y1) > 0.1:
                row, column = int(50 * (y1 + y2)), int(50 * (x1 + x2))
                assert picture[row, column].astype(int).sum() > 300, seed   # colours are distorted
                moved += 1
    assert moved > 10
