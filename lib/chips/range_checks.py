"""Scales and valid ranges that miss objects of a data set: sentences with the figure and the mend.

`scales` are those of lib.chips.seen_sizes, in the order of the configuration; section is 'TRAIN' or 'TEST'. A mend is
what stands after --set.
"""
from typing import List, Sequence, Tuple

import numpy as np

from lib.chips.seen_sizes import SeenScale, definition_text, is_factor, number, quantiles, ranges_text, scales_text
from lib.dataset.object_sizes import ObjectSizes

LEFT_OUT = 0.2     # share of the objects that may have no scale,
IN_GAP = 0.01      # lie between the ranges of two scales,
NO_CHIP = 0.05     # be longer than a chip at every scale that takes them,
TOO_SMALL = 0.05   # be shown smaller than what is looked at
CROSSED = 0.2      # share of the pictures at which scales may stand in another order
SPREAD = 3.0       # times that a scale may enlarge one picture more than another
OVERLAP = 1.2      # a closed gap's ranges reach so far beyond its middle
LEAST_SHARE, MOST_SHARE = 0.01, 0.99    # of a chip's side, as bounds of a range
ROOM = 1.3         # an upper bound that is proposed is so far below the longest object that a chip holds


def order_warnings(section: str, scales: Sequence[SeenScale]) -> List[str]:
    """Scales that are equal; of a training, which do not go from fine to coarse; ranges that do not ascend."""
    if len(scales) < 2 or not len(scales[0].factor):
        return []
    medians = np.array([np.median(scale.factor) for scale in scales])
    factors = 'factors ' + ', '.join(f'{factor:.3g}' for factor in medians)
    order = np.argsort(-medians, kind='stable')
    same = _same(scales, order)
    if same:
        return [f'two of {section}.SCALES are the same ({factors}): leave one out' + (
            '' if section == 'TEST' else f': --set {_setting(section, same)}')]
    steps = np.diff(np.log(np.stack([scale.factor for scale in scales], axis=1)), axis=1)
    crossed = (steps > 1e-6).any(axis=1)
    if section == 'TRAIN' and crossed.mean() > 0.5:
        ordered = [scales[place] for place in order]
        return [f'TRAIN.SCALES do not go from fine to coarse ({factors}), but chips take the first for the finest and '
                f'the last for the coarsest: --set {_setting(section, _ascending(ordered))}']
    if section == 'TRAIN' and crossed.mean() > CROSSED:
        fixed = [scale._replace(definition=_factor_text(np.median(scale.factor[~crossed]))) for scale in scales]
        return [f'TRAIN.SCALES stand in another order on {100 * crossed.mean():.0f} % of the pictures, for factors and '
                f'sizes in pixels cross there: --set {_setting(section, fixed, ranges=False)}']
    # A factor and a long side stand in either order, by the picture; factors among themselves do not.
    alike = [place for place in order if is_factor(scales[place].definition)] or order
    ranges = [(scales[place].low, scales[place].high) for place in alike]
    if any(coarse[0] < fine[0] or coarse[1] < fine[1] for fine, coarse in zip(ranges, ranges[1:])):
        ascending = _ascending([scales[place] for place in order])
        mended = [ascending[list(order).index(place)] for place in range(len(scales))]
        return [f'{section}.VALID_RANGES give a coarser scale smaller objects ({factors}): --set '
                f'{_setting(section, mended, scales=False)}']
    return []


def focus_warnings(scales: Sequence[SeenScale], pruning: Sequence[bool]) -> List[str]:
    """Of a test: scales that run on chips of the one before, which is no coarser on many pictures; pruning: a scale
    each. Of scales in one form configs.checks knows it; where a factor follows pixels it depends on the pictures."""
    for place in [place for place, focused in enumerate(pruning) if focused and 0 < place < len(scales)]:
        coarse, fine = scales[place - 1], scales[place]
        crossed = fine.factor <= coarse.factor
        if crossed.mean() > CROSSED:
            medians = sorted(np.median(scale.factor) for scale in scales)
            ordered = [_at(scale, median) for scale, median in zip(scales, medians)]
            return [f'{definition_text(fine.definition)} of TEST.SCALES is no finer than '
                    f'{definition_text(coarse.definition)} on {100 * crossed.mean():.0f} % of the pictures, but '
                    f'AutoFocus goes from coarse to fine: --set {_setting("TEST", ordered, ranges=False)}']
    return []


def _same(scales, order):
    """The scales without those that enlarge every picture as another does, whose ranges are joined; None if there are
    none."""
    kept: List[SeenScale] = []
    for place in order:
        scale = scales[place]
        if kept and np.allclose(kept[-1].factor, scale.factor, rtol=1e-4):
            kept[-1] = kept[-1]._replace(low=min(kept[-1].low, scale.low), high=max(kept[-1].high, scale.high))
        else:
            kept.append(scale)
    return kept if len(kept) < len(scales) else None


def _ascending(scales):
    """The scales with their bounds in ascending order."""
    lows, highs = sorted(scale.low for scale in scales), sorted(scale.high for scale in scales)
    return [scale._replace(low=low, high=high) for scale, low, high in zip(scales, lows, highs)]


def _setting(section, changed, scales=True, ranges=True):
    words = [f'{section}.SCALES {scales_text([scale.definition for scale in changed])}'] if scales else []
    words += [f'{section}.VALID_RANGES {_in_units(changed, [(s.low, s.high) for s in changed])}'] if ranges else []
    return ' '.join(words)


def _in_units(scales, ranges):
    """Ranges in original pixels, of a scale each, as the configuration would have them; shares of a chip have ends."""
    units = [scale.unit for scale in scales]
    if all(unit == 1 for unit in units):
        return ranges_text(ranges)
    return ranges_text([np.clip(np.array(pair) / unit, LEAST_SHARE, MOST_SHARE) for pair, unit in zip(ranges, units)])


def missed_warnings(section: str, scales: Sequence[SeenScale], sizes: ObjectSizes) -> List[str]:
    """Objects in no valid range: many, or some between the ranges of two scales. Without objects: any such gap."""
    key = f'{section}.VALID_RANGES'
    what = 'for which no scale makes chips' if section == 'TRAIN' else 'which no scale takes'
    closed = f'{what}: --set {key} {_in_units(scales, closed_ranges(scales))}'
    gaps = _gaps(scales)
    if not len(sizes.image):
        return [f'{key} leave out objects with sides of {low:g} to {high:g} pixels, ' + closed
                for low, high in gaps[:1]]
    missed = ~np.any([scale.taken for scale in scales], axis=0)
    in_gap = np.zeros(len(missed), bool)
    for low, high in gaps:
        in_gap |= missed & (sizes.sides >= low) & (sizes.sides <= high)
    if missed.mean() <= LEFT_OUT and in_gap.mean() <= IN_GAP:
        return []
    sides = sizes.sides[missed]
    return [f'{key} leave out {_share(missed)} of the objects, with sides of {number(sides.min())} to '
            f'{number(sides.max())} pixels, {closed}']


def _gaps(scales) -> List[Tuple[float, float]]:
    """Sides between the ranges of the scales."""
    ranges = sorted((scale.low, scale.high) for scale in scales)
    gaps, reach = [], ranges[0][1]
    for low, high in ranges[1:]:
        if low > reach:
            gaps.append((reach, low))
        reach = max(reach, high)
    return gaps


def closed_ranges(scales: Sequence[SeenScale]) -> List[Tuple[float, float]]:
    """The ranges of the scales without gaps, and open at both ends; in their order."""
    order = sorted(range(len(scales)), key=lambda place: (scales[place].low, scales[place].high))
    ranges = [[scale.low, scale.high] for scale in scales]
    for fine, coarse in zip(order, order[1:]):
        low, high = ranges[coarse][0], ranges[fine][1]
        if low > high:
            middle = np.sqrt(low * max(high, 1))
            ranges[fine][1], ranges[coarse][0] = np.ceil(middle * OVERLAP), np.floor(middle / OVERLAP)
    ranges[order[0]][0], ranges[order[-1]][1] = 0, np.inf
    return [(low, high) for low, high in ranges]


def empty_scale_warnings(scales: Sequence[SeenScale], chip_size: int) -> List[str]:
    """Of a training with chips: an upper bound of -1 before the last scale, which takes no object there."""
    empty = [scale for scale in scales[:-1] if scale.high == np.inf]
    if not empty:
        return []
    ranges = [(scale.low, np.floor(chip_size / np.median(scale.factor) / ROOM))
              if scale.high == np.inf and place < len(scales) - 1 else (scale.low, scale.high)
              for place, scale in enumerate(scales)]
    names = ', '.join(definition_text(scale.definition) for scale in empty)
    return [f'TRAIN.VALID_RANGES have no upper end at {names}, and so chips take no object there: only the last scale '
            f'is open to above: --set TRAIN.VALID_RANGES {ranges_text(ranges)}']


def chip_warnings(scales: Sequence[SeenScale], sizes: ObjectSizes, chip_size: int) -> List[str]:
    """Objects that fit into no chip of the scales that take them."""
    taken = np.array([scale.taken for scale in scales])
    fits = np.array([scale.fits(sizes) for scale in scales])
    lost = taken.any(axis=0) & ~(taken & fits).any(axis=0)
    if lost.mean() <= NO_CHIP:
        return []
    longest = sizes.objects.max(axis=1)[lost]
    return [f'{_share(lost)} of the objects, {number(longest.min())} to {number(longest.max())} pixels long, are '
            f'longer than a chip (TRAIN.CHIP_SIZE {chip_size}) at every scale that takes them, and are not trained on'
            + _room_for(scales, sizes, lost, fits)]


def _room_for(scales, sizes, lost, fits):
    """': --set ...' of ranges, where the coarsest scale has room for most of the objects; else of a coarser one."""
    able = fits[-1] & lost
    if able.sum() >= 0.8 * lost.sum():
        last = scales[-1]
        last = last._replace(low=min(last.low, np.floor(quantiles(sizes.sides[able])[1])))
        return f': --set {_setting("TRAIN", list(scales[:-1]) + [last], scales=False)}'
    finite = np.isfinite(scales[-1].limit)
    if not finite.any():
        return ': lower the last of TRAIN.SCALES'
    allowed = np.median((scales[-1].factor * scales[-1].limit)[finite])
    longest = quantiles(sizes.objects.max(axis=1)[lost])[-2]
    return f': --set {_setting("TRAIN", list(scales[:-1]) + [_at(scales[-1], allowed / longest)], ranges=False)}'


def _factor_text(factor):
    """As TRAIN.SCALES has it, two digits of it or all before the point: '0.67x', '140x'."""
    return f'{float(f"{factor:.2g}"):g}x'


def _at(scale, factor):
    return scale._replace(definition=_factor_text(factor))


def small_warnings(scales: Sequence[SeenScale], sizes: ObjectSizes, least: int) -> List[str]:
    """Objects of a training that every chip shows with a side below TRAIN.MIN_OBJECT_SIDE, `least` network pixels."""
    shown = np.zeros(len(sizes.image))
    for scale in scales:
        short = sizes.objects.min(axis=1) * scale.factor[sizes.image] + 1
        shown = np.where(scale.taken, np.maximum(shown, short), shown)
    small = (shown > 0) & (shown < least - 0.5)
    if small.mean() <= TOO_SMALL:
        return []
    lowest = np.quantile(shown[small], 0.4 * TOO_SMALL / small.mean())
    finer = _at(scales[0], min(100, 1.02 * np.median(scales[0].factor) * (least - 1) / max(lowest - 1, 0.1)))
    keep = f', or TRAIN.MIN_OBJECT_SIDE {int(lowest)}' if lowest >= 4 else ''
    return [f'{_share(small)} of the objects have a side below TRAIN.MIN_OBJECT_SIDE, {least} network pixels, at every '
            f'scale that takes them, and are not trained on: --set '
            f'{_setting("TRAIN", [finer] + list(scales[1:]), ranges=False)}{keep}']


def spread_warnings(scales: Sequence[SeenScale], sizes: ObjectSizes, chip_size: int) -> List[str]:
    """Of a training: a scale by the size of the picture among factors, where pictures differ in size."""
    for place, scale in enumerate(scales):
        low, high = np.quantile(scale.factor, (0.05, 0.95))
        mixed = any(is_factor(other.definition) for other in scales) and not is_factor(scale.definition)
        if not mixed or high <= SPREAD * low or scale.low <= 0 or scale.unit != 1:  # shares of a chip go with it
            continue
        finer = [other.low * np.median(other.factor) for other in scales[:place] if other.low > 0]
        fits = chip_size / ROOM / quantiles(sizes.objects.max(axis=1))[-2] if len(sizes.image) else np.inf
        fixed = [_at(other, min(min(finer + [chip_size / 10]) / scale.low, fits)) if other is scale else other
                 for other in scales]
        return [f'pictures differ in size, and {definition_text(scale.definition)} of TRAIN.SCALES shows them at '
                f'{low:.2g} to {high:.2g} of it, objects of {scale.low:g} pixels so as {number(scale.low * low)} to '
                f'{number(scale.low * high)}: --set {_setting("TRAIN", fixed, ranges=False)}']
    return []


def crowd_warnings(sizes: ObjectSizes, most: int) -> List[str]:
    """Of a test: pictures with more objects than TEST.MAX_PER_IMAGE, `most`, lets through."""
    counts = np.bincount(sizes.image, minlength=1)
    lost = np.maximum(counts - most, 0).sum() / max(1, counts.sum())
    if most <= 0 or lost <= IN_GAP:
        return []
    room = 10 * int(np.ceil(counts.max() * 0.12))
    return [f'TEST.MAX_PER_IMAGE is {most}, but {(counts > most).sum()} pictures hold more objects, up to '
            f'{counts.max()}: {100 * lost:.0f} % of all cannot be found: --set TEST.MAX_PER_IMAGE {room}']


def _share(chosen):
    return f'{100 * chosen.mean():.0f} % ({chosen.sum()} of {len(chosen)})'
