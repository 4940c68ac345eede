"""MultiProposal against its contract: anchors, a NumPy twin, hand-made cases, edges."""
import numpy as np
import pytest

import proposal_reference as reference
from sniper_mxnet import mx

SMALL = dict(feature_stride=8, ratios=(0.5, 1, 2), scales=(2, 4))


def propose(cls_prob, bbox_pred, im_info, **attributes):
    outputs = mx.nd.MultiProposal(mx.nd.array(cls_prob), mx.nd.array(bbox_pred), mx.nd.array(im_info), **attributes)
    return [output.asnumpy() for output in outputs]


def one_cell(scores, boxes=1):
    """Network outputs for one cell: (1, 2A, 1, 1) with the given foreground scores, zero deltas."""
    scores = np.array(scores, np.float32)
    cls_prob = np.concatenate([1 - scores, scores]).reshape(1, -1, 1, 1)
    return cls_prob, np.zeros((1, 4 * len(scores), 1, 1), np.float32)


@pytest.mark.parametrize('seed', range(8))
def test_equals_numpy_reference(seed):
    rng = np.random.RandomState(seed)
    images, height, width = rng.randint(1, 4), rng.randint(1, 9), rng.randint(1, 9)
    stride = int(rng.choice([4, 8, 16, 32]))
    ratios, scales = [(0.5, 1, 2), (1,)][seed % 2], [(2, 4), (1, 2, 3.5)][seed // 2 % 2]
    case = reference.random_case(rng, images, height, width, len(ratios) * len(scales), stride)
    options = dict(pre_nms=int(rng.choice([-1, 20, 12000])), post_nms=int(rng.choice([1, 7, 40])),
                   threshold=float(rng.choice([0.3, 0.7])), min_size=float(rng.choice([0, 3, 12])))
    expected = reference.multi_proposal(*case, stride=stride, ratios=ratios, scales=scales, **options)
    actual = propose(*case, feature_stride=stride, ratios=ratios, scales=scales, threshold=options['threshold'],
                     rpn_pre_nms_top_n=options['pre_nms'], rpn_post_nms_top_n=options['post_nms'],
                     rpn_min_size=options['min_size'])
    np.testing.assert_allclose(actual[0], expected[0], atol=1e-3, err_msg=f'seed {seed}')
    np.testing.assert_array_equal(actual[1], expected[1], err_msg=f'seed {seed}')


@pytest.mark.parametrize('threshold, min_size', [(0.1, 3), (0.7, 36)])
def test_equals_numpy_reference_where_few_of_many_survive(threshold, min_size):
    """More boxes than are decoded one by one: those that remain are decoded at once, in vector code."""
    case = reference.random_case(np.random.RandomState(min_size), 1, 23, 21, 6, 8)
    expected = reference.multi_proposal(*case, stride=8, ratios=SMALL['ratios'], scales=SMALL['scales'], post_nms=150,
                                        threshold=threshold, min_size=min_size)
    actual = propose(*case, rpn_post_nms_top_n=150, threshold=threshold, rpn_min_size=min_size, **SMALL)
    np.testing.assert_allclose(actual[0], expected[0], atol=1e-3)
    np.testing.assert_array_equal(actual[1], expected[1])


@pytest.mark.parametrize('stride, height_of_half', [(8, 6), (16, 12), (32, 23)])
def test_anchors_round_halves_up(stride, height_of_half):
    """At stride 32 and ratio 0.5 the height is 22.5 before rounding; released weights expect 23."""
    cells = 9
    cls_prob = np.zeros((1, 2, cells, cells), np.float32)
    cls_prob[0, 1, 4, 4] = 1
    rois, _ = propose(cls_prob, np.zeros((1, 4, cells, cells), np.float32), [[cells * stride, cells * stride, 1]],
                      feature_stride=stride, ratios=(0.5,), scales=(2,), rpn_post_nms_top_n=1)
    assert rois[0, 4] - rois[0, 2] + 1 == 2 * height_of_half
    centre = 4 * stride + (stride - 1) / 2
    assert (rois[0, 1] + rois[0, 3]) / 2 == (rois[0, 2] + rois[0, 4]) / 2 == centre


def test_hand_computed_decoding():
    """Stride 16, ratio 1, scale 1: anchor 0 0 15 15. dx = 0.5 moves it 8 px, dw = ln 2 makes it 32 px wide."""
    cls_prob, _ = one_cell([0.9])
    deltas = np.array([0.5, 0.0, np.log(2), 0.0], np.float32).reshape(1, 4, 1, 1)
    rois, score = propose(cls_prob, deltas, [[100, 100, 1]], ratios=(1,), scales=(1,), rpn_post_nms_top_n=1)
    np.testing.assert_allclose(rois, [[0, 0, 0, 31, 15]], atol=1e-4)  # x: centre 15.5, -0.0 to 31.0
    np.testing.assert_array_equal(score, np.float32([0.9]))


def test_suppression_is_strict_and_in_score_order():
    """Scales 1 and 2 in one cell: 16x16 inside 24x24 (clipped) overlap 256/576 = 0.444."""
    cls_prob, deltas = one_cell([0.5, 0.8])
    call = dict(ratios=(1,), scales=(1, 2), rpn_post_nms_top_n=2)
    rois, score = propose(cls_prob, deltas, [[64, 64, 1]], threshold=0.45, **call)
    np.testing.assert_array_equal(rois, [[0, 0, 0, 23, 23], [0, 0, 0, 15, 15]])
    np.testing.assert_array_equal(score, np.float32([0.8, 0.5]))
    exactly = float(np.float32(256) / np.float32(576))
    assert propose(cls_prob, deltas, [[64, 64, 1]], threshold=exactly, **call)[1][1] == np.float32(0.5)
    assert propose(cls_prob, deltas, [[64, 64, 1]], threshold=0.44, **call)[1][1] == 0


def test_equal_scores_go_by_flat_index():
    shape = (1, 2, 3, 3)
    rois, _ = propose(np.full(shape, 0.5, np.float32), np.zeros((1, 4, 3, 3), np.float32), [[48, 48, 1]], ratios=(1,),
                      scales=(1,), rpn_post_nms_top_n=9)
    expected = [[0, 16 * x, 16 * y, 16 * x + 15, 16 * y + 15] for y in range(3) for x in range(3)]
    np.testing.assert_array_equal(rois, expected)


def test_padding_rows_are_the_whole_image_with_score_0():
    cls_prob, deltas = one_cell([0.9])
    rois, score = propose(cls_prob, deltas, [[40, 60, 1]], ratios=(1,), scales=(1,), rpn_post_nms_top_n=3)
    np.testing.assert_array_equal(rois[1:], [[0, 0, 0, 59, 39]] * 2)
    np.testing.assert_array_equal(score[1:], 0)


def test_no_survivors():
    cls_prob, deltas = one_cell([0.9])
    rois, score = propose(cls_prob, deltas, [[40, 60, 1]], ratios=(1,), scales=(1,), rpn_post_nms_top_n=3,
                          rpn_min_size=100)
    np.testing.assert_array_equal(rois, [[0, 0, 0, 59, 39]] * 3)
    np.testing.assert_array_equal(score, 0)


def test_min_size_default_is_3_pixels_of_the_input():
    """A box 3 px wide stays, one of 2 px goes, whatever the scale in im_info says."""
    cls_prob, deltas = one_cell([0.9])
    for width, kept in ((3, True), (2, False)):
        deltas[0, 2] = np.log(width / 16.0)
        _, score = propose(cls_prob, deltas, [[64, 64, 5]], ratios=(1,), scales=(1,), rpn_post_nms_top_n=1)
        assert (score[0] > 0) == kept


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e30])
def test_odd_numbers_neither_hang_nor_escape(value):
    rng = np.random.RandomState(0)
    cls_prob, bbox_pred, im_info = reference.random_case(rng, 2, 5, 6, 6, 8)
    for which in (cls_prob, bbox_pred, im_info):
        case = [cls_prob.copy(), bbox_pred.copy(), im_info.copy()]
        for array, source in zip(case, (cls_prob, bbox_pred, im_info)):
            if source is which:
                array.ravel()[::2] = value
        rois, score = propose(*case, rpn_post_nms_top_n=20, **SMALL)
        assert np.isfinite(rois).all() and not np.isnan(score).any()


def test_all_nan_scores_leave_padding():
    rng = np.random.RandomState(0)
    cls_prob, bbox_pred, im_info = reference.random_case(rng, 1, 5, 6, 6, 8)
    _, score = propose(np.full_like(cls_prob, np.nan), bbox_pred, im_info, rpn_post_nms_top_n=20, **SMALL)
    np.testing.assert_array_equal(score, 0)


def test_many_equal_scores_and_large_maps():
    """More than one band of the ranking, ties across bands, more boxes asked for than there are."""
    shape = (1, 6, 40, 50)
    cls_prob = np.full((1, 12, 40, 50), 0.25, np.float32)
    rois, score = propose(cls_prob, np.zeros((1, 24, 40, 50), np.float32), [[320, 400, 1]], threshold=1,
                          rpn_pre_nms_top_n=-1, rpn_post_nms_top_n=13000, rpn_min_size=0, **SMALL)
    assert (score[:np.prod(shape)] == 0.25).all() and (score[np.prod(shape):] == 0).all()
    assert (rois[:, 0] == 0).all()


def test_inputs_stay_and_gradients_are_zero():
    rng = np.random.RandomState(1)
    case = reference.random_case(rng, 2, 4, 5, 6, 8)
    arrays = [mx.nd.array(array) for array in case]
    for request, expected in (('write', 0), ('add', 7)):
        for array in arrays[:2]:
            array.attach_grad(request)
            array.grad[:] = 7
        with mx.autograd.record():
            rois, score = mx.nd.MultiProposal(*arrays, **SMALL)
            total = rois.sum() + score.sum()
        total.backward()
        for array in arrays[:2]:
            np.testing.assert_array_equal(array.grad.asnumpy(), expected, err_msg=request)
    for array, source in zip(arrays, case):
        np.testing.assert_array_equal(array.asnumpy(), source)


def test_gradients_beside_it_survive():
    """The operator writes zeros; a shared input must still get the other consumers' gradients (more than MXNet sums
    at once, so that it adds in place)."""
    rng = np.random.RandomState(2)
    case = reference.random_case(rng, 1, 3, 3, 6, 8)
    names = ('cls_prob', 'bbox_pred', 'im_info')
    shared = mx.sym.var('bbox_pred') * 1
    rois = mx.sym.MultiProposal(cls_prob=mx.sym.var('cls_prob'), bbox_pred=shared, im_info=mx.sym.var('im_info'),
                                **SMALL)
    for order in (1, -1):
        parts = ([mx.sym.sum(shared) for _ in range(12)] + [mx.sym.sum(rois[0])])[::order]
        loss = mx.sym.make_loss(sum(parts[1:], parts[0]))
        executor = loss.simple_bind(mx.cpu(), grad_req='write', **{n: a.shape for n, a in zip(names, case)})
        executor.forward(is_train=True, **{n: mx.nd.array(a) for n, a in zip(names, case)})
        executor.backward()
        np.testing.assert_array_equal(executor.grad_dict['bbox_pred'].asnumpy(), 12)
