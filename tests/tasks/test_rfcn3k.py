"""R-FCN-3K's task: decoding against a slow reference, checks, what rows and numbers of its layers mean."""
import numpy as np
import pytest

from configs import ConfigError
from lib.bbox import bbox_pred, clip_boxes
from lib.chips.window import Window
from lib.tasks import check_config, get_task
from lib.tasks.rfcn3k import decode_rfcn
from tests.symbols.helpers import config_for

STDS = np.array([0.1, 0.1, 0.2, 0.2], np.float32)


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32)


def drawn(rng, windows=2, proposals=9, classes=11, several=1):
    outputs = {'rois_output': np.zeros((windows * proposals, 5), np.float32),
               'cls_prob_reshape_output': softmax(rng.normal(0, 3, (windows, proposals, several + 1))),
               'bbox_pred_reshape_output': rng.normal(0, 0.1, (windows, proposals, 4)).astype(np.float32),
               'subcls_prob_reshape_output': softmax(rng.normal(0, 3, (windows, proposals, classes)))}
    corners = rng.uniform(0, 60, (windows * proposals, 2))
    outputs['rois_output'][:, 1:] = np.concatenate([corners, corners + rng.uniform(2, 60, corners.shape)], 1)
    if several > 1:
        outputs['super_class_output'] = np.tile(rng.integers(0, several, classes).astype(np.float32), (windows, 1))
    return outputs


def reference(outputs, windows, score_thresh, least_object):
    """A set of (window, label, score, box), each rounded, by loops."""
    found = set()
    objects, fine = outputs['cls_prob_reshape_output'], outputs['subcls_prob_reshape_output']
    count, proposals, classes = fine.shape
    for number in range(count):
        for proposal in range(proposals):
            if 1 - objects[number, proposal, 0] <= least_object:
                continue
            roi = outputs['rois_output'][number * proposals + proposal, 1:][None]
            box = bbox_pred(roi, outputs['bbox_pred_reshape_output'][number, proposal][None])
            window = windows[number]
            box = clip_boxes(box, (window.height, window.width))[0] / window.scale_x + np.array(window.box[:2] * 2)
            for row in range(classes):
                column = 1
                if objects.shape[2] > 2:
                    column += int(outputs['super_class_output'][0, row])
                score = objects[number, proposal, column] * fine[number, proposal, row]
                if score > score_thresh:
                    found.add((number, row + 1, round(float(score), 4), *np.round(box, 2)))
    return found


@pytest.mark.parametrize('several', [1, 2, 5])
@pytest.mark.parametrize('seed', range(4))
def test_decoding_is_that_of_the_reference(several, seed):
    outputs = drawn(np.random.default_rng(seed), several=several)
    windows = [Window((3, 4, 103, 84), 1.5, 1.5, 120, 150), Window((0, 0, 70, 60), 0.5, 0.5, 30, 35)]
    found = decode_rfcn(outputs, windows, 0.01, 0.3)
    ours = {(int(image), int(label), round(float(score), 4), *np.round(box, 2))
            for image, label, score, box in zip(found.image, found.label, found.score, found.box)}
    expected = reference(outputs, windows, 0.01, 0.3)
    assert {row[:3] for row in ours} == {row[:3] for row in expected} and len(found) == len(expected) > 5
    boxes, others = (np.array(sorted(rows))[:, 3:] for rows in (ours, expected))
    np.testing.assert_allclose(boxes, others, atol=0.02)
    order = np.lexsort((found.label, found.image))
    assert np.array_equal(order, np.arange(len(found)))


def test_by_hand():
    outputs = {'rois_output': np.array([[0, 10, 20, 29, 39], [0, 0, 0, 9, 9]], np.float32),
               'cls_prob_reshape_output': np.array([[[0.2, 0.8], [0.995, 0.005]]], np.float32),
               'bbox_pred_reshape_output': np.zeros((1, 2, 4), np.float32),
               'subcls_prob_reshape_output': np.array([[[0.75, 0.25], [0.5, 0.5]]], np.float32)}
    found = decode_rfcn(outputs, [Window((0, 0, 50, 50), 2.0, 2.0, 100, 100)], 0.001, 0.01)
    assert found.label.tolist() == [1, 2]       # the second proposal is hardly an object
    np.testing.assert_allclose(found.score, [0.6, 0.2], rtol=1e-6)
    np.testing.assert_allclose(found.box, [[5, 10, 14.5, 19.5]] * 2, rtol=1e-6)


def test_nothing_is_found_where_nothing_is_an_object():
    outputs = drawn(np.random.default_rng(0))
    outputs['cls_prob_reshape_output'][:] = [1, 0]
    assert len(decode_rfcn(outputs, [Window((0, 0, 9, 9), 1.0, 1.0, 9, 9)] * 2, 0.001)) == 0


@pytest.mark.parametrize('words, message', [
    (('RFCN.num_super_classes', '4'), 'RFCN.num_super_classes is 4, but no file says .* RFCN.super_classes'),
    (('RFCN.super_classes', 'a.json'), 'RFCN.super_classes names a.json, but RFCN.num_super_classes is 1'),
    (('TRAIN.AUTO_FOCUS', 'True'), 'TRAIN.AUTO_FOCUS is True, but rfcn_3k_tiny has nothing of the kind'),
    (('TRAIN.WITH_MASK', 'True'), 'TRAIN.WITH_MASK is True, but rfcn_3k_tiny'),
    (('network.ROIS', 'input'), 'network.ROIS'), (('TRAIN.CHIP_SIZE', '100'), 'TRAIN.CHIP_SIZE is 100')])
def test_contradictions(words, message):
    with pytest.raises(ConfigError, match=message):
        check_config(config_for('rfcn_3k_tiny', *words), 'train')


def test_box_layer_takes_a_number_for_every_49_rows():
    from lib.weights.checkpoint import _test_arrays
    layer = get_task(config_for('rfcn_3k_tiny')).box_layer
    arrays = {'arg:rfcn_bbox_weight': np.ones((196, 3, 1, 1), np.float32),
              'arg:rfcn_bbox_bias': np.ones(196, np.float32)}
    weight = _test_arrays(arrays, layer, [0, 0, 0, 0], STDS)['arg:rfcn_bbox_weight_test']
    assert np.array_equal(weight[:, 0, 0, 0], np.repeat(STDS, 49))
    assert layer.untold[1] == (0.1, 0.1, 0.2, 0.2)      # what the original's tests multiplied by


def test_rows_of_layers_name_classes_from_the_first_on():
    rows = get_task(config_for('rfcn_3k_tiny')).output_rows(('__background__', 'cat', 'dog'))
    assert rows['conv_new_3_weight'] == ['cat', 'dog'] and len(rows['rfcn_cls_bias']) == 98
    assert not any(name.startswith(('cls_score', 'mask_out')) for name in rows)
