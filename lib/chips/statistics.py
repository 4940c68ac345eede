"""Counts over the chips of a whole data set: how many, of what, which objects they leave out and why."""
from typing import Dict, List, Tuple

import numpy as np

from configs.scales import PIXELS, read_scale
from lib.bbox.boxes import as_boxes
from lib.chips.chip_sampler import ChipSampler, ChipSettings
from lib.chips.samplers import RandomCrops, WholeImages, chosen_background, make_sampler
from lib.chips.scale_weights import samples_per_scale
from lib.chips.scales import COARSEST, FINEST, resolution_scale, scaled_size, seed_rows, training_scales
from lib.dataset.proposals import with_proposals
from lib.utils import seeds

FULL_IMAGE = (800, 1333)  # the single scale that detectors are compared at
EXAMPLES = 3              # objects a reason that are named

# In this order: the first that fits an object is given.
REASONS = (
    'corners that are no numbers',
    'a chip was made for it, but shows a part that is out of the valid range',
    'at a scale of its size, it is longer than a chip',
    'at a scale of its size, it is thinner than two pixels',
    'no scale has its size in the valid range',
    'no random crop that was drawn in this epoch holds its centre',
)
NO_NUMBER, CUT, TOO_LONG, TOO_THIN, OUT_OF_RANGE, NOT_DRAWN = range(len(REASONS))


class ChipStatistics:
    """Adds up images and their chips. K scales, finest first.

    chips_per_image: list of (positive, negative) counts; chips (K, 2): by scale, positive and negative; objects (K,):
    how many belong to a chip of the scale; rows (K, 2): all rows (proposals too) in their lists.
    samples (K,): chips of an epoch with TRAIN.SCALE_WEIGHTS, of the images so far.
    pixels, full_image, pyramid: network input of these, of one pass at FULL_IMAGE, of a pass at every scale.
    factors: of the scales, an image each.
    object_sides, covered: side (original pixels) of every object, and whether some chip has it.
    reasons: REASONS index -> count; examples: REASONS index -> list of (image, box).
    """

    def __init__(self, settings, windows: str = 'chips'):
        """settings: ChipSettings, see also window_settings; windows: what they are, in words."""
        self.settings, self.windows = settings, windows
        count = len(settings.scales)
        self.chips_per_image: List[Tuple[int, int]] = []
        self.chips = np.zeros((count, 2), np.int64)
        self.rows = np.zeros((count, 2), np.int64)
        self.objects = np.zeros(count, np.int64)
        self.pixels = self.full_image = self.pyramid = 0.0
        self.object_sides: List[np.ndarray] = []
        self.covered: List[np.ndarray] = []
        self.factors: List[List[float]] = []
        self.reasons = np.zeros(len(REASONS), np.int64)
        self.examples: Dict[int, list] = {}

    def add(self, entry, chips, stride: int) -> None:
        """One image: roidb entry with proposals as rows, its windows, and the stride that chips were made with, 0 for
        windows of another kind."""
        width, height = entry['width'], entry['height']
        scales = training_scales(self.settings.scales, width, height)
        self.factors.append(scales)
        is_object = np.asarray(entry['max_overlaps']) == 1
        belongs = np.zeros((len(scales), len(is_object)), bool)
        for chip in chips:
            self.chips[chip.level, int(chip.negative)] += 1
            self.rows[chip.level, int(chip.negative)] += len(chip.rows)
            belongs[chip.level, chip.rows] = True
        negatives = sum(chip.negative for chip in chips)
        self.chips_per_image.append((len(chips) - negatives, negatives))
        self.objects += (belongs & is_object).sum(axis=1)
        weights = self.settings.weights
        self.pixels += sum(weights[chip.level] if weights else 1 for chip in chips) * self.settings.chip_size ** 2
        self.full_image += width * height * resolution_scale(FULL_IMAGE, width, height) ** 2
        self.pyramid += sum(np.prod(scaled_size(width, height, scale)) for scale in scales)
        self._add_objects(entry, belongs.any(axis=0)[is_object], is_object, scales, stride)

    def _add_objects(self, entry, covered, is_object, scales, stride):
        boxes = np.asarray(entry['boxes'])[is_object]
        sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
        self.object_sides.append(np.sqrt(sides.prod(axis=1)))
        self.covered.append(covered)
        if covered.all():
            return
        left = boxes[~covered]
        if stride:
            reasons = self._reasons(left, scales, stride)
        else:
            reasons = np.where(np.isfinite(left).all(axis=1), NOT_DRAWN, NO_NUMBER)
        for box, reason in zip(left, reasons):
            self.reasons[reason] += 1
            named = self.examples.setdefault(int(reason), [])
            if len(named) < EXAMPLES:
                named.append((entry['image'], box.tolist()))

    def _reasons(self, boxes, scales, stride):
        return uncovered_reasons(boxes, self.settings.rules(scales, stride))

    @property
    def ranges(self) -> List[Tuple[float, float]]:
        """The valid range of each scale in original pixels, where it depends on the image of a middling one; below 0 =
        open."""
        middling = np.median(self.factors, axis=0) if self.factors else np.ones(len(self.chips))
        return [self.settings.valid_range(index, factor) for index, factor in enumerate(middling)]

    @property
    def samples(self) -> np.ndarray:
        """(K,) samples that the chips make in an epoch."""
        return np.sum([samples_per_scale(kind, self.settings.weights) for kind in self.chips.T], axis=0)

    @property
    def images(self) -> int:
        """Number of images; a mirrored copy is one of its own."""
        return len(self.chips_per_image)

    def facts(self) -> dict:
        """The figures as a dict fit for JSON."""
        images = max(1, self.images)
        objects = int(sum(map(len, self.covered)))
        return {
            'images': self.images, 'chips': int(self.chips.sum()), 'chips_per_image': self.chips.sum() / images,
            'samples_per_scale': self.samples.tolist(),
            'positive_per_scale': self.chips[:, 0].tolist(), 'negative_per_scale': self.chips[:, 1].tolist(),
            'objects': objects, 'objects_per_scale': self.objects.tolist(), 'uncovered': int(self.reasons.sum()),
            'uncovered_by_reason': {REASONS[index]: int(count) for index, count in enumerate(self.reasons) if count},
            'megapixels_per_image': self.pixels / images / 1e6,
            'against_full_image': self.pixels / max(self.full_image, 1), 'against_pyramid':
            self.pixels / max(self.pyramid, 1)}

    def table(self) -> List[str]:
        """The figures as lines of text."""
        facts, images = self.facts(), max(1, self.images)
        lines = ['{} images, {} objects, {} of {} x {} pixels'.format(
            self.images, facts['objects'], self.windows, self.settings.chip_size, self.settings.chip_size), '',
            '{:<26} {:<14} {:>10} {:>10} {:>12} {:>12} {:>14}'.format(
            'scale', 'valid range', 'positive', 'negative', 'chips/image',
                                                      'objects', 'objects/chip')]
        for index, (definition, valid) in enumerate(zip(self.settings.scales, self.ranges)):
            positive, negative = self.chips[index]
            lines.append('{:<26} {:<14} {:>10d} {:>10d} {:>12.2f} {:>12d} {:>14.1f}'.format(
                scale_text(definition, index == len(self.chips) - 1), '{:g} to {}'.format(
                    max(valid[0], 0), 'all' if valid[1] < 0 else f'{valid[1]:g}'), positive, negative,
                (positive + negative) / images, self.objects[index], self.objects[index] / max(1, positive)))
        positive, negative = self.chips.sum(axis=0)
        lines += [f'{"all":<26} {"":<14} {positive:>10d} {negative:>10d} {(positive + negative) / images:>12.2f}', '']
        if self.settings.weights:
            lines += ['samples an epoch by scale, of TRAIN.SCALE_WEIGHTS {}: {}; {} in all'.format(
                ', '.join(f'{weight:g}' for weight in self.settings.weights),
                ', '.join(f'{count} ({100 * count / max(1, self.samples.sum()):.0f} %)' for count in self.samples),
                self.samples.sum())]
        lines += ['pixels an image: {:.2f} million in chips; one pass at {}x{} {:.2f} (chips are {:.0f} % of it), the '
                  'whole pyramid {:.2f} ({:.0f} %)'.format(
                      self.pixels / images / 1e6, *FULL_IMAGE, self.full_image / images / 1e6,
                      100 * facts['against_full_image'], self.pyramid / images / 1e6, 100 * facts['against_pyramid']),
                  'objects in no chip: {} of {} ({:.2f} %)'.format(
                      facts['uncovered'], facts['objects'], 100 * facts['uncovered'] / max(1, facts['objects']))]
        for index, count in enumerate(self.reasons):
            if count:
                lines.append('    {}: {}; such as {}'.format(count, REASONS[index], '; '.join(
                    f'{image} [{", ".join(f"{round(side, 1):g}" for side in box)}]'
                    for image, box in self.examples[index])))
        return lines


def scale_text(definition, last: bool) -> str:
    """A scale definition in words: 'x 1.667', 'long side 512', 'short side 800, long 1280'."""
    if isinstance(definition, str):
        unit, definition = read_scale(definition)
        last = unit == PIXELS
    if isinstance(definition, (tuple, list)):
        short, long = definition
        return (f'long side {long:g}' if short <= 0 else f'short side {short:g}' if long <= 0 else
                f'short side {short:g}, long {long:g}')
    return f'long side {definition:g}' if last else f'x {definition:g}'


def uncovered_reasons(boxes, rules) -> np.ndarray:
    """(n, 4) boxes of objects in no chip's list, original pixels, and the ScaleRule of every scale -> (n,) int,
    positions in REASONS."""
    boxes = as_boxes(boxes, np.float32)
    reasons = np.full(len(boxes), OUT_OF_RANGE)
    with np.errstate(invalid='ignore'):
        sides = np.trunc((boxes[:, 2:] - boxes[:, :2]).astype(np.float64))
        side, longer, thinner = np.sqrt(sides.prod(axis=1)), sides.max(axis=1), sides.min(axis=1)
        seeded = np.zeros(len(boxes), bool)
        for rule in rules:
            seeded |= seed_rows(boxes, rule)
            if rule.place == COARSEST:
                continue
            in_range = side < rule.high
            if rule.place != FINEST:
                in_range &= side >= rule.low
            reasons[in_range & (thinner < 2)] = TOO_THIN
            reasons[in_range & (longer >= rule.limit)] = TOO_LONG
    reasons[seeded] = CUT
    reasons[~np.isfinite(boxes).all(axis=1)] = NO_NUMBER
    return reasons


def window_settings(sampler) -> ChipSettings:
    """What a sampler's windows are counted by: its own settings, or one scale that takes all where it has none."""
    if isinstance(sampler, ChipSampler):
        return sampler.settings
    size = max(sampler.height, sampler.width)
    return ChipSettings((f'{size}px',), ((-1, -1),), size)


def count_chips(roidb, config, epoch: int = 0, on_image=None, sampler=None) -> ChipStatistics:
    """Windows of an epoch over a roidb -> ChipStatistics. on_image(number, entry, windows) is called for every image.

    sampler: of the task, a ChipSampler, WholeImages or RandomCrops; None: what TRAIN.SAMPLER says.
    """
    sampler = (sampler or make_sampler(config)).of_epoch(seeds.generator(config.TRAIN.SEED, epoch, seeds.STRIDE))
    names = {WholeImages: 'whole images in inputs', RandomCrops: 'random crops in inputs'}
    statistics = ChipStatistics(window_settings(sampler), names.get(type(sampler), 'chips'))
    stride = sampler.stride if isinstance(sampler, ChipSampler) else 0
    without: List[tuple] = []   # objects: (number, windows)

    def add(number, entry, windows):
        statistics.add(entry, windows, stride)
        if on_image:
            on_image(number, entry, windows)

    for number, record in enumerate(roidb):
        entry = with_proposals(record)
        windows = sampler.windows(entry, seeds.generator(config.TRAIN.SEED, epoch, seeds.CHIPS, number))
        if (np.asarray(entry['max_overlaps']) == 1).any():
            add(number, entry, windows)
        else:
            without.append((number, windows))
    made = sum(map(sum, statistics.chips_per_image))
    kept = chosen_background([False] * made + [True] * sum(len(windows) for _, windows in without),
                             config.TRAIN.BACKGROUND_IMAGES,
                             seeds.generator(config.TRAIN.SEED, epoch, seeds.BACKGROUND))[made:]
    stays = iter(kept.tolist())
    for number, windows in without:
        add(number, with_proposals(roidb[number]), [window for window in windows if next(stays)])
    return statistics
