"""Seeds and assignment against the NumPy twin and by hand."""
import numpy as np
import pytest

from lib.chips.scales import BETWEEN, COARSEST, FINEST, ScaleRule, assign_rows, scale_rule, seed_rows
from tests.chips import slow

PLACES = (FINEST, BETWEEN, COARSEST)


def random_boxes(rng, count):
    corners = rng.uniform(0, 400, (count, 2))
    sides = np.exp(rng.uniform(0, 6, (count, 2)))
    boxes = np.hstack([corners, corners + sides]).astype(np.float32)
    boxes[::3] = np.round(boxes[::3])
    return boxes


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('seed', range(4))
def test_against_the_numpy_twin(seed, place):
    rng = np.random.default_rng(seed)
    boxes, chips = random_boxes(rng, 200), random_boxes(rng, 6).astype(np.float64)
    rule = ScaleRule(32, 150, 151.7, place)
    np.testing.assert_array_equal(
        seed_rows(boxes, rule), slow.seed_mask(boxes, 32, 150, 151.7, place == FINEST, place == COARSEST))
    np.testing.assert_array_equal(
        assign_rows(boxes, chips, rule), slow.assigned(boxes, chips, 32, 150, 151.7, place == COARSEST))


def square(side):
    return [0, 0, side, side]


def test_bounds_of_the_valid_range():
    boxes = np.array([square(side) for side in (1, 2, 31, 32, 79, 80, 149, 150, 400)], dtype=np.float32)

    def seeding(place):
        return [int(box[2]) for box in boxes[seed_rows(boxes, ScaleRule(32, 80, 1000, place))]]

    assert seeding(FINEST) == [2, 31, 32, 79]             # low is not looked at
    assert seeding(BETWEEN) == [32, 79]
    assert seeding(COARSEST) == [32, 79, 80, 149, 150, 400]  # high is not looked at


def test_minus_one():
    boxes = np.array([square(side) for side in (5, 500)], dtype=np.float32)
    assert not seed_rows(boxes, ScaleRule(-1, -1, 1000, FINEST)).any()
    assert seed_rows(boxes, ScaleRule(-1, -1, 1000, COARSEST)).all()


def test_long_boxes_need_the_side_limit():
    rule = scale_rule((-1, 80), 512, 57, 3.0, 0, 3)
    assert rule.place == FINEST and rule.limit == pytest.approx(454 / 3)
    boxes = np.array([[0, 0, 151, 4], [0, 0, 152, 4]], dtype=np.float32)
    np.testing.assert_array_equal(seed_rows(boxes, rule), [True, False])
    assert scale_rule((-1, 80), 512, 57, 3.0, 0, 1).place == COARSEST


def test_long_boxes_belong_to_the_coarsest_scale_where_a_side_is_named():
    fine, coarse = (scale_rule(pair, 512, 57, scale, index, 2, 450) for index, (pair, scale) in enumerate(
        [((-1, 300), 0.5), ((300, -1), 0.25)]))
    boxes = np.array([[0, 0, 449, 50], [0, 0, 450, 50], [0, 0, 299, 299], [0, 0, 300, 300]], dtype=np.float32)
    np.testing.assert_array_equal(seed_rows(boxes, fine), [True, False, True, False])
    np.testing.assert_array_equal(seed_rows(boxes, coarse), [False, True, False, True])
    chips = np.array([[0, 0, 511, 511]])
    np.testing.assert_array_equal(assign_rows(boxes, chips, coarse), [-1, 0, -1, 0])
    assert scale_rule((300, -1), 512, 57, 0.25, 1, 2).limit == np.inf


def test_middle_scale_lists_small_rows_that_do_not_seed():
    boxes, rule = np.array([square(10)], dtype=np.float32), ScaleRule(32, 150, 1000, BETWEEN)
    assert not seed_rows(boxes, rule).any()
    np.testing.assert_array_equal(assign_rows(boxes, [[0, 0, 100, 100]], rule), [0])


def test_first_chip_wins_a_tie_and_remains_below_a_pixel_do_not_count():
    boxes = np.array([square(10), [200, 0, 220, 20]], dtype=np.float32)
    chips = [[0, 0, 100, 100], [0, 0, 50, 50], [219.5, 0, 300, 100]]
    np.testing.assert_array_equal(assign_rows(boxes, chips, ScaleRule(-1, 80, 1000, FINEST)), [0, -1])


def test_nothing_and_nan():
    rule = ScaleRule(-1, -1, 1000, COARSEST)
    assert seed_rows([], rule).shape == (0,)
    np.testing.assert_array_equal(assign_rows([square(10)], [], rule), [-1])
    broken = [[np.nan, 0, 9, 9], [0, 0, np.inf, 9], [9, 9, 0, 20]]
    assert not seed_rows(broken, rule).any()
    np.testing.assert_array_equal(assign_rows(broken, [[0, 0, 99, 99]], rule), [-1, -1, -1])
