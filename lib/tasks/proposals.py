"""Proposal networks (the first half of Faster R-CNN): anchors are objects or background, and where objects are.

The task of networks that only propose, of others with TRAIN.ONLY_PROPOSAL, TEST.ONLY_PROPOSAL or
TEST.EXTRACT_PROPOSALS, and what detectors with an RPN build on.
Letters: A anchors a cell, F x F cells, P proposals an image. Sources: reference/pipeline.md 10.5 to 10.7, 13;
other_detectors.md part D (tests of proposals, and what of them is written).
"""
from typing import List, Tuple

import numpy as np

from lib.bbox.detections import Detections
from lib.bbox.nms import soft_nms
from lib.targets.chip_targets import BORDER, ChipTargets, TargetSettings
from lib.tasks.anchor_fit import anchor_warnings, proposal_warnings
from lib.tasks.base import (
    FeatureGraph,
    Input,
    Metric,
    TargetReport,
    Task,
    check_anchor_overlaps,
    refuse_switches,
    require,
    rows_of,
)
from symbols.registry import feature_stride

METRICS = [Metric('RPNAcc', 'accuracy', 'rpn_cls_prob_output', 'label'),
           Metric('RPNLogLoss', 'log_loss', 'rpn_cls_prob_output', 'label'),
           Metric('RPNL1Loss', 'l1', 'rpn_bbox_loss_output', 'label')]


class AnchorTask(Task):
    """What all tasks with anchors share: targets of chips, labels of anchors, the keys network.ANCHOR_* and RPN_*."""

    row_keys = ('network.ANCHOR_RATIOS', 'network.ANCHOR_SCALES')
    tells_boxes = True

    def __init__(self, config):
        super().__init__(config)
        self._chip_targets = None

    @property
    def chip_targets(self) -> ChipTargets:
        """Made when first asked for: it holds scratch memory, and only processes that make samples need it."""
        if self._chip_targets is None:
            self._chip_targets = ChipTargets(TargetSettings.from_config(self.config, self.stride))
        return self._chip_targets

    def boxes_of_window(self, record, window):
        """Those of the chip's targets."""
        return self.chip_targets.boxes(record, window)

    @property
    def stride(self) -> int:
        """Of the detector's feature map."""
        return feature_stride(self.config.symbol)

    @property
    def cells(self) -> Tuple[int, int]:
        """Rows and columns of the feature map, F both for chips: convolutions round up."""
        height, width = self.input_size
        return -(-height // self.stride), -(-width // self.stride)

    @property
    def anchors(self) -> int:
        """A."""
        return len(self.config.network.ANCHOR_RATIOS) * len(self.config.network.ANCHOR_SCALES)

    def image_input(self) -> Input:
        """The pixels of a chip."""
        return Input('data', (3, *self.input_size))

    def anchor_inputs(self) -> List[Input]:
        """Labels of the RPN: -1, 0 or 1 an anchor, anchor-major; deltas, and 1 where they count; with
        TRAIN.SOFT_SAMPLING_RPN the weights of the labels."""
        (rows, columns), anchors = self.cells, self.anchors
        weights = [Input('label_weight', (1, anchors * rows, columns), 'label')]
        return [Input('label', (anchors * rows * columns,), 'label'),
                Input('bbox_target', (4 * anchors, rows, columns), 'label'),
                Input('bbox_weight', (4 * anchors, rows, columns), 'label'),
                *(weights if self.config.TRAIN.SOFT_SAMPLING_RPN else [])]

    def anchor_targets(self, boxes, rng, out) -> None:
        """Fill the arrays of `anchor_inputs`; boxes: of lib.targets.chip_targets."""
        self.chip_targets.anchors(boxes, rng, out['label'], out['bbox_target'], out['bbox_weight'])
        if 'label_weight' in out:
            self.chip_targets.label_weights(boxes, out['label'], out['label_weight'].reshape(-1))

    def output_rows(self, classes):
        """Scores of all anchors for background, then for objects; four deltas an anchor."""
        network = self.config.network
        anchors = [(ratio, scale) for ratio in network.ANCHOR_RATIOS for scale in network.ANCHOR_SCALES]
        return {**rows_of('rpn_cls_score', [(side, anchor) for side in ('background', 'object') for anchor in anchors]),
                **rows_of('rpn_bbox_pred', [(anchor, delta) for anchor in anchors for delta in range(4)])}

    def float32_layers(self, names):
        """Those that predict scores, deltas, offsets of deformable layers, and FocusPixels."""
        return {name for name in names
                if name.endswith(('cls_score', 'bbox_pred', 'offset')) or name == 'conv_new_out'}

    def size_warnings(self, scales, sizes):
        """Anchors that are far from the objects as the network sees them."""
        network = self.config.network
        return anchor_warnings(scales, sizes, self.stride, network.ANCHOR_RATIOS, network.ANCHOR_SCALES)

    def test_size_warnings(self, scales, sizes):
        """Fewer proposals than crowded pictures need."""
        return proposal_warnings(scales, sizes, self.config.TEST.RPN_POST_NMS_TOP_N)

    def check(self, purpose):
        """Anchors, and with them the limits of proposals."""
        self.check_anchors()
        check_proposals(self.config, 'TRAIN' if purpose == 'train' else 'TEST')
        if purpose == 'train':
            self.check_anchor_labels()

    def remarks(self, purpose):
        """Also anchors that no chip holds."""
        room, chip = self._room(), self.config.TRAIN.CHIP_SIZE
        beyond = [scale for scale in self.config.network.ANCHOR_SCALES if scale * self.stride > room]
        return super().remarks(purpose) + ([
            f'network.ANCHOR_SCALES {", ".join(f"{scale:g}" for scale in beyond)} make anchors that are too large for '
            f'chips of {chip} pixels, and learn nothing: leave them out, or raise TRAIN.CHIP_SIZE']
            if beyond and purpose == 'train' else [])

    def _room(self):
        """The longest side of an anchor that may lie on a chip."""
        return self.config.TRAIN.CHIP_SIZE + 2 * BORDER

    def check_anchors(self):
        """ratios x scales, and keys of older files that say what follows from other keys."""
        network, stride = self.config.network, self.stride
        ratios, scales = len(network.ANCHOR_RATIOS), len(network.ANCHOR_SCALES)
        require(network.NUM_ANCHORS in (0, ratios * scales),
                f'network.NUM_ANCHORS is {network.NUM_ANCHORS}, but {ratios} ANCHOR_RATIOS x {scales} ANCHOR_SCALES '
                f'make {ratios * scales}; set it to {ratios * scales}')
        require(ratios * scales > 0, 'network.ANCHOR_RATIOS and ANCHOR_SCALES must not be empty')
        require(network.RPN_FEAT_STRIDE in (0, stride),
                f'network.RPN_FEAT_STRIDE is {network.RPN_FEAT_STRIDE}, but the features of {self.config.symbol} have '
                f'stride {stride}: set it to {stride}')

    def check_anchor_labels(self):
        """Training: which anchors are objects, and how many count."""
        train, stride = self.config.TRAIN, self.stride
        require(train.CHIP_SIZE % stride == 0,
                f'TRAIN.CHIP_SIZE is {train.CHIP_SIZE}; it must be a multiple of the stride of {self.config.symbol}, '
                f'{stride}')
        smallest = stride * min(self.config.network.ANCHOR_SCALES)
        require(smallest <= self._room(), f'TRAIN.CHIP_SIZE is {train.CHIP_SIZE}, but the smallest of '
                f'network.ANCHOR_SCALES makes anchors of {smallest:g} pixels, and so none lies on a chip: raise '
                f'CHIP_SIZE to {int(-(-smallest // stride) * stride)}, or add smaller scales')
        check_anchor_overlaps(train)


def check_proposals(config, section):
    """Limits of a section's proposals, as the operators take them."""
    values = config[section]
    require(values.RPN_PRE_NMS_TOP_N == -1 or values.RPN_PRE_NMS_TOP_N >= 1,
            f'{section}.RPN_PRE_NMS_TOP_N is {values.RPN_PRE_NMS_TOP_N}; it must be 1 or more, or -1 for all')


class ProposalTask(AnchorTask):
    """An RPN alone: detections are its proposals, all of one class."""

    name = 'proposals'
    train_graph, test_graph = 'proposal_train', 'proposal_test'
    tells_classes = False
    open_where_none = True

    def inputs(self):
        """data; label, bbox_target, bbox_weight."""
        return [self.image_input()] + self.anchor_inputs()

    def targets(self, record, window, rng, out):
        """Labels of the anchors."""
        boxes = self.chip_targets.boxes(record, window)
        self.anchor_targets(boxes, rng, out)
        return TargetReport()

    def metrics(self):
        """Of the RPN."""
        return list(METRICS)

    @property
    def feature(self):
        """The map that the RPN reads."""
        return FeatureGraph('proposal_feature', 'feature_map_output', self.stride)

    def decode(self, outputs, windows):
        """Proposals of each window, best first. To be written: the best TEST.N_PROPOSAL_PER_SCALE, see `rescored`."""
        test, count = self.config.TEST, len(windows)
        writes = test.EXTRACT_PROPOSALS
        limit = test.N_PROPOSAL_PER_SCALE if writes else None
        boxes = outputs['rois_output'].reshape(count, -1, 5)[:, :limit, 1:]
        scores = outputs['rois_score'].reshape(count, -1)[:, :limit]
        scales = np.array([(window.scale_x, window.scale_y) * 2 for window in windows], np.float32)
        corners = np.array([window.box[:2] * 2 for window in windows], np.float32)
        # Score 0 only fills up the output.
        image, place = np.nonzero(scores > max(test.PROPOSAL_MIN_SCORE if writes else test.SCORE_THRESH, 0))
        found = Detections(image, np.ones(len(image)), boxes[image, place] / scales[image] + corners[image],
                           scores[image, place])
        return rescored(found, test.PROPOSAL_NMS_SIGMA) if writes and test.PROPOSAL_NMS_SIGMA > 0 else found

    def check(self, purpose):
        """Also switches of what a proposal network does not have. Proposals that are written need no such thing."""
        super().check(purpose)
        if purpose != 'train' and not self.config.TEST.EXTRACT_PROPOSALS:
            refuse_switches(self.config, purpose, {'TEST': ('WITH_MASK',)})
            require(not any(self.config.TEST.DO_PRUNING), f'TEST.DO_PRUNING is {self.config.TEST.DO_PRUNING}, but '
                    'proposals are made without FocusPixels: set all its entries to False')


def rescored(found: Detections, sigma: float) -> Detections:
    """Proposals of windows, each window's after soft-NMS by a Gaussian of `sigma`, best first; `image` ascending."""
    rows, parts = found.rows(), [np.zeros((0, 5), np.float32)]
    images = np.unique(found.image)
    parts += [soft_nms(rows[found.image == image], sigma=sigma) for image in images]
    joined = np.concatenate(parts)
    return Detections.from_rows(np.repeat(images, [len(part) for part in parts[1:]]), joined,
                                np.ones(len(joined), np.int64))
