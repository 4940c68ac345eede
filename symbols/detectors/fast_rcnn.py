"""R-CNN head on rois that are an input (Girshick 2015, "Fast R-CNN"), beside an RPN that can make them.

The RPN is in the proposal-only graphs alone: train it, extract proposals with it, and feed them to the R-CNN graphs.
"""
from typing import Any, NamedTuple

from lib.utils.errors import SniperError
from sniper_mxnet import mx
from symbols.detectors.proposal_network import ProposalNetwork
from symbols.heads.focus import FocusHead, focus_loss, focus_probabilities
from symbols.heads.rcnn import labels_output, rcnn_losses, rcnn_probabilities
from symbols.layers import to_single
from symbols.options import LossOptions, TrunkOptions, class_count


class RoiTargets(NamedTuple):
    label: Any          # (B*n,)
    bbox_target: Any    # (B*n, bbox_outputs)
    bbox_weight: Any    # (B*n, bbox_outputs)


class FastRcnn(ProposalNetwork):
    """rcnn: RcnnHead; stage: the backbone's feature that it reads, its reduction in the trunk's precision.

    focus: FocusHead on the neck's feature, as in FasterRcnn.

    Boxes have a background copy: 8 outputs if `CLASS_AGNOSTIC`, else 4 a class. n rois an image, any number.
    """

    def __init__(self, backbone, neck, rpn, rcnn, stage, focus=FocusHead()):
        super().__init__(backbone, neck, rpn)
        self.rcnn = rcnn
        self.stage = stage
        self.focus = focus

    def _outputs(self, config):
        """(RcnnOutputs of all rois, rois (B*n, 5), the input `rois` (B, n, 5), the neck's Feature)."""
        options = TrunkOptions.from_config(config)
        features = self.backbone(mx.sym.var('data'), options)
        feature = self.rcnn.reduce(features[self.stage])
        feature = feature._replace(symbol=to_single(feature.symbol, options.half_precision))
        by_image = mx.sym.var('rois')
        rois = mx.sym.Reshape(by_image, shape=(-1, 5), name='rois_reshape')
        outputs = self.rcnn(feature, rois, class_count(config), bbox_outputs(config), options.on_gpu)
        return outputs, rois, by_image, self.neck(features, options)

    def train_symbol(self, config):
        """Inputs data, rois; label (B, n), bbox_target and bbox_weight (B, n, bbox outputs), [AutoFocus: scale_label].

        Outputs [AutoFocus: `cls_scale_prob_output` (B, 2, F*F),] `cls_prob_reshape_output` (B, n, C),
        `bbox_loss_reshape_output` (B, n, bbox outputs), `blockgrad0_output` (B*n,) the labels.
        """
        if config.TRAIN.WITH_MASK:
            raise SniperError(f'TRAIN.WITH_MASK is True, but with network.ROIS input {config.symbol} has no mask '
                              'head: set it to False, or network.ROIS to proposals')
        for key in ('SOFT_SAMPLING', 'SOFT_SAMPLING_RPN'):
            if config.TRAIN[key]:       # nobody says where the chip's objects are, and there is no RPN
                raise SniperError(f'TRAIN.{key} is True, but with network.ROIS input {config.symbol} has nothing of '
                                  'the kind: set it to False, or network.ROIS to proposals')
        rcnn, _, by_image, feature = self._outputs(config)
        columns, losses = bbox_outputs(config), LossOptions.from_config(config, feature.stride)
        targets = RoiTargets(
            label=mx.sym.Reshape(mx.sym.var('label'), shape=(-1,), name='label_reshape'),
            bbox_target=mx.sym.Reshape(mx.sym.var('bbox_target'), shape=(-1, columns), name='bbox_target_reshape'),
            bbox_weight=mx.sym.Reshape(mx.sym.var('bbox_weight'), shape=(-1, columns), name='bbox_weight_reshape'))
        rois = config.TRAIN.RPN_POST_NMS_TOP_N * losses.batch_images if losses.constant else None
        cls_prob, bbox_loss = rcnn_losses(rcnn, targets, losses, rois)
        focus = [focus_loss(self.focus(feature), losses)] if config.TRAIN.AUTO_FOCUS else []
        return mx.sym.Group([*focus, _split_like(cls_prob, by_image, 'cls_prob_reshape'),
                             _split_like(bbox_loss, by_image, 'bbox_loss_reshape'), labels_output(targets.label)])

    def test_symbol(self, config):
        """Inputs data, rois (B, n, 5), im_ids, im_info, chip_ids.

        Outputs `rois_reshape_output` (B*n, 5), `cls_prob_reshape_output` (B, n, C), `bbox_pred_reshape_output`
        (B, n, bbox outputs), `im_ids`, [AutoFocus: `scale_prob_output` (B, 2, F, F),] `im_info`, `chip_ids`.
        """
        rcnn, rois, by_image, feature = self._outputs(config)
        focus = [focus_probabilities(self.focus(feature))] if config.TEST.AUTO_FOCUS else []
        return mx.sym.Group([rois, _split_like(rcnn_probabilities(rcnn), by_image, 'cls_prob_reshape'),
                             _split_like(rcnn.bbox_pred, by_image, 'bbox_pred_reshape'),
                             mx.sym.var('im_ids'), *focus, mx.sym.var('im_info'), mx.sym.var('chip_ids')])

    @staticmethod
    def _test_shapes(config, batch, height, width):
        return dict(data=(batch, 3, height, width), rois=(batch, config.TEST.RPN_POST_NMS_TOP_N, 5), im_ids=(batch,),
                    im_info=(batch, 3), chip_ids=(batch,))


def bbox_outputs(config):
    """Columns of the box output, background first."""
    return 8 if config.CLASS_AGNOSTIC else 4 * class_count(config)


def _split_like(rows, by_image, name):
    """(B*n, columns) -> (B, n, columns) with B and n of `by_image` (B, n, ...)."""
    return mx.sym.reshape_like(rows, by_image, lhs_begin=0, lhs_end=1, rhs_begin=0, rhs_end=2, name=name)
