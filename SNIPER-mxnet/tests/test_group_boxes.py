"""MultiProposalTarget with group boxes and label weights (reference/operators.md, section 6)."""
import numpy as np
import pytest

import proposal_reference as reference
from sniper_mxnet import mx
from test_multi_proposal_target import ONE, SMALL, one_roi_case

NAMES = ('rois', 'label', 'bbox_target', 'bbox_weight', 'label_weight')
INPUTS = ('cls_prob', 'bbox_pred', 'im_info', 'gt_boxes', 'valid_ranges', 'crowd_boxes')
NO_OBJECT = [[-1] * 5]


def targets(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, crowd_boxes, **attributes):
    images, channels, height, width = cls_prob.shape
    cls_prob = cls_prob.reshape(images, 2, channels // 2 * height, width)
    arrays = [mx.nd.array(a) for a in (cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, crowd_boxes)]
    return dict(zip(NAMES, (output.asnumpy() for output in mx.nd.MultiProposalTarget(*arrays, **attributes))))


def one_roi(objects, groups, rows=1, valid_range=(0, 512), **attributes):
    """What becomes of the roi 0 0 15 15 (and of padding and objects in the rows after it)."""
    case = one_roi_case(objects, valid_range) + (np.array([groups], np.float32).reshape(1, -1, 5),)
    return targets(*case, rpn_post_nms_top_n=rows, **dict(ONE, **attributes))


def random_case(rng):
    images, height, width = rng.randint(1, 4), rng.randint(1, 9), rng.randint(1, 9)
    case = reference.random_case(rng, images, height, width, 6, 8)
    extent = 8 * max(height, width)
    gt_boxes = reference.random_truths(rng, images, rng.randint(1, 12), extent)
    ranges = np.array([[[0, 512], [8, 30], [0, 20]][rng.randint(3)] for _ in range(images)], np.float32)
    return case + (gt_boxes, ranges, reference.random_groups(rng, images, rng.randint(1, 5), extent))


@pytest.mark.parametrize('seed', range(10))
def test_equals_numpy_reference(seed):
    rng = np.random.RandomState(seed)
    case = random_case(rng)
    options = dict(pre_nms=int(rng.choice([-1, 30])), post_nms=int(rng.choice([3, 12, 50])),
                   threshold=float(rng.choice([0.5, 0.7])), min_size=float(rng.choice([0, 3, 9])),
                   aligned=bool(seed % 2), a=0.25 if seed < 5 else 0.1, b=50 if seed < 5 else 9, c=20)
    expected = reference.multi_proposal_target_groups(
        case[0].reshape(len(case[0]), 2, -1, case[0].shape[3]), *case[1:], stride=8, ratios=SMALL['ratios'],
        scales=SMALL['scales'], **options)
    actual = targets(*case, threshold=options['threshold'], rpn_pre_nms_top_n=options['pre_nms'],
                     rpn_post_nms_top_n=options['post_nms'], rpn_min_size=options['min_size'],
                     aligned_targets=options['aligned'], soft_sampling_a=options['a'], soft_sampling_b=options['b'],
                     soft_sampling_c=options['c'], **SMALL)
    for name, e, tolerance in zip(NAMES, expected, (1e-3, 0, 2e-3, 0, 1e-4)):
        assert actual[name].shape == e.shape, name
        np.testing.assert_allclose(actual[name], e, atol=tolerance, err_msg=f'{name}, seed {seed}')


def test_6000_boxes_enter_suppression_unless_said_otherwise():
    rng = np.random.RandomState(1)
    case = reference.random_case(rng, 1, 36, 36, 6, 8)
    case += (reference.random_truths(rng, 1, 4, 200), np.float32([[0, 512]]), -np.ones((1, 1, 5)))
    default, told, everything = [targets(*case, **settings, rpn_post_nms_top_n=900, threshold=0.3, **SMALL)['rois']
                                 for settings in ({}, dict(rpn_pre_nms_top_n=6000), dict(rpn_pre_nms_top_n=-1))]
    np.testing.assert_array_equal(default, told)
    assert (default != everything).any()


def test_appended_objects_stand_last_to_first_and_the_upper_end_is_outside():
    found = one_roi([[100, 0, 150, 50, 1], [200, 0, 250, 50, 2]], NO_OBJECT, rows=4)
    np.testing.assert_array_equal(found['rois'][:, 1], [0, 1, 200, 100])
    np.testing.assert_array_equal(found['label'].ravel(), [0, 0, 2, 1])
    for valid_range, appended in (((50, 60), True), ((40, 50), False)):     # both objects measure 50
        found = one_roi([[100, 0, 150, 50, 1]], NO_OBJECT, rows=3, valid_range=valid_range)
        assert (found['rois'][2, 1] == 100) == appended


def test_padding_depends_on_the_row_alone():
    case = [np.concatenate([a, a]) for a in one_roi_case(NO_OBJECT, valid_range=(400, 512))]
    rois = targets(*case, -np.ones((2, 1, 5)), rpn_post_nms_top_n=3, **ONE)['rois']
    np.testing.assert_array_equal(rois[:, 1], [0, 1, 2] * 2)
    np.testing.assert_array_equal(rois[:, 3] - rois[:, 1], 200)


def test_group_boxes():
    """Of the roi 0 0 15 15 a box to x2 = 12 shares 13 x 16 of 15 x 15 + 1 pixels, 0.92; to x2 = 11.7 0.899."""
    for right, label in ((300, -1), (12, -1), (11.7, 0), (5, 0)):
        found = one_roi(NO_OBJECT, [[0, 0, right, 300, 0]])
        assert found['label'] == label, right
        assert (found['bbox_weight'] == 0).all() and (found['bbox_target'] == 0).all()
    assert one_roi(NO_OBJECT, [[-1] * 5, [0, 0, 300, 300, 0]])['label'] == -1     # rows without content may come first
    assert one_roi(NO_OBJECT, [[0, 0, 300, 300, -1]])['label'] == 0               # the flag says that there is none
    halves = [[0, 0, 7, 15, 0], [8, 0, 15, 15, 0]]
    assert one_roi(NO_OBJECT, halves)['label'] == 0                               # it has to be within one of them


def test_an_object_wins_over_a_group_box():
    found = one_roi([[0, 0, 15, 15, 7]], [[0, 0, 300, 300, 0]], rows=3)
    np.testing.assert_array_equal(found['label'].ravel(), [7, -1, 7])
    np.testing.assert_array_equal(found['label_weight'][[0, 2]], 1)
    np.testing.assert_array_equal(found['bbox_weight'][:, 0], [1, 0, 1])


def test_an_overlap_of_a_half_matches():
    """The roi 0 0 15 15 and the object 0 6 17 21 share 16 x 10 pixels: 160 / (225 + 255 - 160)."""
    half, other = [0, 6, 17, 21, 5], [40, 40, 60, 60, 3]
    settings = dict(valid_range=(0, 15.5))      # neither object is appended
    found = one_roi([other, half], NO_OBJECT, **settings)
    assert found['label'] == 5 and found['label_weight'] == 1     # the original took the first object here
    below = one_roi([other, [0, 6, 17, 21.01, 5]], NO_OBJECT, **settings)
    assert below['label'] == 0 and 0.99 < below['label_weight'] < 1
    plain = mx.nd.MultiProposalTarget(*map(mx.nd.array, one_roi_case([half], (0, 15.5))), rpn_post_nms_top_n=1, **ONE)
    assert plain[1].asscalar() == 0


def test_label_weights_count_objects_whatever_the_range():
    object_ = [0, 0, 15, 3, 5]      # overlap with the roi: 64 / (225 + 45 - 64) = 0.31
    found = one_roi([object_], NO_OBJECT, valid_range=(14, 512))
    assert found['label'] == 0
    np.testing.assert_allclose(found['label_weight'], reference.soft_sampling(64 / 206), atol=1e-6)
    other = one_roi([object_], NO_OBJECT, valid_range=(14, 512), soft_sampling_a=0.5, soft_sampling_b=30,
                    soft_sampling_c=5)
    np.testing.assert_allclose(other['label_weight'], reference.soft_sampling(64 / 206, 0.5, 30, 5), atol=1e-6)


def test_no_object_and_no_group_box():
    found = one_roi(NO_OBJECT, NO_OBJECT, rows=2)
    assert all((found[name] == 0).all() for name in ('label', 'bbox_target', 'bbox_weight'))
    np.testing.assert_array_equal(found['label_weight'], np.float32(0.25))


def test_any_number_of_rows():
    """100 objects and 10 group boxes in the original; its scans ran over the ends of both."""
    full = [[0, 0, 15, 15, 9]] * 130
    assert (one_roi(full, [[300, 300, 400, 400, 0]] * 25, rows=3)['label'].ravel() == 9).all()
    two = [np.concatenate([a, a]) for a in one_roi_case([[300, 300, 400, 400, 2]] * 3)]
    two[3][1] = [[0, 0, 15, 15, 9]] * 3         # the next image's are not this one's
    crowd = np.float32([[[300, 300, 400, 400, 0]], [[0, 0, 20, 20, 0]]])
    label = targets(*two, crowd, rpn_post_nms_top_n=4, **ONE)['label'].ravel()
    np.testing.assert_array_equal(label, [0, 2, 2, 2, 9, 9, 9, 9])


def test_other_options_hold_too():
    """bbox_stds, and regions among the rows of gt_boxes."""
    case = [[2, 0, 17, 15, 3]], NO_OBJECT
    halved = one_roi(*case, bbox_stds=(0.2, 0.2, 0.4, 0.4))['bbox_target']
    np.testing.assert_allclose(halved, one_roi(*case)['bbox_target'] / 2)
    assert (halved != 0).any()
    assert one_roi([[7, -5, 300, 300, -2]], NO_OBJECT)['label'] == -1
    np.testing.assert_array_equal(one_roi([[0, 0, 300, 300, -2]], NO_OBJECT)['label_weight'], np.float32(0.25))


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_group_boxes_with_odd_numbers_are_none(value):
    for column in range(4):
        group = np.float32([[0, 0, 300, 300, 0]])
        group[0, column] = value
        assert one_roi(NO_OBJECT, group)['label'] == 0
    assert one_roi(NO_OBJECT, [[0, 0, 300, 300, np.nan]])['label'] == 0


def test_without_group_boxes_it_is_as_ever():
    rng = np.random.RandomState(3)
    case = [mx.nd.array(a) for a in random_case(rng)[:5]]
    case[0] = case[0].reshape((len(case[0]), 2, -1, case[0].shape[3]))
    assert len(mx.nd.MultiProposalTarget(*case, **SMALL)) == 4
    assert len(mx.nd.MultiProposalTarget(*case, crowd_boxes=None, **SMALL)) == 4


def test_by_name_by_place_and_from_json():
    rng = np.random.RandomState(2)
    case = random_case(rng)
    case = (case[0].reshape(len(case[0]), 2, -1, case[0].shape[3]),) + case[1:]
    arrays = dict(zip(INPUTS, map(mx.nd.array, case)))
    by_place = mx.nd.MultiProposalTarget(*arrays.values(), **SMALL)
    symbol = mx.sym.MultiProposalTarget(name='target', **{name: mx.sym.var(name) for name in INPUTS}, **SMALL)
    assert symbol.list_outputs() == ['target_' + name for name in NAMES]
    assert symbol.list_arguments() == list(INPUTS)
    again = mx.sym.load_json(symbol.tojson())
    assert again.list_outputs() == symbol.list_outputs()
    outputs = [mx.nd.MultiProposalTarget(**arrays, **SMALL)]
    outputs += [graph.bind(mx.cpu(), arrays).forward() for graph in (symbol, again)]
    for found in outputs:
        for a, b in zip(found, by_place):
            np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())
    unnamed = mx.sym.MultiProposalTarget(name='t', group_boxes=True, **SMALL)
    assert unnamed.list_arguments()[5:] == ['t_crowd_boxes'] and len(unnamed.list_outputs()) == 5
    with pytest.raises(TypeError, match='needs the input crowd_boxes'):
        mx.nd.MultiProposalTarget(*list(arrays.values())[:5], group_boxes=True, **SMALL)


def test_gradients_are_zero():
    case = [mx.nd.array(a) for a in random_case(np.random.RandomState(4))]
    case[0] = case[0].reshape((len(case[0]), 2, -1, case[0].shape[3]))
    for array in case:
        array.attach_grad()
        array.grad[:] = 7
    with mx.autograd.record():
        total = sum(output.sum() for output in mx.nd.MultiProposalTarget(*case, **SMALL))
    total.backward()
    assert len(case) == 6 and all((array.grad.asnumpy() == 0).all() for array in case)


@pytest.mark.parametrize('shape', [(2, 3, 5), (1, 5), (1, 3, 4)])
def test_mistaken_shape(shape):
    case = one_roi_case(NO_OBJECT)
    with pytest.raises(mx.MXNetError, match=r'MultiProposalTarget: crowd_boxes must be \(N, groups, 5\)'):
        targets(*case, np.zeros(shape), **ONE)
