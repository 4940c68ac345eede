"""Focus maps -> FocusChips: golden cases, cases by hand and odd maps."""
import numpy as np
import pytest

from lib.chips import focus_chips
from tests.golden import golden_file


def in_order(boxes):
    return boxes[np.lexsort(np.asarray(boxes).T)]


def a_map(rows, columns, *cells):
    """Zeros but for `cells` (row, column)."""
    prob = np.zeros((rows, columns), np.float32)
    for cell in cells:
        prob[cell] = 1
    return prob


@pytest.mark.parametrize('case', range(42))
def test_golden(case):
    data = np.load(golden_file('pipeline/focus_chips.npz'))
    assert int(data['n_cases']) == 42
    get = lambda name: data[f'{case:03d}/{name}']
    chips = focus_chips(get('map'), int(get('dilation')), float(get('thresh')), int(get('min_size')),
                        float(get('im_width')), float(get('im_height')), float(get('cscale')))
    assert chips.dtype == np.float64
    np.testing.assert_allclose(in_order(chips), in_order(get('chips')), atol=1e-6)


def test_one_cell_becomes_the_least_chip_around_it():
    assert focus_chips(a_map(32, 32, (10, 20)), 1, 0.5, 4, 512, 512, 2.0).tolist() == [[144, 64, 176, 96]]


def test_stride_is_that_of_the_network():
    assert focus_chips(a_map(64, 64, (10, 20)), 1, 0.5, 4, 512, 512, 2.0, stride=8).tolist() == [[72, 32, 88, 48]]


@pytest.mark.parametrize('cell, box', [((0, 0), [0, 0, 64, 64]), ((0, 31), [448, 0, 512, 64]),
                                       ((31, 0), [0, 448, 64, 512]), ((31, 31), [448, 448, 512, 512])])
def test_chips_at_borders_keep_their_size(cell, box):
    assert focus_chips(a_map(32, 32, cell), 1, 0.5, 4, 512, 512, 1.0).tolist() == [box]


def test_the_last_cell_can_reach_beyond_the_picture():
    """500 pixels are 31.25 cells: the chip ends with the picture and keeps its least size."""
    assert focus_chips(a_map(32, 32, (5, 31)), 1, 0.5, 4, 500, 512, 1.0).tolist() == [[436, 48, 500, 112]]


def test_touching_chips_become_one():
    apart = focus_chips(a_map(32, 32, (4, 4), (4, 20)), 1, 0.5, 4, 512, 512, 1.0)
    assert len(apart) == 2
    joined = focus_chips(a_map(32, 32, (4, 4), (4, 8)), 1, 0.5, 4, 512, 512, 1.0)
    assert joined.tolist() == [[32, 32, 160, 96]]


def test_dilation_grows_a_region():
    assert focus_chips(a_map(32, 32, (10, 20)), 5, 0.5, 1, 512, 512, 1.0).tolist() == [[288, 128, 368, 208]]


def test_the_threshold_itself_counts():
    prob = a_map(8, 8, (4, 4)) * np.float32(0.25)
    assert len(focus_chips(prob, 1, 0.25, 2, 128, 128, 1.0)) == 1
    assert len(focus_chips(prob, 1, 0.2501, 2, 128, 128, 1.0)) == 0


def test_every_focus_pixel_lies_in_a_chip():
    rng = np.random.default_rng(3)
    for _ in range(100):
        rows, columns, stride = rng.integers(1, 50), rng.integers(1, 50), int(rng.choice([8, 16, 32]))
        prob = rng.random((rows, columns)) ** rng.uniform(1, 30)
        width, height, scale = columns * stride - rng.uniform(0, stride), rows * stride - rng.uniform(0, stride), 0.7
        chips = focus_chips(prob, int(rng.integers(1, 6)), 0.6, int(rng.integers(1, 12)), width, height, scale, stride)
        assert (chips[:, :2] >= 0).all() and (chips[:, 2:] * scale <= np.array([width, height]) + 1e-9).all()
        assert (chips[:, :2] < chips[:, 2:]).all()
        row, column = np.nonzero(prob >= 0.6)
        centre = np.stack([np.minimum((column + 0.5) * stride, width - 1e-6),
                           np.minimum((row + 0.5) * stride, height - 1e-6)], 1) / scale
        inside = ((centre[:, None] >= chips[:, :2]) & (centre[:, None] <= chips[:, 2:])).all(axis=2)
        assert inside.any(axis=1).all()


def test_empty_map_no_chip():
    assert focus_chips(np.zeros((20, 30), np.float32), 3, 0.1, 4, 480, 320, 1.0).shape == (0, 4)
    assert focus_chips(np.zeros((0, 0), np.float32), 3, 0.1, 4, 480, 320, 1.0).shape == (0, 4)


def test_all_ones_one_chip():
    assert focus_chips(np.ones((20, 30)), 3, 0.5, 4, 470, 310, 2.0).tolist() == [[0, 0, 235, 155]]


def test_picture_smaller_than_the_least_chip():
    assert focus_chips(a_map(3, 2, (2, 1)), 3, 0.5, 16, 25, 40, 0.5).tolist() == [[0, 0, 50, 80]]


def test_nan_is_no_focus_pixel():
    prob = a_map(32, 32, (10, 20))
    prob[0, :] = np.nan
    assert focus_chips(prob, 1, 0.5, 4, 512, 512, 1.0).tolist() == [[288, 128, 352, 192]]
    assert focus_chips(np.full((5, 5), np.nan), 1, 0.5, 4, 80, 80, 1.0).shape == (0, 4)


def test_input_is_not_changed():
    prob = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    before = prob.copy()
    focus_chips(prob, 3, 0.9, 4, 320, 320, 1.0)
    np.testing.assert_array_equal(prob, before)


@pytest.mark.parametrize('change, word', [(dict(prob_map=np.zeros(3)), 'rows, columns'), (dict(dilation=0), 'dilation'),
                                          (dict(min_chip=0), 'min_chip'), (dict(scale=0), 'scale')])
def test_senseless_arguments(change, word):
    arguments = dict(prob_map=np.ones((4, 4)), dilation=1, threshold=0.5, min_chip=1, width=64, height=64, scale=1.0)
    arguments.update(change)
    with pytest.raises(ValueError, match=word):
        focus_chips(**arguments)
