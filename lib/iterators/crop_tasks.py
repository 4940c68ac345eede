"""What test workers do: crops of one image into a batch slot."""
import collections
from typing import NamedTuple, Optional

import numpy as np

from lib.utils.errors import SniperError
from lib.image import ImageFile, chip_reduction, resized_window, size_mismatch, write_planes


class CropReport(NamedTuple):
    """Size that the crop got in the network input, and a warning if the image has not the size it should have."""

    height: int
    width: int
    mismatch: Optional[str] = None


class CropTasks:
    """Built once in every worker.

    recent_bytes: pixels of images decoded last that are kept, for images with crops in several batches; 0 = none.
    """

    def __init__(self, roidb, slots, means, reduced_decode, recent_bytes=0):
        self.current = None  # what is being worked on, for error messages
        self._roidb = roidb
        self._slots = slots
        self._means = np.asarray(means, np.float32)
        self._reduced_decode = reduced_decode
        self._recent = collections.OrderedDict()  # (image, reduction) -> Picture and warning, used last comes last
        self._recent_bytes, self._held_bytes = recent_bytes, 0

    def fill(self, slot, index, scale, shape, crops):
        """Write crops of image `index`, resized by `scale`, into batch slot `slot`, whose data tensor has `shape`.

        crops: tuples (row of the batch, box x1, y1, x2, y2). -> list of CropReport. SniperError if the image cannot be
        read.
        """
        entry = self._roidb.entry(index)
        self.current = entry['image']
        picture, warning = self._picture(index, entry, chip_reduction(scale) if self._reduced_decode else 1)
        data = self._slots.view(slot, 'data', shape)
        return [CropReport(*self._write(picture, entry, crop, scale, data[row]), warning) for row, crop in crops]

    def _picture(self, index, entry, reduction):
        """-> Picture of an image, and a warning or None."""
        key = index, reduction
        if key in self._recent:
            self._recent.move_to_end(key)
            return self._recent[key]
        file = ImageFile(entry['image'], entry['width'], entry['height'])
        picture = file.decode(reduction)
        warning = size_mismatch(picture, file.path, entry['width'], entry['height']) or file.doubt
        if picture.pixels.nbytes <= self._recent_bytes:
            self._recent[key] = picture, warning
            self._held_bytes += picture.pixels.nbytes
            while self._held_bytes > self._recent_bytes:
                _, (oldest, _) = self._recent.popitem(last=False)
                self._held_bytes -= oldest.pixels.nbytes
        return picture, warning

    def _write(self, picture, entry, crop, scale, out):
        """-> height and width of what the crop fills."""
        window = resized_window(picture, crop, scale, entry['flipped'], entry['flipped_vertical'])
        if window.size == 0:
            raise SniperError(('crop {} lies outside of image {} of {} x {} pixels; check the size in the annotation '
                              'file').format(tuple(round(side, 1) for side in crop), entry['image'],
                                        picture.width, picture.height))
        # Cutting fractional crop borders to whole pixels can give a window up to one pixel larger than the crop; the
        # tensor is sized by the crop, as in the original, and the surplus is cut off.
        return write_planes(window, self._means, out)
