"""What training workers do: chips of a slice of images, and samples of one image into a batch slot."""
from typing import NamedTuple, Optional

import numpy as np

from lib.chips import ChipSampler
from lib.utils.errors import SniperError
from lib.image import ImageFile, chip_reduction, jitter_colors, resized_window, size_mismatch, write_planes
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
    outside: bool = False            # no pixel of the image lies in the chip (tiny, or wrong size in the annotation)
    mismatch: Optional[str] = None   # a warning: the image has another size or orientation than the annotation
    dropped: int = 0                 # objects that did not fit into gt_boxes
    simplified: int = 0              # objects whose polygons did not fit into gt_masks


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
        self._reduced_decode = config.TRAIN.REDUCED_DECODE
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
            is_object = entry['max_overlaps'] == 1
            left = is_object.copy()
            for chip in found:
                left[chip.props] = False
                # Targets come from objects alone; proposals, a hundred times as many, stay here.
                chips.append(chip._replace(props=chip.props[is_object[chip.props]]))
            images.extend([index] * len(found))
            objects += int(is_object.sum())
            uncovered += int(left.sum())
        return ChipSlice(ChipTable.from_chips(images, chips), objects, uncovered)

    def fill(self, slot, epoch, samples):
        """Make samples of one image file in batch slot `slot` -> list of SampleReport, in their order.

        samples: tuples (row of the batch, image index, Chip, position in the epoch); the position seeds the random
        choices. The file is read once, and decoded once a reduction.
        """
        entry = self._roidb.entry(samples[0][1])
        self.current = entry['image']
        try:
            file = ImageFile(entry['image'], entry['width'], entry['height'])
            return [self._fill_row(file, slot, epoch, *sample) for sample in samples]
        except SniperError as error:
            return [SampleReport(broken=str(error)) for _ in samples]

    def _fill_row(self, file, slot, epoch, row, index, chip, position):
        entry = self._roidb.entry(index)
        picture = file.decode(chip_reduction(chip.scale) if self._reduced_decode else 1)
        warning = size_mismatch(picture, file.path, entry['width'], entry['height']) or file.doubt
        window = resized_window(picture, chip.box, chip.scale, entry['flipped'], entry['flipped_vertical'])
        if window.size == 0:
            return SampleReport(outside=True, mismatch=warning)
        rng = seeds.generator(self._seed, epoch, seeds.SAMPLE, position)
        out = {name: self._slots.view(slot, name, shape)[row] for name, shape in self._layout}
        self._write_pixels(window, rng, out['data'])
        dropped, simplified = self._write_targets(entry, chip, rng, out)
        return SampleReport(mismatch=warning, dropped=dropped, simplified=simplified)

    def _write_pixels(self, window, rng, out):
        if self._jitter > 0:
            window = jitter_colors(window[:out.shape[1], :out.shape[2]], self._jitter, rng)
        write_planes(window, self._means, out)

    def _write_targets(self, entry, chip, rng, out):
        """Everything but the pixels -> numbers of objects that did not fit into gt_boxes, and into gt_masks whole."""
        boxes = self._targets.boxes(entry, chip)
        self._targets.anchors(boxes, rng, out['label'], out['bbox_target'], out['bbox_weight'])
        if 'scale_label' in out:
            self._targets.focus(entry, chip, out['scale_label'])
        if 'gt_boxes' not in out:
            return 0, 0
        out['valid_ranges'][:] = self._targets.valid_range(chip)
        out['im_info'][:] = chip.height, chip.width, chip.scale
        simplified = self._targets.polygons(entry, chip, boxes, out['gt_masks']) if 'gt_masks' in out else 0
        return self._targets.gt_array(boxes, out['gt_boxes']), simplified
