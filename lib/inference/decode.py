"""Network outputs -> detections of one scale (reference/pipeline.md 12.4 and 12.5).

Letters: B slots of a batch, P proposals a slot, C classes with background, K boxes a proposal.
A detection row is float32 (6,): x1, y1, x2, y2, score, class, in original pixels. Rows of a slot come
class by class, and within a class in the order of the proposals.
"""
import math
from typing import Any, NamedTuple

import numpy as np

from lib.bbox import bbox_pred, clip_boxes
from lib.utils.errors import SniperError

ROIS, SCORES, DELTAS = 'rois_output', 'cls_prob_reshape_output', 'bbox_pred_reshape_output'
FOCUS = 'scale_prob_output'  # (B, 2, h, w), channel 1 is the FocusPixel's
COLUMNS = 6        # of a detection row
BORDER_DELTA = 10  # original pixels; a box this close to a cut through the image is likely cut itself


class SlotDetections(NamedTuple):
    """What one slot of a batch found."""
    image: int   # position in the roidb
    chip: int    # number of the crop within its image
    rows: Any    # (n, 6) float32
    focus_map: Any = None  # (h, w) float32, probability of FocusPixels


def no_rows():
    """An empty set of detection rows."""
    return np.zeros((0, COLUMNS), np.float32)


class DetectionDecoder:
    """`decode` with what it needs besides a batch; what run_scale uses by default. Picklable.

    sizes[image]: width, height; border: original pixels, of prune_at_crop_border; None = no pruning.
    focus_stride: input pixels a cell of the focus maps that are wanted; 0 = none.
    """

    no_rows = staticmethod(no_rows)

    def __init__(self, score_thresh, sizes=None, border=None, focus_stride=0):
        self.score_thresh = score_thresh
        self.sizes, self.border = sizes, border
        self.focus_stride = focus_stride

    @classmethod
    def of_scale(cls, config, index, roidb, maps):
        """For scale `index`; maps: whether focus maps are wanted."""
        sizes = [(entry['width'], entry['height']) for entry in roidb]
        return cls(config.TEST.SCORE_THRESH, sizes,
                   config.TEST.PRUNING_BORDER if config.TEST.DO_PRUNING[index] else None,
                   config.network.RPN_FEAT_STRIDE if maps else 0)

    def __call__(self, outputs, batch, crops):
        """Network outputs of a batch (lib.iterators.Batch) -> list of SlotDetections."""
        found = decode(outputs, self.score_thresh, crops)
        if self.border is not None:
            found = [slot._replace(rows=prune_at_crop_border(slot.rows, crops[slot.image][slot.chip],
                                                             *self.sizes[slot.image], delta=self.border))
                     for slot in found]
        if self.focus_stride:
            if FOCUS not in outputs:
                raise SniperError(f'the network has no output {FOCUS}, from which TEST.DO_PRUNING makes chips: use a '
                                   'network '
                                  'and weights with AutoFocus (TEST.AUTO_FOCUS, TRAIN.AUTO_FOCUS)')
            found = [slot._replace(focus_map=self._focus_map(outputs, number, crops[slot.image][slot.chip]))
                     for number, slot in enumerate(found)]
        return found

    def _focus_map(self, outputs, slot, crop):
        """The cells of a slot that show its crop; those of padding depend on the rest of the batch."""
        scale = float(outputs['im_info'][slot, 2])
        height, width = ((crop[side + 2] - crop[side]) * scale for side in (1, 0))
        # A hair less than a whole number of cells, which single precision can give or take.
        rows, columns = (math.ceil(length / self.focus_stride - 1e-4) for length in (height, width))
        return outputs[FOCUS][slot, 1, :max(rows, 1), :max(columns, 1)].astype(np.float32)


def decode(outputs, score_thresh, crops=None):
    """Outputs of one batch -> list of B SlotDetections.

    outputs: name -> array: rois_output (B*P, 5), the slots one after another, input pixels; class probabilities
      (B, P, C); deltas (B, P, 4*K), the last four count (K is 2 where background has its own); im_ids, chip_ids (B,);
      im_info (B, 3) height, width, scale of the resized crop.
    crops: crops[image][chip] -> x1, y1, x2, y2 in original pixels, the window that the slot shows; None = whole images.
    Kept: score > score_thresh. Raises ValueError if the slots do not have the same number of proposals.
    """
    scores, deltas = outputs[SCORES], outputs[DELTAS]
    slots, proposals, classes = scores.shape
    rois = outputs[ROIS]
    if len(rois) != slots * proposals:
        raise ValueError(f'{ROIS} has {len(rois)} rows for {slots} slots of {proposals} proposals')
    # One pass over the whole batch. Class-major, so that rows come out class by class.
    slot, label, proposal = np.nonzero(scores.transpose(0, 2, 1)[:, 1:] > score_thresh)
    label += 1
    # A proposal is decoded once, however many classes keep it.
    boxes = np.zeros((slots * proposals, 4))
    used = np.unique(slot * proposals + proposal)
    boxes[used] = bbox_pred(rois[used, 1:5], deltas.reshape(slots * proposals, -1)[used, -4:])
    image_ids, chip_ids = _indices(outputs['im_ids']), _indices(outputs['chip_ids'])
    starts = np.searchsorted(slot, np.arange(slots + 1))
    found = []
    for index, (height, width, scale) in enumerate(outputs['im_info']):
        part = slice(starts[index], starts[index + 1])
        rows = np.empty((starts[index + 1] - starts[index], COLUMNS), np.float32)
        corners = clip_boxes(boxes[index * proposals + proposal[part]], (height, width)) / scale
        if crops is not None:
            left, top = crops[image_ids[index]][chip_ids[index]][:2]
            corners += (left, top, left, top)
        rows[:, :4] = corners
        rows[:, 4] = scores[index, proposal[part], label[part]]
        rows[:, 5] = label[part]
        found.append(SlotDetections(image_ids[index], chip_ids[index], rows))
    return found


def prune_at_crop_border(rows, crop, width, height, delta=BORDER_DELTA):
    """Rows without those that end close to a crop side which is not the image border: the object may go on there.

    crop: x1, y1, x2, y2; width, height: of the image; rows, crop and delta in original pixels.
    """
    x1, y1, x2, y2 = crop
    inside = (x1 >= 0.5, y1 >= 0.5, x2 < width - 0.5, y2 < height - 0.5)  # crop sides that cut through the image
    cut = np.zeros(len(rows), bool)
    for column, (side, cuts) in enumerate(zip(crop, inside)):
        if cuts:
            cut |= np.abs(rows[:, column] - side) < delta
    return rows[~cut]


def _indices(values):
    return [int(value) for value in np.rint(values)]
