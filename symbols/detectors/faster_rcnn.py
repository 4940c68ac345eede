"""Proposal network and R-CNN head on one feature map, trained together (Ren et al. 2015, "Faster R-CNN").

With a mask head beside the R-CNN head it is Mask R-CNN (He et al. 2017). Masks at test come from a graph of their own,
`mask_symbol`: it reads a map that `test_symbol` gives, so that only final detections get a mask.
"""
from sniper_mxnet import mx
from symbols.detectors.proposal_network import ProposalNetwork
from symbols.feature import Feature, feature_output
from symbols.heads.focus import FOCUS_LAYERS, FocusHead, focus_loss, focus_probabilities
from symbols.heads.mask import MaskHead, mask_feature_output, mask_loss, mask_probabilities
from symbols.heads.rcnn import labels_output, rcnn_losses, rcnn_probabilities
from symbols.heads.rpn import proposal_targets, rpn_proposals
from symbols.options import MaskOptions, ProposalOptions, class_count, runs_on_gpu
from symbols.registry import feature_stride

HEAD_PARTS = {**ProposalNetwork.parts, 'masks': ('mask_*',), 'FocusPixels': FOCUS_LAYERS,
              'R-CNN': ('conv_new_1*', 'offset*', 'deformable_roi_pool*', 'roi_pool*', 'fc_new_*', 'cls_score*',
                        'cls_prob*', 'bbox_pred*', 'bbox_loss*', 'multi_proposal_target*')}


class FasterRcnn(ProposalNetwork):
    """rcnn: RcnnHead; cls_loss_over_rois: divide the class loss by B*P, not by the number of labels that count.

    focus: FocusHead, in the training graph with `TRAIN.AUTO_FOCUS`, in the test graph with `TEST.AUTO_FOCUS`.
    mask: MaskHead, in the training graph with `TRAIN.WITH_MASK`; it reads what the R-CNN head pools from.
    """

    parts = HEAD_PARTS

    def __init__(self, backbone, neck, rpn, rcnn, cls_loss_over_rois=False, focus=FocusHead(), mask=MaskHead(),
                 rpn_neck=None):
        super().__init__(backbone, neck, rpn, rpn_neck)
        self.rcnn = rcnn
        self.focus = focus
        self.mask = mask
        self.cls_loss_over_rois = cls_loss_over_rois

    def train_symbol(self, config):
        """Inputs data, valid_ranges, im_info; label, bbox_target, bbox_weight, gt_boxes, [AutoFocus: scale_label,]
        [masks: gt_masks].

        Outputs `rpn_cls_prob_output` (B, 2, A*F, F), `rpn_bbox_loss_output` (B, 4A, F, F), [AutoFocus:
        `cls_scale_prob_output` (B, 2, F*F),] `cls_prob_reshape_output` (B, P, C), `bbox_loss_reshape_output` (B, P, 4),
        `blockgrad0_output` (B*P,) the rois' labels, [masks: `mask_cls_prob_output` (R, 2, S, S) of R = B*MAX_MASKS
        rois, `blockgrad1_output` (R, S, S) their targets].
        """
        proposals = ProposalOptions.from_config(config, 'TRAIN')
        masks = MaskOptions.from_config(config) if config.TRAIN.WITH_MASK else None
        rpn_feature, feature = self.features(config)
        rpn = self.trained_rpn(config, rpn_feature)
        losses = rpn.losses
        targets = proposal_targets(rpn.cls_prob, rpn.outputs, rpn.anchors, proposals, losses,
                                   masks.max_masks if masks else 0)

        reduced = self.rcnn.reduce(feature)
        rcnn = self.rcnn(reduced, targets.rois, class_count(config), on_gpu=runs_on_gpu(config))
        over_rois = self.cls_loss_over_rois or losses.constant
        cls_rois = proposals.post_nms_top_n * losses.batch_images if over_rois else None
        cls_prob, bbox_loss = rcnn_losses(rcnn, targets, losses, cls_rois)
        focus = [focus_loss(self.focus(feature), losses)] if config.TRAIN.AUTO_FOCUS else []
        return mx.sym.Group([
            rpn.cls_prob, rpn.bbox_loss, *focus,
            split_by_image(cls_prob, proposals, class_count(config), 'cls_prob_reshape'),
            split_by_image(bbox_loss, proposals, 4, 'bbox_loss_reshape'),
            labels_output(targets.label),
            *(self._mask_outputs(reduced, targets.mask_rois, masks, losses) if masks else ())])

    def _mask_outputs(self, reduced, rois, masks, losses):
        logits = self.mask(reduced, rois.rois, masks.classes, masks.half_precision, masks.on_gpu)
        return mask_loss(logits, rois, self.mask.size, masks.classes, losses)

    def test_symbol(self, config):
        """Inputs data, im_info, im_ids, chip_ids.

        Outputs `rois_output` (B*P, 5), `cls_prob_reshape_output` (B, P, C), `bbox_pred_reshape_output` (B, P, 4),
        `im_ids`, [AutoFocus: `scale_prob_output` (B, 2, F, F),] `im_info`, `chip_ids`, [TEST.WITH_MASK:
        `mask_feature_output` (B, channels, F, F), which `mask_symbol` reads].
        """
        return mx.sym.Group(self._test_outputs(config)[0])

    def feature_symbol(self, config):
        """`test_symbol` with the neck's feature, `feature_map_output`, behind its outputs."""
        outputs, feature = self._test_outputs(config)
        return mx.sym.Group([*outputs, feature_output(feature)])

    def _test_outputs(self, config):
        """([outputs of the test graph], Feature that the R-CNN head reads)."""
        proposals = ProposalOptions.from_config(config, 'TEST')
        rpn_feature, feature = self.features(config)
        anchors, rpn = self.rpn_outputs(config, rpn_feature)
        im_info = mx.sym.var('im_info')
        rois, _ = rpn_proposals(rpn, im_info, anchors, proposals)
        reduced = self.rcnn.reduce(feature)
        rcnn = self.rcnn(reduced, rois, class_count(config), on_gpu=runs_on_gpu(config))
        focus = [focus_probabilities(self.focus(feature))] if config.TEST.AUTO_FOCUS else []
        return [
            rois,
            split_by_image(rcnn_probabilities(rcnn), proposals, class_count(config), 'cls_prob_reshape'),
            split_by_image(rcnn.bbox_pred, proposals, 4, 'bbox_pred_reshape'),
            mx.sym.var('im_ids'), *focus, im_info, mx.sym.var('chip_ids'),
            *([mask_feature_output(reduced)] if config.TEST.WITH_MASK else [])], feature

    def mask_symbol(self, config):
        """Masks of given boxes. Inputs mask_feature (B, channels, F, F), mask_rois (R, 5) index in the batch, x1, y1,
        x2, y2 in pixels of the network's input.

        Output `mask_prob_output` (R, K, S, S): row k is the mask of label k + 1. Parameters as in `train_symbol`.
        """
        masks = MaskOptions.from_config(config)
        feature = Feature(mx.sym.var('mask_feature'), feature_stride(config.symbol), self.rcnn.reduced)
        logits = self.mask(feature, mx.sym.var('mask_rois'), masks.classes, masks.half_precision, masks.on_gpu)
        return mask_probabilities(logits, masks.classes)

    @staticmethod
    def _test_shapes(config, batch, height, width):
        return dict(data=(batch, 3, height, width), im_info=(batch, 3), im_ids=(batch,), chip_ids=(batch,))

    def _mask_shapes(self, config, batch, height, width):
        stride = feature_stride(config.symbol)
        cells = (-(-height // stride), -(-width // stride))  # convolutions round up
        return dict(mask_feature=(batch, self.rcnn.reduced) + cells, mask_rois=(batch * config.TEST.MAX_PER_IMAGE, 5))


def split_by_image(rows, proposals, columns, name):
    """(B*P, columns) -> (B, P, columns), whatever B is."""
    return mx.sym.Reshape(rows, shape=(-1, proposals.post_nms_top_n, columns), name=name)
