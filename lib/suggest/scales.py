"""Scales, valid ranges and the size of chips that show the objects of a data set as a network likes to see them.

Lengths are sides of objects, square roots of width x height, original pixels unless a name says otherwise. Factors
are the same for all pictures, so that valid ranges in original pixels mean one size each for the network.
"""
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from lib.chips.scale_fit import TrainedSizes, seen_otherwise
from lib.chips.seen_sizes import SeenScale
from lib.dataset.object_sizes import ObjectSizes

SMALL_SEEN = 32.0      # network pixels that one object of twenty may be smaller than
QUARTER_SEEN = 24.0    # and one of four
LARGE_SEEN = 115.0     # that one of two hundred may be larger than, for chips of 256 pixels
MIDDLE_SEEN = 55.0     # at which an object changes from one scale to the next, at the mean of both factors
MOST_ENLARGED = 2.0    # more shows nothing new, unless objects are minute,
MINUTE_ENLARGED = 4.0  # and then this, however small they are
STEP = 3.0             # largest ratio of two scales that follow each other
NEAR = 1.25            # ratio below which two scales are one
MOST_SCALES = 4
REACH = 1.25           # a valid range reaches so far beyond the middle between two scales,
REACH_IN_TEST = 1.2    # and that of a test so many times farther
BORDER = 32            # pixels of a chip that an object must leave free
LEAST_CHIP = 128
UNKNOWN = 0.1          # share of the objects that weights may not know at scales that are taken for them


class Plan(NamedTuple):
    """Scales from the finest to the coarsest.

    factors: of original pixels; training, test: a valid range a scale, (low, high), -1 = open; chip_size: pixels;
    capped: whether the finest factor is lower than objects want, as `most_pixels` allows no more; minute: the same, as
    nothing is enlarged more than MINUTE_ENLARGED times.
    """

    factors: Tuple[float, ...]
    training: Tuple[Tuple[float, float], ...]
    test: Tuple[Tuple[float, float], ...]
    chip_size: int
    capped: bool = False
    minute: bool = False


def plan_scales(sizes: ObjectSizes, most_chip: int = 256, most_pixels: float = np.inf) -> Plan:
    """For objects and pictures of a data set, which has one of each at least.

    most_chip: largest chip, pixels; most_pixels: that a picture may have at the finest scale.
    """
    sides = np.maximum(sizes.sides[sizes.objects.min(axis=1) > 0], 1.0)
    sides = sides if len(sides) else np.ones(1)
    longest = np.maximum(sizes.objects.max(axis=1), 1.0)
    coarse = min(LARGE_SEEN * most_chip / 256 / np.quantile(sides, 0.995),
                 (most_chip - BORDER) / np.quantile(longest, 0.995))
    fine = SMALL_SEEN / np.quantile(sides, 0.05)
    quarter = QUARTER_SEEN / np.quantile(sides, 0.25)
    most = np.clip(quarter, MOST_ENLARGED, MINUTE_ENLARGED)
    coarse = min(coarse, most)
    fine = max(coarse, min(fine, most))
    allowed = np.sqrt(most_pixels / np.quantile(sizes.pictures.prod(axis=1), 0.95))
    capped, fine = bool(fine > allowed), min(fine, allowed)
    coarse = min(coarse, fine)
    factors = _spaced(fine, coarse)
    edges = [MIDDLE_SEEN / np.sqrt(finer * coarser) for finer, coarser in zip(factors, factors[1:])]
    return Plan(factors, _ranges(edges, REACH), _ranges(edges, REACH * REACH_IN_TEST),
                _chip_size(sizes, factors[0], most_chip), capped, bool(quarter > MINUTE_ENLARGED))


def _spaced(fine: float, coarse: float) -> Tuple[float, ...]:
    """Factors in equal ratios, rounded to two digits."""
    if fine < NEAR * coarse:
        return (_rounded(coarse),)
    count = min(MOST_SCALES, 1 + int(np.ceil(np.log(fine / coarse) / np.log(STEP))))
    return tuple(_rounded(factor) for factor in np.geomspace(fine, coarse, count))


def _rounded(factor):
    return float(f'{factor:.2g}')


def _ranges(edges, reach) -> Tuple[Tuple[float, float], ...]:
    lows = [-1.0] + [float(np.floor(edge / reach)) for edge in edges]
    highs = [float(np.ceil(edge * reach)) for edge in edges] + [-1.0]
    return tuple(zip(lows, highs))


def _chip_size(sizes, factor, most):
    """`most`, or less if most pictures are smaller than that at the finest scale: a multiple of 32."""
    longest = np.quantile(sizes.pictures.max(axis=1), 0.98) * factor
    return int(min(most, max(LEAST_CHIP, 32 * np.ceil(longest / 32))))


def plan_of_weights(trained: TrainedSizes, sizes: ObjectSizes, chip_size: int) -> Optional[Plan]:
    """The scales that weights were trained at, if they show nearly all objects as in that training; else None."""
    scales = sorted(trained.scales, key=lambda scale: -scale.factor)
    factors = tuple(_rounded(scale.factor) for scale in scales)
    training = tuple((scale.low if scale.low > 0 else -1.0, scale.high if np.isfinite(scale.high) else -1.0)
                     for scale in scales)
    test = tuple((float(np.floor(low / REACH_IN_TEST)) if low > 0 else -1.0,
                  float(np.ceil(high * REACH_IN_TEST)) if high > 0 else -1.0) for low, high in training)
    plan = Plan(factors, training, test, chip_size)
    off = seen_otherwise(seen_by_plan(plan, sizes, test=True), sizes, trained)
    return plan if off.mean() <= UNKNOWN else None


def seen_by_plan(plan: Plan, sizes: ObjectSizes, test: bool = False) -> List[SeenScale]:
    """What the network sees with these scales, in training or in a test."""
    sides, found = sizes.sides, []
    for factor, (low, high) in zip(plan.factors, plan.test if test else plan.training):
        low, high = max(low, 0.0), high if high > 0 else np.inf
        found.append(SeenScale(f'{factor:g}x', low, high, np.full(len(sizes.pictures), factor),
                               (sides >= low) & (sides <= high), np.full(len(sizes.pictures), np.inf)))
    return found
