"""Network outputs -> detections of one scale (reference/pipeline.md 12.4 and 12.5).

Letters: B slots of a batch, P proposals a slot, C classes with background, K boxes a proposal.
Detections of a batch come slot by slot, within a slot class by class, and within a class in the order of the proposals.
"""
import math
from typing import Any, Dict, List, Optional

import numpy as np

from lib.bbox import bbox_pred, clip_boxes
from lib.bbox.detections import Detections
from lib.utils.errors import SniperError

ROIS, SCORES, DELTAS = 'rois_output', 'cls_prob_reshape_output', 'bbox_pred_reshape_output'
FOCUS = 'scale_prob_output'  # (B, 2, h, w), channel 1 is the FocusPixel's


class DetectionDecoder:
    """`decode` with what it needs besides a batch; what run_scale uses by default. Picklable.

    focus_stride: input pixels a cell of the focus maps that are wanted; 0 = none.
    """

    def __init__(self, score_thresh: float, focus_stride: int = 0):
        self.score_thresh = score_thresh
        self.focus_stride = focus_stride

    @classmethod
    def of_config(cls, config, maps: bool) -> 'DetectionDecoder':
        """maps: whether focus maps are wanted."""
        return cls(config.TEST.SCORE_THRESH, config.network.RPN_FEAT_STRIDE if maps else 0)

    def __call__(self, outputs: Dict[str, Any], im_info, windows) -> Detections:
        """See decode."""
        return decode(outputs, im_info, windows, self.score_thresh)

    def focus_maps(self, outputs: Dict[str, Any], im_info, windows) -> List[np.ndarray]:
        """(h, w) float32 of each slot: probability of FocusPixels. SniperError if the network does not say.

        Only the cells that show the slot's window; those of padding depend on the rest of the batch.
        """
        if FOCUS not in outputs:
            raise SniperError(f'the network has no output {FOCUS}, from which TEST.DO_PRUNING makes chips: use a '
                              'network and weights with AutoFocus (TEST.AUTO_FOCUS, TRAIN.AUTO_FOCUS)')
        maps = []
        for slot, (x1, y1, x2, y2) in enumerate(np.asarray(windows).tolist()):
            scale = float(im_info[slot, 2])
            # A hair less than a whole number of cells, which single precision can give or take.
            rows, columns = (math.ceil(length * scale / self.focus_stride - 1e-4) for length in (y2 - y1, x2 - x1))
            maps.append(outputs[FOCUS][slot, 1, :max(rows, 1), :max(columns, 1)].astype(np.float32))
        return maps


def decode(outputs: Dict[str, Any], im_info, windows: Optional[np.ndarray], score_thresh: float) -> Detections:
    """Outputs of one batch -> its detections in original pixels; `image` is the number of the slot.

    outputs: name -> array: rois_output (B*P, 5), the slots one after another, input pixels; class probabilities
      (B, P, C); deltas (B, P, 4*K), the last four count (K is 2 where background has its own).
    im_info: (B, 3) height, width, scale of the resized window; windows: (B, 4) x1, y1, x2, y2 in original pixels that
      the slots show; None = whole images.
    Kept: score > score_thresh. Raises ValueError if the slots do not have the same number of proposals.
    """
    scores, deltas = outputs[SCORES], outputs[DELTAS]
    slots, proposals, _ = scores.shape
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
    starts = np.searchsorted(slot, np.arange(slots + 1))
    corners = np.empty((len(slot), 4), np.float32)
    for index, (height, width, scale) in enumerate(im_info):
        part = slice(starts[index], starts[index + 1])
        of_slot = clip_boxes(boxes[index * proposals + proposal[part]], (height, width)) / scale
        if windows is not None:
            left, top = windows[index][:2]
            of_slot += (left, top, left, top)
        corners[part] = of_slot
    return Detections(slot, label, corners, scores[slot, proposal, label])
