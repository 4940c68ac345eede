"""MultiProposalTargetMask against its contract: a NumPy twin, hand-made cases, where it differs from its sibling."""
import numpy as np
import pytest

import proposal_reference as reference
from sniper_mxnet import mx

SMALL = dict(feature_stride=8, ratios=(0.5, 1, 2), scales=(2, 4))
ONE = dict(feature_stride=16, ratios=(1,), scales=(1,))
NAMES = ('rois', 'label', 'bbox_target', 'bbox_weight', 'mask_rois', 'mask_ids', 'mask_labels')


def targets(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, **attributes):
    images, channels, height, width = cls_prob.shape
    cls_prob = cls_prob.reshape(images, 2, channels // 2 * height, width)
    arrays = [mx.nd.array(a) for a in (cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges)]
    return [output.asnumpy() for output in mx.nd.MultiProposalTargetMask(*arrays, **attributes)]


def one_roi_case(gt_boxes, valid_range=(0, 512), images=1):
    """One cell an image with the anchor 0 0 15 15 and these objects."""
    case = (np.array([0.1, 0.9], np.float32).reshape(1, 2, 1, 1), np.zeros((1, 4, 1, 1), np.float32),
            np.array([[512, 512, 1]], np.float32), np.array([gt_boxes], np.float32).reshape(1, -1, 5),
            np.array([valid_range], np.float32))
    return [np.concatenate([array] * images) for array in case]


@pytest.mark.parametrize('seed', range(10))
def test_equals_numpy_reference(seed):
    rng = np.random.RandomState(seed)
    images, height, width = rng.randint(1, 4), rng.randint(1, 9), rng.randint(1, 9)
    case = reference.random_case(rng, images, height, width, 6, 8)
    gt_boxes = reference.random_truths(rng, images, rng.randint(1, 12), 8 * max(height, width))
    if seed % 2:
        gt_boxes = np.stack([rng.permutation(rows) for rows in gt_boxes])  # unused rows anywhere
    valid_ranges = np.array([[[0, 512], [8, 30], [0, 20]][rng.randint(3)] for _ in range(images)], np.float32)
    options = dict(pre_nms=int(rng.choice([-1, 30, 6000])), post_nms=int(rng.choice([3, 12, 50])),
                   threshold=float(rng.choice([0.5, 0.7])), min_size=float(rng.choice([0, 3, 9])))
    masks = dict(max_masks=int(rng.choice([1, 4, 60])), rfcn_3k=bool(rng.randint(2)))
    expected = reference.multi_proposal_target_mask(
        case[0].reshape(images, 2, -1, width), *case[1:], gt_boxes, valid_ranges, stride=8, ratios=SMALL['ratios'],
        scales=SMALL['scales'], **options, **masks)
    actual = targets(*case, gt_boxes, valid_ranges, threshold=options['threshold'],
                     rpn_pre_nms_top_n=options['pre_nms'], rpn_post_nms_top_n=options['post_nms'],
                     rpn_min_size=options['min_size'], **masks, **SMALL)
    assert len(actual) == 6 + masks['rfcn_3k']
    tolerances = dict(rois=1e-3, bbox_target=2e-3, mask_rois=1e-3)
    for name, a, e in zip(NAMES, actual, expected):
        assert a.shape == e.shape, name
        np.testing.assert_allclose(a, e, rtol=0, atol=tolerances.get(name, 0), err_msg=f'{name}, seed {seed}')


def test_hand_computed_rows():
    """P = 4: the proposal, padding by row, objects from the last row backwards; foreground rois become mask rows."""
    gt_boxes = [[0, 0, 15, 15, 7], [300, 300, 340, 340, 2], [-1] * 5]
    rois, label, _, weight, mask_rois, mask_ids = targets(*one_roi_case(gt_boxes), rpn_post_nms_top_n=4, max_masks=4,
                                                          **ONE)
    np.testing.assert_array_equal(rois[:, 1:], [[0, 0, 15, 15], [1, 1, 201, 201], [300, 300, 340, 340], [0, 0, 15, 15]])
    np.testing.assert_array_equal(label.ravel(), [7, 0, 2, 7])
    np.testing.assert_array_equal(weight[:, 0], [1, 0, 1, 1])
    np.testing.assert_array_equal(mask_rois, [[0, 0, 0, 15, 15], [0, 300, 300, 340, 340], [0, 0, 0, 15, 15],
                                              [0, 3, 3, 103, 103]])
    np.testing.assert_array_equal(mask_ids.ravel(), [0, 1, 0, -1])


def test_mask_ids_are_rows_of_gt_boxes():
    """They index mask_polys: an unused row before an object counts."""
    ids = targets(*one_roi_case([[-1] * 5, [np.nan, 0, 5, 5, 3], [0, 0, 15, 15, 4]]), rpn_post_nms_top_n=2, max_masks=2,
                  **ONE)[5]
    np.testing.assert_array_equal(ids.ravel(), [2, 2])


def test_rfcn_3k_labels():
    """One foreground class; the object's class less one comes as the seventh output."""
    case = one_roi_case([[0, 0, 15, 15, 9]], images=2)
    outputs = targets(*case, rpn_post_nms_top_n=2, max_masks=3, rfcn_3k=True, **ONE)
    np.testing.assert_array_equal(outputs[1].ravel(), [1, 1, 1, 1])
    np.testing.assert_array_equal(outputs[6].ravel(), [8, 8, 8, 8, -1, -1])


def test_mask_rows_belong_to_the_batch():
    """Image 0 may use the rows of image 1; left-over rows cycle through the images."""
    objects = [[0, 0, 15, 15, 9]]
    case = one_roi_case(objects, images=2)
    mask_rois = targets(*case, rpn_post_nms_top_n=3, max_masks=1, **ONE)[4]  # two positives an image, two rows in all
    np.testing.assert_array_equal(mask_rois[:, 0], [0, 0])
    case[3][0] = -1
    mask_rois, mask_ids = targets(*case, rpn_post_nms_top_n=3, max_masks=3, **ONE)[4:]
    np.testing.assert_array_equal(mask_rois[:, 0], [1, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(mask_rois[2:, 1], [2, 3, 4, 5])
    np.testing.assert_array_equal(mask_ids.ravel(), [0, 0, -1, -1, -1, -1])


def test_no_objects():
    rois, label, target, weight, mask_rois, mask_ids = targets(*one_roi_case([[-1] * 5] * 3), rpn_post_nms_top_n=2,
                                                               max_masks=205, **ONE)
    np.testing.assert_array_equal(rois, [[0, 0, 0, 15, 15], [0, 1, 1, 201, 201]])
    assert (label == 0).all() and (weight == 0).all() and (target == 1).all() and (mask_ids == -1).all()
    np.testing.assert_array_equal(mask_rois[[0, 199, 200], 1], [0, 199, 0])
    np.testing.assert_array_equal(mask_rois[:, 3] - mask_rois[:, 1], 100)


def test_range_end_is_left_out():
    """Unlike the sibling's: an object of area hi^2 is not appended."""
    kept = lambda valid_range: targets(*one_roi_case([[0, 0, 15, 15, 5]], valid_range), rpn_post_nms_top_n=3, **ONE)[0]
    assert kept((0, 15))[2, 3] == 202 and kept((15, 16))[2, 3] == 15


def test_more_objects_than_rows():
    gt_boxes = [[100 * i, 0, 100 * i + 50, 50, i + 1] for i in range(5)]
    rois = targets(*one_roi_case(gt_boxes), rpn_post_nms_top_n=2, **ONE)[0]
    np.testing.assert_array_equal(rois[:, 1:], np.array(gt_boxes)[[1, 0], :4])


@pytest.mark.parametrize('attributes, message', [
    (dict(max_masks=0), 'MultiProposalTargetMask: max_masks must be above 0, got 0'),
    (dict(max_gts=100), 'max_gts must be 1, the rows of gt_boxes, or left out, got 100'),
    (dict(rfcn_3k='maybe'), 'rfcn_3k must be True or False'), (dict(masks=3), 'no attribute masks')])
def test_bad_attributes_are_errors(attributes, message):
    with pytest.raises(mx.MXNetError, match=message):
        targets(*one_roi_case([[0, 0, 15, 15, 9]]), **dict(ONE, **attributes))


def test_symbol_names():
    names = mx.sym.MultiProposalTargetMask(name='rois').list_outputs()
    assert names == ['rois_' + name for name in NAMES[:6]]
    names = mx.sym.MultiProposalTargetMask(name='rois', rfcn_3k=True).list_outputs()
    assert names == ['rois_' + name for name in NAMES]


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
        total = sum(output.sum() for output in mx.nd.MultiProposalTargetMask(*arrays, **SMALL))
    total.backward()
    for array, source in zip(arrays, case):
        np.testing.assert_array_equal(array.grad.asnumpy(), 0)
        np.testing.assert_array_equal(array.asnumpy(), source)
