"""Does a test show objects at the sizes that the network was trained on? TEST.SCALES against what training saw.

Valid ranges go by sides in original pixels, so a scale of a test suits the network if it enlarges the objects of its
range as training did. Factors of the scales alone do not tell: the same object may be trained at several.
"""
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from lib.chips.scales import test_scale
from lib.chips.seen_sizes import (
    SHARES,
    SeenScale,
    chip_range,
    is_factor,
    quantiles,
    range_text,
    ranges_text,
    scales_text,
    taken_sides,
)
from lib.dataset.object_sizes import ObjectSizes
from lib.utils.errors import SniperError

NEAR = 1.6        # times that an object may be seen larger or smaller than it was trained,
RESOLUTION = 2.0  # times that objects are larger or smaller than in training, if they may be the same
WITHIN = 1.8      # and where the network was trained on many objects of the size that it is seen at
MANY = 0.25       # share of the objects that are tested at other sizes, from which on it is worth a line;
MANY_RESIZED = 0.1  # the same where pictures and objects both look like those of training at another resolution;
SCALE_SHARE = 0.1  # or half of the objects of one scale, if it has so many of all
WIDER = 1.2       # ranges of a test that are made from those of training
PICTURES = 100    # that stand for all, where objects are not known


class TrainedScale(NamedTuple):
    """factor: of the objects it took, the middle one; low, high: sides that it took; definition: as SeenScale's."""

    factor: float
    low: float
    high: float
    definition: Any


class TrainedSizes(NamedTuple):
    """What a network was trained on. sides, sizes: (21,) at SHARES of the objects, original and network pixels."""

    picture: Tuple[float, float]  # width and height of the middle picture
    sides: np.ndarray
    sizes: np.ndarray
    scales: List[TrainedScale]
    known: bool = True            # False: worked out from a configuration, on the pictures of the test

    def facts(self) -> dict:
        """For the side file of a checkpoint, fit for JSON."""
        return {'picture': list(self.picture), 'sides': np.round(self.sides, 1).tolist(),
                'sizes': np.round(self.sizes, 1).tolist(),
                'scales': [{'factor': round(scale.factor, 4), 'low': scale.low, 'scale': scale.definition,
                            'high': None if scale.high == np.inf else scale.high} for scale in self.scales]}

    @classmethod
    def from_facts(cls, facts) -> Optional['TrainedSizes']:
        """What `facts` wrote; None for anything else: side files come from elsewhere too."""
        try:
            scales = [TrainedScale(float(scale['factor']), float(scale['low']),
                                   np.inf if scale['high'] is None else float(scale['high']), _checked(scale['scale']))
                      for scale in facts['scales']]
            sides, sizes = (np.array(facts[name], np.float64) for name in ('sides', 'sizes'))
            width, height = map(float, facts['picture'])
        except (KeyError, TypeError, ValueError, IndexError, SniperError):
            return None
        lengths = [width, height] + [scale.factor for scale in scales]
        sound = (scales and sides.shape == sizes.shape == SHARES.shape and np.isfinite([sides, sizes]).all() and
                 np.isfinite(lengths).all() and min(lengths + [sizes[1]]) > 0)
        return cls((width, height), sides, sizes, scales) if sound else None


def _checked(definition):
    definition = definition if isinstance(definition, str) else (float(definition[0]), float(definition[1]))
    test_scale(definition, 100, 100)
    return definition


def trained_sizes(scales: Sequence[SeenScale], sizes: ObjectSizes, known: bool = True) -> Optional[TrainedSizes]:
    """Of the scales of a training and its objects; None if it took no object."""
    seen = taken_sides(scales, sizes)
    if not (seen > 0).any():
        return None
    return TrainedSizes(sizes.median_picture, quantiles(sizes.sides), quantiles(seen[seen > 0]),
                        [_trained_scale(scales, place, sizes) for place in range(len(scales))], known)


def _trained_scale(scales, place, sizes):
    scale = scales[place]
    of_objects = scale.factor[sizes.image[scale.taken]]
    factor = float(np.median(of_objects if len(of_objects) else scale.factor))
    low, high = (0.0, np.inf) if scale.taken.all() else chip_range(place, len(scales), scale.low,
                                                                   -1 if scale.high == np.inf else scale.high)
    return TrainedScale(factor, float(low), float(high), scale.definition)


def with_objects(sizes: ObjectSizes, sides) -> ObjectSizes:
    """Some of the pictures, each with objects of all these sides: where no truth is known."""
    sides = np.asarray(sides, np.float64)
    chosen = np.unique(np.linspace(0, len(sizes.pictures) - 1, min(PICTURES, len(sizes.pictures))).astype(np.int64))
    image = np.repeat(np.arange(len(chosen)), len(sides))
    return ObjectSizes(sizes.pictures[chosen], image, np.tile(sides, len(chosen))[:, None] * np.ones(2), sizes.total)


def seen_otherwise(scales: Sequence[SeenScale], sizes: ObjectSizes, trained: TrainedSizes) -> np.ndarray:
    """(n,) bool: objects that some scale of a test takes, and none shows at a size that it was trained at.

    Where objects and pictures are much larger or smaller than those of training, by the same factor, they may be the
    same at another resolution: if all is well then, all is well.
    """
    off = _seen_otherwise(scales, sizes, trained, sizes.sides)
    stretch = _resolution(sizes, trained)
    if stretch != 1 and off.any():
        other = _seen_otherwise(scales, sizes, trained, sizes.sides * stretch)
        return other if other.mean() < off.mean() else off
    return off


def _resolution(sizes, trained):
    """How many times as large objects and pictures of training are, where they seem to be the same; else 1."""
    stretch = _stretch(sizes, trained)
    larger = np.sqrt(np.prod(sizes.median_picture) / np.prod(trained.picture))
    return stretch if max(stretch, 1 / stretch) > RESOLUTION and 1 / NEAR < stretch * larger < NEAR else 1.0


def _stretch(sizes, trained):
    """How many times as large the objects of training are."""
    middle = np.median(sizes.sides) if len(sizes.image) else 0
    return trained.sides[10] / middle if middle > 0 and trained.sides[10] > 0 else 1.0


def _seen_otherwise(scales, sizes, trained, sides):
    """As above, for objects that had `sides` in training."""
    learnt = _learnt_sides(sizes, trained, sides)
    low, high = trained.sizes[1], trained.sizes[19]
    common = trained.sizes[5], trained.sizes[15]
    taken, fine = np.zeros(len(sizes.image), bool), np.zeros(len(sizes.image), bool)
    for scale in scales:
        seen = np.maximum(scale.sides(sizes), 1e-3)
        away = np.abs(np.log(learnt / seen[:, None])).min(axis=1)
        near = (away <= np.log(NEAR)) & (seen >= low / NEAR) & (seen <= high * NEAR)
        near |= (away <= np.log(WITHIN)) & (seen >= common[0]) & (seen <= common[1])
        fine |= scale.taken & near
        taken |= scale.taken
    return taken & ~fine


def _learnt_sides(sizes, trained, sides):
    """(n, k) sides in network pixels at which training would have shown each object, infinite where it did not. A
    scale that goes by the size of the picture counts by the factor of training, and by that of the picture at hand for
    objects that it would take of that picture at the size of those of training."""
    columns = []
    resized = sides * np.sqrt(np.prod(trained.picture) / sizes.pictures.prod(axis=1))[sizes.image]
    for scale in trained.scales:
        takes = (sides >= scale.low) & (sides < scale.high)
        columns.append(np.where(takes, sides * scale.factor, np.inf))
        if not is_factor(scale.definition):
            factor = sizes.of_pictures(lambda w, h, scale=scale: test_scale(scale.definition, w, h))
            takes = (resized >= scale.low) & (resized < scale.high)
            columns.append(np.where(takes, sizes.sides * factor[sizes.image], np.inf))
    return np.maximum(np.stack(columns, axis=1), 1e-3)


def misfit(scales: Sequence[SeenScale], sizes: ObjectSizes, trained: TrainedSizes, test) -> List[str]:
    """A sentence with the figure and the mend if a test shows too many objects at sizes that the network does not
    know, else none.

    scales: of the test; sizes: of its objects, or `with_objects`; test: section TEST of the configuration.
    """
    off = seen_otherwise(scales, sizes, trained)
    worst = _worst(scales, off, _bearable(sizes, trained))
    if worst is None:
        return []
    concerned = off & scales[worst].taken
    tested = float(np.median(scales[worst].factor[sizes.image[concerned]]))
    stretch = _resolution(sizes, trained)
    place = _trained_place(tested / stretch, stretch * sizes.sides[concerned], trained)
    learnt = stretch * trained.scales[place].factor
    known = 'what the network was trained on' if trained.known else 'TRAIN.SCALES'
    mend = _mend(scales, sizes, trained, off.mean(), test)
    return [f'TEST.SCALES do not fit {known}: {100 * off.mean():.0f} % of the objects are shown at sizes at which it '
            f'does not know them; objects {_of_sides(scales[worst])} are tested at {tested:.2g} of their size and were '
            f'trained at {learnt:.2g}: {"--set " + mend if mend else "see docs/scales.md"}']


def _of_sides(scale):
    text = range_text(scale.low, scale.high)
    return 'of all sizes' if text == 'all' else f'{text} pixels' if not text[0].isdigit() else f'of {text} pixels'


def _bearable(sizes, trained):
    """Share of the objects that may be off without a line."""
    return MANY if _resolution(sizes, trained) == 1 else MANY_RESIZED


def _worst(scales, off, many):
    """Place of the scale that is most to blame; None if no more than the share `many` of the objects are off."""
    if not off.any():
        return None
    counts = np.array([(off & scale.taken).sum() for scale in scales])
    own = np.array([scale.taken.sum() for scale in scales])
    bad = (counts > 0.5 * own) & (own >= SCALE_SHARE * len(off))
    if off.mean() <= many and not bad.any():
        return None
    return int(np.argmax(counts))


def _trained_place(factor, sides, trained):
    """Place of the training scale that takes most of these sides; the nearest to a factor among equals."""
    common = [((sides >= scale.low) & (sides < scale.high)).sum() for scale in trained.scales]
    away = [abs(np.log(scale.factor / factor)) for scale in trained.scales]
    return max(range(len(common)), key=lambda place: (common[place], -away[place]))


def _mend(scales, sizes, trained, share, test):
    """Keys and values after --set that show objects as training did; '' if none would help much."""
    best, found = 0.6 * share, None
    for changed in _candidates(scales, sizes, trained, any(test.DO_PRUNING)):
        if not changed:
            continue
        off = seen_otherwise(changed, sizes, trained)
        if off.mean() < best:
            best, found = off.mean(), changed
        if found is changed and _worst(changed, off, _bearable(sizes, trained)) is None:
            break
    return _words(scales, found, test) if found else ''


def _candidates(scales, sizes, trained, pruning):
    """Lists of scales to try, the least change first: the factors of training, then ranges too for pictures of another
    resolution, then the scales of training in the place of these."""
    ranges = [(scale.low, scale.high) for scale in scales]
    stretch = _stretch(sizes, trained)
    for ratio, sides in ((1.0, sizes.sides), (stretch, trained.sides)):
        places = [_trained_place(np.median(scale.factor), sides[(sides > scale.low) & (sides <= scale.high)], trained)
                  for scale in scales]
        if len(set(places)) == len(places) or pruning:
            yield [_changed(scales[0], ratio * trained.scales[place].factor, low / ratio, high / ratio, sizes)
                   for (low, high), place in zip(ranges, places)]
    if not pruning:
        for ratio in (1.0, stretch):
            yield [_changed(scales[0], ratio * scale.factor, np.floor(scale.low / WIDER / ratio),
                            np.ceil(scale.high * WIDER / ratio), sizes)
                   for scale in trained.scales if ((sizes.sides * ratio >= scale.low)
                                                   & (sizes.sides * ratio < scale.high)).any()]


def _changed(scale, factor, low, high, sizes):
    low, high = np.round(low), np.round(high)
    factor = float(f'{factor:.2g}')
    return scale._replace(definition=f'{factor:g}x', factor=np.full(len(scale.factor), factor), low=low, high=high,
                          taken=(sizes.sides > low) & (sizes.sides <= high))


def _words(scales, changed, test):
    """KEY VALUE ... that turn a test's scales into others."""
    words = ['TEST.SCALES ' + scales_text([scale.definition for scale in changed])]
    ranges = [[(scale.low, scale.high) for scale in those] for those in (scales, changed)]
    if ranges[0] != ranges[1]:
        words.append('TEST.VALID_RANGES ' + ranges_text(ranges[1]))
    if len(changed) != len(scales):  # what is off at every scale fits any number (configs.loader)
        for key, off in (('USE_CACHE', False), ('CHIP_HYPERPARAMS', (-1, -1, -1))):
            if any(value != off for value in test[key]):
                words.append(f"TEST.{key} '{[list(off) if off else off] * len(changed)}'")
        return ' '.join(words + ['TEST.BATCH_IMAGES 1'])
    more = [np.median(new.factor) ** 2 / np.median(old.factor) ** 2 for old, new in zip(scales, changed)]
    fewer = [max(1, int(batch / ratio)) if ratio > 2 else batch for batch, ratio in zip(test.BATCH_IMAGES, more)]
    return ' '.join(words + ([f"TEST.BATCH_IMAGES '{fewer}'"] if fewer != list(test.BATCH_IMAGES) else []))
