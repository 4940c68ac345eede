"""SSH, single stage headless face detection (Najibi et al. 2017): three modules, each with anchors of its own sizes.

Trained on whole pictures at one scale, as in the original, or on chips; the graph chooses by its own probabilities
which anchors count. Letters: A anchors a cell of a module, h x w cells. Source: reference/other_detectors.md part C.
"""
import numpy as np

from configs.ssh_keys import MODULES, STRIDES, check_ssh, module_scales, modules_of
from lib.bbox.anchor_rows import anchor_rows
from lib.bbox.anchors import anchor_base
from lib.bbox.detections import Detections
from lib.chips.samplers import WholeImages, make_sampler
from lib.targets.chip_boxes import chip_boxes, in_range, write_gt_boxes
from lib.tasks.anchor_fit import POOR_IOU, best_overlaps, poor_warning, shown_in_training
from lib.tasks.base import (
    FeatureGraph,
    Input,
    Metric,
    TargetReport,
    at_least,
    check_anchor_overlaps,
    refuse_switches,
    require,
    rows_of,
    without_row,
)
from lib.tasks.focus import FocusTask

RATIOS = (1.0,)
LEAST_OVERLAP = 0.001   # that the operator takes
LEAST_SIDE = 2      # pixels of a face in the table: what lies outside of a chip collapses onto its border, to 1
METRICS = [Metric(f'{name.upper()}{title}', kind, f'{name}_{output}_output', label.format(name)) for name in MODULES
           for title, kind, output, label in (('LogLoss', 'log_loss', 'cls_prob', '{}_label_output'),
                                              ('L1Loss', 'l1', 'bbox_loss', ''))]
NOT_HERE = {'TRAIN': ('ONLY_PROPOSAL', 'WITH_MASK', 'SOFT_SAMPLING', 'SOFT_SAMPLING_RPN'),
            'TEST': ('ONLY_PROPOSAL', 'EXTRACT_PROPOSALS', 'WITH_MASK')}
UNUSED = ('network.ANCHOR_*', 'network.RPN_CHANNELS', 'network.ROIS', 'network.STRIDE_IN_1X1', 'CLASS_AGNOSTIC',
          'TRAIN.MAX_MASKS', 'TRAIN.MAX_POLYGON_LEN', 'TRAIN.RPN_PRE_NMS_TOP_N', 'TRAIN.RPN_POST_NMS_TOP_N',
          'TRAIN.RPN_NMS_THRESH', 'TRAIN.RPN_MIN_SIZE', 'TRAIN.BBOX_*', 'TRAIN.ALIGNED_TARGETS',
          'TEST.RPN_POST_NMS_TOP_N', 'TEST.RPN_NMS_THRESH', 'TEST.N_PROPOSAL_PER_SCALE')


class SshTask(FocusTask):
    """Pictures or chips in, a face or none and deltas for each anchor of each module."""

    name = 'ssh'
    rounds_up = False
    tells_boxes = True
    unused_keys = UNUSED
    row_keys = ('SSH.anchor_base', 'SSH.anchor_scales')

    @property
    def stride(self):
        """Of the finest module, whose feature FocusPixels are on too."""
        return STRIDES[0]

    @property
    def pixels(self):
        """Blue, green, red, or as the backbone was trained."""
        return super().pixels._replace(order=self.config.SSH.order)

    def sampler(self):
        """As TRAIN.SAMPLER says; whole images at the one scale of TRAIN.SCALES, as far as they fit into CHIP_SIZE."""
        train = self.config.TRAIN
        if train.SAMPLER == 'images':
            return WholeImages(train.CHIP_SIZE, train.CHIP_SIZE, definition=train.SCALES[0])
        return make_sampler(self.config)

    def inputs(self):
        """data, im_info (height, width, scale) of the picture in it; gt_boxes (x1, y1, x2, y2, class; see
        write_gt_boxes, OUT_OF_RANGE for what a chip does not train), [AutoFocus: scale_label]."""
        return [Input('data', (3, *self.input_size)), Input('im_info', (3,)),
                Input('gt_boxes', (self.config.TRAIN.MAX_GT, 5), 'label'), *self.focus_inputs()]

    def targets(self, record, window, rng, out):
        """The table of faces, FocusPixels."""
        boxes = in_range(self.boxes_of_window(record, window))
        self.focus_targets(record, window, out)
        out['im_info'][:] = window.height, window.width, window.scale_x     # no operator reads the last
        dropped = write_gt_boxes(boxes, out['gt_boxes'])
        return TargetReport(dropped, most=dropped)

    def boxes_of_window(self, record, window):
        """Faces."""
        train = self.config.TRAIN
        return chip_boxes(record, window, train.CHIP_SIZE, max(train.MIN_OBJECT_SIDE, LEAST_SIDE), train.VALID_OVERLAP)

    def told(self, out):
        """How many faces are trained."""
        return [f'{np.count_nonzero(out["gt_boxes"][:, 4] > 0)} faces']

    def left_out(self, report):
        """With the key that makes room."""
        return without_row(report, self.config.TRAIN.MAX_GT)

    def metrics(self):
        """Of each module, and of FocusPixels."""
        return METRICS + self.focus_metrics()

    def output_rows(self, classes):
        """Scores of a module's anchors for background, then for faces; four deltas an anchor."""
        keys, found = self.config.SSH, {}
        for name, scales in zip(MODULES, keys.anchor_scales):
            sides = [keys.anchor_base * scale for scale in scales]
            found.update(rows_of(f'{name}@ssh_cls_score', [(kind, side) for kind in ('background', 'face')
                                                           for side in sides]))
            found.update(rows_of(f'{name}@ssh_bbox_pred', [(side, delta) for side in sides for delta in range(4)]))
        return found

    @property
    def feature(self):
        """The second module's, which is the last stage of the backbone."""
        return FeatureGraph('feature', 'feature_map_output', STRIDES[1])

    def at_scale(self, index):
        """The largest scale of a pyramid lacks the modules SSH.left_out."""
        config = module_scales(self.config, index)
        return self if config is self.config else type(self)(config)

    def decode(self, outputs, windows):
        """The best TEST.RPN_PRE_NMS_TOP_N boxes of each module, clipped to the picture."""
        test, found = self.config.TEST, [Detections.empty()]
        for number, window in enumerate(windows):
            for module in modules_of(self.config):
                rows = anchor_rows(outputs[f'{MODULES[module]}_prob_output'][number],
                                   outputs[f'{MODULES[module]}_deltas_output'][number], self._base_anchors(module),
                                   STRIDES[module], (window.height, window.width), test.SCORE_THRESH,
                                   test.RPN_PRE_NMS_TOP_N, test.RPN_MIN_SIZE, self.config.SSH.wide_boxes)
                scale = np.array((window.scale_x, window.scale_y) * 2, np.float32)
                boxes = rows.box / scale + np.array(window.box[:2] * 2, np.float32)
                found.append(Detections(np.full(len(boxes), number), np.ones(len(boxes)), boxes, rows.score))
        return Detections.concatenate(found)

    def _base_anchors(self, module):
        keys = self.config.SSH
        return anchor_base(keys.anchor_base, RATIOS, keys.anchor_scales[module])

    def float32_layers(self, names):
        """The modules and what merges their features."""
        return {name for name in names if '@ssh_' in name or name.endswith(('_reduced', '_128', 'offset'))
                or name in ('conv4_fuse_final', 'conv_fusion', 'conv_new_out')}

    def size_warnings(self, scales, sizes):
        """Anchors far from the objects as the network sees them."""
        keys, shown = self.config.SSH, shown_in_training(scales, sizes)
        overlaps = np.max([best_overlaps(shown, stride, RATIOS, of_module, keys.anchor_base)
                           for stride, of_module in zip(STRIDES, keys.anchor_scales)], axis=0)
        sides = keys.anchor_base * np.concatenate([np.asarray(of_module) for of_module in keys.anchor_scales])
        return poor_warning(shown, overlaps < POOR_IOU, sides.min(), sides.max(),
                            ': show them larger or smaller, by TRAIN.SCALES, or adapt SSH.anchor_scales')

    def check(self, purpose):
        """Keys of the section SSH, the sizes that modules share, one class, switches of other families."""
        check_ssh(self.config)
        refuse_switches(self.config, purpose, NOT_HERE)
        self.check_focus(purpose)
        if purpose == 'train':
            self._check_training(self.config.TRAIN)

    def _check_training(self, train):
        coarsest = STRIDES[-1]
        require(train.CHIP_SIZE % coarsest == 0, f'TRAIN.CHIP_SIZE is {train.CHIP_SIZE}; it must be a multiple of '
                f'{coarsest}, the coarsest stride of {self.config.symbol}')
        require(train.SAMPLER != 'images' or len(train.SCALES) == 1, f"TRAIN.SAMPLER is 'images', which are shown at "
                f'one scale, but TRAIN.SCALES has {len(train.SCALES)}: give one, such as [[1200, 1600]]')
        at_least(self.config, 'TRAIN', LEAST_OVERLAP, 'RPN_POSITIVE_OVERLAP RPN_NEGATIVE_OVERLAP')
        check_anchor_overlaps(train)
