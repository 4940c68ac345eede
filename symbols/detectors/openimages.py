"""Faster R-CNN for Open Images, with boxes around groups as an input and Soft Sampling (Wu et al. 2019, "Soft sampling
for robust object detection").

`resnet_mx_101_e2e_openimages` is the network of the original's branch, with its layers' names (reference/networks.md
12.2); `sniper_tiny_openimages` is `sniper_tiny` so. Letters: B chips, P rois a chip, C classes with background.
"""
from sniper_mxnet import mx
from symbols.backbones.resnet import ResNet
from symbols.backbones.tiny import TinyNet
from symbols.detectors.faster_rcnn import FasterRcnn, split_by_image
from symbols.heads.rcnn import RcnnHead, labels_output, rcnn_losses
from symbols.heads.rpn import RpnHead, group_proposal_targets
from symbols.layers import he_normal
from symbols.necks.concat import Concat
from symbols.necks.select import Select
from symbols.necks.top_down import TopDown
from symbols.options import ProposalOptions, class_count, runs_on_gpu


class OpenImagesRcnn(FasterRcnn):
    """FasterRcnn whose proposals inside of group boxes are neither objects nor background."""

    def train_symbol(self, config):
        """Inputs data, valid_ranges, im_info; label, bbox_target, bbox_weight, gt_boxes, crowd_boxes (B, G, 5).

        Outputs `rpn_cls_prob_output`, `rpn_bbox_loss_output`, `cls_prob_reshape_output`, `bbox_loss_reshape_output` and
        `blockgrad0_output` of FasterRcnn, and `blockgrad1_output` (B, P, C): the weight of each roi in the
        classification loss, the same for all classes.
        """
        proposals = ProposalOptions.from_config(config, 'TRAIN')
        rpn_feature, feature = self.features(config)
        rpn = self.trained_rpn(config, rpn_feature)
        losses = rpn.losses
        targets = group_proposal_targets(rpn.cls_prob, rpn.outputs, rpn.anchors, proposals, losses)
        classes = class_count(config)
        rcnn = self.rcnn(self.rcnn.reduce(feature), targets.rois, classes, on_gpu=runs_on_gpu(config))
        cls_rois = proposals.post_nms_top_n * losses.images
        cls_prob, bbox_loss = rcnn_losses(rcnn, targets, losses, cls_rois)
        weights = mx.sym.tile(targets.label_weight, reps=(classes,), name='label_weight_tile')
        return mx.sym.Group([
            rpn.cls_prob, rpn.bbox_loss, split_by_image(cls_prob, proposals, classes, 'cls_prob_reshape'),
            split_by_image(bbox_loss, proposals, 4, 'bbox_loss_reshape'), labels_output(targets.label),
            mx.sym.BlockGrad(split_by_image(weights, proposals, classes, 'label_weight_reshape'), name='blockgrad1')])


def build(form):
    """The detector as 'resnet101' or 'tiny'."""
    if form == 'tiny':
        return OpenImagesRcnn(TinyNet(), TopDown(('stage2', 'stage3', 'stage4'), channels=96), RpnHead(96, he_normal),
                              RcnnHead(reduced=48, hidden=192, deformable=False, samples=2, hidden_init=he_normal))
    return OpenImagesRcnn(ResNet(101), Concat(('stage3', 'stage4'), name='cat4'), RpnHead(512), RcnnHead(),
                          rpn_neck=Select('stage3'))
