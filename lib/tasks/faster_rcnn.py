"""Faster R-CNN and Fast R-CNN, with masks (Mask R-CNN) and FocusPixels (AutoFocus) where the configuration says so.

Letters: B windows, P proposals a window, C classes with background, K boxes a proposal, A anchors a cell, F x F cells.
Sources: reference/pipeline.md 10 (inputs and targets), 11 (metrics), 12.4 (decoding).
"""
from typing import Dict, Sequence

import numpy as np

from configs import ConfigError
from lib.bbox import bbox_pred, clip_boxes
from lib.bbox.detections import Detections
from lib.chips.window import Window
from lib.tasks.base import (
    BoxLayer,
    FeatureGraph,
    Input,
    MaskGraph,
    Metric,
    TargetReport,
    at_least,
    require,
    rows_of,
    without_row,
)
from lib.tasks.focus import FocusTask
from lib.tasks.proposals import METRICS as RPN_METRICS, AnchorTask, ProposalTask

SHORTEST_POLYGON = 9  # numbers that a triangle takes: class, number of rings, length, six coordinates

# The labels of rois and of masks are made by the graph.
RCNN_METRICS = [Metric('RCNNAcc', 'accuracy', 'cls_prob_reshape_output', 'blockgrad0_output', class_axis=2),
                Metric('RCNNLogLoss', 'log_loss', 'cls_prob_reshape_output', 'blockgrad0_output', class_axis=2),
                Metric('RCNNL1LossCRCNN', 'l1', 'bbox_loss_reshape_output', 'blockgrad0_output')]
MASK_METRICS = [Metric('MaskLogLoss', 'log_loss', 'mask_cls_prob_output', 'blockgrad1_output')]


class RcnnTask(FocusTask, AnchorTask):
    """What the two kinds of R-CNN share: box layer, decoding."""

    @classmethod
    def for_purpose(cls, config, purpose):
        """The proposal network alone with TRAIN.ONLY_PROPOSAL, TEST.ONLY_PROPOSAL or TEST.EXTRACT_PROPOSALS."""
        test = config.TEST
        alone = config.TRAIN.ONLY_PROPOSAL if purpose == 'train' else test.ONLY_PROPOSAL or test.EXTRACT_PROPOSALS
        return ProposalTask(config) if alone else cls(config)

    @property
    def box_layer(self):
        """The last layer of boxes, or of both its background and object boxes."""
        train = self.config.TRAIN
        return BoxLayer('bbox_pred_weight', 'bbox_pred_bias', train.BBOX_MEANS, train.BBOX_STDS)

    def output_rows(self, classes):
        """Also a score a class; masks have two maps a class, outside of all before inside of all."""
        masks = [(side, name) for side in ('outside', 'inside') for name in classes[1:]]
        return {**super().output_rows(classes), **rows_of('cls_score', list(classes)), **rows_of('mask_out', masks)}

    def decode(self, outputs, windows):
        """See `decode_rcnn`."""
        return decode_rcnn(outputs, windows, self.config.TEST.SCORE_THRESH)

    def check(self, purpose):
        """Also box targets, FocusPixels."""
        super().check(purpose)
        self.check_focus(purpose)
        for name in ('BBOX_MEANS', 'BBOX_STDS') if purpose == 'train' else ():
            require(len(self.config.TRAIN[name]) == 4,
                    f'TRAIN.{name} has {len(self.config.TRAIN[name])} numbers; it wants 4: dx, dy, dw, dh')


class FasterRcnnTask(RcnnTask):
    """Rois are the network's own proposals: the graph makes their targets from the objects in gt_boxes."""

    name = 'faster_rcnn'

    def inputs(self):
        """data, valid_ranges (low, high) in chip pixels, im_info (height, width, scale); labels of anchors, gt_boxes
        (x1, y1, x2, y2, class; -1 = none), [AutoFocus: scale_label,] [masks: gt_masks]."""
        train = self.config.TRAIN
        masks = [Input('gt_masks', (train.MAX_GT, train.MAX_POLYGON_LEN), 'label')] if train.WITH_MASK else []
        return [self.image_input(), Input('valid_ranges', (2,)), Input('im_info', (3,)), *self.anchor_inputs(),
                Input('gt_boxes', (train.MAX_GT, 5), 'label'), *self.focus_inputs(), *masks]

    def targets(self, record, window, rng, out):
        """Labels of the anchors, the table of objects, FocusPixels, polygons."""
        targets = self.chip_targets
        boxes = targets.boxes(record, window)
        self.anchor_targets(boxes, rng, out)
        self.focus_targets(record, window, out)
        out['valid_ranges'][:] = targets.valid_range(window)
        out['im_info'][:] = window.height, window.width, window.scale_x  # no operator reads the last
        simplified = targets.polygons(record, window, boxes, out['gt_masks']) if 'gt_masks' in out else 0
        return TargetReport(targets.gt_array(boxes, out['gt_boxes']), simplified)

    def left_out(self, report):
        """With the keys that make room."""
        train = self.config.TRAIN
        lines = without_row(report, train.MAX_GT)
        if report.simplified:
            lines.append(f'{report.simplified} times, the polygons of an object did not fit into '
                         f'{train.MAX_POLYGON_LEN} numbers and were simplified; raise TRAIN.MAX_POLYGON_LEN')
        return lines

    def metrics(self):
        """Of the RPN, the R-CNN, FocusPixels and masks, as far as they are trained."""
        train = self.config.TRAIN
        return (RPN_METRICS + RCNN_METRICS + self.focus_metrics() +
                (MASK_METRICS if train.WITH_MASK else []))

    @property
    def masks(self):
        """The mask head, on the map that rois are pooled from."""
        return MaskGraph('mask', 'mask_feature_output', 'mask_feature', 'mask_rois', 'mask_prob_output')

    @property
    def feature(self):
        """The map that the R-CNN head reads."""
        return FeatureGraph('feature', 'feature_map_output', self.stride)

    def check(self, purpose):
        """Also masks."""
        super().check(purpose)
        require(self.config.network.ROIS == 'proposals',
                f"network.ROIS is 'input', but {self.config.symbol} has no graphs that take rois: leave it out")
        if purpose == 'train' and self.config.TRAIN.WITH_MASK:
            at_least(self.config, 'TRAIN', SHORTEST_POLYGON, 'MAX_POLYGON_LEN')


class FastRcnnTask(RcnnTask):
    """With network.ROIS 'input', rois come from whoever feeds the graphs; `inputs` says with what. Nothing here does.

    Otherwise, and for the proposal network alone, such a detector is of FasterRcnnTask.
    """

    name = 'fast_rcnn'

    @classmethod
    def for_purpose(cls, config, purpose):
        """By network.ROIS."""
        fed = config.network.ROIS == 'input'
        return super().for_purpose(config, purpose) if fed else FasterRcnnTask.for_purpose(config, purpose)

    def inputs(self):
        """data, rois (number in the batch, x1, y1, x2, y2); label of each, bbox_target, bbox_weight,
        [AutoFocus: scale_label]."""
        rois, columns = self.config.TRAIN.RPN_POST_NMS_TOP_N, self.box_columns
        return [self.image_input(), Input('rois', (rois, 5)), Input('label', (rois,), 'label'),
                Input('bbox_target', (rois, columns), 'label'), Input('bbox_weight', (rois, columns), 'label'),
                *self.focus_inputs()]

    @property
    def box_columns(self):
        """4 K: a background and an object box, or one a class."""
        return 8 if self.config.CLASS_AGNOSTIC else 4 * self.config.dataset.NUM_CLASSES

    def output_rows(self, classes):
        """Also four deltas a class, or for background and objects."""
        boxes = ('background', 'object') if self.config.CLASS_AGNOSTIC else classes
        return {**super().output_rows(classes), **rows_of('bbox_pred', [(box, delta) for box in boxes
                                                                        for delta in range(4)])}

    def targets(self, record, window, rng, out):
        """There are no rois to make targets of."""
        raise ConfigError(self._no_rois())

    def metrics(self):
        """Of the R-CNN and FocusPixels."""
        return RCNN_METRICS + self.focus_metrics()

    def check(self, purpose):
        """Refused: training and testing."""
        super().check(purpose)
        raise ConfigError(self._no_rois())

    def _no_rois(self):
        return (f"network.ROIS is 'input': {self.config.symbol} then takes rois that nothing provides here; leave it "
                "out, or set it to 'proposals', and the network makes its own")


def decode_rcnn(outputs: Dict[str, np.ndarray], windows: Sequence[Window], score_thresh: float) -> Detections:
    """Outputs of an R-CNN's test graph -> detections of score > score_thresh, see Task.decode.

    outputs: a two-stage network's `rois_output` or a Fast R-CNN's `rois_reshape_output` (B*P, 5), window by window,
    input pixels; `cls_prob_reshape_output` (B, P, C); `bbox_pred_reshape_output` (B, P, 4*K), of which the last four
    count (K is 2 where background has its own). Boxes are clipped to the window's height and width. In a class,
    detections come in the order of the proposals. ValueError if the windows do not have the same number of proposals.
    """
    rois = outputs['rois_output'] if 'rois_output' in outputs else outputs['rois_reshape_output']
    scores, deltas = outputs['cls_prob_reshape_output'], outputs['bbox_pred_reshape_output']
    # One pass over the whole batch. Class-major, so that detections come out class by class.
    image, label, proposal = np.nonzero(scores.transpose(0, 2, 1)[:, 1:] > score_thresh)
    label += 1
    boxes = roi_boxes(rois, deltas, image, proposal, windows)
    return Detections(image, label, boxes, scores[image, proposal, label])


def roi_boxes(rois, deltas, image, proposal, windows: Sequence[Window]) -> np.ndarray:
    """(n, 4) boxes in original pixels of some proposals, clipped to their windows.

    rois (B*P, 5), window by window, input pixels; deltas (B, P, 4*K), of which the last four count; image, proposal
    (n,): window, ascending, and number in it. ValueError if the windows do not have the same number of proposals.
    """
    count, proposals, _ = deltas.shape
    if len(rois) != count * proposals:
        raise ValueError(f'there are {len(rois)} rois for {count} windows of {proposals} proposals')
    # A proposal is decoded once, however many classes keep it.
    place = image * proposals + proposal
    boxes = np.zeros((count * proposals, 4))
    used = np.unique(place)
    boxes[used] = bbox_pred(rois[used, 1:5], deltas.reshape(count * proposals, -1)[used, -4:])
    corners = boxes[place]
    ends = np.searchsorted(image, np.arange(count + 1))
    for number, window in enumerate(windows):
        part = slice(ends[number], ends[number + 1])
        scale = np.array((window.scale_x, window.scale_y) * 2, np.float32)
        corners[part] = clip_boxes(corners[part], (window.height, window.width)) / scale + window.box[:2] * 2
    return corners
