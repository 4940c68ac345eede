"""SoftSamplingWeight against its contract: documented points of the curve, a NumPy twin, edges."""
import numpy as np
import pytest

import proposal_reference as reference
from sniper_mxnet import mx

# reference/other_detectors.md, part B
CURVE = {0: 0.25, 0.1: 0.250864, 0.15: 0.312223, 0.2: 0.550153, 0.25: 0.785487, 0.3: 0.912576, 0.4: 0.987525,
         0.49: 0.997923, 0.5: 1, 0.7: 1, 1: 1}


def weights(rois, gt_boxes, **attributes):
    return mx.nd.SoftSamplingWeight(mx.nd.array(rois), mx.nd.array(gt_boxes), **attributes).asnumpy()


def pair_of_overlap(value):
    """(roi, object row) with intersection / union = value: two strips side by side that share `shared` columns."""
    # Roi 0 0 99 99 of area 9801; an object 0 y1 99 y1+99 shares 100 x (100 - y1): s / (2 x 9801 - s) = value.
    shared = 2 * 9801 * value / (1 + value)
    top = 100 - shared / 100
    return [0, 0, 0, 99, 99], [0, top, 99, top + 99, 1]


@pytest.mark.parametrize('value', CURVE)
def test_documented_points(value):
    roi, row = pair_of_overlap(value + (1e-6 if value == 0.5 else 0))
    if value == 0:
        row = [500, 500, 600, 600, 1]
    np.testing.assert_allclose(weights([roi], [[row]]), [[CURVE[value]]], atol=2e-6)
    np.testing.assert_allclose(reference.soft_sampling(value), CURVE[value], atol=1e-6)


@pytest.mark.parametrize('seed', range(6))
def test_equals_numpy_reference(seed):
    rng = np.random.RandomState(seed)
    images = rng.randint(1, 4)
    gt_boxes = reference.random_truths(rng, images, rng.randint(1, 9), 90)
    gt_boxes[rng.rand(*gt_boxes.shape[:2]) < 0.1, 4] = -2      # regions are no objects
    corners = rng.uniform(-10, 80, (rng.randint(1, 200), 2))
    image = rng.randint(0, images, (len(corners), 1))
    rois = np.hstack([image, corners, corners + rng.uniform(-1, 60, corners.shape)]).astype(np.float32)
    numbers = [{}, dict(a=0, b=5, c=3)][seed % 2]
    expected = reference.soft_sampling_weight(rois, gt_boxes, **numbers)
    found = weights(rois, gt_boxes, **{'soft_sampling_' + name: value for name, value in numbers.items()})
    assert found.shape == (len(rois), 1)
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_nearest_object_of_the_own_image_counts():
    gt_boxes = -np.ones((2, 4, 5))
    gt_boxes[1, [1, 3]] = [[0, 0, 15, 3, 2], [0, 0, 15, 15, 80]]
    np.testing.assert_array_equal(weights([[1, 0, 0, 15, 15], [0, 0, 0, 15, 15]], gt_boxes).ravel(), [1, 0.25])
    for kind in (0, -1, -2, -3, np.nan, np.inf):       # no class of an object
        gt_boxes[1, 3, 4] = kind
        np.testing.assert_allclose(weights([[1, 0, 0, 15, 15]], gt_boxes), reference.soft_sampling(64 / 206), atol=1e-6)


def test_weights_never_fall_as_the_overlap_grows():
    rois = [[0, 0, top, 99, top + 99] for top in np.linspace(-100, 0, 500)]
    found = weights(rois, [[[0, 0, 99, 99, 1]]]).ravel()
    assert (np.diff(found) >= 0).all() and found[0] == 0.25 and found[-1] == 1


@pytest.mark.parametrize('numbers, far, near', [((1, 50, 20), 1, 1), ((0, 0, 0), 1, 1), ((0, 1e6, 0), 0, 0),
                                                ((0, 1e6, 1e6), 0, 1)])
def test_extreme_numbers(numbers, far, near):
    names = ('soft_sampling_a', 'soft_sampling_b', 'soft_sampling_c')
    found = weights([[0, 300, 300, 400, 400], [0, 0, 0, 15, 15]], [[[0, 0, 15, 3, 1]]], **dict(zip(names, numbers)))
    np.testing.assert_allclose(found.ravel(), [far, near], atol=1e-30)


def test_odd_numbers_and_boxes_without_area():
    gt_boxes = np.float32([[[0, 0, 15, 15, 1], [5, 5, 5, 5, 2]]])
    rois = np.float32([[0, 5, 5, 5, 5], [0, 5, 5, 5.5, 5], [0, 40, 40, 40, 90], [0, 30, 30, 20, 20],
                       [0, np.nan, 0, 15, 15], [0, 0, -np.inf, 15, 15], [0, 0, 0, 3e38, 3e38]])
    found = weights(rois, gt_boxes)
    np.testing.assert_allclose(found, reference.soft_sampling_weight(rois, gt_boxes), atol=2e-6)
    assert np.isfinite(found).all() and (found >= 0.25).all() and (found <= 1).all()
    np.testing.assert_array_equal(found[4:6], np.float32(0.25))
    gt_boxes[0, :, 2] = np.nan
    np.testing.assert_array_equal(weights(rois, gt_boxes), np.float32(0.25))


@pytest.mark.parametrize('image', [2, -1, np.nan, np.inf])
def test_a_roi_of_no_image_is_refused(image):
    with pytest.raises(mx.MXNetError, match=r'SoftSamplingWeight: row 1 of rois names image \S+ of a batch of 2'):
        weights([[0, 0, 0, 9, 9], [image, 0, 0, 9, 9]], -np.ones((2, 3, 5)))


@pytest.mark.parametrize('rois, gt_boxes, wanted', [
    ((3, 4), (1, 2, 5), r'rois must be \(R, 5\) = \(3, 5\), got \(3, 4\)'),
    ((3, 5), (1, 2, 4), r'gt_boxes must be \(N, G, 5\) = \(1, 2, 5\), got \(1, 2, 4\)'),
    ((3, 5), (2, 5), r'gt_boxes must be \(N, G, 5\) with 3 known sizes, got \(2, 5\)')])
def test_mistaken_shapes(rois, gt_boxes, wanted):
    with pytest.raises(mx.MXNetError, match='SoftSamplingWeight: ' + wanted):
        weights(np.zeros(rois), np.zeros(gt_boxes))


def test_a_symbol_goes_through_json_and_passes_no_gradient():
    symbol = mx.sym.SoftSamplingWeight(mx.sym.var('rois'), mx.sym.var('gt_boxes'), name='soft', soft_sampling_a=0.5)
    again = mx.sym.load_json(symbol.tojson())
    assert again.list_outputs() == ['soft_output'] and again.list_arguments() == ['rois', 'gt_boxes']
    arrays = {'rois': mx.nd.array([[0, 0, 0, 15, 15]]), 'gt_boxes': mx.nd.array([[[0, 0, 15, 3, 2]]])}
    grads = {name: mx.nd.ones_like(array) for name, array in arrays.items()}
    executor = again.bind(mx.cpu(), arrays, args_grad=grads)
    executor.forward(is_train=True)
    np.testing.assert_allclose(executor.outputs[0].asnumpy(), reference.soft_sampling(64 / 206, 0.5), atol=1e-6)
    executor.backward([mx.nd.ones((1, 1))])
    assert all((grad.asnumpy() == 0).all() for grad in grads.values())
