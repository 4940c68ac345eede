"""lib.targets against the numbers recorded from the original program."""
import numpy as np

from lib.bbox import generate_anchors
from lib.chips import Window
from lib.targets import ChipTargets, TargetSettings
from tests.bbox.golden_cases import cases, ragged


def settings_of(case, **changes):
    base = dict(valid_ranges=((-1, -1),), chip_size=int(case['chip_size']), feat_stride=int(case['feat_stride']),
                anchor_ratios=tuple(case['anchor_ratios']), anchor_scales=tuple(case['anchor_scales']),
                positive_overlap=float(case['pos_overlap']), negative_overlap=float(case['neg_overlap']),
                batch_size=int(case['sample_batch']), positive_fraction=float(case['sample_fg_fraction']))
    base.update(changes)
    return TargetSettings(**base)


def targets_of(case, **changes):
    """ChipTargets with the anchors of the original's Python generator, which differ at stride 32 only."""
    base = generate_anchors(int(case['feat_stride']), case['anchor_ratios'], case['anchor_scales'])
    return ChipTargets(settings_of(case, **changes), base)


def entry_and_chip(case):
    classes = np.zeros(len(case['boxes']), dtype=np.int64)
    classes[case['gt_index']] = case['gt_classes'].ravel()
    entry = dict(boxes=case['boxes'], max_classes=classes, max_overlaps=case['max_overlaps'])
    size = int(case['chip_size'])
    chip = Window(tuple(case['crop'].tolist()), *[float(case['im_scale'])] * 2, size, size, rows=case['props'])
    return entry, chip


def tensors(targets, boxes, rng):
    anchors, cells = targets.num_anchors, targets.cells
    label = np.full(anchors * cells * cells, 7, dtype=np.float32)
    target, weight = np.full((2, 4 * anchors, cells, cells), 7, dtype=np.float32)
    targets.anchors(boxes, rng, label, target, weight)
    return label, target, weight


def check(got, label, index, values, number):
    np.testing.assert_array_equal(got[0], label.ravel(), err_msg=f'case {number}')
    np.testing.assert_array_equal(np.nonzero(got[2]), index, err_msg=f'case {number}')
    np.testing.assert_allclose(got[1][got[2] > 0], values, rtol=0, atol=1e-4, err_msg=f'case {number}')
    assert set(np.unique(got[2])) <= {0, 1} and not got[1][got[2] == 0].any()


def test_anchor_labels_and_targets():
    for case in cases('pipeline/anchor_targets.npz'):
        targets = targets_of(case, batch_size=10 ** 9)
        got = tensors(targets, targets.boxes(*entry_and_chip(case)), np.random.default_rng(0))
        check(got, case['label'], case['pos_index'], case['pos_target'], case['number'])


def test_subsampled_labels_with_the_legacy_generator():
    for case in cases('pipeline/anchor_targets.npz'):
        targets = targets_of(case)
        full = {tuple(i): v for i, v in zip(case['pos_index'].T.tolist(), case['pos_target'])}
        values = [full[tuple(i)] for i in case['sample_pos_index'].T.tolist()]
        got = tensors(targets, targets.boxes(*entry_and_chip(case)), np.random.RandomState(int(case['sample_seed'])))
        check(got, case['sample_label'], case['sample_pos_index'], values, case['number'])


def test_object_table():
    for case in cases('pipeline/anchor_targets.npz'):
        targets = targets_of(case)
        table = np.zeros((100, 5), dtype=np.float32)
        assert targets.gt_array(targets.boxes(*entry_and_chip(case)), table) == 0
        np.testing.assert_array_equal(table, case['gt_boxes'])


def iterator_entry(case, image):
    height, width = case[f'in{image}_image'].shape[:2]
    return dict(boxes=case[f'in{image}_boxes'], max_classes=case[f'in{image}_max_classes'],
                max_overlaps=case[f'in{image}_max_overlaps'], width=width, height=height)


def iterator_chip(case, image, number):
    row = case[f'out{image}_crops'][number]
    return Window(tuple(row[:4].tolist()), float(row[4]), float(row[4]), int(row[5]), int(row[6]), int(row[7]),
                  rows=ragged(case, f'out{image}_props')[number])


def test_tensors_of_the_training_iterator():
    for case in cases('pipeline/train_iterator.npz'):
        targets = ChipTargets(TargetSettings(tuple(map(tuple, case['valid_ranges'].tolist())), batch_size=10 ** 9))
        for batch in ('b0', 'b1'):
            for slot, (image, number) in enumerate(case[batch + '_pick'].tolist()):
                chip = iterator_chip(case, image, number)
                boxes = targets.boxes(iterator_entry(case, image), chip)
                label, target, weight = tensors(targets, boxes, np.random.default_rng(0))
                np.testing.assert_array_equal(label, case[batch + '_label'][slot])
                np.testing.assert_array_equal(weight, case[batch + '_bbox_weight'][slot])
                np.testing.assert_allclose(target, case[batch + '_bbox_target'][slot], rtol=0, atol=1e-4)
                table = np.zeros((100, 5), dtype=np.float32)
                targets.gt_array(boxes, table)
                np.testing.assert_array_equal(table, case[batch + '_gt_boxes'][slot])
                np.testing.assert_allclose(targets.valid_range(chip), case[batch + '_valid_ranges'][slot], rtol=1e-6)
