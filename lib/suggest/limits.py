"""How many proposals, detections and objects a picture and a chip want, and how many pictures fit into memory."""
from typing import NamedTuple, Sequence, Tuple

import numpy as np

from lib.chips.chip_sampler import ChipSampler
from lib.chips.seen_sizes import SeenScale
from lib.dataset.object_sizes import ObjectSizes
from lib.tasks.anchor_fit import PROPOSALS

LEAST_PROPOSALS, LEAST_CHIP_PROPOSALS = 300, 128
LEAST_DETECTIONS, LEAST_OBJECTS = 100, 100
BYTES_A_PIXEL = 90        # of a picture in a test of sniper_tiny, measured; see docs/scales.md
MOST_TEST_BATCH = 8
TEST_SHARE = 0.25         # of the memory that a batch may take: what is read ahead, and Python, want some too
MOST_PIXELS = 10 ** 8     # of a picture at one scale (lib.tasks)
LOOKED_AT = 200           # pictures whose chips are made


class Limits(NamedTuple):
    """proposals: of a test, a picture and scale; detections: of a test, a picture; objects, chip_proposals: of a
    training, a chip; most: (objects a picture, objects a chip) that were found."""

    proposals: int
    detections: int
    objects: int
    chip_proposals: int
    most: Tuple[int, int]


def limits(tested: Sequence[SeenScale], sizes: ObjectSizes, sampler: ChipSampler, roidb: Sequence) -> Limits:
    """tested: scales of the test on `sizes`; sampler: of the training on `roidb`."""
    at_scale = max(int(np.bincount(sizes.image[scale.taken], minlength=1).max()) for scale in tested)
    in_picture = int(np.bincount(sizes.image, minlength=1).max())
    in_chip = _objects_in_chips(sampler, roidb)
    return Limits(max(LEAST_PROPOSALS, _up(PROPOSALS * at_scale, 100)),
                  max(LEAST_DETECTIONS, _up(PROPOSALS * in_picture, 100)),
                  max(LEAST_OBJECTS, _up(1.5 * in_chip, 50)),
                  max(LEAST_CHIP_PROPOSALS, _up(PROPOSALS * in_chip, 64)), (in_picture, in_chip))


def _up(value, step):
    return int(step * np.ceil(value / step))


def _objects_in_chips(sampler, roidb):
    """Most objects that a chip of some of the pictures shows, a part of each at least."""
    chosen, most = np.unique(np.linspace(0, len(roidb) - 1, min(LOOKED_AT, len(roidb))).astype(int)), 0
    for number in chosen.tolist():
        record = roidb[number]
        boxes = record['boxes'][record['max_overlaps'] == 1]
        for window in sampler.sample(record, number):
            x1, y1, x2, y2 = window.box
            most = max(most, int(((boxes[:, 0] < x2) & (boxes[:, 2] > x1) & (boxes[:, 1] < y2)
                                  & (boxes[:, 3] > y1)).sum()))
    return most


def most_pixels(memory: float) -> float:
    """Of a picture at one scale of a test, with `memory` bytes."""
    return min(MOST_PIXELS, 2 * TEST_SHARE * memory / BYTES_A_PIXEL)


def test_batches(factors: Sequence[float], sizes: ObjectSizes, memory: float) -> Tuple[int, ...]:
    """Pictures a batch of a test, a scale each."""
    area = float(np.quantile(sizes.pictures.prod(axis=1), 0.95))
    fitting = (TEST_SHARE * memory / (BYTES_A_PIXEL * area * factor ** 2) for factor in factors)
    return tuple(int(np.clip(number, 1, MOST_TEST_BATCH)) for number in fitting)
