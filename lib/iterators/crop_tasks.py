"""What test workers do: one crop of one image into a batch slot."""
from typing import NamedTuple, Optional

import numpy as np

from lib.errors import SniperError
from lib.image import cut_window, read_image, resize_by, size_mismatch, write_planes


class CropReport(NamedTuple):
    """Size that the crop got in the network input, and a warning if the image has not the size it should have."""

    height: int
    width: int
    mismatch: Optional[str] = None


class CropTasks:
    """Built once in every worker."""

    def __init__(self, roidb, slots, means):
        self.current = None  # what is being worked on, for error messages
        self._roidb = roidb
        self._slots = slots
        self._means = np.asarray(means, np.float32)

    def fill(self, slot, row, index, crop, scale, shape):
        """Write `crop` (x1, y1, x2, y2) of image `index`, resized by `scale`, into row `row` of batch slot `slot`,
        whose data tensor has `shape` -> CropReport. SniperError if the image cannot be read."""
        entry = self._roidb.entry(index)
        self.current = entry['image']
        pixels = read_image(entry['image'])
        window = cut_window(pixels, crop, entry['flipped'], entry['flipped_vertical'])
        if window.size == 0:
            raise SniperError('crop %s lies outside of image %s of %d x %d pixels; check the size in the annotation '
                              'file' % (tuple(round(side, 1) for side in crop), entry['image'],
                                        pixels.shape[1], pixels.shape[0]))
        # Cutting fractional crop borders to whole pixels can give a window up to one pixel larger than the crop; the
        # tensor is sized by the crop, as in the original, and the surplus is cut off.
        height, width = write_planes(resize_by(window, scale), self._means,
                                     self._slots.view(slot, 'data', shape)[row])
        mismatch = size_mismatch(pixels, entry['image'], entry['width'], entry['height'])
        return CropReport(height, width, mismatch)
