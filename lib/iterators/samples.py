"""What workers do: windows of a slice of images, and the pixels and targets of windows into a batch slot."""
import collections
from typing import List, NamedTuple, Optional, Sequence

import cv2
import numpy as np

from lib.image import ImageFile, Notice, Picture, chip_reduction, cut_window, jitter_colors, resized_window
from lib.iterators.epoch import WindowTable
from lib.utils import seeds
from lib.utils.errors import SniperError

# What an image can end in; of another size than the others, it may also be too large to be resized.
BAD_IMAGE = (SniperError, cv2.error, MemoryError)


def why_bad(entry, error: BaseException) -> str:
    """One of BAD_IMAGE as a line that names the image."""
    if isinstance(error, SniperError):
        return str(error)
    reason = getattr(error, 'err', '') or 'there is not enough memory'
    return f'image {entry["image"]} cannot be resized ({reason}): make it smaller, or leave it out'


class WindowSlice(NamedTuple):
    """Windows of some images, how many of their objects belong to none, and which windows are of images without."""

    table: WindowTable
    objects: int
    uncovered: int
    background: np.ndarray  # (windows,) bool


class SampleReport(NamedTuple):
    """What happened to a sample. Exactly one of `broken` and `outside` asks for another chip."""

    broken: Optional[str] = None     # the image cannot be read: why
    outside: bool = False            # no pixel of the image lies in the chip (tiny, or wrong size in the annotation)
    notices: Sequence[Notice] = ()   # warnings: the image has another size or orientation than the annotation, ...
    dropped: int = 0                 # objects that did not fit into gt_boxes
    simplified: int = 0              # objects whose polygons did not fit into gt_masks


class TrainSamples:
    """Built once in every worker; `layout` is the list of (tensor name, shape) of a batch, task a lib.tasks.Task."""

    def __init__(self, roidb, slots, layout, task, seed):
        self.current = None  # what is being worked on, for error messages
        self._roidb = roidb
        self._slots = slots
        self._layout = layout
        self._seed = seed
        self._task = task
        self._pixels = task.pixels
        self._reduced_decode = task.config.TRAIN.REDUCED_DECODE

    def windows(self, epoch: int, sampler, first: int, stop: int) -> WindowSlice:
        """Windows that the epoch's sampler makes of images first..stop-1 -> WindowSlice."""
        images, windows, background, objects, uncovered = [], [], [], 0, 0
        for index in range(first, stop):
            entry = self._roidb.entry(index)
            self.current = entry['image']
            rng = seeds.generator(self._seed, epoch, seeds.CHIPS, index)
            found = sampler.windows(entry, rng)
            is_object = entry['max_overlaps'] == 1
            left = is_object.copy()
            for window in found:
                left[window.rows] = False
                # Targets come from objects alone; proposals, a hundred times as many, stay here.
                windows.append(window._replace(rows=window.rows[is_object[window.rows]]))
            images.extend([index] * len(found))
            background.extend([not is_object.any()] * len(found))
            objects += int(is_object.sum())
            uncovered += int(left.sum())
        return WindowSlice(WindowTable.from_windows(images, windows), objects, uncovered,
                           np.array(background, np.bool_))

    def fill(self, slot: int, epoch: int, samples) -> List[SampleReport]:
        """Make samples of one image file in batch slot `slot` -> list of SampleReport, in their order.

        samples: tuples (row of the batch, image index, Window, position in the epoch); the position seeds the random
        choices. The file is read once, and decoded once a reduction.
        """
        entry = self._roidb.entry(samples[0][1])
        self.current = entry['image']
        try:
            file = ImageFile(entry['image'], entry['width'], entry['height'])
            return [self._fill_row(file, slot, epoch, *sample) for sample in samples]
        except BAD_IMAGE as error:
            return [SampleReport(broken=why_bad(entry, error)) for _ in samples]

    def _fill_row(self, file, slot, epoch, row, index, chip, position):
        entry = self._roidb.entry(index)
        rng = seeds.generator(self._seed, epoch, seeds.SAMPLE, position)
        pixels, entry, chip = picture_of_window(file, entry, chip, self._task, self._reduced_decode, rng)
        notices = file.notices
        if pixels.size == 0:
            return SampleReport(outside=True, notices=notices)
        out = {name: self._slots.view(slot, name, shape)[row] for name, shape in self._layout}
        self._pixels.write(pixels, out.pop(self._pixels.name))
        report = self._task.targets(entry, chip, rng, out)
        return SampleReport(notices=notices, dropped=report.dropped, simplified=report.simplified)


def picture_of_window(file: ImageFile, record, window, task, reduced_decode: bool, rng):
    """A window of a training image as the network will see it -> (pixels (h, w, 3) uint8, record, window), the last two
    other ones where the task draws pictures of its own. The pixels have size 0 if the window misses the image; what
    goes beyond the task's input is cut off."""
    if task.draws_pictures:
        picture = file.decode()
        pixels = cut_window(picture.pixels, window.box, record['flipped'], record['flipped_vertical'])
        if pixels.size == 0:
            return pixels, record, window
        pixels, record, window = task.drawn_picture(pixels, record, window, rng)
        picture = Picture(pixels, pixels.shape[1], pixels.shape[0])
    else:
        picture = file.decode(chip_reduction(max(window.scale_x, window.scale_y)) if reduced_decode else 1)
    pixels = resized_window(picture, window.box, window.scale_x, record['flipped'], record['flipped_vertical'],
                            window.scale_y)[:task.input_size[0], :task.input_size[1]]
    jitter = task.config.TRAIN.COLOR_JITTER
    if jitter > 0 and pixels.size:
        pixels = jitter_colors(pixels, jitter, rng)
    return pixels, record, window


class CropReport(NamedTuple):
    """Size that the crop got in the network input, and warnings, see SampleReport."""

    height: int
    width: int
    notices: Sequence[Notice] = ()
    broken: Optional[str] = None    # the image cannot be read: why; the crop is empty
    outside: bool = False           # no pixel of the image lies in the crop, which is empty


class CropSamples:
    """Built once in every worker.

    pixels: lib.tasks.Pixels. recent_bytes: pixels of images decoded last that are kept, for images with crops in
    several batches; 0 = none.
    """

    def __init__(self, roidb, slots, pixels, reduced_decode, recent_bytes=0):
        self.current = None  # what is being worked on, for error messages
        self._roidb = roidb
        self._slots = slots
        self._pixels = pixels
        self._reduced_decode = reduced_decode
        self._recent = collections.OrderedDict()  # (image, reduction) -> Picture and notices, used last comes last
        self._recent_bytes, self._held_bytes = recent_bytes, 0

    def fill(self, slot: int, index: int, scales, shape: tuple, crops) -> List[CropReport]:
        """Write crops of image `index` into batch slot `slot`, whose pixels have `shape`.

        scales: (horizontal, vertical). crops: tuples (row of the batch, box x1, y1, x2, y2). -> list of CropReport.
        """
        entry = self._roidb.entry(index)
        self.current = entry['image']
        data = self._slots.view(slot, self._pixels.name, shape)
        try:
            picture, notices = self._picture(index, entry, chip_reduction(max(scales)) if self._reduced_decode else 1)
            return [self._write(picture, entry, crop, scales, data[row])._replace(notices=notices)
                    for row, crop in crops]
        except BAD_IMAGE as error:
            return [_empty(data[row], broken=why_bad(entry, error)) for row, _ in crops]

    def _picture(self, index, entry, reduction):
        """-> Picture of an image, and notices."""
        key = index, reduction
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        file = ImageFile(entry['image'], entry['width'], entry['height'])
        picture = file.decode(reduction)
        notices = file.notices
        if picture.pixels.nbytes <= self._recent_bytes:
            self._recent[key] = picture, notices
            self._held_bytes += picture.pixels.nbytes
            while self._held_bytes > self._recent_bytes:
                _, (oldest, _) = self._recent.popitem(last=False)
                self._held_bytes -= oldest.pixels.nbytes
        return picture, notices

    def _write(self, picture, entry, crop, scales, out):
        """-> CropReport."""
        window = resized_window(picture, crop, scales[0], entry['flipped'], entry['flipped_vertical'], scales[1])
        if window.size == 0:
            return _empty(out, outside=True)
        # Cutting fractional crop borders to whole pixels can give a window up to one pixel larger than the crop; the
        # tensor is sized by the crop, as in the original, and the surplus is cut off.
        return CropReport(*self._pixels.write(window, out))


def _empty(out, **why):
    """CropReport of a crop without a pixel: all that the tensor `out` (3, h, w) has is left empty."""
    out[:] = 0
    return CropReport(out.shape[1], out.shape[2], **why)
