"""What training workers do: chips of a slice of images, and samples of one image into a batch slot."""
from typing import NamedTuple, Optional

from lib.utils.errors import SniperError
from lib.image import ImageFile, chip_reduction, jitter_colors, resized_window, size_mismatch, write_planes
from lib.iterators import seeds
from lib.iterators.window_table import WindowTable


class ChipSlice(NamedTuple):
    """Chips of some images, and how many of their objects lie in no chip's list."""

    table: WindowTable
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
    """Built once in every worker; `layout` is the list of (tensor name, shape) of a batch, task a lib.tasks.Task."""

    def __init__(self, roidb, slots, layout, task, seed):
        self.current = None  # what is being worked on, for error messages
        self._roidb = roidb
        self._slots = slots
        self._layout = layout
        self._seed = seed
        self._task = task
        self._pixels = task.pixels
        self._jitter = task.config.TRAIN.COLOR_JITTER
        self._reduced_decode = task.config.TRAIN.REDUCED_DECODE

    def chips(self, epoch, sampler, first, stop):
        """Windows that the epoch's sampler makes of images first..stop-1 -> ChipSlice."""
        images, chips, objects, uncovered = [], [], 0, 0
        for index in range(first, stop):
            entry = self._roidb.entry(index)
            self.current = entry['image']
            rng = seeds.generator(self._seed, epoch, seeds.CHIPS, index)
            found = sampler.windows(entry, rng)
            is_object = entry['max_overlaps'] == 1
            left = is_object.copy()
            for chip in found:
                left[chip.rows] = False
                # Targets come from objects alone; proposals, a hundred times as many, stay here.
                chips.append(chip._replace(rows=chip.rows[is_object[chip.rows]]))
            images.extend([index] * len(found))
            objects += int(is_object.sum())
            uncovered += int(left.sum())
        return ChipSlice(WindowTable.from_windows(images, chips), objects, uncovered)

    def fill(self, slot, epoch, samples):
        """Make samples of one image file in batch slot `slot` -> list of SampleReport, in their order.

        samples: tuples (row of the batch, image index, Window, position in the epoch); the position seeds the random
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
        scales = chip.scale_x, chip.scale_y
        picture = file.decode(chip_reduction(max(scales)) if self._reduced_decode else 1)
        warning = size_mismatch(picture, file.path, entry['width'], entry['height']) or file.doubt
        pixels = resized_window(picture, chip.box, scales[0], entry['flipped'], entry['flipped_vertical'], scales[1])
        if pixels.size == 0:
            return SampleReport(outside=True, mismatch=warning)
        rng = seeds.generator(self._seed, epoch, seeds.SAMPLE, position)
        out = {name: self._slots.view(slot, name, shape)[row] for name, shape in self._layout}
        self._write_pixels(pixels, rng, out.pop(self._pixels.name))
        report = self._task.targets(entry, chip, rng, out)
        return SampleReport(mismatch=warning, dropped=report.dropped, simplified=report.simplified)

    def _write_pixels(self, pixels, rng, out):
        if self._jitter > 0:
            pixels = jitter_colors(pixels[:out.shape[1], :out.shape[2]], self._jitter, rng)
        write_planes(pixels, self._pixels.means, out)
