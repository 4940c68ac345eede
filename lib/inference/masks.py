"""Masks of detections, made with the detections of a window while the network's features of it are at hand.

Which detections are final is known only when all scales are joined. So every detection gets a mask which would be final
if its window were all there is: those in the scale's valid range that non-maximum suppression and the cap on detections
an image leave. About twice as many masks are made as are kept. In 60 images of the synthetic set, 39 of 5,823 final
detections are not among them, as further scales can bring a rival of their rival; they borrow a mask (final_masks.py).
Masks of all detections would cost 1.6 times as many rois and several times the memory; a second pass over the images
for the final ones alone would cost all of the network again.

Masks are kept as run-length codes of the whole image (lib.masks), 100 to 300 bytes each.
"""
from typing import List, NamedTuple

import numpy as np

from lib.inference.aggregate import Suppression, choose, in_valid_range
from lib.masks import paste

FEATURE = 'mask_feature_output'
NO_MASK = b''


class MaskMaker:
    """Adds masks to the decoded detections of a scale's batches.

    predict_masks(feature (B, C, H, W), rois (R, 5)) yields (numbers of rois (r,), probabilities (r, K, S, S)) until all
    rois are there. sizes[image]: width, height in original pixels; the other arguments as in aggregate.
    """

    def __init__(self, predict_masks, sizes, valid_range, num_classes, suppress, max_per_image):
        self._predict_masks = predict_masks
        self._sizes = sizes
        self._valid_range = valid_range
        self._num_classes = num_classes
        self._suppress, self._max_per_image = suppress, max_per_image

    @classmethod
    def of_scale(cls, config, index, roidb, predict_masks):
        """For scale `index` of a configuration."""
        sizes = [(int(entry['width']), int(entry['height'])) for entry in roidb]
        return cls(predict_masks, sizes, config.TEST.VALID_RANGES[index], config.dataset.NUM_CLASSES,
                   Suppression.from_config(config), config.TEST.MAX_PER_IMAGE)

    def __call__(self, outputs, slots, crops):
        """Network outputs of a batch; slots: (number, SlotDetections) of those that count -> lists of codes, a list a
        slot, with a code or b'' for each of its rows. crops: see decode."""
        parts = [self._wanted(outputs, number, slot, crops) for number, slot in slots]
        masks = [[NO_MASK] * len(slot.rows) for _, slot in slots]
        rois = np.concatenate([part.rois for part in parts])
        if len(rois):
            starts = np.cumsum([0] + [len(part.rois) for part in parts])
            for numbers, probabilities in self._predict_masks(outputs[FEATURE], rois):
                for part, start, (_, slot), codes in zip(parts, starts, slots, masks):
                    self._paste(part, numbers - start, probabilities, slot, codes)
        return masks

    def _wanted(self, outputs, number, slot, crops):
        """The rows of a slot that get masks, and their boxes."""
        rows = slot.rows
        inside = np.flatnonzero(in_valid_range(rows, self._valid_range))
        _, index = choose(rows[inside], self._num_classes, self._suppress, self._max_per_image)
        chosen = inside[np.concatenate(index)]
        # A proposal can be detected as several classes; its masks are made once.
        corners = rows[chosen, :4]
        boxes, places = np.unique(corners, axis=0, return_inverse=True)
        scale = float(outputs['im_info'][number, 2])
        left, top = crops[slot.image][slot.chip][:2]
        rois = np.empty((len(boxes), 5), np.float32)
        rois[:, 0] = number
        rois[:, 1:] = (boxes - np.array([left, top, left, top])) * scale
        by_roi = [[] for _ in boxes]
        for row, place in zip(chosen, places.reshape(-1)):
            by_roi[place].append(row)
        return _Wanted(rois, by_roi, 1 / scale)

    def _paste(self, part, numbers, probabilities, slot, codes):
        """Codes of the rois of a slot among `numbers`, rois counted from the slot's first, into `codes`."""
        pairs = [(position, row) for position, roi in enumerate(numbers) if 0 <= roi < len(part.rois)
                 for row in part.rows[roi]]
        if not pairs:
            return
        positions, rows = map(list, zip(*pairs))
        masks = probabilities[positions, slot.rows[rows, 5].astype(int) - 1]
        width, height = self._sizes[slot.image]
        for row, code in zip(rows, paste(masks, slot.rows[rows, :4], width, height, part.least)):
            codes[row] = code


class _Wanted(NamedTuple):
    """Rois of a slot that get masks."""
    rois: np.ndarray      # (r, 5) number of the slot, x1, y1, x2, y2 in pixels of the network's input
    rows: List[list]      # of each roi: its detection rows, one a class
    least: float          # a pixel of the network's input, in original pixels
