"""Detections of several scales -> detections of an image: golden cases and cases by hand."""
import numpy as np
import pytest
from easydict import EasyDict

from lib.inference.aggregate import Suppression, aggregate, aggregate_with_index, cap, in_valid_range
from tests.golden import golden_file

GAUSSIAN = Suppression('gaussian', 0.3, 0.55, 0.001)
KEEP_ALL = lambda dets: (dets, np.arange(len(dets)))  # noqa: E731


def rows_of(*rows):
    return np.array(rows, np.float32).reshape(-1, 6)


@pytest.mark.parametrize('case', range(10))
def test_golden(case):
    data = np.load(golden_file('pipeline/aggregate.npz'))
    get = lambda name: data[f'{case:03d}/{name}']
    scales = []
    for scale, crops_per_image in enumerate(get('n_chips')):
        rows = get('rows')[get('rows')[:, 0] == scale]
        scales.append([[np.float32(rows[(rows[:, 2] == image) & (rows[:, 3] == crop)][:, [4, 5, 6, 7, 8, 1]])
                        for crop in range(count)] for image, count in enumerate(crops_per_image)])
    detections = aggregate(scales, get('valid_ranges'), int(get('n_classes')),
                           Suppression('gaussian', 0.3, float(get('sigma')), 0.001), int(get('max_per_image')), 2)
    assert len(detections) == get('n_classes') and all(len(images) == get('n_images') for images in detections)
    out = get('out')
    total = 0
    for label, images in enumerate(detections):
        for image, dets in enumerate(images):
            expected = out[(out[:, 0] == label) & (out[:, 1] == image)][:, 2:]
            assert dets.dtype == np.float32
            np.testing.assert_allclose(dets, expected, atol=1e-4)
            total += len(expected)
    assert total == len(out)


def test_valid_range_bounds():
    # sides 10, 20 and 30: area without +1
    rows = rows_of([0, 0, 10, 10, 1, 1], [0, 0, 20, 20, 1, 1], [0, 0, 30, 30, 1, 1])
    assert rows[in_valid_range(rows, (10, 20)), 2].tolist() == [20]
    assert rows[in_valid_range(rows, (-1, 20)), 2].tolist() == [10, 20]
    assert rows[in_valid_range(rows, (20, -1)), 2].tolist() == [30]
    assert in_valid_range(rows, (-1, -1)).all()


def test_order_within_a_class_is_scale_then_crop():
    first = [[rows_of([0, 0, 5, 5, .3, 2]), rows_of([0, 0, 6, 6, .9, 1], [0, 0, 7, 7, .2, 2])]]
    second = [[rows_of([0, 0, 8, 8, .5, 2])]]
    detections = aggregate([first, second], [(-1, -1)] * 2, 3, KEEP_ALL, -1)
    assert detections[1][0][:, 2].tolist() == [6]
    assert detections[2][0][:, 2].tolist() == [5, 7, 8]
    assert detections[0][0].shape == (0, 5)


def test_no_crop_and_no_detection():
    detections = aggregate([[[], [rows_of()]]], [(-1, -1)], 3, GAUSSIAN, 100)
    assert [[dets.shape for dets in images] for images in detections] == [[(0, 5)] * 2] * 3


def test_no_image():
    assert aggregate([[]], [(-1, -1)], 2, GAUSSIAN, 100) == [[], []]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match='1 scales, but 2 valid ranges'):
        aggregate([[]], [(-1, -1), (0, 5)], 2, GAUSSIAN, 100)


def test_cap_keeps_ties():
    scores = [np.array(values, np.float32) for values in ([], [.9, .5], [.5, .1])]
    count = lambda most: [kept.sum() for kept in cap(scores, most)]
    assert count(2) == [0, 2, 1]
    assert count(1) == [0, 1, 0]
    assert cap(scores, 0) is None and cap(scores, 4) is None


PAIR = np.array([[0, 0, 9, 9, .9], [0, 0, 9, 4, .8], [50, 50, 60, 60, .5]], np.float32)  # IoU 0.5 of the first two


@pytest.mark.parametrize('suppress, scores', [
    (Suppression('hard', 0.4, 0, 0.001), [.9, .5]),
    (Suppression('hard', 0.5, 0, 0.001), [.9, .8, .5]),
    (Suppression('linear', 0.3, 0, 0.001), [.9, .5, .4]),
    (Suppression('gaussian', 0.3, 0.55, 0.001), [.9, .8 * np.exp(-.25 / .55), .5]),
    (Suppression('gaussian', 0.3, 0.55, 0.6), [.9, .5]),
])
def test_suppression(suppress, scores):
    rows, index = suppress(PAIR)
    np.testing.assert_allclose(rows[:, 4], scores, atol=1e-6)
    np.testing.assert_array_equal(rows[:, :4], PAIR[index, :4])


@pytest.mark.parametrize('keys, expected', [
    (dict(NMS=0.45, NMS_SIGMA=0.6, NMS_METHOD=''), ('hard', 0.45)),
    (dict(NMS=-1, NMS_SIGMA=0.55, NMS_METHOD=''), ('gaussian', 0.3)),
    (dict(NMS=0.2, NMS_SIGMA=0.55, NMS_METHOD='linear'), ('linear', 0.2)),
    (dict(NMS=-1, NMS_SIGMA=-1, NMS_METHOD='hard'), ('hard', 0.3)),
    (dict(NMS=0.3, NMS_SIGMA=0.55, NMS_METHOD='gaussian'), ('gaussian', 0.3)),
])
def test_suppression_from_config(keys, expected):
    suppress = Suppression.from_config(EasyDict(TEST=dict(keys, SCORE_THRESH=0.001)))
    assert (suppress.method, suppress.iou_thresh) == expected


def test_threads_do_not_change_the_result():
    seed = 3
    rng = np.random.default_rng(seed)
    scale = []
    for _ in range(150):
        corner = rng.uniform(0, 50, (20, 2))
        scale.append([np.float32(np.hstack([corner, corner + rng.uniform(5, 30, (20, 2)), rng.uniform(0, 1, (20, 1)),
                                            rng.integers(1, 4, (20, 1))]))])
    one, four = (aggregate([scale], [(-1, -1)], 4, GAUSSIAN, 10, threads) for threads in (1, 4))
    for left, right in zip(one, four):
        for a, b in zip(left, right):
            np.testing.assert_array_equal(a, b, err_msg=f'seed {seed}')


@pytest.mark.parametrize('method', ['hard', 'linear', 'gaussian'])
@pytest.mark.parametrize('most', [7, -1])
def test_index_says_which_rows_they_were(method, most):
    seed = 11
    rng = np.random.default_rng(seed)
    scales = []
    for scale in range(2):
        scales.append([])
        for image in range(3):
            crops = []
            for _ in range(image + scale):  # an image without crops, others with several
                corner = rng.uniform(0, 40, (15, 2))
                crops.append(np.float32(np.hstack([corner, corner + rng.uniform(3, 30, (15, 2)),
                                                   rng.uniform(0, 1, (15, 1)), rng.integers(1, 4, (15, 1))])))
            scales[-1].append(crops)
    settings = ([(-1, 20), (8, -1)], 4, Suppression(method, 0.3, 0.55, 0.001), most)
    detections, index = aggregate_with_index(scales, *settings)
    alone = aggregate(scales, *settings)
    assert sum(len(dets) for images in detections for dets in images) > 20
    for image in range(3):
        rows = np.concatenate([np.zeros((0, 6))] + [crop for scale in scales for crop in scale[image]])
        for label in range(4):
            dets = detections[label][image]
            np.testing.assert_array_equal(dets, alone[label][image], f'seed {seed}')
            np.testing.assert_array_equal(dets[:, :4], rows[index[label][image], :4], f'seed {seed}')
            assert (rows[index[label][image], 5] == label).all() and len(set(index[label][image])) == len(dets)
