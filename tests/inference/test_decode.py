"""Network outputs -> detections of one scale: golden cases and cases by hand."""
import numpy as np
import pytest

from lib.bbox.detections import Detections
from lib.inference.decode import decode
from lib.inference.scale import prune_at_crop_border
from tests.golden import golden_file


def outputs_of(rois, scores, deltas, im_info, im_ids, chip_ids):
    return {'rois_output': rois, 'cls_prob_reshape_output': scores, 'bbox_pred_reshape_output': deltas,
            'im_info': im_info, 'im_ids': im_ids, 'chip_ids': chip_ids}


def one_slot(score, delta=(0, 0, 0, 0), roi=(10, 20, 29, 39), scale=2.0, size=(100, 200)):
    rois = np.array([[0] + list(roi)], np.float32)
    scores = np.array([[[1 - score, score]]], np.float32)
    deltas = np.array([[delta]], np.float32)
    return outputs_of(rois, scores, deltas, np.array([[size[0], size[1], scale]], np.float32),
                      np.array([3], np.float32), np.array([0], np.float32))


@pytest.mark.parametrize('case', range(6))
def test_golden(case):
    data = np.load(golden_file('pipeline/detections.npz'))
    get = lambda name: data[f'{case:03d}/{name}']
    crops = [[] for _ in get('wh')]
    for image, *box in get('crops'):
        crops[int(image)].append(box)
    found = {}
    for step in range(len(get('rois'))):
        outputs = outputs_of(*(get(name)[step] for name in
                               ('rois', 'cls_prob', 'bbox_pred', 'im_info', 'im_ids', 'chip_ids')))
        for image, chip, rows, _ in decode(outputs, float(get('score_threshold')), crops):
            if get('prune'):
                width, height = get('wh')[image]
                rows = prune_at_crop_border(rows, crops[image][chip], width, height, int(get('border_delta')))
            found[image, chip] = rows
    expected = get('out')
    total = 0
    for image, boxes in enumerate(crops):
        for chip in range(len(boxes)):
            rows = expected[(expected[:, 1] == image) & (expected[:, 2] == chip)]
            got = found[image, chip]
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got[:, 5], rows[:, 0])
            np.testing.assert_allclose(got[:, :5], rows[:, 3:], atol=1e-3)
            total += len(rows)
    assert total == len(expected)


def test_box_goes_back_to_original_pixels():
    (image, chip, rows, _), = decode(one_slot(0.5), 0.001)
    assert (image, chip) == (3, 0)
    np.testing.assert_allclose(rows, [[5, 10, 14.5, 19.5, 0.5, 1]], atol=1e-5)


def test_box_is_clipped_to_the_resized_size():
    (_, _, rows, _), = decode(one_slot(0.5, roi=(-50, -50, 500, 500)), 0.001)
    np.testing.assert_allclose(rows[0, :4], [0, 0, 199 / 2, 99 / 2], atol=1e-5)


def test_crop_shifts_boxes():
    crops = {3: [(7.5, 100, 107, 150)]}
    (_, _, rows, _), = decode(one_slot(0.5), 0.001, crops)
    np.testing.assert_allclose(rows[0, :4], [12.5, 110, 22, 119.5], atol=1e-5)


def test_score_at_the_threshold_goes():
    assert len(decode(one_slot(0.5), 0.5)[0].rows) == 0
    assert len(decode(one_slot(0.5), 0.4999)[0].rows) == 1


def test_only_the_last_four_deltas_count():
    outputs = one_slot(0.5)
    outputs['bbox_pred_reshape_output'] = np.array([[[9, 9, 9, 9, 0, 0, 0, 0]]], np.float32)
    np.testing.assert_allclose(decode(outputs, 0.001)[0].rows[0, :4], [5, 10, 14.5, 19.5], atol=1e-5)


def test_wild_deltas_stay_in_the_image():
    (_, _, rows, _), = decode(one_slot(0.5, delta=(0, 0, 800, 800)), 0.001)
    np.testing.assert_allclose(rows[0, :4], [0, 0, 199 / 2, 99 / 2], atol=1e-5)


def test_wrong_number_of_proposals():
    outputs = one_slot(0.5)
    outputs['rois_output'] = np.zeros((3, 5), np.float32)
    with pytest.raises(ValueError, match='3 rows for 1 slots of 1'):
        decode(outputs, 0.001)


def test_many_classes_and_slots_against_a_loop():
    seed = 5
    rng = np.random.default_rng(seed)
    slots, proposals, classes = 3, 40, 6
    rois = np.zeros((slots * proposals, 5), np.float32)
    rois[:, 1:3] = rng.uniform(0, 80, (len(rois), 2))
    rois[:, 3:5] = rois[:, 1:3] + rng.uniform(1, 60, (len(rois), 2))
    scores = rng.dirichlet(np.full(classes, 0.2), (slots, proposals)).astype(np.float32)
    im_info = np.array([[90, 120, 1.5], [100, 80, 0.5], [60, 60, 1]], np.float32)
    outputs = outputs_of(rois, scores, np.zeros((slots, proposals, 4), np.float32), im_info,
                         np.arange(3, dtype=np.float32), np.zeros(3, np.float32))
    found = decode(outputs, 0.05)
    for slot in range(slots):
        expected = []
        for label in range(1, classes):
            for proposal in range(proposals):
                if scores[slot, proposal, label] > np.float32(0.05):
                    x1, y1, x2, y2 = rois[slot * proposals + proposal, 1:]
                    height, width, scale = im_info[slot]
                    expected.append([min(x1, width - 1) / scale, min(y1, height - 1) / scale,
                                     min(x2, width - 1) / scale, min(y2, height - 1) / scale,
                                     scores[slot, proposal, label], label])
        np.testing.assert_allclose(found[slot].rows, expected, atol=1e-4, err_msg=f'seed {seed}')


def test_prune_keeps_boxes_at_the_image_border():
    rows = np.array([[0, 50, 20, 60, 1, 1],      # touches the left image border: stays
                     [30, 50, 93, 60, 1, 1],     # 7 from the right crop side, which cuts the image: goes
                     [30, 50, 90, 60, 1, 1],     # exactly 10 away: stays
                     [30, 50, 60, 95, 1, 1]], np.float32)  # bottom crop side is the image border: stays
    left = prune_at_crop_border(rows, (0, 0, 100, 100), width=200, height=100)
    np.testing.assert_array_equal(left, rows[[0, 2, 3]])
