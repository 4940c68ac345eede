"""What a network sees of pictures and objects at every scale of training and test, as arrays.

Letters: m pictures, n objects (lib.dataset.object_sizes). Lengths are original pixels unless a name says otherwise.
"""
from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np

from lib.chips.chip_sampler import ChipSampler
from lib.chips.samplers import RandomCrops, WholeImages
from lib.chips.scales import training_scales
from lib.dataset.object_sizes import ObjectSizes

SHARES = np.linspace(0, 1, 21)  # of objects, at which sizes are kept: 0, 5 %, ..., 100 %
_SMALL, _LARGE = 1, 19          # places of 5 % and 95 % in SHARES


class SeenScale(NamedTuple):
    """A scale over some pictures and objects."""

    definition: Any      # in the forms of TRAIN.SCALES and TEST.SCALES that say their unit: '2x', '256px', a pair
    low: float           # the valid range: sides from here,
    high: float          # to here; 0 and infinity where open
    factor: np.ndarray   # (m,) from original to network pixels
    taken: np.ndarray    # (n,) bool: objects that it takes, which go by its place too, see lib.chips.scales
    limit: np.ndarray    # (m,) longest side of an object that is sure to lie in some window
    unit: float = 1.0    # original pixels of a unit in which the configuration has the range, of a middling picture

    def sides(self, sizes: ObjectSizes) -> np.ndarray:
        """(n,) side of each object as the network sees it, taken or not, network pixels."""
        return sizes.sides * self.factor[sizes.image]

    def fits(self, sizes: ObjectSizes) -> np.ndarray:
        """(n,) bool: whether each object lies in a window as a whole."""
        return sizes.objects.max(axis=1, initial=0) <= self.limit[sizes.image]


def seen_in_training(sampler, sizes: ObjectSizes) -> List[SeenScale]:
    """Scales of a sampler of lib.chips.samplers; of crops, whose scale is drawn, the coarsest, a middling and the
    finest. Empty for a sampler that is none of these."""
    if isinstance(sampler, ChipSampler):
        return _seen_in_chips(sampler.settings, sizes)
    if not isinstance(sampler, (WholeImages, RandomCrops)):
        return []
    if isinstance(sampler, RandomCrops):
        images = sampler.whole
        shares: Tuple[float, ...] = (1.0, (1 + sampler.least_share) / 2, sampler.least_share)
    else:
        images, shares = sampler, (1.0,)
    whole, largest = sizes.of_pictures(lambda w, h: np.sqrt(np.prod(images.factors(w, h)))), max(images[:2])
    everything, endless = np.ones(len(sizes.image), bool), np.full(len(sizes.pictures), np.inf)
    if images.definition is not None:
        return [SeenScale(with_unit(images.definition), 0, np.inf, whole, everything, endless)]
    return [SeenScale(f'{largest / np.sqrt(share):.0f}px', 0, np.inf, whole / np.sqrt(share), everything, endless)
            for share in sorted(shares)]


def _seen_in_chips(settings, sizes):
    count = len(settings.scales)
    factors = sizes.of_pictures(lambda w, h: training_scales(settings.scales, w, h)).reshape(-1, count)
    whole = np.trunc(sizes.objects)
    sides = np.sqrt(whole.prod(axis=1))
    scales = []
    for index, factor in enumerate(factors.T):
        middling = float(np.median(factor)) if len(factor) else 1.0
        low, high = settings.valid_range(index, middling)
        taken = np.zeros(len(sides), bool)
        if len(sides):
            first, end = _chip_ends(settings, index, factor[sizes.image])
            taken = (sides >= first) & (sides < end)
        limit = (settings.chip_size - max(settings.strides) - 1) / factor
        if index == count - 1:  # the whole picture, where it is no larger than a chip
            inside = (np.trunc(sizes.pictures * factor[:, None]) <= settings.chip_size).all(axis=1)
            limit = np.where(inside, np.inf, limit)
        scales.append(SeenScale(with_unit(settings.scales[index], index == count - 1), max(low, 0),
                                high if high > 0 else np.inf, factor, taken, limit,
                                settings.chip_size / middling if settings.ranges_in_chip else 1.0))
    return scales


def _chip_ends(settings, index, factor):
    """Sides, numbers or (n,) of objects whose pictures have the factors `factor`, that chips of scale `index` are made
    for."""
    low, high = settings.valid_range(index, factor)
    return (low, high) if settings.share else chip_range(index, len(settings.scales), low, high)


def chip_range(index: int, count: int, low, high) -> Tuple:
    """Sides that chips of scale `index` of `count` are made for, see lib.chips.scales: from the first to below the
    second. Numbers, or arrays of an object each."""
    return (0 if index == 0 and count > 1 else np.maximum(low, 0)), (high if index < count - 1 else np.inf)


def seen_in_test(task, sizes: ObjectSizes) -> List[SeenScale]:
    """Scales of TEST.SCALES; task: of the test. Proposals have no valid ranges."""
    test, scales = task.config.TEST, []
    endless = np.full(len(sizes.pictures), np.inf)
    for index, (definition, (low, high)) in enumerate(zip(test.SCALES, test.VALID_RANGES)):
        if test.EXTRACT_PROPOSALS:
            low, high = -1, -1
        low, high = max(low, 0), high if high > 0 else np.inf
        factor = sizes.of_pictures(lambda w, h, index=index: np.sqrt(np.prod(task.test_scales(index, w, h))))
        scales.append(SeenScale(with_unit(definition), low, high, factor,
                                (sizes.sides > low) & (sizes.sides <= high) | (sizes.sides == 0) & (low == 0), endless))
    return scales


def with_unit(definition, last_of_training: bool = False):
    """A definition of TRAIN.SCALES or TEST.SCALES in a form that means the same in both: a number gets its unit."""
    if isinstance(definition, str):
        return definition
    if isinstance(definition, (tuple, list)):
        return tuple(definition)
    return f'{definition:g}px' if last_of_training else f'{definition:g}x'


def is_factor(definition) -> bool:
    """Whether a definition, in a form with its unit, is the same factor for all pictures."""
    return isinstance(definition, str) and definition.endswith('x') and not definition.endswith('px')


def taken_sides(scales: Sequence[SeenScale], sizes: ObjectSizes) -> np.ndarray:
    """(k,) sides in network pixels of all objects that the scales take, once for each scale that takes them."""
    return np.concatenate([np.zeros(0)] + [scale.sides(sizes)[scale.taken] for scale in scales])


def quantiles(values) -> np.ndarray:
    """(21,) values at SHARES; empty where there are none."""
    return np.quantile(values, SHARES) if len(values) else np.zeros(0)


def table(sections: Sequence[Tuple[str, Sequence[SeenScale]]], sizes: ObjectSizes) -> List[str]:
    """Lines that say what the network sees. sections: (name, scales), such as 'TRAIN'."""
    lines = [f'{"pictures":<18} {_pictures(sizes)}', f'{"objects":<18} {_objects(sizes)}',
             '{:<18} {:<22} {:<15} {:<12} {:>9}   {}'.format('scale', 'factor (median)', 'median picture',
                                                             'takes sides', 'objects', 'which the network sees as')]
    for name, scales in sections:
        for scale in scales:
            input_size = np.array(sizes.median_picture) * np.median(scale.factor) if len(scale.factor) else (0, 0)
            share = f'{100 * scale.taken.mean():.1f} %' if len(scale.taken) else '-'
            lines.append('{:<18} {:<22} {:<15} {:<12} {:>9}   {}'.format(
                f'{name} {definition_text(scale.definition)}', _factors(scale.factor), _pair(input_size),
                range_text(scale.low, scale.high), share, _span(scale.sides(sizes)[scale.taken])))
    return [line.rstrip() for line in lines]


def _pictures(sizes):
    if not len(sizes.pictures):
        return 'none'
    smallest, median, largest = (_pair(sizes.picture_at(share)) for share in (0, 0.5, 1))
    text = smallest if smallest == largest else f'{smallest} to {largest}, median {median}'
    spread = f', {len(sizes.pictures)} of them looked at' if len(sizes.pictures) < sizes.total else ''
    return f'{sizes.total}: {text} pixels{spread}'


def _objects(sizes):
    if not len(sizes.image):
        return 'not known'
    sides = quantiles(sizes.sides)
    return f'{len(sizes.image)}: sides of {_span(sizes.sides)}, median {sides[10]:.0f}, largest {sides[-1]:.0f}'


def _span(sides):
    """'16 to 80 pixels' of the middle nine tenths."""
    if not len(sides):
        return '-'
    low, high = quantiles(sides)[[_SMALL, _LARGE]]
    return f'{number(low)} to {number(high)} pixels'


def _factors(factor):
    if not len(factor):
        return '-'
    low, median, high = np.quantile(factor, (0.05, 0.5, 0.95))
    return f'{low:.3g} to {high:.3g} ({median:.3g})' if high > 1.005 * low else f'{median:.3g}'


def _pair(size):
    return '{:.0f}x{:.0f}'.format(*size)


def number(value: float) -> str:
    """A length in words: two digits below ten."""
    return f'{value:.2g}' if value < 10 else f'{value:.0f}'


def range_text(low: float, high: float) -> str:
    """'up to 40', '24 to 100', 'from 72', 'all'."""
    if high == np.inf:
        return f'from {low:g}' if low > 0 else 'all'
    return f'{low:g} to {high:g}' if low > 0 else f'up to {high:g}'


def definition_text(definition) -> str:
    """A definition as TRAIN.SCALES and TEST.SCALES take it."""
    return definition if isinstance(definition, str) else '[{:g}, {:g}]'.format(*definition)


def scales_text(definitions) -> str:
    """A list of definitions, quoted for `--set`: "'[2x, 1x, 256px]'"."""
    return f"'[{', '.join(map(definition_text, definitions))}]'"


def ranges_text(ranges) -> str:
    """A list of valid ranges, quoted for `--set`; 0 and infinity are written as -1."""
    return "'[{}]'".format(', '.join('[{}, {}]'.format(*(_bound(value) for value in pair)) for pair in ranges))


def _bound(value):
    return '-1' if value <= 0 or value == np.inf else f'{value:.0f}' if value >= 10 else f'{value:.3g}'
