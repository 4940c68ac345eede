"""R-FCN-3K (Singh et al. 2018, "R-FCN-3000 at 30fps: Decoupling detection and classification"): thousands of classes.

`resnet_mx_101_e2e_3k` is the published network, on a deformable ResNet-101, with its layers' names (reference/
networks.md 12.1); `..._demo` is the same with the feature `cat4` as an output. `rfcn_3k_tiny` is for CPUs and random
weights.

Letters: B images, P rois an image, A anchors a cell, F x F cells, K super-classes, N classes without background, M rois
an image with a fine class.
"""
from sniper_mxnet import mx
from symbols.backbones.resnet import ResNet
from symbols.backbones.tiny import TinyNet
from symbols.detectors.faster_rcnn import split_by_image
from symbols.detectors.proposal_network import ProposalNetwork
from symbols.feature import feature_output
from symbols.heads.rcnn import labels_output
from symbols.heads.rfcn import GROUP, RfcnHead, rfcn_losses, rfcn_targets, super_class_of
from symbols.heads.rpn import RpnHead, rpn_proposals
from symbols.layers import OPTIONAL, he_normal
from symbols.necks.concat import Concat
from symbols.necks.select import Select
from symbols.necks.top_down import TopDown
from symbols.options import ProposalOptions, RfcnOptions, runs_on_gpu
from symbols.variants import CLASSES, MOST_ANCHORS, MOST_CLASSES, Variant

SUPER_CLASSES = 'RFCN.num_super_classes'


class Rfcn3k(ProposalNetwork):
    """rfcn: RfcnHead, on the neck's feature. gives_feature: the test graph has that feature as its last output."""

    parts = {**ProposalNetwork.parts, 'classes': ('conv_new_2*', 'conv_new_3*', 'subcls_*'),
             'R-FCN': ('conv_new_1*', 'rfcn_*', 'psroipooled_*', 'ave_*', 'cls_*', 'bbox_*', 'multi_proposal_target*')}

    def __init__(self, backbone, neck, rpn, rfcn, rpn_neck=None, gives_feature=False):
        super().__init__(backbone, neck, rpn, rpn_neck)
        self.rfcn = rfcn
        self.gives_feature = gives_feature

    def train_symbol(self, config):
        """Inputs data, valid_ranges, im_info; label, bbox_target, bbox_weight, gt_boxes.

        Outputs `rpn_cls_prob_output` (B, 2, A*F, F), `rpn_bbox_loss_output` (B, 4A, F, F), `cls_prob_reshape_output`
        (B, P, K + 1), `subcls_prob_output` (B*M, N), `bbox_loss_output` (B*P, 4), `blockgrad0_output` (B*P,) and
        `blockgrad1_output` (B*M,) the labels of objects and of classes.
        """
        proposals, options = ProposalOptions.from_config(config, 'TRAIN'), RfcnOptions.from_config(config)
        rpn_feature, feature = self.features(config)
        rpn = self.trained_rpn(config, rpn_feature)
        losses = rpn.losses
        targets = rfcn_targets(rpn.cls_prob, rpn.outputs, rpn.anchors, proposals, losses, options)
        scores, deltas = self._objects(config, feature, targets.rois, options)
        fine = self.rfcn.fine_score(feature, targets.fine_rois, options.classes, runs_on_gpu(config))
        cls_prob, fine_prob, bbox_loss = rfcn_losses(scores, deltas, fine, targets, losses, options)
        return mx.sym.Group([
            rpn.cls_prob, rpn.bbox_loss,
            split_by_image(cls_prob, proposals, options.super_classes + 1, 'cls_prob_reshape'), fine_prob, bbox_loss,
            labels_output(targets.label), mx.sym.BlockGrad(targets.fine_label, name='blockgrad1')])

    def _objects(self, config, feature, rois, options):
        shared, on_gpu = self.rfcn.shared(feature), runs_on_gpu(config)
        return (self.rfcn.object_score(shared, rois, options.super_classes, on_gpu),
                self.rfcn.box_deltas(shared, rois, on_gpu))

    def detect_symbol(self, config):
        """What tests run: `test_symbol`, but for the pooling of the classes' maps, which is one operator."""
        return self._detections(config, apart=False)

    def test_symbol(self, config):
        """The original's graph, node by node. Inputs data, im_info, im_ids.

        Outputs `rois_output` (B*P, 5), `cls_prob_reshape_output` (B, P, K + 1), `bbox_pred_reshape_output` (B, P, 4) in
        units of TRAIN.BBOX_STDS, `im_ids`, `subcls_prob_reshape_output` (B, P, N); [several super-classes:
        `super_class_output` (B, N)]. With gives_feature no `im_ids`, and last `cat4` (B, channels, F, F) under the
        original's name `cast1_output`.
        """
        return self._detections(config, apart=True)

    def _detections(self, config, apart):
        proposals = ProposalOptions.from_config(config, 'TEST')
        options, im_info = RfcnOptions.from_config(config), mx.sym.var('im_info')
        feature, (rois, prob, deltas) = self._boxes(config, options, im_info)
        fine = self.rfcn.fine_score(feature, rois, options.classes, runs_on_gpu(config), apart)
        fine_prob = mx.sym.softmax(fine, axis=1, name='subcls_prob')
        return mx.sym.Group([
            rois, prob, deltas,
            *([] if self.gives_feature else [mx.sym.var('im_ids')]),
            split_by_image(fine_prob, proposals, options.classes, 'subcls_prob_reshape'),
            *([_table_by_image(im_info, options.classes)] if options.super_classes > 1 else []),
            *([mx.sym.identity(feature.symbol, name='cast1')] if self.gives_feature else [])])

    def feature_symbol(self, config):
        """Objects without their classes, and the feature that classes are told apart by. Inputs of `test_symbol`.

        Outputs `rois_output`, `cls_prob_reshape_output`, `bbox_pred_reshape_output` as there; `feature_map_output`
        (B, channels, F, F), which is `cat4`.
        """
        feature, outputs = self._boxes(config, RfcnOptions.from_config(config), mx.sym.var('im_info'))
        return mx.sym.Group([*outputs, feature_output(feature)])

    def _boxes(self, config, options, im_info):
        """(Feature, (rois, probabilities of objects, deltas)) of a test, the last two image by image."""
        proposals = ProposalOptions.from_config(config, 'TEST')
        rpn_feature, feature = self.features(config)
        anchors, rpn = self.rpn_outputs(config, rpn_feature)
        rois, _ = rpn_proposals(rpn, im_info, anchors, proposals)
        scores, deltas = self._objects(config, feature, rois, options)
        prob = mx.sym.softmax(scores, axis=1, name='cls_prob')
        return feature, (rois, split_by_image(prob, proposals, options.super_classes + 1, 'cls_prob_reshape'),
                         split_by_image(deltas, proposals, 4, 'bbox_pred_reshape'))

    def _test_shapes(self, config, batch, height, width):
        shapes = dict(data=(batch, 3, height, width), im_info=(batch, 3))
        return shapes if self.gives_feature else dict(shapes, im_ids=(batch,))

    def _detect_shapes(self, config, batch, height, width):
        return self.input_shapes(config, batch, height, width, 'test')

    def variants(self, shapes):
        """With classes, super-classes and anchors as the arrays have them. The proposal network alone is that of
        `resnet_mx_101_e2e_mask`."""
        classes, objects, anchors = (_rows(shapes, name) for name in ('conv_new_3', 'rfcn_cls', 'rpn_cls_score'))
        several = max(1, objects // GROUP ** 2 - 1)
        heads = (f'{classes} classes',) * bool(classes) + (f'{several} super-classes',) * (several > 1) + (
            f'{anchors // 2} anchors a cell',) * bool(anchors)
        keys = ((CLASSES, min(max(1, classes or 80), MOST_CLASSES - 1) + 1), (SUPER_CLASSES, several),
                ('network.ANCHOR_RATIOS', (1.0,)),
                ('network.ANCHOR_SCALES', tuple(float(1 + k) for k in range(min(max(1, anchors // 2), MOST_ANCHORS)))))
        made_up = ('network.ANCHOR_RATIOS', 'network.ANCHOR_SCALES')
        return [Variant('whole', ('test',), keys, heads, made_up)]


def _table_by_image(im_info, classes):
    """The super-class of each class, a row an image, as the output `super_class_output` (B, N)."""
    table = mx.sym.Reshape(super_class_of(classes), shape=(1, -1))
    zeros = mx.sym.slice_axis(im_info, axis=1, begin=0, end=1) * 0
    return mx.sym.broadcast_add(table, zeros, name='super_class')


def _rows(shapes, layer):
    found = shapes.get(f'{layer}_weight')
    return found[0] if found else 0


def build(form):
    """The detector as 'whole', 'demo' or 'tiny'."""
    if form == 'tiny':
        return Rfcn3k(TinyNet(), TopDown(('stage2', 'stage3', 'stage4'), channels=96), RpnHead(96, he_normal),
                      RfcnHead(192, True, he_normal))
    return Rfcn3k(ResNet(101, new_offsets=OPTIONAL), Concat(('stage3', 'stage4'), name='cat4'),
                  RpnHead(512, new_hidden=OPTIONAL), RfcnHead(), rpn_neck=Select('stage3'),
                  gives_feature=form == 'demo')
