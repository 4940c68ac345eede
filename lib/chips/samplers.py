"""What an epoch of training is made of: windows around objects (chips), whole images, or random crops.

Every sampler has, besides what it is made with,

    of_epoch(rng) -> sampler       for one epoch: what is drawn once for all images is drawn here
    windows(record, rng) -> list   of Window, of one image; rng: numpy Generator of this image and epoch alone
    levels                         number of levels that windows can have
    weights                        how often windows of each level come in an epoch (scale_weights.py); () = all once
    facts() -> dict                what a log should say of an epoch's sampler
    nothing                        what is wrong if no image gives a window, the end of a sentence
    uncovered                      the same of objects in no window; not there where other epochs have these

A record is a mapping with boxes (n, 4) in original pixels, max_overlaps (n,), width, height; a row is an object iff its
max_overlaps is 1. Samplers are sent to worker processes: they are small and picklable.
"""
from typing import List, NamedTuple, Optional, Tuple, Union

import numpy as np

from configs.scales import Definition
from lib.chips.chip_sampler import ChipSampler
from lib.chips.scales import scale_factor
from lib.chips.window import Window

TRIALS = 50  # crops drawn until one holds an object, before the whole image is taken


def make_sampler(config):
    """The sampler of TRAIN.SAMPLER, for inputs of TRAIN.CHIP_SIZE x CHIP_SIZE."""
    kind, size = config.TRAIN.SAMPLER, config.TRAIN.CHIP_SIZE
    return (ChipSampler(config) if kind == 'chips' else WholeImages(size, size) if kind == 'images' else
            RandomCrops(size, size))


def chosen_background(is_background, wanted: Union[float, str], rng) -> np.ndarray:
    """Which windows of an epoch stay: all of images with objects, and of the others as many as TRAIN.BACKGROUND_IMAGES
    says, drawn anew every epoch.

    is_background (n,) bool: windows of images without objects; wanted: 'all', from 1 on a number of windows, below 1
    their share of the epoch at most. -> (n,) bool.
    """
    background = np.flatnonzero(is_background)
    others = len(is_background) - len(background)
    most = (len(background) if isinstance(wanted, str) else int(wanted) if wanted >= 1 else
            int(wanted / (1 - wanted) * others))
    kept = np.ones(len(is_background), bool)
    if most < len(background):
        kept[background] = False
        kept[rng.choice(background, size=most, replace=False)] = True
    return kept


class WholeImages(NamedTuple):
    """One window an image, the whole of it, in an input of height x width pixels.

    fill: both sides are resized to the input's, by two scales; else by the one scale at which the image fits in.
    definition: of that scale (lib.chips.scales), where an image is not to become as large as fits in.
    """

    height: int
    width: int
    fill: bool = False
    definition: Optional[Definition] = None
    levels = 1  # type: ignore[misc]
    weights = ()  # type: ignore[misc]
    nothing = 'can be used'  # type: ignore[misc]

    def of_epoch(self, rng) -> 'WholeImages':
        """Nothing is drawn."""
        return self

    def facts(self) -> dict:
        """Nothing changes."""
        return {}

    def windows(self, record, rng) -> List[Window]:
        """The one window; all rows of the record belong to it."""
        box = (0.0, 0.0, float(record['width']), float(record['height']))
        rows = np.arange(len(record['boxes']), dtype=np.int32)
        return [_resized(box, self.factors(record['width'], record['height']), rows, _is_object(record))]

    def factors(self, width: float, height: float) -> Tuple[float, float]:
        """(horizontal, vertical) scale of an image of width x height pixels."""
        scales = self.width / width, self.height / height
        if self.fill:
            return scales
        wanted = np.inf if self.definition is None else scale_factor(self.definition, width, height)
        return (min(*scales, wanted),) * 2


class RandomCrops(NamedTuple):
    """`count` random pieces of an image, each resized to an input of height x width pixels, by two scales.

    A piece has a share of the image's area from least_share to 1, uniform, and sides whose ratio (width / height) is
    the image's times a factor from 1 / most_stretch to most_stretch, uniform in its logarithm. An object belongs to it
    if its centre lies inside. A piece without an object is drawn anew; an image without objects gives one as it comes.
    """

    height: int
    width: int
    count: int = 1  # type: ignore[assignment]
    least_share: float = 0.1
    most_stretch: float = 2.0
    levels = 1  # type: ignore[misc]
    weights = ()  # type: ignore[misc]
    nothing = 'can be used'  # type: ignore[misc]

    @property
    def whole(self) -> WholeImages:
        """The largest pieces that there can be."""
        return WholeImages(self.height, self.width, True)  # type: ignore[call-arg]

    def of_epoch(self, rng) -> 'RandomCrops':
        """Everything is drawn an image each."""
        return self

    def facts(self) -> dict:
        """Nothing changes."""
        return {}

    def windows(self, record, rng) -> List[Window]:
        """`count` windows."""
        boxes, is_object = np.asarray(record['boxes'], np.float64).reshape(-1, 4), _is_object(record)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        return [self._window(record, centres, is_object, rng) for _ in range(self.count)]

    def _window(self, record, centres, is_object, rng):
        for _ in range(TRIALS):
            box = self._draw(record['width'], record['height'], rng)
            inside = ((centres >= box[:2]) & (centres < box[2:])).all(axis=1)
            if (inside & is_object).any() or not is_object.any():
                factors = self.width / (box[2] - box[0]), self.height / (box[3] - box[1])
                return _resized(box, factors, np.flatnonzero(inside).astype(np.int32), is_object)
        return self.whole.windows(record, rng)[0]

    def _draw(self, width, height, rng):
        """A box of whole pixels inside the image."""
        share, limit = rng.uniform(self.least_share, 1), np.log(self.most_stretch)
        stretch = np.exp(rng.uniform(-limit, limit) / 2)
        sides = [int(np.clip(round(side * np.sqrt(share) * factor), 1, side))
                 for side, factor in ((width, stretch), (height, 1 / stretch))]
        left, top = (int(rng.integers(0, length - side + 1)) for length, side in zip((width, height), sides))
        return (float(left), float(top), float(left + sides[0]), float(top + sides[1]))


def _is_object(record):
    return np.asarray(record['max_overlaps']) == 1


def _resized(box, factors, rows, is_object):
    """Window of a piece of an image that is resized by (horizontal, vertical) factors."""
    width, height = (max(1, round((end - start) * factor)) for start, end, factor in zip(box[:2], box[2:], factors))
    return Window(box, *factors, height, width, negative=not is_object[rows].any(), rows=rows)
