"""Scales for objects of a data set: sizes that the network likes, no gaps, and what weights know."""
import numpy as np
import pytest

from lib.chips.scale_fit import trained_sizes
from lib.chips.seen_sizes import seen_in_training
from lib.dataset.object_sizes import object_sizes
from lib.suggest.scales import BORDER, plan_of_weights, plan_scales, seen_by_plan
from lib.tasks import get_task
from tests.chips.pictures import make_pictures, tiny


def planned(sides, sizes=((640, 480),), **more):
    found = object_sizes(make_pictures(sides, sizes))
    return plan_scales(found, **more), found


@pytest.mark.parametrize('sides, sizes', [
    ((40, 250), ((640, 480),)), ((8, 400), ((640, 480), (900, 700))), ((8, 60), ((4000, 3000),)),
    ((300, 900), ((1600, 1200),)), ((20, 22), ((200, 150),)), ((3, 9), ((500, 400),))])
def test_the_network_sees_what_it_likes(sides, sizes):
    plan, found = planned(sides, sizes)
    assert list(plan.factors) == sorted(plan.factors, reverse=True) and 1 <= len(plan.factors) <= 4
    for test in (False, True):
        seen = seen_by_plan(plan, found, test)
        taken = np.stack([scale.taken for scale in seen])
        assert taken.any(axis=0).all()
        shown = np.concatenate([scale.sides(found)[scale.taken] for scale in seen])
        low, high = np.quantile(shown, (0.02, 0.98))
        assert high < 135 and (low > 10 or sides[0] < 8)
    largest = found.objects.max(axis=1)[seen_by_plan(plan, found)[-1].taken]
    assert np.quantile(largest, 0.99) * plan.factors[-1] <= plan.chip_size - BORDER + 3


def test_small_objects_are_enlarged_and_memory_limits_that():
    plan, _ = planned((8, 60), ((4000, 3000),))
    assert 2 <= plan.factors[0] <= 3 and not plan.capped
    less, _ = planned((8, 60), ((4000, 3000),), most_pixels=12e6)
    assert less.factors[0] == 1 and less.capped


def test_minute_objects_are_not_enlarged_without_end():
    plan, _ = planned((1, 2), ((120, 90),))
    assert plan.factors == (4,) and plan.minute and not plan.capped
    assert planned((20, 22), ((200, 150),))[0].factors == (2,)      # seen at 40 pixels, which is enough
    assert not planned((8, 60), ((4000, 3000),))[0].minute


def test_small_pictures_want_small_chips():
    assert planned((30, 90), ((150, 100),))[0].chip_size < 256 == planned((30, 90), ((640, 480),))[0].chip_size


def test_weights_that_know_these_sizes_decide():
    config, found = tiny(), object_sizes(make_pictures((8, 300), ((700, 650),)))
    trained = trained_sizes(seen_in_training(get_task(config).sampler(), found), found)
    plan = plan_of_weights(trained, found, 256)
    assert plan.factors[:2] == (2, 1) and plan.training[0] == (-1, 40) and plan.test[0] == (-1, 48)
    larger = object_sizes(make_pictures((900, 3000), ((5000, 4000),)))
    assert plan_of_weights(trained, larger, 256) is None
