"""`deepv_arm_net`: a proposal network of 677,132 parameters for small inputs and ARM processors, stride 8. Nine
tenths of its work are in the RPN's 512 channels: `network.RPN_CHANNELS` makes them fewer.

Its graphs are those of proposals alone, `proposal_train_symbol` and `proposal_test_symbol`. The original has two
more, with an R-CNN that learns nothing beside it, so that programs for detectors run; for its files they are here as
`train_symbol` and `test_symbol`.
"""
from sniper_mxnet import mx
from symbols.backbones.deepv_arm import DeepvArm
from symbols.detectors.faster_rcnn import FasterRcnn, split_by_image
from symbols.heads.rcnn import RcnnHead, rcnn_losses, rcnn_probabilities
from symbols.heads.rpn import RpnHead, proposal_targets, rpn_proposals
from symbols.necks.select import Select
from symbols.options import ProposalOptions, class_count, runs_on_gpu

RCNN_STRIDE = 16    # that the R-CNN pools by in the original, whose feature has 8


class ProposalsBesideRcnn(FasterRcnn):
    """FasterRcnn whose R-CNN stands by: gradients of its losses go nowhere."""

    def train_symbol(self, config):
        """Inputs of FasterRcnn. Outputs `rpn_cls_prob_output`, `rpn_bbox_loss_output`, and as `blockgrad0_output`
        (B, P, C), `blockgrad1_output` (B, P, 4), `blockgrad2_output` (B*P,) scores, box loss and labels."""
        proposals = ProposalOptions.from_config(config, 'TRAIN')
        feature, _ = self.features(config)
        rpn = self.trained_rpn(config, feature)
        losses = rpn.losses
        targets = proposal_targets(rpn.cls_prob, rpn.outputs, rpn.anchors, proposals, losses)
        rcnn = self._beside(config, feature, targets.rois)
        cls_prob, bbox_loss = rcnn_losses(rcnn, targets, losses)
        outputs = (split_by_image(cls_prob, proposals, class_count(config), 'cls_prob_reshape'),
                   split_by_image(bbox_loss, proposals, 4, 'bbox_loss_reshape'), targets.label)
        return mx.sym.Group([rpn.cls_prob, rpn.bbox_loss, *(mx.sym.BlockGrad(output, name=f'blockgrad{place}')
                                                            for place, output in enumerate(outputs))])

    def _test_outputs(self, config):
        """Of inputs data, im_info, im_ids: [`rois_score` (B*P,), `rois_output` (B*P, 5), `cls_prob_reshape_output`
        (B, P, C), `bbox_pred_reshape_output` (B, P, 4), `im_ids`], Feature of both heads."""
        proposals = ProposalOptions.from_config(config, 'TEST')
        feature, _ = self.features(config)
        anchors, rpn = self.rpn_outputs(config, feature)
        rois, scores = rpn_proposals(rpn, mx.sym.var('im_info'), anchors, proposals)
        rcnn = self._beside(config, feature, rois)
        return [
            scores, rois, split_by_image(rcnn_probabilities(rcnn), proposals, class_count(config), 'cls_prob_reshape'),
            split_by_image(rcnn.bbox_pred, proposals, 4, 'bbox_pred_reshape'), mx.sym.var('im_ids')], feature

    def _beside(self, config, feature, rois):
        reduced = self.rcnn.reduce(feature._replace(stride=RCNN_STRIDE))
        return self.rcnn(reduced, rois, class_count(config), on_gpu=runs_on_gpu(config))

    @staticmethod
    def _test_shapes(config, batch, height, width):
        return dict(data=(batch, 3, height, width), im_info=(batch, 3), im_ids=(batch,))

    @staticmethod
    def initializer():
        """The original's: uniform, to 0.01."""
        return mx.init.Uniform(0.01)


def build():
    """The network as released."""
    return ProposalsBesideRcnn(DeepvArm(), Select('conv9'), RpnHead(512), RcnnHead())
