"""Proposal network and R-CNN head on one feature map, trained together (Ren et al. 2015, "Faster R-CNN")."""
from symbols.detectors.proposal_network import ProposalNetwork
from symbols.heads.focus import FocusHead, focus_loss, focus_probabilities
from symbols.heads.rcnn import labels_output, rcnn_losses, rcnn_probabilities
from symbols.heads.rpn import proposal_targets, rpn_losses, rpn_proposals
from symbols.options import AnchorOptions, LossOptions, ProposalOptions, class_count
from sniper_mxnet import mx


class FasterRcnn(ProposalNetwork):
    """rcnn: RcnnHead; cls_loss_over_rois: divide the class loss by B*P, not by the number of labels that count.

    focus: FocusHead, in the training graph with `TRAIN.AUTO_FOCUS`, in the test graph with `TEST.AUTO_FOCUS`.
    """

    def __init__(self, backbone, neck, rpn, rcnn, cls_loss_over_rois=False, focus=FocusHead()):
        super().__init__(backbone, neck, rpn)
        self.rcnn = rcnn
        self.focus = focus
        self.cls_loss_over_rois = cls_loss_over_rois

    def train_symbol(self, config):
        """Inputs data, valid_ranges, im_info; label, bbox_target, bbox_weight, gt_boxes, [AutoFocus: scale_label].

        Outputs `rpn_cls_prob_output` (B, 2, A*F, F), `rpn_bbox_loss_output` (B, 4A, F, F), [AutoFocus:
        `cls_scale_prob_output` (B, 2, F*F),] `cls_prob_reshape_output` (B, P, C), `bbox_loss_reshape_output` (B, P, 4),
        `blockgrad0_output` (B*P,) the rois' labels.
        """
        losses, proposals = LossOptions.from_config(config), ProposalOptions.from_config(config, 'TRAIN')
        feature = self.feature(config)
        anchors = AnchorOptions.from_config(config, feature.stride)
        rpn = self.rpn(feature, anchors)
        rpn_cls_prob, rpn_bbox_loss = rpn_losses(rpn, losses)
        targets = proposal_targets(rpn_cls_prob, rpn, anchors, proposals, losses)

        rcnn = self.rcnn(self.rcnn.reduce(feature), targets.rois, class_count(config))
        cls_rois = proposals.post_nms_top_n * losses.batch_images if self.cls_loss_over_rois else None
        cls_prob, bbox_loss = rcnn_losses(rcnn, targets, losses, cls_rois)
        focus = [focus_loss(self.focus(feature), losses)] if config.TRAIN.AUTO_FOCUS else []
        return mx.sym.Group([
            rpn_cls_prob, rpn_bbox_loss, *focus,
            split_by_image(cls_prob, proposals, class_count(config), 'cls_prob_reshape'),
            split_by_image(bbox_loss, proposals, 4, 'bbox_loss_reshape'),
            labels_output(targets.label)])

    def test_symbol(self, config):
        """Inputs data, im_info, im_ids, chip_ids.

        Outputs `rois_output` (B*P, 5), `cls_prob_reshape_output` (B, P, C), `bbox_pred_reshape_output` (B, P, 4),
        `im_ids`, [AutoFocus: `scale_prob_output` (B, 2, F, F),] `im_info`, `chip_ids`.
        """
        proposals = ProposalOptions.from_config(config, 'TEST')
        feature = self.feature(config)
        anchors = AnchorOptions.from_config(config, feature.stride)
        im_info = mx.sym.var('im_info')
        rois, _ = rpn_proposals(self.rpn(feature, anchors), im_info, anchors, proposals)
        rcnn = self.rcnn(self.rcnn.reduce(feature), rois, class_count(config))
        focus = [focus_probabilities(self.focus(feature))] if config.TEST.AUTO_FOCUS else []
        return mx.sym.Group([
            rois,
            split_by_image(rcnn_probabilities(rcnn), proposals, class_count(config), 'cls_prob_reshape'),
            split_by_image(rcnn.bbox_pred, proposals, 4, 'bbox_pred_reshape'),
            mx.sym.var('im_ids'), *focus, im_info, mx.sym.var('chip_ids')])

    def _train_shapes(self, config, batch, height, width):
        return dict(data=(batch, 3, height, width), valid_ranges=(batch, 2), im_info=(batch, 3),
                    **self._anchor_label_shapes(config, batch, height, width), gt_boxes=(batch, config.TRAIN.MAX_GT, 5),
                    **self._focus_label_shape(config, batch, height, width))

    @staticmethod
    def _test_shapes(config, batch, height, width):
        return dict(data=(batch, 3, height, width), im_info=(batch, 3), im_ids=(batch,), chip_ids=(batch,))


def split_by_image(rows, proposals, columns, name):
    """(B*P, columns) -> (B, P, columns), whatever B is."""
    return mx.sym.Reshape(rows, shape=(-1, proposals.post_nms_top_n, columns), name=name)
