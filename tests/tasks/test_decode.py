"""Network outputs of a batch -> detections: golden cases and cases by hand."""
import numpy as np
import pytest

from configs import load_config
from lib.bbox.detections import Detections
from lib.chips.window import Window
from lib.inference.scale import prune_at_crop_border
from lib.tasks import get_task
from lib.tasks.faster_rcnn import decode_rcnn
from tests.golden import golden_file


def outputs_of(rois, scores, deltas):
    return {'rois_output': rois, 'cls_prob_reshape_output': scores, 'bbox_pred_reshape_output': deltas}


def one_window(score, delta=(0, 0, 0, 0), roi=(10, 20, 29, 39)):
    return outputs_of(np.array([[0] + list(roi)], np.float32), np.array([[[1 - score, score]]], np.float32),
                      np.array([[delta]], np.float32))


WINDOW = Window((0, 0, 100, 50), 2.0, 2.0, 100, 200)


@pytest.mark.parametrize('case', range(6))
def test_golden(case):
    data = np.load(golden_file('pipeline/detections.npz'))
    get = lambda name: data[f'{case:03d}/{name}']
    crops = [[] for _ in get('wh')]
    for image, *box in get('crops'):
        crops[int(image)].append(box)
    found = {}
    for step in range(len(get('rois'))):
        ids, chips = (get(name)[step].astype(int) for name in ('im_ids', 'chip_ids'))
        windows = [Window(tuple(crops[image][chip]), scale, scale, int(height), int(width)) for image, chip, (
            height, width, scale) in zip(ids, chips, get('im_info')[step].tolist())]
        detections = decode_rcnn(outputs_of(*(get(name)[step] for name in ('rois', 'cls_prob', 'bbox_pred'))), windows,
                                 float(get('score_threshold')))
        if get('prune'):
            detections = prune_at_crop_border(detections, windows, get('wh')[ids], int(get('border_delta')))
        for number, place in enumerate(zip(ids, chips)):
            found[place] = detections.of_image(number)
    expected = get('out')
    total = 0
    for image, boxes in enumerate(crops):
        for chip in range(len(boxes)):
            rows = expected[(expected[:, 1] == image) & (expected[:, 2] == chip)]
            got = found[image, chip]
            np.testing.assert_array_equal(got.label, rows[:, 0])
            np.testing.assert_allclose(got.rows(), rows[:, 3:], atol=1e-3)
            total += len(rows)
    assert total == len(expected)


def test_box_goes_back_to_original_pixels():
    found = decode_rcnn(one_window(0.5), [WINDOW], 0.001)
    assert found.image.tolist() == [0] and found.label.tolist() == [1]
    np.testing.assert_allclose(found.rows(), [[5, 10, 14.5, 19.5, 0.5]], atol=1e-5)


def test_box_is_clipped_to_the_resized_size():
    found = decode_rcnn(one_window(0.5, roi=(-50, -50, 500, 500)), [WINDOW], 0.001)
    np.testing.assert_allclose(found.box, [[0, 0, 199 / 2, 99 / 2]], atol=1e-5)


def test_crop_shifts_boxes():
    found = decode_rcnn(one_window(0.5), [WINDOW._replace(box=(7.5, 100, 107, 150))], 0.001)
    np.testing.assert_allclose(found.box, [[12.5, 110, 22, 119.5]], atol=1e-5)


def test_two_scales():
    found = decode_rcnn(one_window(0.5), [WINDOW._replace(scale_x=4.0)], 0.001)
    np.testing.assert_allclose(found.box, [[2.5, 10, 7.25, 19.5]], atol=1e-5)


def test_score_at_the_threshold_goes():
    assert len(decode_rcnn(one_window(0.5), [WINDOW], 0.5)) == 0
    assert len(decode_rcnn(one_window(0.5), [WINDOW], 0.4999)) == 1


def test_only_the_last_four_deltas_count():
    outputs = one_window(0.5)
    outputs['bbox_pred_reshape_output'] = np.array([[[9, 9, 9, 9, 0, 0, 0, 0]]], np.float32)
    np.testing.assert_allclose(decode_rcnn(outputs, [WINDOW], 0.001).box, [[5, 10, 14.5, 19.5]], atol=1e-5)


def test_wild_deltas_stay_in_the_image():
    found = decode_rcnn(one_window(0.5, delta=(0, 0, 800, 800)), [WINDOW], 0.001)
    np.testing.assert_allclose(found.box, [[0, 0, 199 / 2, 99 / 2]], atol=1e-5)


def test_wrong_number_of_proposals():
    outputs = one_window(0.5)
    outputs['rois_output'] = np.zeros((3, 5), np.float32)
    with pytest.raises(ValueError, match='3 rois for 1 windows of 1 proposals'):
        decode_rcnn(outputs, [WINDOW], 0.001)


def test_many_classes_and_windows_against_a_loop():
    seed = 5
    rng = np.random.default_rng(seed)
    slots, proposals, classes = 3, 40, 6
    rois = np.zeros((slots * proposals, 5), np.float32)
    rois[:, 1:3] = rng.uniform(0, 80, (len(rois), 2))
    rois[:, 3:5] = rois[:, 1:3] + rng.uniform(1, 60, (len(rois), 2))
    scores = rng.dirichlet(np.full(classes, 0.2), (slots, proposals)).astype(np.float32)
    im_info = np.array([[90, 120, 1.5], [100, 80, 0.5], [60, 60, 1]], np.float32)
    outputs = outputs_of(rois, scores, np.zeros((slots, proposals, 4), np.float32))
    windows = [Window((0, 0, width / scale, height / scale), scale, scale, int(height), int(width))
               for height, width, scale in im_info.tolist()]
    found = decode_rcnn(outputs, windows, 0.05)
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
        of_slot = found.of_image(slot)
        np.testing.assert_allclose(np.column_stack([of_slot.rows(), of_slot.label]), expected, atol=1e-4,
                                   err_msg=f'seed {seed}')


def test_prune_keeps_boxes_at_the_image_border():
    rows = np.array([[0, 50, 20, 60, 1, 1],      # touches the left image border: stays
                     [30, 50, 93, 60, 1, 1],     # 7 from the right crop side, which cuts the image: goes
                     [30, 50, 90, 60, 1, 1],     # exactly 10 away: stays
                     [30, 50, 60, 95, 1, 1]], np.float32)  # bottom crop side is the image border: stays
    window = Window((0, 0, 100, 100), 1.0, 1.0, 100, 100)
    left = prune_at_crop_border(Detections.from_rows(0, rows), [window], [(200, 100)])
    np.testing.assert_array_equal(left.box, rows[[0, 2, 3], :4])


def test_proposals():
    """The best of each window; score 0 only fills up the output."""
    outputs = {'rois_output': np.arange(30, dtype=np.float32).reshape(6, 5),
               'rois_score': np.array([0.9, 0.5, 0, 0.8, 0.7, 0.6], np.float32)}
    windows = [WINDOW, WINDOW._replace(scale_x=0.5, scale_y=0.5)]

    def decode(limit):
        config = load_config(None, ['symbol', 'sniper_tiny', 'TEST.EXTRACT_PROPOSALS', True,
                                    'TEST.N_PROPOSAL_PER_SCALE', limit])
        return get_task(config, 'test').decode(outputs, windows)

    found = decode(2)
    assert found.image.tolist() == [0, 0, 1, 1] and set(found.label) == {1}
    np.testing.assert_allclose(found.of_image(0).rows(), [[0.5, 1, 1.5, 2, 0.9], [3, 3.5, 4, 4.5, 0.5]])
    np.testing.assert_allclose(found.score[2:], [0.8, 0.7])
    np.testing.assert_allclose(found.box[2], [32, 34, 36, 38])
    assert decode(3).image.tolist() == [0, 0, 1, 1, 1]
