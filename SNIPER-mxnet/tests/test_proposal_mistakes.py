"""What the three proposal operators make of mistaken attributes and of NaN and infinity in their inputs."""
import numpy as np
import pytest

import proposal_reference as reference
from sniper_mxnet import mx

SMALL = dict(feature_stride=8, ratios=(0.5, 1, 2), scales=(2, 4), rpn_post_nms_top_n=40)
OPERATORS = ('MultiProposal', 'MultiProposalTarget', 'MultiProposalTargetMask')
ODD = [np.nan, np.inf, -np.inf]


def call(name, case, **attributes):
    """Outputs of one of the operators for cls_prob (N, 2A, H, W), bbox_pred, im_info, gt_boxes, valid_ranges."""
    arrays = list(case)
    if name == 'MultiProposal':
        arrays = arrays[:3]
    else:
        images, channels, height, width = arrays[0].shape
        arrays[0] = arrays[0].reshape(images, 2, channels // 2 * height, width)
    outputs = getattr(mx.nd, name)(*[mx.nd.array(a) for a in arrays], **dict(SMALL, **attributes))
    return [output.asnumpy() for output in outputs]


def random_case(seed=0, height=6, width=5, valid_range=(0, 60)):
    rng = np.random.RandomState(seed)
    case = list(reference.random_case(rng, 2, height, width, 6, 8))
    return case + [reference.random_truths(rng, 2, 8, 40), np.array([valid_range] * 2, np.float32)]


def assert_same(actual, expected):
    for a, e in zip(actual, expected):
        np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize('name', OPERATORS)
@pytest.mark.parametrize('attribute, value, expected', [
    ('threshold', -0.1, 'from 0 to 1'), ('threshold', 1.01, 'from 0 to 1'), ('threshold', 'nan', 'a number'),
    ('feature_stride', 0, 'above 0'), ('feature_stride', -16, 'above 0'), ('feature_stride', 1.5, 'a whole number'),
    ('scales', (), 'at least one number above 0'), ('scales', (2, 0), 'at least one number above 0'),
    ('scales', (-1,), 'at least one number above 0'), ('scales', (np.nan,), 'a list of numbers'),
    ('scales', (np.inf,), 'a list of numbers'), ('scales', (1e39,), 'at least one number above 0'),
    ('scales', tuple(range(1, 30000)), 'few enough for 65536 anchors'),
    ('ratios', (), 'at least one number above 0'), ('ratios', (1, -2), 'at least one number above 0'),
    ('ratios', (np.nan,), 'a list of numbers'), ('ratios', (1e-46,), 'at least one number above 0'),
    ('rpn_post_nms_top_n', 0, 'above 0'), ('rpn_post_nms_top_n', -5, 'above 0'),
    ('rpn_post_nms_top_n', 'x', 'a number'),
    ('rpn_pre_nms_top_n', 0, 'above 0, or -1 for all'), ('rpn_pre_nms_top_n', -2, 'above 0, or -1 for all'),
    ('rpn_min_size', -1, '0 or above'), ('rpn_min_size', 'nan', 'a number'), ('rpn_min_size', 1e39, '0 or above'),
    ('batch_size', 0, 'above 0')])
def test_mistaken_attribute(name, attribute, value, expected):
    with pytest.raises(mx.MXNetError) as error:
        call(name, random_case(), **{attribute: value})
    message = str(error.value)
    assert f'{name}: {attribute} must be {expected}' in message
    assert ', got ' in message


@pytest.mark.parametrize('name', OPERATORS[1:])
@pytest.mark.parametrize('value', [(0.1, 0.1, 0.2), (0, 1, 1, 1), (1e39, 1, 1, 1), 'x', 0.1])
def test_mistaken_bbox_stds(name, value):
    with pytest.raises(mx.MXNetError, match=f'{name}: bbox_stds must be '):
        call(name, random_case(), bbox_stds=value)


@pytest.mark.parametrize('name', OPERATORS)
@pytest.mark.parametrize('which', range(5))
def test_mistaken_shape(name, which):
    case = random_case()
    if which >= 3 and name == 'MultiProposal':
        return
    case[which] = case[which][:1]
    if which == 1:  # bbox_pred says how many images there are, so the others are what does not fit
        which = 0
    inputs = ('cls_prob', 'bbox_pred', 'im_info', 'gt_boxes', 'valid_ranges')
    with pytest.raises(mx.MXNetError, match=f'{name}: {inputs[which]} must be '):
        call(name, case)


@pytest.mark.parametrize('name', OPERATORS)
@pytest.mark.parametrize('value', ODD)
@pytest.mark.parametrize('size', [(6, 5), (30, 31)])  # one by one, and all at once where few pass
def test_boxes_of_odd_scores_and_deltas_are_dropped(name, value, size):
    """Nothing changes against a score of -1, which marks a dropped box; all other boxes stay as they are."""
    valid_range = (0, 60) if size[0] == 6 else (10, 16)
    case = random_case(1, *size, valid_range=valid_range)
    call_it = lambda changed: call(name, changed, rpn_min_size=3 if size[0] == 6 else 18)
    rng = np.random.RandomState(2)
    for channel in (None, 0, 1, 2, 3):
        places = rng.rand(2, 6, *size) < 0.2
        dropped = [array.copy() for array in case]
        dropped[0][:, 6:][places] = -1
        odd = [array.copy() for array in case]
        if channel is None:
            odd[0][:, 6:][places] = value
        else:
            odd[1].reshape(2, 6, 4, *size)[:, :, channel][places] = value
        expected = call_it(dropped)
        assert_same(call_it(odd), expected)
        assert (call_it(case)[0] != expected[0]).any(), 'the dropped boxes made no difference'


@pytest.mark.parametrize('name', OPERATORS)
def test_large_finite_growth_stays(name):
    """No bound on dw and dh: a box grown beyond float32 is clipped to the image. Only odd deltas drop a box."""
    case = random_case(3, valid_range=(0, 1000))
    case[1][:, 2::4] = 200
    case[1][:, 3::4] = 1e38
    rois = call(name, case)[0]
    for n in range(2):
        height, width = case[2][n, :2]
        np.testing.assert_array_equal(rois[40 * n], [n, 0, 0, width - 1, height - 1])


@pytest.mark.parametrize('name', OPERATORS)
@pytest.mark.parametrize('value', ODD)
def test_odd_image_sizes(name, value):
    """Infinite: not clipped on that side. NaN or minus infinity: an empty image, whose boxes are a point."""
    case = random_case(4)
    clean = call(name, case, rpn_min_size=0)[0]
    case[2][1, 0] = value
    outputs = call(name, case, rpn_min_size=0)
    rois = outputs[0]
    np.testing.assert_array_equal(rois[:40], clean[:40])
    assert all(np.isfinite(output).all() for output in outputs)
    if value != np.inf:
        boxes = rois[40:][rois[40:, 4] == 0]
        assert len(boxes)
    elif name == 'MultiProposal':
        assert rois[40:, 4].max() > case[2][0, 0]


@pytest.mark.parametrize('name', OPERATORS[1:])
@pytest.mark.parametrize('value', ODD)
def test_objects_with_odd_numbers_are_unused(name, value):
    case = random_case(5)
    case[3][0, :3] = [[0, 0, 20, 20, 1], [5, 5, 30, 30, 2], [20, 20, 38, 39, 3]]
    for column in range(5):
        odd, unused = [[array.copy() for array in case] for _ in range(2)]
        odd[3][0, 1, column] = value
        unused[3][0, 1] = -1
        assert_same(call(name, odd), call(name, unused))
    assert (call(name, case)[1] != call(name, unused)[1]).any()


@pytest.mark.parametrize('name', OPERATORS[1:])
def test_odd_valid_ranges(name):
    """No box or object is in a range with a NaN end; an infinite upper end is none."""
    case = random_case(6, valid_range=(0, 1e6))
    clean = call(name, case)
    for end in (0, 1):
        case[4][0] = [0, 1e6]
        case[4][0, end] = np.nan
        rois = call(name, case)[0][:40]
        np.testing.assert_array_equal(rois[:, 3] - rois[:, 1], 200)  # padding only
    case[4][0] = [0, np.inf]
    assert_same(call(name, case), clean)


@pytest.mark.parametrize('name', OPERATORS)
def test_everything_odd(name):
    rng = np.random.RandomState(7)
    for seed in range(5):
        case = random_case(seed)
        for array in case:
            places = rng.rand(*array.shape) < 0.5
            array[places] = rng.choice(ODD + [1e38, -1e38, 0, -1], places.sum())
        assert all(np.isfinite(output).all() for output in call(name, case))
