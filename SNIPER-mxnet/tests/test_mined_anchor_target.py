"""MinedAnchorTarget: recorded vectors, plain NumPy, cases by hand, odd input."""
import numpy as np
import pytest

import mined_anchor_reference as reference
from mined_anchor_reference import OUT_OF_RANGE, REGION
from sniper_mxnet import mx
from tests.golden import golden_file

MODULES = {'m1': dict(feat_stride=8, scales=(1, 2)), 'm2': dict(feat_stride=16, scales=(4, 8)),
           'm3': dict(feat_stride=32, scales=(16, 32), allowed_border=512)}


def run(prob, gt_boxes, im_info, **attributes):
    """label, bbox_target, bbox_weight as NumPy arrays."""
    outputs = mx.nd.MinedAnchorTarget(*[mx.nd.array(value) for value in (prob, gt_boxes, im_info)], **attributes)
    return [output.asnumpy() for output in outputs]


def check(prob, gt_boxes, im_info, **attributes):
    """The outputs, after they were compared with NumPy's."""
    case = [np.float32(value) for value in (prob, gt_boxes, im_info)]
    found, expected = run(*case, **attributes), reference.targets(*case, **attributes)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=2e-6)
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-6)
    return found


def random_case(rng, images=2, cells=(9, 12), stride=8, anchors=2, rows=12):
    """Boxes on whole and half pixels, so that overlaps meet thresholds and one another; few different probabilities."""
    size = np.array([cells[1], cells[0]]) * stride
    corners = np.round(2 * rng.uniform(-8, 0.9, (images, rows, 2)).clip(-0.05) * size) / 2
    sides = np.round(2 ** rng.uniform(1, 6.5, (images, rows, 1)) * rng.uniform(0.7, 1.3, (images, rows, 2)))
    kinds = rng.choice([1, 1, 1, 2, -1, REGION, OUT_OF_RANGE], (images, rows, 1))
    prob = np.round(rng.rand(images, anchors, *cells), 1)
    info = np.array([[size[1] - rng.randint(0, 20), size[0] - rng.randint(0, 20), 1] for _ in range(images)])
    return prob, np.concatenate([corners, corners + sides - 1, kinds], axis=2), info


@pytest.mark.parametrize('module', sorted(MODULES))
@pytest.mark.parametrize('case', ['000', '001', '002', '003', '004'])
def test_recorded_targets(module, case):
    recorded = np.load(golden_file('detectors/ssh_targets_and_proposals.npz'))
    value = lambda name: recorded[f'{case}/{module}_{name}']
    prob = value('prob')[:, 2:]
    gt_boxes, im_info = recorded[f'{case}/gt_boxes'][None], recorded[f'{case}/im_info']
    label, target, weight = check(prob, gt_boxes, im_info, **MODULES[module])
    np.testing.assert_array_equal(label.reshape(value('labels').shape), value('labels'))
    np.testing.assert_allclose(target * (weight > 0), value('targets') * (weight > 0), atol=1e-4)
    kept = np.repeat(label.reshape(1, 2, 1, *prob.shape[2:]) >= 0, 4, axis=2).reshape(weight.shape)
    np.testing.assert_allclose(value('outside'), kept / kept[:, ::4].sum(), rtol=1e-6)
    np.testing.assert_allclose(weight, value('outside') * (weight > 0), rtol=1e-6)
    # Drawn at random, as many are kept, out of the same ones.
    drawn = value('random_labels').reshape(-1)
    rules = reference.Rules(**MODULES[module])
    before, _ = reference.match(reference.all_anchors(*prob.shape[2:], rules), gt_boxes[0], im_info[0], rules)
    for kind in (0, 1):
        assert (drawn == kind).sum() == (label == kind).sum()
        assert (before[drawn == kind] == kind).all()


@pytest.mark.parametrize('seed', range(40))
def test_equals_plain_numpy(seed):
    rng = np.random.RandomState(seed)
    stride, scales = int(rng.choice([4, 8, 16])), (0.5, 1, 2.5)[:rng.randint(1, 4)]
    ratios = (1, 0.5)[:rng.randint(1, 3)]
    attributes = dict(feat_stride=stride, scales=scales, ratios=ratios, allowed_border=int(rng.choice([0, 5, 40])),
                      batch_size=int(rng.choice([1, 7, 30, 10000])), positive_fraction=rng.choice([0, .25, .7, 1]),
                      positive_overlap=rng.choice([.3, .5]), negative_overlap=rng.choice([.01, .25, .3]),
                      ignore_overlap=rng.choice([0, .3, .7]), force_best=bool(rng.rand() < 0.4))
    check(*random_case(rng, stride=stride, anchors=len(scales) * len(ratios)), **attributes)


def test_by_hand():
    """Anchors of 16 pixels every 8 pixels, a box that is the second one: its neighbours share a half and overlap it by
    a third, which is neither face nor background; those at the right end leave the picture."""
    prob = np.array([[[[.1, .2, .3, .4, .6, .5]]]])
    label, target, weight = check(prob, [[[8, 0, 23, 15, 1]]], [[16, 48, 1]], feat_stride=8, scales=(1,), batch_size=4)
    assert label.tolist() == [[-1, 1, -1, 0, 0, -1]]
    assert np.abs(target).max() < 1e-7
    assert weight[0, :, 0].tolist() == [[0, np.float32(1 / 3), 0, 0, 0, 0]] * 4
    _, target, _ = check(prob, [[[10, -2, 25, 11, 1]]], [[16, 48, 1]], feat_stride=8, scales=(1,), batch_size=4)
    np.testing.assert_allclose(target[0, :, 0, 1], [2 / 16, -3 / 16, 0, np.log(14 / 16)], atol=1e-6)


def grid(prob, **attributes):
    """The labels of 16-pixel anchors side by side, where each second one is a face."""
    width = prob.shape[-1]
    gt_boxes = [[[16 * x, 0, 16 * x + 15, 15, 1] for x in range(0, width, 2)]]
    return check(prob, gt_boxes, [[16, 16 * width, 1]], scales=(1,), **attributes)[0][0]


def test_mining_keeps_the_hardest_and_the_first_of_equal_ones():
    prob = np.array([.5, .9, .2, .7, .2, .9, .2, .9]).reshape(1, 1, 1, 8)
    assert grid(prob, batch_size=4, positive_fraction=0.5).tolist() == [-1, 0, 1, -1, 1, 0, -1, -1]
    assert grid(prob, batch_size=4, positive_fraction=0).tolist() == [-1, 0, -1, 0, -1, 0, -1, 0]
    assert grid(prob, batch_size=2, positive_fraction=1).tolist() == [-1, -1, 1, -1, 1, -1, -1, -1]


def test_probabilities_that_are_no_numbers_come_last():
    prob = np.array([np.nan, np.nan, 2, -np.inf, np.inf, np.nan, -1, 0]).reshape(1, 1, 1, 8)
    assert grid(prob, batch_size=4, positive_fraction=0.5).tolist() == [-1, -1, 1, 0, -1, -1, 1, 0]
    assert sorted(grid(prob)) == [0] * 4 + [1] * 4
    assert grid(np.full((1, 1, 1, 8), np.nan), batch_size=2, positive_fraction=.5).tolist() == [1, 0] + [-1] * 6


def test_a_box_that_is_found_twice_belongs_to_the_first():
    boxes = [[0, 0, 11, 15, 1], [4, 0, 15, 15, 2]]
    for rows, shift in ((boxes, -2), (boxes[::-1], 2)):
        target = check(np.zeros((1, 1, 1, 1)), [rows], [[16, 16, 1]], scales=(1,))[1]
        assert target[0, 0, 0, 0] == shift / 16


def test_best_anchors_can_be_forced():
    box = [[[40, 0, 47, 7, 1]]]
    label, _, _ = check(np.zeros((1, 1, 2, 4)), box, [[32, 64, 1]], scales=(1,))
    assert not label.any()
    label, target, _ = check(np.zeros((1, 1, 2, 4)), box, [[32, 64, 1]], scales=(1,), force_best=True)
    assert label.tolist() == [[0, 0, 1, 0, 0, 0, 0, 0]]
    np.testing.assert_allclose(target[0, :, 0, 2], [4 / 16, -4 / 16, np.log(.5), np.log(.5)], atol=1e-6)


def test_all_anchors_are_used_where_none_is_inside():
    label = check(np.zeros((1, 2, 3, 3)), [[[0, 0, 15, 15, 1]]], [[10, 10, 1]])[0]
    assert (label >= 0).sum() == 18 and label[0, 0] == 1


@pytest.mark.parametrize('kind, expected', [(OUT_OF_RANGE, [[-1, 0], [0, 0]]), (REGION, [[-1, 0], [0, 0]])])
def test_what_is_not_to_be_learnt(kind, expected):
    """What it overlaps is not used, even where an object stands at the same place."""
    for others in ([], [[0, 0, 15, 15, 1]]):
        rows = [[0, 0, 15, 15, kind]] + others
        label = check(np.zeros((1, 1, 2, 2)), [rows], [[32, 32, 1]], scales=(1,))[0]
        assert label.reshape(2, 2).tolist() == expected


def test_a_region_covers_background_and_an_object_out_of_range_does_not():
    """The overlap of a small anchor with a large box is small."""
    object_inside, large = [0, 0, 15, 15, 1], [-8, -8, 200, 23]
    for kind, expected in ((REGION, [[1, -1], [-1, -1]]), (OUT_OF_RANGE, [[1, 0], [0, 0]])):
        label = check(np.zeros((1, 1, 2, 2)), [[object_inside, large + [kind]]], [[32, 32, 1]], scales=(1,))[0]
        assert label.reshape(2, 2).tolist() == expected
    low = [-8, -8, 200, 22, REGION]     # 7 of 16 lines
    label = check(np.zeros((1, 1, 2, 2)), [[low]], [[32, 32, 1]], scales=(1,))[0]
    assert label.reshape(2, 2).tolist() == [[-1, -1], [0, 0]]


@pytest.mark.parametrize('row', [
    [0, 0, 0, 0, 1], [5, 5, 5, 30, 1], [15, 15, 0, 0, 1], [0, 0, 15, 15, -1], [0, 0, 15, 15, 0], [0, 0, 15, 15, -4],
    [0, 0, 15, 15, np.nan], [0, 0, 15, 15, np.inf], [np.nan, 0, 15, 15, 1], [0, 0, np.inf, 15, 1],
    [-np.inf, 0, 15, 15, REGION], [-3e38, -3e38, 3e38, 3e38, 1], [0, 0, 3e38, 15, 1], [1e30, 0, 2e30, 15, 1]])
def test_rows_that_say_nothing(row):
    label = check(np.zeros((1, 2, 3, 3)), [[row, row]], [[48, 48, 1]], force_best=row[2] < 1e29)[0]
    assert (label >= 0).sum() == 9 + 1 and not (label == 1).any()


@pytest.mark.parametrize('size', [[np.nan, np.nan], [np.inf, np.inf], [0, 0], [-5, 1e30]])
def test_odd_sizes_of_the_picture(size):
    check(*random_case(np.random.RandomState(0), images=1)[:2], [size + [1]], feat_stride=8)


def test_anchors_of_odd_sizes():
    case = random_case(np.random.RandomState(1), anchors=4)
    for scales, ratios in (((1e-3, 1e6), (1, 3)), ((1, 1e20), (1e-6, 1)), ((1, 2), (1e9, 1))):
        label, target, weight = run(*case, scales=scales, ratios=ratios, feat_stride=2147483647, force_best=True)
        assert set(np.unique(label)) <= {-1, 0, 1} and np.isfinite(target).all() and np.isfinite(weight).all()


def test_no_rows_and_no_gradient():
    arrays = [mx.nd.array(value) for value in random_case(np.random.RandomState(2))]
    for array in arrays:
        array.attach_grad()
    with mx.autograd.record():
        outputs = mx.nd.MinedAnchorTarget(*arrays, feat_stride=8)
    mx.autograd.backward(outputs)
    assert not any(array.grad.asnumpy().any() for array in arrays)
    with mx.util.np_shape(True):
        outputs = mx.nd.MinedAnchorTarget(arrays[0], mx.nd.zeros((2, 0, 5)), arrays[2], feat_stride=8)
        assert set(np.unique(outputs[0].asnumpy())) == {-1, 0} and not outputs[2].asnumpy().any()


def test_wrong_shapes_name_the_input():
    prob, gt_boxes, im_info = random_case(np.random.RandomState(3))
    with pytest.raises(mx.MXNetError, match=r'prob must be .* with A = 3 anchors \(1 ratios, 3 scales\).*got \(2, 2, '):
        run(prob, gt_boxes, im_info, scales=(1, 2, 3))
    with pytest.raises(mx.MXNetError, match='gt_boxes must be'):
        run(prob, gt_boxes[..., :4], im_info)
    with pytest.raises(mx.MXNetError, match='im_info must be'):
        run(prob, gt_boxes, im_info[:1])


def test_in_a_graph():
    prob, gt_boxes, im_info = random_case(np.random.RandomState(4))
    names = ('prob', 'gt_boxes', 'im_info')
    outputs = mx.sym.MinedAnchorTarget(**{name: mx.sym.var(name) for name in names}, feat_stride=8, name='m1')
    assert outputs.list_outputs() == ['m1_label', 'm1_bbox_target', 'm1_bbox_weight']
    shapes = dict(prob=prob.shape, gt_boxes=gt_boxes.shape, im_info=im_info.shape)
    assert outputs.infer_shape(**shapes)[1] == [(2, 216), (2, 8, 9, 12), (2, 8, 9, 12)]
    executor = mx.sym.load_json(outputs.tojson()).simple_bind(mx.cpu(), grad_req='null', **shapes)
    for name, value in zip(names, (prob, gt_boxes, im_info)):
        executor.arg_dict[name][:] = value
    for found, expected in zip(executor.forward(), run(prob, gt_boxes, im_info, feat_stride=8)):
        np.testing.assert_array_equal(found.asnumpy(), expected)
