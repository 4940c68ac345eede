"""Masks of detections, made with the detections of a window while the network's features of it are at hand.

Which detections are final is known only when all scales are joined. So every detection gets a mask which would be final
if its window were all there is: those in the scale's valid range that non-maximum suppression and the cap on detections
an image leave. About twice as many masks are made as are kept. In 60 images of the synthetic set, 39 of 5,823 final
detections are not among them, as further scales can bring a rival of their rival; they borrow a mask (final_masks).
Masks of all detections would cost 1.6 times as many rois and several times the memory; a second pass over the images
for the final ones alone would cost all of the network again.

Masks are kept as run-length codes of the whole image (lib.masks), 100 to 300 bytes each.
"""
import logging
from typing import Dict, List, NamedTuple, Sequence

import numpy as np

from lib.bbox import bbox_overlaps
from lib.bbox.detections import NO_MASK, Detections
from lib.chips.window import Window
from lib.inference.aggregate import Suppression, choose, in_valid_range
from lib.masks import pack, paste, unpack

logger = logging.getLogger(__name__)

ROIS_A_RUN = 64  # a device: at 256 channels, about 0.1 GB of memory


class MaskMaker:
    """Makes masks of the decoded detections of a scale's batches.

    feature_output: of the test graph, (B, C, H, W). predict_masks(feature, rois (R, 5)) yields (numbers of rois (r,),
    probabilities (r, K, S, S)) until all rois are there. The other arguments as in aggregate.
    """

    def __init__(self, feature_output, predict_masks, valid_range, suppress, max_per_image):
        self._feature_output, self._predict_masks = feature_output, predict_masks
        self._valid_range = valid_range
        self._suppress, self._max_per_image = suppress, max_per_image

    @classmethod
    def of_config(cls, config, index, graph, predict_masks):
        """For scale `index` of a configuration; graph: lib.tasks.MaskGraph."""
        test = config.TEST
        return cls(graph.feature_output, predict_masks, test.VALID_RANGES[index], Suppression.from_config(config),
                   test.MAX_PER_IMAGE)

    def __call__(self, outputs, detections: Detections, windows: Sequence[Window], sizes) -> List[bytes]:
        """Network outputs of a batch and those of its detections that count -> a code or NO_MASK for each.

        detections: `image` is the position in `windows`, ascending; sizes (B, 2): width, height of the windows' images,
        original pixels.
        """
        slots, starts = np.unique(detections.image, return_index=True)
        ends = np.append(starts[1:], len(detections))
        parts = [self._wanted(detections, np.arange(start, end), slot, windows[slot])
                 for slot, start, end in zip(slots.tolist(), starts, ends)]
        masks = [NO_MASK] * len(detections)
        rois = np.concatenate([np.zeros((0, 5), np.float32)] + [part.rois for part in parts])
        if len(rois):
            firsts = np.cumsum([0] + [len(part.rois) for part in parts])
            for numbers, probabilities in self._predict_masks(outputs[self._feature_output], rois):
                for part, first in zip(parts, firsts):
                    self._paste(part, numbers - first, probabilities, detections, sizes, masks)
        return masks

    def _wanted(self, detections, rows, slot, window):
        """The rows of a slot that get masks, and their boxes."""
        inside = rows[in_valid_range(detections.box[rows], self._valid_range)]
        dets = np.column_stack([detections.box[inside], detections.score[inside]])
        _, index = choose(dets, detections.label[inside], self._suppress, self._max_per_image)
        chosen = inside[index]
        # A proposal can be detected as several classes; its masks are made once.
        boxes, places = np.unique(detections.box[chosen], axis=0, return_inverse=True)
        left, top = window.box[:2]
        rois = np.empty((len(boxes), 5), np.float32)
        rois[:, 0] = slot
        rois[:, 1:] = (boxes - np.array([left, top, left, top])) * ((window.scale_x, window.scale_y) * 2)
        by_roi = [[] for _ in boxes]
        for row, place in zip(chosen, places.reshape(-1)):
            by_roi[place].append(row)
        return _Wanted(rois, by_roi, 1 / min(window.scale_x, window.scale_y))

    @staticmethod
    def _paste(part, numbers, probabilities, detections, sizes, masks):
        """Codes of the rois of a slot among `numbers`, rois counted from the slot's first, into `masks`."""
        pairs = [(position, row) for position, roi in enumerate(numbers) if 0 <= roi < len(part.rois)
                 for row in part.rows[roi]]
        if not pairs:
            return
        positions, rows = map(list, zip(*pairs))
        width, height = sizes[detections.image[rows[0]]].tolist()
        for row, code in zip(rows, paste(probabilities[positions, detections.label[rows] - 1], detections.box[rows],
                                         width, height, part.least)):
            masks[row] = code


class _Wanted(NamedTuple):
    """Rois of a slot that get masks."""
    rois: np.ndarray      # (r, 5) number of the slot, x1, y1, x2, y2 in pixels of the network's input
    rows: List[list]      # of each roi: its detection rows, one a class
    least: float          # a pixel of the network's input, in original pixels


def final_masks(every: Detections, index, sizes) -> List[bytes]:
    """Masks of final detections, picked from those that every window made.

    every: the detections of all windows, `image` is the window; index (n,): which of its rows are final; sizes (n, 2):
    width and height of their images. A row that its window gave no mask has that of the row which it overlaps most, cut
    to its own box; NO_MASK if there is none.
    """
    found = [every.mask[row] for row in index]
    without = [place for place, code in enumerate(found) if not code]
    if without:
        order = np.argsort(every.image, kind='stable')
        windows = every.image[order]
        for place in without:
            first, end = (np.searchsorted(windows, every.image[index[place]], side) for side in ('left', 'right'))
            found[place] = _borrowed(every, order[first:end], index[place], *sizes[place].tolist())
        missing = sum(not found[place] for place in without)
        logger.info('%d of %d detections have the mask of a box beside them, %d have none', len(without) - missing,
                    len(found), missing)
    return found


def _borrowed(every, of_window, row, width, height):
    """Code for a row from its neighbours in the same window, the rows `of_window`: of its class, else of any."""
    with_mask = np.array([other for other in of_window if every.mask[other]], int)
    overlaps = bbox_overlaps(every.box[row:row + 1], every.box[with_mask])[0]
    if not (overlaps > 0).any():
        return NO_MASK
    same = (every.label[with_mask] == every.label[row]) & (overlaps > 0)
    best = with_mask[np.argmax(overlaps + same)]
    mask = unpack(every.mask[best], width, height)
    x1, y1 = np.maximum(np.ceil(every.box[row, :2] - 0.5), 0).astype(int)  # centres of pixels: lib.masks.paste
    x2, y2 = np.ceil(every.box[row, 2:4] + 0.5).astype(int)
    cut = np.zeros_like(mask)
    cut[y1:y2, x1:x2] = mask[y1:y2, x1:x2]
    return pack(cut)


class _Batch(NamedTuple):
    data: Dict[str, np.ndarray]


class MaskingPredictor:
    """`predict` of one predictor (a detector's test graph) and `predict_masks` by another (its mask graph).

    graph: lib.tasks.MaskGraph, the names of the mask graph's inputs and output.

    Both have the same number of devices, over which they split their inputs evenly.
    """

    def __init__(self, detector, masks, graph):
        self._detector, self._masks, self._graph = detector, masks, graph

    @property
    def devices(self):
        """Number of devices."""
        return self._detector.devices

    def predict(self, batch):
        """See lib.engine.predictor."""
        return self._detector.predict(batch)

    def predict_masks(self, feature, rois):
        """feature (B, C, H, W): the output of predict that masks are made from; rois (R, 5): index in the batch, x1,
        y1, x2, y2.

        Yields (numbers of rois (r,), mask probabilities (r, K, S, S)), until every roi has been there once.
        """
        slots = len(feature) // self.devices
        device = rois[:, 0].astype(int) // slots
        queues = [np.flatnonzero(device == number) for number in range(self.devices)]
        while any(map(len, queues)):
            run = _size_of_run(max(map(len, queues)))
            inputs = np.zeros((self.devices, run, 5), np.float32)  # what is left over is a roi of one pixel
            for number, queue in enumerate(queues):
                inputs[number, :len(queue[:run])] = rois[queue[:run]] - (number * slots, 0, 0, 0, 0)
            masks = self._masks.predict(_Batch({self._graph.feature: feature, self._graph.rois: inputs.reshape(-1, 5)}))
            masks = masks[self._graph.output]
            used = np.concatenate([number * run + np.arange(len(queue[:run])) for number, queue in enumerate(queues)])
            yield np.concatenate([queue[:run] for queue in queues]), masks if len(used) == len(masks) else masks[used]
            queues = [queue[run:] for queue in queues]

    def close(self):
        """Free both."""
        self._detector.close()
        self._masks.close()


def _size_of_run(rois):
    """Few sizes, as the network is bound for each: powers of two from 4 on."""
    size = 4
    while size < min(rois, ROIS_A_RUN):
        size *= 2
    return size
