"""MaskRcnnTarget against its contract: a plain twin, COCO's own masks, hand-made cases, hostile records."""
import numpy as np
import pytest

import mask_reference as reference
from sniper_mxnet import mx


def masks(rois, mask_polys, mask_ids, **attributes):
    arrays = [mx.nd.array(np.asarray(a, np.float32)) for a in (rois, mask_polys, np.reshape(mask_ids, (-1, 1)))]
    return [output.asnumpy() for output in mx.nd.MaskRcnnTarget(*arrays, **attributes)]


def one_mask(segments, roi=(0, 0, 8, 8), size=8, **attributes):
    """Target of one object, (size, size)."""
    length = 3 + len(segments) + sum(map(len, segments))
    return masks([[0] + list(roi)], [[reference.record(5, segments, length)]], [0], mask_size=size, **attributes)[0][0]


def random_segment(rng, extent, points):
    """Ragged outline: floats, whole numbers or quarter pixels, some of it outside."""
    values = rng.rand(2 * points) * extent * 1.4 - 0.2 * extent
    kind = rng.randint(3)
    return list(values if kind == 0 else np.round(values) if kind == 1 else np.round(values * 4) / 4)


def test_hand_computed_square():
    """Corners 2, 2 and 5, 5 on an 8 x 8 grid of one pixel cells: rows and columns 2 to 4."""
    expected = np.zeros((8, 8))
    expected[2:5, 2:5] = 1
    np.testing.assert_array_equal(one_mask([[2, 2, 5, 2, 5, 5, 2, 5]]), expected)
    np.testing.assert_array_equal(one_mask([[5, 5, 2, 5, 2, 2, 5, 2]]), expected)
    far = one_mask([[202, 402, 502, 402, 502, 702, 202, 702]], roi=(2, 202, 802, 1002))
    np.testing.assert_array_equal(far, expected)


def test_hand_computed_triangle():
    """Rows and columns of the triangle 0 0, 0 4, 4 4: pixel centres on and left of the diagonal."""
    expected = np.tril(np.ones((4, 4)), -1)
    actual = one_mask([[0, 0, 0, 4, 4, 4]], roi=(0, 0, 4, 4), size=4)
    np.testing.assert_array_equal(np.tril(actual, -1), expected)
    np.testing.assert_array_equal(np.triu(actual, 1), 0)


def test_segments_unite_and_holes_within_one_segment_stay():
    square = [1, 1, 7, 1, 7, 7, 1, 7]
    inner = [3, 3, 5, 3, 5, 5, 3, 5]
    np.testing.assert_array_equal(one_mask([square, inner]), one_mask([square]))
    looped = square + square[:2] + inner + inner[:2]
    np.testing.assert_array_equal(one_mask([looped]), one_mask([square]) - one_mask([inner]))


@pytest.mark.parametrize('seed', range(12))
def test_equals_plain_twin(seed):
    rng = np.random.RandomState(seed)
    images, objects, rows, size = [rng.randint(1, 4), rng.randint(1, 6), rng.randint(1, 12),
                                   int(rng.choice([1, 5, 14, 28]))]

    def random_record():
        segments = [random_segment(rng, 60, rng.randint(1, 9)) for _ in range(rng.randint(0, 4))]
        return reference.record(rng.randint(80), segments, 64)

    mask_polys = np.array([[random_record() for _ in range(objects)] for _ in range(images)])
    corners = rng.rand(rows, 2) * 40
    rois = np.hstack([rng.randint(images, size=(rows, 1)), corners, corners + rng.rand(rows, 2) * 40])
    rois = rois.astype(np.float32)
    ids = rng.randint(-1, objects, size=rows)
    actual = masks(rois, mask_polys, ids, mask_size=size, ignore_label=-3)
    expected = reference.mask_rcnn_target(rois, mask_polys, ids, size, -3)
    np.testing.assert_array_equal(actual[0], expected[0], err_msg=f'seed {seed}')
    np.testing.assert_array_equal(actual[1], expected[1], err_msg=f'seed {seed}')


def test_equals_coco_masks():
    """Thousands of polygons: the same pixels as pycocotools with the axes exchanged."""
    coco = pytest.importorskip('pycocotools.mask')
    rng = np.random.RandomState(7)
    total, length = 3000, 90
    for size in (28, 14):
        mask_polys = -np.ones((1, total, length), np.float32)
        rois = np.zeros((total, 5), np.float32)
        expected = np.zeros((total, size, size), np.float32)
        for i in range(total):
            corner, sides = rng.rand(2) * 100, rng.rand(2) * 150 + (0 if i % 10 else -1)
            rois[i, 1:] = np.concatenate([corner, corner + sides])
            points = np.array(random_segment(rng, 200, rng.randint(3, 40)), np.float32)
            mask_polys[0, i] = reference.record(1, [points], length)
            x1, y1, x2, y2 = rois[i, 1:].astype(np.float64)
            width, height = max(1, x2 - x1), max(1, y2 - y1)
            scaled = np.stack([(points[1::2] - y1) * size / height, (points[::2] - x1) * size / width], 1)
            encoded = coco.frPyObjects([scaled.ravel().tolist()], size, size)
            expected[i] = coco.decode(encoded)[..., 0].T
        actual = masks(rois, mask_polys, np.arange(total), mask_size=size)[0]
        wrong = np.flatnonzero((actual != expected).any((1, 2)))
        assert not len(wrong), f'size {size}, polygons {wrong[:10]}'
    assert 0.05 < expected.mean() < 0.95


def test_far_vertices_cost_nothing_and_cover_the_roi():
    for far in (1e5, 1e7, 1e30):
        np.testing.assert_array_equal(one_mask([[-far, -far, far, -far, far, far, -far, far]]), 1)
        np.testing.assert_array_equal(one_mask([[-far, -far, -far, far, -far / 2, far]]), 0)


def test_rows_without_object():
    rois = [[0, 0, 0, 9, 9]] * 2
    polys = [[reference.record(7, [[0, 0, 9, 0, 9, 9, 0, 9]], 16)]]
    targets, categories = masks(rois, polys, [-1, 0], mask_size=4, ignore_label=255)
    assert (targets[0] == 255).all() and (categories[0] == 0).all()
    assert (targets[1] == 1).all() and (categories[1] == 7).all()


def test_empty_objects():
    """No segment, one without points, one point, two points: nothing covered, the category stays."""
    for segments in ([], [[]], [[3, 3]], [[0, 0, 8, 8]], [[0, 0, 8, 8], [], [1, 7]]):
        polys = [[reference.record(5, segments, 24)]]
        targets, categories = masks([[0, 0, 0, 8, 8]], polys, [0], mask_size=8)
        assert (targets == 0).all() and (categories == 5).all(), segments
    unused = -np.ones((1, 1, 10))
    targets, categories = masks([[0, 0, 0, 8, 8]], unused, [0], mask_size=8)
    assert (targets == 0).all() and (categories == -1).all()


def test_roi_without_size_inside_an_object():
    square = [[0, 0, 40, 0, 40, 40, 0, 40]]
    for roi in ((20, 20, 20, 20), (20, 20, 15, 10)):
        np.testing.assert_array_equal(one_mask(square, roi=roi, size=6), 1)


def test_roi_and_polygon_apart():
    np.testing.assert_array_equal(one_mask([[0, 0, 8, 0, 8, 8]], roi=(100, 100, 120, 120)), 0)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_segment_with_an_odd_coordinate_is_left_out(value):
    square = [1, 1, 7, 1, 7, 7, 1, 7]
    for place in range(8):
        odd = list(square)
        odd[place] = value
        np.testing.assert_array_equal(one_mask([odd, [3, 3, 5, 3, 5, 5, 3, 5]]), one_mask([[3, 3, 5, 3, 5, 5, 3, 5]]))


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_odd_rois_and_categories_leave_an_ignored_row(value):
    square = [[0, 0, 8, 0, 8, 8, 0, 8]]
    polys = np.array([[reference.record(3, square, 12), reference.record(4, square, 12)]])
    polys[0, 1, 0] = value
    rois = np.array([[0, 0, 0, 8, 8]] * 3, np.float32)
    rois[1, 3] = value
    targets, categories = masks(rois, polys, [0, 0, 1], mask_size=4)
    assert (targets[0] == 1).all() and (categories[0] == 3).all()
    assert (targets[1:] == -1).all() and (categories[1:] == 0).all()


@pytest.mark.parametrize('count', [np.nan, np.inf, -np.inf, -5, 0, 0.5, 11, 1e9, 1e30])
def test_hostile_number_of_segments(count):
    polys = np.full((1, 1, 12), 4, np.float32)
    polys[0, 0, 1] = count
    targets, _ = masks([[0, 0, 0, 8, 8]], polys, [0], mask_size=8)
    assert (targets == 0).all()


@pytest.mark.parametrize('length', [np.nan, np.inf, -8, 7, 7.5, 100, 1e9, 1e30])
def test_hostile_length_ends_the_record(length):
    """Segments before it stand, it and those after it are left out."""
    square, other = [1, 1, 4, 1, 4, 4, 1, 4], [5, 5, 8, 5, 8, 8, 5, 8]
    polys = reference.record(5, [square, other, other], 29)
    polys[3] = length
    targets, _ = masks([[0, 0, 0, 8, 8]], [[polys]], [0], mask_size=8)
    np.testing.assert_array_equal(targets[0], one_mask([square]))


def test_random_numbers_as_records():
    rng = np.random.RandomState(0)
    numbers = np.array([0, 1, 2, 3, 4, 6, 8, -1, 5.5, 1e6, 1e38, -1e38, np.nan, np.inf], np.float32)
    for _ in range(20):
        polys = rng.choice(numbers, (2, 5, 40))
        rois = rng.choice(np.array([0, 1, 7, 1e20, -3, np.nan], np.float32), (30, 5))
        rois[:, 0] = rng.randint(2, size=30)
        targets, categories = masks(rois, polys, rng.randint(-1, 5, size=30), mask_size=9)
        assert np.isin(targets, [-1, 0, 1]).all() and np.isfinite(categories).all()


@pytest.mark.parametrize('ids, images, message', [
    ([0, 2], [0, 0], 'mask_ids must be -1 or a whole number from 0 to 1, got 2 in row 1'),
    ([0, -2], [0, 0], 'mask_ids must be'), ([0.5, 0], [0, 0], 'mask_ids must be'),
    ([np.nan, 0], [0, 0], 'mask_ids must be'),
    ([0, 0], [0, 1], 'the image index in rois must be a whole number from 0 to 0, got 1 in row 1'),
    ([0, 0], [-1, 0], 'the image index in rois'), ([0, 0], [np.inf, 0], 'the image index in rois')])
def test_bad_indices_are_errors(ids, images, message):
    rois = [[image, 0, 0, 8, 8] for image in images]
    with pytest.raises(mx.MXNetError, match='MaskRcnnTarget: ' + message):
        masks(rois, np.zeros((1, 2, 8)), ids, mask_size=4)


@pytest.mark.parametrize('attributes, message', [
    (dict(mask_size=0), 'mask_size must be from 1 to 4096, got 0'), (dict(mask_size=-3), 'mask_size must be'),
    (dict(ignore_label='nan'), 'ignore_label must be a'), (dict(batch_size=2), 'batch_size must be 1, the images'),
    (dict(max_num_gts=100), 'max_num_gts must be 2,'), (dict(max_polygon_len=500), 'max_polygon_len must be 8,'),
    (dict(num_proposals=50), 'num_proposals must be the rows of rois, 3,'), (dict(num_proposals=0), 'num_proposals'),
    (dict(size=28), 'no attribute size')])
def test_bad_attributes_are_errors(attributes, message):
    with pytest.raises(mx.MXNetError, match=message):
        masks(np.zeros((3, 5)), np.zeros((1, 2, 8)), [0, 0, 0], **attributes)


def test_no_images_and_sizes_that_say_so_or_not():
    """The rows an image are not asked for where there is no image."""
    shapes = ((0, 5), (0, 2, 8), (0, 1))
    with mx.util.np_shape(True):
        for attributes in ({}, dict(num_proposals=50), dict(max_num_gts=2, max_polygon_len=8)):
            targets, categories = mx.nd.MaskRcnnTarget(*[mx.nd.zeros(shape) for shape in shapes], **attributes)
            assert targets.shape == categories.shape == (0, 28, 28)
        with pytest.raises(mx.MXNetError, match='num_proposals must be the rows of rois, 3, over .* mask_polys, 0,'):
            mx.nd.MaskRcnnTarget(mx.nd.zeros((3, 5)), mx.nd.zeros((0, 2, 8)), mx.nd.zeros((3, 1)), num_proposals=3)


@pytest.mark.parametrize('shapes, message', [
    (((3, 4), (1, 2, 8), (3, 1)), r'rois must be \(rows, 5\)'), (((3, 5), (1, 16), (3, 1)), 'mask_polys must be'),
    (((3, 5), (1, 2, 8), (3,)), 'mask_ids must be'), (((3, 5), (1, 2, 8), (4, 1)), 'mask_ids must be')])
def test_bad_shapes_are_errors(shapes, message):
    with pytest.raises(mx.MXNetError, match=message):
        mx.nd.MaskRcnnTarget(*[mx.nd.zeros(shape) for shape in shapes])


def test_symbol_names_inputs_stay_and_gradients_are_zero():
    symbol = mx.sym.MaskRcnnTarget(name='masks', mask_size=8)
    assert symbol.list_outputs() == ['masks_mask_targets', 'masks_mask_cls']
    assert symbol.list_arguments() == ['masks_rois', 'masks_mask_polys', 'masks_mask_ids']
    sources = [np.array([[0, 0, 0, 8, 8]], np.float32), reference.record(2, [[0, 0, 8, 0, 8, 8]], 12).reshape(1, 1, -1),
               np.zeros((1, 1), np.float32)]
    arrays = [mx.nd.array(source) for source in sources]
    for request, expected in (('write', 0), ('add', 7)):
        for array in arrays:
            array.attach_grad(request)
            array.grad[:] = 7
        with mx.autograd.record():
            total = sum(output.sum() for output in mx.nd.MaskRcnnTarget(*arrays, mask_size=8))
        total.backward()
        for array, source in zip(arrays, sources):
            np.testing.assert_array_equal(array.grad.asnumpy(), expected)
            np.testing.assert_array_equal(array.asnumpy(), source)
