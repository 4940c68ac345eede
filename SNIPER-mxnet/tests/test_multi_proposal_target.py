"""MultiProposalTarget (training arithmetic) against its contract: a NumPy twin, hand-made cases, edges."""
import numpy as np
import pytest

import proposal_reference as reference
from sniper_mxnet import mx

SMALL = dict(feature_stride=8, ratios=(0.5, 1, 2), scales=(2, 4))
ONE = dict(feature_stride=16, ratios=(1,), scales=(1,))


def targets(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, **attributes):
    images, channels, height, width = cls_prob.shape
    cls_prob = cls_prob.reshape(images, 2, channels // 2 * height, width)
    arrays = [mx.nd.array(a) for a in (cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges)]
    return [output.asnumpy() for output in mx.nd.MultiProposalTarget(*arrays, **attributes)]


def one_roi_case(gt_boxes, valid_range=(0, 512), score=0.9):
    """One cell with the anchor 0 0 15 15 and these objects."""
    cls_prob = np.array([1 - score, score], np.float32).reshape(1, 2, 1, 1)
    return (cls_prob, np.zeros((1, 4, 1, 1), np.float32), np.array([[512, 512, 1]], np.float32),
            np.array([gt_boxes], np.float32).reshape(1, -1, 5), np.array([valid_range], np.float32))


@pytest.mark.parametrize('seed', range(8))
def test_equals_numpy_reference(seed):
    rng = np.random.RandomState(seed)
    images, height, width = rng.randint(1, 4), rng.randint(1, 9), rng.randint(1, 9)
    case = reference.random_case(rng, images, height, width, 6, 8)
    gt_boxes = reference.random_truths(rng, images, rng.randint(1, 12), 8 * max(height, width))
    valid_ranges = np.array([[[0, 512], [8, 30], [0, 20]][rng.randint(3)] for _ in range(images)], np.float32)
    options = dict(pre_nms=int(rng.choice([-1, 30])), post_nms=int(rng.choice([3, 12, 50])),
                   threshold=float(rng.choice([0.5, 0.7])), min_size=float(rng.choice([0, 3, 9])))
    expected = reference.multi_proposal_target(
        case[0].reshape(images, 2, -1, width), *case[1:], gt_boxes, valid_ranges, stride=8, ratios=SMALL['ratios'],
        scales=SMALL['scales'], **options)
    actual = targets(*case, gt_boxes, valid_ranges, threshold=options['threshold'],
                     rpn_pre_nms_top_n=options['pre_nms'], rpn_post_nms_top_n=options['post_nms'],
                     rpn_min_size=options['min_size'], **SMALL)
    for name, a, e, tolerance in zip(('rois', 'label', 'bbox_target', 'bbox_weight'), actual, expected,
                                     (1e-3, 0, 2e-3, 0)):
        assert a.shape == e.shape, name
        np.testing.assert_allclose(a, e, atol=tolerance, err_msg=f'{name}, seed {seed}')


@pytest.mark.parametrize('valid_range', [(10, 22), (60, 90), (300, 400)])
def test_equals_numpy_reference_where_few_of_many_pass(valid_range):
    """More boxes than are decoded one by one: those that remain are decoded at once, in vector code."""
    rng = np.random.RandomState(int(valid_range[0]))
    case = reference.random_case(rng, 2, 23, 21, 6, 8)
    gt_boxes, valid_ranges = reference.random_truths(rng, 2, 5, 160), np.array([valid_range] * 2, np.float32)
    expected = reference.multi_proposal_target(case[0].reshape(2, 2, -1, 21), *case[1:], gt_boxes, valid_ranges, 8,
                                               ratios=SMALL['ratios'], scales=SMALL['scales'], post_nms=60)
    actual = targets(*case, gt_boxes, valid_ranges, rpn_post_nms_top_n=60, **SMALL)
    for a, e, tolerance in zip(actual, expected, (1e-3, 0, 2e-3, 0)):
        np.testing.assert_allclose(a, e, atol=tolerance)


def test_hand_computed_targets_and_stds():
    """Roi 0 0 15 15 and object 2 0 17 15. The object's centre counts as (10, 8), the roi's as (7.5, 7.5)."""
    case = one_roi_case([[2, 0, 17, 15, 3], [-1] * 5])
    rois, label, target, weight = targets(*case, rpn_post_nms_top_n=2, **ONE)
    np.testing.assert_array_equal(rois, [[0, 0, 0, 15, 15], [0, 2, 0, 17, 15]])
    np.testing.assert_array_equal(label, [[3], [3]])
    np.testing.assert_array_equal(weight, np.ones((2, 4)))
    np.testing.assert_allclose(target[0], [2.5 / 16 / 0.1, 0.5 / 16 / 0.1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(target[1], [0.5 / 16 / 0.1, 0.5 / 16 / 0.1, 0, 0], atol=1e-5)
    halved = targets(*case, rpn_post_nms_top_n=2, bbox_stds=(0.2, 0.2, 0.4, 0.4), **ONE)[2]
    np.testing.assert_allclose(halved, target / 2, atol=1e-6)
    aligned = targets(*case, rpn_post_nms_top_n=2, aligned_targets=True, **ONE)[2]
    np.testing.assert_allclose(aligned, [[2 / 16 / 0.1, 0, 0, 0], [0, 0, 0, 0]], atol=1e-5)


def test_no_objects():
    rois, label, target, weight = targets(*one_roi_case([[-1] * 5] * 3), rpn_post_nms_top_n=2, **ONE)
    np.testing.assert_array_equal(rois, [[0, 0, 0, 15, 15], [0, 1, 1, 201, 201]])
    assert (label == 0).all() and (weight == 0).all() and (target == 1).all()


def test_any_number_of_object_rows():
    """The number of rows comes from the array, not from the original's 100."""
    for rows in (1, 7, 130):
        gt_boxes = -np.ones((rows, 5))
        gt_boxes[0] = [0, 0, 15, 15, 9]
        label = targets(*one_roi_case(gt_boxes), rpn_post_nms_top_n=4, **ONE)[1]
        np.testing.assert_array_equal(label.ravel(), [9, 0, 0, 9])


def test_object_rows_may_have_gaps():
    """The original lost the last object if an unused row stood before it."""
    label = targets(*one_roi_case([[-1] * 5, [0, 0, 15, 15, 4]]), rpn_post_nms_top_n=2, **ONE)[1]
    np.testing.assert_array_equal(label.ravel(), [4, 4])


def test_more_objects_than_rows():
    gt_boxes = [[100 * i, 0, 100 * i + 50, 50, i + 1] for i in range(5)]
    rois, label, _, _ = targets(*one_roi_case(gt_boxes), rpn_post_nms_top_n=2, **ONE)
    np.testing.assert_array_equal(rois[:, 1:], np.array(gt_boxes)[3:, :4])
    np.testing.assert_array_equal(label.ravel(), [4, 5])


def test_out_of_range_objects_label_but_are_not_appended():
    case = one_roi_case([[0, 0, 16, 16, 5]], valid_range=(0, 15.5))  # object side 16, anchor side 15
    rois, label, _, _ = targets(*case, rpn_post_nms_top_n=3, **ONE)
    np.testing.assert_array_equal(rois[0, 1:], [0, 0, 15, 15])
    np.testing.assert_array_equal(rois[2, 1:], [2, 2, 202, 202])
    np.testing.assert_array_equal(label.ravel(), [5, 0, 0])


def test_range_ends():
    """A proposal's area must be below hi^2; an object's may equal it. Both may equal lo^2."""
    kept = lambda valid_range: targets(*one_roi_case([[0, 0, 15, 15, 5]], valid_range), rpn_post_nms_top_n=3, **ONE)
    assert kept((0, 15))[0][0, 3] == 200 and kept((0, 15))[0][2, 3] == 15
    assert kept((15, 16))[0][0, 3] == 15 and kept((15, 16))[0][2, 3] == 15
    assert kept((0, 15.01))[0][0, 3] == 15


def test_padding_depends_on_image_and_row():
    case = [np.concatenate([a, a]) for a in one_roi_case([[-1] * 5], valid_range=(400, 512))]
    rois = targets(*case, rpn_post_nms_top_n=120, **ONE)[0]
    for n in range(2):
        corner = (n * 1 + np.arange(120)) % 100
        expected = np.stack([np.full(120, n), corner, corner, corner + 200, corner + 200], 1)
        np.testing.assert_array_equal(rois[120 * n:120 * n + 120], expected)


def test_lines_survive_in_training_arithmetic():
    """A box squeezed to no width but 100 px high stays; without +1 its area is 0."""
    case = list(one_roi_case([[-1] * 5]))
    case[1] = np.array([-2, 3, 0, np.log(100 / 16.0)], np.float32).reshape(1, 4, 1, 1)
    rois = targets(*case, rpn_post_nms_top_n=1, **ONE)[0]
    assert rois[0, 1] == rois[0, 3] == 0 and rois[0, 4] - rois[0, 2] > 90


@pytest.mark.parametrize('which', range(5))
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_odd_numbers_neither_hang_nor_crash(which, value):
    rng = np.random.RandomState(3)
    case = list(reference.random_case(rng, 2, 4, 5, 6, 8))
    case += [reference.random_truths(rng, 2, 6, 32), np.array([[0, 512], [0, 40]], np.float32)]
    case[which] = case[which].copy()
    case[which].ravel()[::3] = value
    rois, label, _, _ = targets(*case, rpn_post_nms_top_n=30, **SMALL)
    assert not np.isnan(label).any() and rois.shape == (60, 5)


def test_inputs_stay_and_gradients_are_zero():
    rng = np.random.RandomState(4)
    case = list(reference.random_case(rng, 2, 4, 5, 6, 8))
    case[0] = case[0].reshape(2, 2, -1, 5)
    case += [reference.random_truths(rng, 2, 6, 32), np.array([[0, 512], [0, 40]], np.float32)]
    arrays = [mx.nd.array(array) for array in case]
    for array in arrays:
        array.attach_grad()
        array.grad[:] = 7
    with mx.autograd.record():
        total = sum(output.sum() for output in mx.nd.MultiProposalTarget(*arrays, **SMALL))
    total.backward()
    for array, source in zip(arrays, case):
        np.testing.assert_array_equal(array.grad.asnumpy(), 0)
        np.testing.assert_array_equal(array.asnumpy(), source)


def test_regions_are_neither_objects_nor_background():
    """Rows of class -2 claim no row and match nothing; a roi of which half or more lies in one has the label -1."""
    for corner, expected in ((7, -1), (8, 0)):      # the roi 0 0 15 15 has 8 of 15 columns in it, or 7
        rois, label, target, weight = targets(*one_roi_case([[corner, -5, 300, 300, -2], [-1] * 5]),
                                              rpn_post_nms_top_n=2, **ONE)
        np.testing.assert_array_equal(rois, [[0, 0, 0, 15, 15], [0, 1, 1, 201, 201]])
        np.testing.assert_array_equal(label.ravel(), [expected, -1])
        assert (weight == 0).all() and (target == 1).all()
    label = targets(*one_roi_case([[0, 0, 300, 300, -2], [0, 0, 15, 15, 4]]), rpn_post_nms_top_n=3, **ONE)[1]
    np.testing.assert_array_equal(label.ravel(), [4, -1, 4])    # an object in a region stays one
