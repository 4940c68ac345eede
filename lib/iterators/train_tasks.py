"""What training workers do: chips of a slice of images, and one sample into a batch slot."""
from typing import NamedTuple, Optional

import numpy as np

from lib.chips import ChipSampler
from lib.errors import SniperError
from lib.image import cut_window, jitter_colors, read_image, resize_by, size_mismatch, write_planes
from lib.iterators import seeds
from lib.iterators.chip_table import ChipTable
from lib.targets import ChipTargets


class ChipSlice(NamedTuple):
    """Chips of some images, and how many of their objects lie in no chip's list."""

    table: ChipTable
    objects: int
    uncovered: int


class SampleReport(NamedTuple):
    """What happened to a sample. Exactly one of `broken` and `outside` asks for another chip."""

    broken: Optional[str] = None     # the image cannot be read: why
    outside: bool = False            # no pixel of the image lies in the chip (wrong size in the annotation)
    mismatch: Optional[str] = None   # the image has another size than the annotation says
    dropped: int = 0                 # objects that did not fit into gt_boxes


class TrainTasks:
    """Built once in every worker; `layout` is the list of (tensor name, shape) of a batch."""

    def __init__(self, roidb, slots, layout, config, seed):
        self.current = None  # what is being worked on, for error messages
        self._roidb = roidb
        self._slots = slots
        self._layout = layout
        self._seed = seed
        self._means = np.asarray(config.network.PIXEL_MEANS, np.float32)
        self._jitter = config.TRAIN.COLOR_JITTER
        self._sampler = ChipSampler(config)
        self._targets = ChipTargets(config)

    def chips(self, epoch, stride, first, stop):
        """Chips of images first..stop-1 -> ChipSlice."""
        images, chips, objects, uncovered = [], [], 0, 0
        for index in range(first, stop):
            entry = self._roidb.entry(index)
            self.current = entry['image']
            rng = seeds.generator(self._seed, epoch, seeds.CHIPS, index)
            found = self._sampler.sample(entry, rng, stride=stride)
            images.extend([index] * len(found))
            chips.extend(found)
            is_object = entry['max_overlaps'] == 1
            objects += int(is_object.sum())
            for chip in found:
                is_object[chip.props] = False
            uncovered += int(is_object.sum())
        return ChipSlice(ChipTable.from_chips(images, chips), objects, uncovered)

    def fill(self, slot, row, index, chip, epoch, position):
        """Make the sample of `chip` in image `index` in row `row` of batch slot `slot` -> SampleReport.

        `position` in the epoch seeds the random choices.
        """
        entry = self._roidb.entry(index)
        self.current = entry['image']
        try:
            pixels = read_image(entry['image'])
        except SniperError as error:
            return SampleReport(broken=str(error))
        mismatch = size_mismatch(pixels, entry['image'], entry['width'], entry['height'])
        window = cut_window(pixels, chip.box, entry['flipped'], entry['flipped_vertical'])
        if window.size == 0:
            return SampleReport(outside=True, mismatch=mismatch)
        rng = seeds.generator(self._seed, epoch, seeds.SAMPLE, position)
        out = {name: self._slots.view(slot, name, shape)[row] for name, shape in self._layout}
        self._write_pixels(window, chip, rng, out['data'])
        dropped = self._write_targets(entry, chip, rng, out)
        return SampleReport(mismatch=mismatch, dropped=dropped)

    def _write_pixels(self, window, chip, rng, out):
        window = resize_by(window, chip.scale)[:out.shape[1], :out.shape[2]]
        if self._jitter > 0:
            window = jitter_colors(window, self._jitter, rng)
        write_planes(window, self._means, out)

    def _write_targets(self, entry, chip, rng, out):
        """Everything but the pixels -> number of objects that did not fit into gt_boxes."""
        boxes = self._targets.boxes(entry, chip)
        self._targets.anchors(boxes, rng, out['label'], out['bbox_target'], out['bbox_weight'])
        if 'gt_boxes' not in out:
            return 0
        out['valid_ranges'][:] = self._targets.valid_range(chip)
        out['im_info'][:] = chip.height, chip.width, chip.scale
        return self._targets.gt_array(boxes, out['gt_boxes'])
