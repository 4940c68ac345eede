"""All training chips of one image: the step between the roidb and the iterator."""
from typing import NamedTuple, Tuple

import numpy as np

from lib.bbox.arrays import as_boxes
from lib.chips.assign import assign_rows, rows_by_chip
from lib.chips.chip import Chip
from lib.chips.generate import generate_chips
from lib.chips.ranges import seed_rows, side_limit
from lib.chips.scales import scaled_size, training_scales


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
        """config: the whole configuration, or ChipSettings. ValueError if scales and ranges differ in number."""
        self.settings = config if isinstance(config, ChipSettings) else ChipSettings.from_config(config)
        if len(self.settings.scales) != len(self.settings.valid_ranges):
            raise ValueError('TRAIN.SCALES has %d entries, TRAIN.VALID_RANGES %d; they must pair up'
                             % (len(self.settings.scales), len(self.settings.valid_ranges)))

    def draw_stride(self, rng):
        """A stride of the candidate grid, drawn from numpy Generator `rng`."""
        return self.settings.strides[int(rng.integers(len(self.settings.strides)))]

    def sample(self, entry, rng, stride=None):
        """Chips of one image, finest scale first: a list of Chip; empty if no object seeds any.

        entry: mapping with boxes (n, 4) in original pixels, max_overlaps (n,), width, height. A row is an object
        iff its max_overlaps is 1. rng: numpy Generator. stride: None draws one.
        """
        settings = self.settings
        if stride is None:
            stride = self.draw_stride(rng)
        boxes = as_boxes(entry['boxes'], np.float32)
        if len(boxes) == 0:
            return []
        objects = np.asarray(entry['max_overlaps']) == 1
        scales = training_scales(settings.scales, entry['width'], entry['height'])
        found = []
        for index, scale in enumerate(scales):
            limit = side_limit(settings.chip_size, stride, scale)
            seeds = seed_rows(boxes, objects, settings.valid_ranges[index], limit, index, len(scales))
            if seeds.any():
                found += self._scale_chips(entry, boxes, seeds, index, scale, limit, stride, rng,
                                           last=index == len(scales) - 1)
        return found

    def _scale_chips(self, entry, boxes, seeds, index, scale, limit, stride, rng, last):
        """Chips of one scale that cover the seed rows, each with the rows that belong to it."""
        settings = self.settings
        width, height = scaled_size(entry['width'], entry['height'], scale)
        scaled = boxes[seeds] * np.float32(scale)
        if not settings.single_precision:
            scaled = scaled.astype(np.float64)
        windows = generate_chips(scaled, width, height, settings.chip_size, stride, rng)
        return make_chips(windows, boxes, index, scale, limit, settings.valid_ranges[index], last,
                          (height, width) if last else (settings.chip_size, settings.chip_size))


def make_chips(windows, boxes, index, scale, limit, valid_range, last, record_size):
    """Windows (M, 4) in scaled pixels -> list of positive Chips of scale `index` with their rows of boxes.

    record_size: (height, width) that the records carry; the other arguments as in lib.chips.assign.
    """
    in_original = windows.astype(np.float64) / scale
    rows = rows_by_chip(assign_rows(boxes, in_original, valid_range, limit, last), len(windows))
    height, width = record_size
    return [Chip(tuple(box), scale, height, width, index, props, False)
            for box, props in zip(in_original.tolist(), rows)]
