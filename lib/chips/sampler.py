"""All training chips of one image: the step between the roidb and the iterator."""
from typing import NamedTuple, Tuple

import numpy as np

from lib.bbox.arrays import as_boxes
from lib.chips.chip import Chip
from lib.chips.chips_ext import scale_chips
from lib.chips.generate import TRIALS, as_generator, check_candidates, seed_from
from lib.chips.rows import COARSEST, scale_rule
from lib.chips.scales import scaled_size, training_scales
from lib.errors import SniperError

SEED_MASK = 2 ** 63 - 1


class ChipSettings(NamedTuple):
    """What chip sampling needs to know; lists run from the finest scale to the coarsest."""

    scales: Tuple             # definitions, see lib.chips.scales
    valid_ranges: Tuple       # (low, high) a scale: square root of area in original pixels
    chip_size: int = 512
    strides: Tuple[int, ...] = (56, 57, 58, 59)  # grid steps of the candidates; one is drawn an epoch
    single_precision: bool = True                # containment test as in the original's C++ path, else as in its Python

    @classmethod
    def from_config(cls, config):
        """The settings that a configuration (EasyDict of configs.load_config) holds."""
        train = config.TRAIN
        return cls(tuple(train.SCALES), tuple(train.VALID_RANGES), train.CHIP_SIZE, tuple(train.CHIP_STRIDES),
                   bool(train.CPP_CHIPS))


class ChipSampler:
    """Makes the chips of roidb entries. Holds settings only, so one may serve any number of images."""

    def __init__(self, config):
        """config: the whole configuration, or ChipSettings. SniperError if scales and ranges differ in number."""
        self.settings = config if isinstance(config, ChipSettings) else ChipSettings.from_config(config)
        if len(self.settings.scales) != len(self.settings.valid_ranges):
            raise SniperError('TRAIN.SCALES has %d entries, TRAIN.VALID_RANGES %d; they must pair up'
                              % (len(self.settings.scales), len(self.settings.valid_ranges)))

    def draw_stride(self, rng):
        """A stride of the candidate grid, drawn from numpy Generator `rng`."""
        return self.settings.strides[int(rng.integers(len(self.settings.strides)))]

    def sample(self, entry, rng=None, stride=None):
        """Chips of one image, finest scale first: a list of Chip; empty if no object seeds any.

        entry: mapping with boxes (n, 4) in original pixels, max_overlaps (n,), width, height. A row is an object
        iff its max_overlaps is 1. rng: numpy Generator or RandomState, an integer seed, or None for seed 0. stride:
        None draws one.
        """
        rng = as_generator(rng)
        if stride is None:
            stride = self.draw_stride(rng)
        return self.positive_chips(entry, stride, seed_from(rng))

    def positive_chips(self, entry, stride, seed, orders=None):
        """Chips that cover the objects, without any random draw; entry as in `sample`.

        seed: integer that decides among equal candidates. orders: one permutation of the candidates a scale in
        its place, as lib.chips.generate explains.
        """
        settings = self.settings
        boxes = as_boxes(entry['boxes'], np.float32)
        if len(boxes) == 0:
            return []
        objects = (np.asarray(entry['max_overlaps']) == 1).view(np.uint8)
        scales = training_scales(settings.scales, entry['width'], entry['height'])
        found = []
        for index, scale in enumerate(scales):
            width, height = scaled_size(entry['width'], entry['height'], scale)
            rule = scale_rule(settings.valid_ranges[index], settings.chip_size, stride, scale, index, len(scales))
            order = None if orders is None or len(orders[index]) == 0 else orders[index]
            order = check_candidates(width, height, settings.chip_size, stride, order)
            chips = scale_chips(boxes, objects, rule, scale, width, height, settings.chip_size, stride,
                                settings.single_precision, (seed + index * TRIALS) & SEED_MASK, TRIALS, order)
            shape = (height, width) if rule.place == COARSEST else (settings.chip_size, settings.chip_size)
            found += [Chip(box, scale, shape[0], shape[1], index, rows, False) for box, rows in chips]
        return found
