"""All training chips of one image: the step between the roidb and the iterator."""
import math
from typing import List, NamedTuple, Tuple

import numpy as np

from lib.bbox.boxes import as_boxes
from lib.chips.chips_ext import scale_chips
from lib.chips.generate import TRIALS, as_generator, check_candidates, seed_from
from lib.chips.scales import COARSEST, ScaleRule, scale_rule, scaled_size, training_scales
from lib.chips.window import Window
from lib.utils.errors import SniperError

SEED_MASK = 2 ** 63 - 1
NO_NEGATIVES = -1


class ChipSettings(NamedTuple):
    """What chip sampling needs to know; lists run from the finest scale to the coarsest."""

    scales: Tuple             # definitions, see lib.chips.scales
    valid_ranges: Tuple       # (low, high) a scale: square root of area in original pixels, of objects in its chips
    chip_size: int = 512
    strides: Tuple[int, ...] = (56, 57, 58, 59)  # grid steps of the candidates; one is drawn an epoch
    single_precision: bool = True                # containment test as in the original's C++ path, else as in its Python
    negatives: int = 0                           # negative chips an image and epoch at most, drawn from those found
    negative_rows: Tuple[int, int] = (25, 10)    # a negative chip holds more rows: at the finest scale, at the others
    weights: Tuple[float, ...] = ()              # how often chips of a scale come in an epoch; () = all once
    longest: float = math.inf                    # objects with a side from this on, original pixels: coarsest scale
    share: float = 0.0      # 0, or a row belongs to every chip that shows more of it, see lib.chips.scales
    ranges_in_chip: bool = False    # valid_ranges are shares of the chip's side, of objects as the scale shows them

    @classmethod
    def from_config(cls, config):
        """The settings that a configuration (EasyDict of configs.load_config) holds."""
        train = config.TRAIN
        return cls(tuple(train.SCALES), tuple(train.CHIP_RANGES or train.VALID_RANGES), train.CHIP_SIZE,
                   tuple(train.CHIP_STRIDES), bool(train.CPP_CHIPS),
                   train.NEG_CHIPS_PER_IMAGE if train.USE_NEG_CHIPS else 0, tuple(train.NEG_CHIP_MIN_ROWS),
                   tuple(train.SCALE_WEIGHTS), train.CHIP_LONGEST_SIDE or math.inf, train.CHIP_SHARE,
                   train.VALID_RANGES_IN == 'chip')

    def valid_range(self, index: int, scale: float) -> Tuple[float, float]:
        """(low, high) of scale `index` in original pixels, where its factor is `scale`."""
        low, high = self.valid_ranges[index]
        return (low * self.chip_size / scale, high * self.chip_size / scale) if self.ranges_in_chip else (low, high)

    def rules(self, scales, stride) -> List[ScaleRule]:
        """Of an image with factors `scales`, fine to coarse, on the candidate grid of `stride`."""
        return [scale_rule(self.valid_range(index, scale), self.chip_size, stride, scale, index, len(scales),
                           self.longest, self.share) for index, scale in enumerate(scales)]


class ChipSampler:
    """Makes the chips of roidb entries. Holds settings only, so one may serve any number of images.

    Positive chips cover the objects of each scale's valid range. Rows that no positive chip of a scale took, most of
    them proposals, say where a detector would find something: negative chips cover those, and a chip with many of them
    is background worth training on (SNIPER, section 3.2; reference/pipeline.md 8.3).
    """

    nothing = 'has an object that fits TRAIN.VALID_RANGES at TRAIN.SCALES; adapt these'
    uncovered = 'are in no chip and are not trained on; adapt TRAIN.VALID_RANGES, TRAIN.SCALES or TRAIN.CHIP_SIZE: ' \
                '`python -m lib.chips.stats` with the same --cfg and --set says why'

    def __init__(self, config, stride=None):
        """config: the whole configuration, or ChipSettings. stride: of the candidate grid; None draws one an image.
        SniperError if scales and ranges differ in number."""
        self.stride = stride
        self.settings = config if isinstance(config, ChipSettings) else ChipSettings.from_config(config)
        if len(self.settings.scales) != len(self.settings.valid_ranges):
            raise SniperError(f'TRAIN.SCALES has {len(self.settings.scales)} entries, TRAIN.VALID_RANGES '
                              f'{len(self.settings.valid_ranges)}; they must pair up')

    @property
    def levels(self) -> int:
        """Number of scales."""
        return len(self.settings.scales)

    @property
    def weights(self) -> Tuple[float, ...]:
        """How often chips of each scale come in an epoch (lib.chips.scale_weights); () = all once."""
        return self.settings.weights

    def of_epoch(self, rng) -> 'ChipSampler':
        """Sampler of one epoch: with a stride drawn from numpy Generator `rng`."""
        return ChipSampler(self.settings, self.draw_stride(rng))

    def facts(self) -> dict:
        """What a log should say of an epoch's sampler."""
        return {'stride': self.stride}

    def windows(self, record, rng) -> List[Window]:
        """What every sampler has: `sample` with the stride of the epoch; where an image has no object and no proposals
        that make negative chips, one chip of it anywhere."""
        found = self.sample(record, rng, self.stride)
        return found if found or (np.asarray(record['max_overlaps']) == 1).any() else [self.background(record, rng)]

    def background(self, record, rng) -> Window:
        """A chip without objects: any scale, anywhere in the image at that scale, each as likely."""
        scales = training_scales(self.settings.scales, record['width'], record['height'])
        level, size = int(rng.integers(len(scales))), self.settings.chip_size
        sides = scaled_size(record['width'], record['height'], scales[level])
        x, y = (int(rng.integers(max(0, side - size) + 1)) for side in sides)
        width, height = (max(1, min(size, side)) for side in sides)
        scale = scales[level]
        box = (x / scale, y / scale, (x + width - 1) / scale, (y + height - 1) / scale)
        return Window(box, scale, scale, height, width, level, True)

    def draw_stride(self, rng) -> int:
        """A stride of the candidate grid, drawn from numpy Generator `rng`."""
        return self.settings.strides[int(rng.integers(len(self.settings.strides)))]

    def sample(self, entry, rng=None, stride=None) -> List[Window]:
        """Chips of one image: positive ones, finest scale first, then some of the negative ones. A list of Window.

        entry: mapping with boxes (n, 4) in original pixels, max_overlaps (n,), width, height; proposals are rows after
        the objects, and a row is an object iff its max_overlaps is 1. rng: numpy Generator or RandomState, an integer
        seed, or None for seed 0. stride: None draws one.
        """
        rng = as_generator(rng)
        if stride is None:
            stride = self.draw_stride(rng)
        seed, wanted = seed_from(rng), self.settings.negatives
        if wanted <= 0:
            return self.positive_chips(entry, stride, seed)
        positives, negatives = self.all_chips(entry, stride, seed)
        if len(negatives) > wanted:
            chosen = np.sort(rng.choice(len(negatives), size=wanted, replace=False))
            negatives = [negatives[index] for index in chosen]
        return positives + negatives

    def positive_chips(self, entry, stride, seed, orders=None):
        """Chips that cover the objects, without any random draw; entry as in `sample`.

        seed: integer that decides among equal candidates. orders: one permutation of the candidates a scale in
        its place, as lib.chips.generate explains.
        """
        return self._chips(entry, stride, seed, False, orders or (), ())[0]

    def all_chips(self, entry, stride, seed, orders=(), negative_orders=()):
        """(positive chips, all negative chips), finest scale first, without any random draw; see positive_chips."""
        return self._chips(entry, stride, seed, True, orders, negative_orders)

    def _chips(self, entry, stride, seed, with_negatives, orders, negative_orders):
        settings = self.settings
        boxes = as_boxes(entry['boxes'], np.float32)
        if len(boxes) == 0:
            return [], []
        objects = (np.asarray(entry['max_overlaps']) == 1).view(np.uint8)
        scales = training_scales(settings.scales, entry['width'], entry['height'])
        positives, negatives = [], []
        for index, (scale, rule) in enumerate(zip(scales, settings.rules(scales, stride))):
            width, height = scaled_size(entry['width'], entry['height'], scale)
            order, negative_order = (check_candidates(width, height, settings.chip_size, stride, _given(given, index))
                                     for given in (orders, negative_orders))
            found = scale_chips(
                boxes, objects, rule, scale, width, height, settings.chip_size, stride, settings.single_precision,
                (seed + index * TRIALS) & SEED_MASK, TRIALS,
                settings.negative_rows[min(index, 1)] if with_negatives else NO_NEGATIVES, order, negative_order)
            size = settings.chip_size  # of the coarsest scale, a chip shows the whole image unless this is larger
            shape = (min(height, size), min(width, size)) if rule.place == COARSEST else (size, size)
            for chips, records, negative in zip((positives, negatives), found, (False, True)):
                chips += [Window(box, scale, scale, *shape, index, negative, rows) for box, rows in records]
        return positives, negatives


def _given(orders, index):
    """The permutation of scale `index`, or None where there is none."""
    return orders[index] if index < len(orders) and len(orders[index]) else None
