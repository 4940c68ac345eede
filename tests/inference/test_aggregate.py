"""Detections of several scales -> detections of an image: golden cases and cases by hand."""
import time
import tracemalloc

import numpy as np
import pytest
from easydict import EasyDict

from lib.bbox import ssd_priors, ssd_rows
from lib.bbox.detections import Detections
from lib.inference.aggregate import (
    Suppression,
    aggregate,
    aggregate_with_index,
    best_of_windows,
    cap,
    choose,
    in_valid_range,
)
from tests.detections import assert_same
from tests.golden import golden_file

GAUSSIAN = Suppression('gaussian', 0.3, 0.55, 0.001)
KEEP_ALL = lambda dets: (dets, np.arange(len(dets)))  # noqa: E731


def rows_of(*rows):
    return np.array(rows, np.float32).reshape(-1, 6)


def found_in(*images):
    """images: of each its rows (n, 6), crop by crop -> Detections."""
    return Detections.concatenate([Detections.from_rows(image, rows) for image, crops in enumerate(images)
                                   for rows in crops])


@pytest.mark.parametrize('case', range(10))
def test_golden(case):
    data = np.load(golden_file('pipeline/aggregate.npz'))
    get = lambda name: data[f'{case:03d}/{name}']
    scales = []
    for scale in range(len(get('n_chips'))):
        rows = get('rows')[get('rows')[:, 0] == scale]
        rows = rows[np.lexsort([rows[:, 3], rows[:, 2]])]  # image by image, crop by crop
        scales.append(Detections.from_rows(rows[:, 2], rows[:, 4:9], rows[:, 1]))
    detections = aggregate(scales, get('valid_ranges'), Suppression('gaussian', 0.3, float(get('sigma')), 0.001),
                           int(get('max_per_image')), 2)
    out = get('out')
    assert len(detections) == len(out) and set(detections.label) <= set(range(1, int(get('n_classes'))))
    for label in range(int(get('n_classes'))):
        for image in range(int(get('n_images'))):
            expected = out[(out[:, 0] == label) & (out[:, 1] == image)][:, 2:]
            dets = detections.of_class(label).of_image(image).rows()
            assert dets.dtype == np.float32
            np.testing.assert_allclose(dets, expected, atol=1e-4)


def test_valid_range_bounds():
    # sides 10, 20 and 30: area without +1
    rows = rows_of([0, 0, 10, 10, 1, 1], [0, 0, 20, 20, 1, 1], [0, 0, 30, 30, 1, 1])
    assert rows[in_valid_range(rows[:, :4], (10, 20)), 2].tolist() == [20]
    assert rows[in_valid_range(rows[:, :4], (-1, 20)), 2].tolist() == [10, 20]
    assert rows[in_valid_range(rows[:, :4], (20, -1)), 2].tolist() == [30]
    assert in_valid_range(rows[:, :4], (-1, -1)).all()


def test_order_within_a_class_is_scale_then_crop():
    first = found_in([rows_of([0, 0, 5, 5, .3, 2]), rows_of([0, 0, 6, 6, .9, 1], [0, 0, 7, 7, .2, 2])])
    second = found_in([rows_of([0, 0, 8, 8, .5, 2], [0, 0, 9, 9, .5, 0])])
    detections = aggregate([first, second], [(-1, -1)] * 2, KEEP_ALL, -1)
    assert detections.label.tolist() == [1, 2, 2, 2]  # class 0 is none
    assert detections.box[:, 2].tolist() == [6, 5, 7, 8]


def test_images_come_in_order():
    scale = found_in([], [rows_of([0, 0, 5, 5, .3, 2], [0, 0, 7, 7, .3, 1])], [rows_of([0, 0, 6, 6, .3, 1])])
    detections = aggregate([scale, scale], [(-1, -1)] * 2, KEEP_ALL, -1)
    assert detections.image.tolist() == [1, 1, 1, 1, 2, 2] and detections.label.tolist() == [1, 1, 2, 2, 1, 1]


def test_no_detection():
    assert len(aggregate([Detections.empty()], [(-1, -1)], GAUSSIAN, 100)) == 0


def test_lengths_must_agree():
    with pytest.raises(ValueError, match='1 scales, but 2 valid ranges'):
        aggregate([Detections.empty()], [(-1, -1), (0, 5)], GAUSSIAN, 100)


def test_cap_keeps_ties():
    scores = np.array([.9, .5, .5, .1], np.float32)
    assert cap(scores, 2).tolist() == [True, True, True, False]
    assert cap(scores, 1).tolist() == [True, False, False, False]
    assert cap(scores, 0) is None and cap(scores, 4) is None


def test_few_detections_of_many_classes_and_images():
    """3,000 classes and 5,000 images, of which a list a pair would be 15 million arrays."""
    rng = np.random.default_rng(2)
    corner = rng.uniform(0, 50, (2000, 2))
    scale = Detections(np.sort(rng.integers(5000, size=2000)), rng.integers(1, 3001, 2000),
                       np.hstack([corner, corner + 20]), rng.uniform(0.01, 1, 2000))
    tracemalloc.start()
    start = time.process_time()     # of all threads, whoever else uses the cores
    detections = aggregate([scale], [(-1, -1)], GAUSSIAN, 100)
    seconds, (_, most) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(detections) == 2000 and most < 20e6 and seconds < 5


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
    test = dict(keys, SCORE_THRESH=0.002, NMS_SCORE_THRESH=-1.0, MAX_PER_CLASS=7)
    suppress = Suppression.from_config(EasyDict(TEST=test))
    assert (suppress.method, suppress.iou_thresh) == expected
    assert (suppress.score_thresh, suppress.most) == (0.002, 7)
    assert Suppression.from_config(EasyDict(TEST=dict(test, NMS_SCORE_THRESH=0.0))).score_thresh == 0


def test_threads_do_not_change_the_result():
    seed = 3
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(150):
        corner = rng.uniform(0, 50, (20, 2))
        images.append([np.float32(np.hstack([corner, corner + rng.uniform(5, 30, (20, 2)), rng.uniform(0, 1, (20, 1)),
                                             rng.integers(1, 4, (20, 1))]))])
    scale = found_in(*images)
    assert_same(*(aggregate([scale], [(-1, -1)], GAUSSIAN, 10, threads) for threads in (1, 4)))


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
    scales = [found_in(*images) for images in scales]
    settings = ([(-1, 20), (8, -1)], Suppression(method, 0.3, 0.55, 0.001), most)
    detections, index = aggregate_with_index(scales, *settings)
    assert_same(detections, aggregate(scales, *settings))
    assert len(detections) > 20 and len(set(index.tolist())) == len(index)
    were = Detections.concatenate(scales).take(index)
    for name in ('image', 'label', 'box'):
        np.testing.assert_array_equal(getattr(detections, name), getattr(were, name), f'seed {seed}')


@pytest.mark.parametrize('name', 'ab')
def test_recorded_post_processing_of_m2det(name):
    """Decoding, linear soft-NMS at 0.3, 50 of a class, and a limit over all classes with ties kept."""
    case = np.load(golden_file(f'm2det/postprocess_{name}.npz'))
    rows = ssd_rows(case['probabilities'], case['loc'], ssd_priors(64, [16, 32, 64], [10, 22, 40, 60]), 0.1)
    found = Detections(np.zeros(len(rows.label)), rows.label, rows.box * np.tile(case['image_wh'], 2), rows.score)
    suppress = Suppression('linear', 0.3, 0.45, 0.001, 50)
    for limit, expected in ((0, case['detections_all']), (15, case['detections_top15'])):
        final = aggregate([found], [(-1, -1)], suppress, limit)
        np.testing.assert_array_equal(final.label, expected[:, 0])
        np.testing.assert_allclose(final.box, expected[:, 1:5], rtol=0, atol=2e-4)
        np.testing.assert_allclose(final.score, expected[:, 5], rtol=0, atol=1e-6)


def test_so_many_of_each_class():
    rows = rows_of(*[[9 * k, 0, 9 * k + 5, 5, .5 + .01 * k, label] for label in (1, 2) for k in range(4)])
    found = aggregate([found_in([rows])], [(-1, -1)], Suppression('linear', 0.3, 0, 0.001, 3), 0)
    assert found.label.tolist() == [1] * 3 + [2] * 3
    np.testing.assert_allclose(found.score, [.53, .52, .51] * 2)


def slow_choice(rows, labels, suppress, most):
    """Every class of an image by itself, then the best of all."""
    found = [suppress(rows[labels == label])[0] for label in np.unique(labels)]
    found = np.concatenate(found)
    return found if most <= 0 or len(found) <= most else found[found[:, 4] >= np.sort(found[:, 4])[-most]]


@pytest.mark.parametrize('method', ['hard', 'linear', 'gaussian'])
def test_many_classes_are_chosen_from_as_if_all_rows_were_looked_at(method):
    rng = np.random.default_rng(5)
    for most in (1, 7, 40, 0):
        for classes in (3, 40, 500):
            corners = rng.uniform(0, 40, (600, 2))
            scores = rng.integers(1, 60, 600) / 60 if classes == 40 else rng.beta(0.5, 4, 600)
            rows = np.column_stack([corners, corners + rng.uniform(20, 40, (600, 2)), scores]).astype(np.float32)
            labels = rng.integers(1, classes, 600)
            suppress = Suppression(method, 0.3, 0.55, 0.001, 9 if classes == 3 else 0)
            found, index = choose(rows, labels, suppress, most)
            np.testing.assert_array_equal(found, slow_choice(rows, labels, suppress, most))
            np.testing.assert_array_equal(found[:, :4], rows[index, :4])


def test_rows_alone_in_their_class_that_are_no_numbers_are_left_out():
    rows = rows_of([0, 0, 5, 5, 0.5, 1], [0, 0, 5, 5, np.nan, 2], [0, 0, np.inf, 5, 0.4, 3])
    assert choose(rows[:, :5], rows[:, 5], GAUSSIAN, 2)[1].tolist() == [0]


def test_best_of_windows():
    found = Detections([0, 0, 1, 0, 1, 0], [1, 2, 3, 4, 5, 6], np.zeros((6, 4)), [0.5, 0.9, 0.1, 0.7, 0.2, 0.7])
    assert best_of_windows(found, 2).label.tolist() == [2, 3, 4, 5, 6]    # as good as the last of the two
    assert best_of_windows(found, 1).label.tolist() == [2, 5]
    assert best_of_windows(found, 0) is found and best_of_windows(found, 4) is found


def test_where_none_of_a_scale_is_in_its_range():
    """With open_where_none, all of that image and scale stay; other images and scales do as ever."""
    scales = [Detections([0, 0, 1], [1, 1, 1], [[0, 0, 9, 9], [0, 50, 99, 99], [0, 0, 9, 9]], [0.9, 0.8, 0.7]),
              Detections([1], [1], [[40, 40, 149, 149]], [0.6])]
    ranges, suppress = [(50, -1), (50, -1)], Suppression('hard', 0.5, 0.5, 0.001)
    for open_where_none, images in ((False, [0, 1]), (True, [0, 1, 1])):
        found, _ = aggregate_with_index(scales, ranges, suppress, 10, open_where_none=open_where_none)
        assert found.image.tolist() == images
    assert found.score.tolist() == pytest.approx([0.8, 0.7, 0.6])
