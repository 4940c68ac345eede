"""R-CNN head on rois that are an input (Girshick 2015, "Fast R-CNN"), beside an RPN that can make them.

The RPN is in the proposal-only graphs alone: train it, extract proposals with it, and feed them to the R-CNN graphs.
"""
from typing import Any, NamedTuple

from symbols.detectors.proposal_network import ProposalNetwork
from symbols.heads.rcnn import labels_output, rcnn_losses, rcnn_probabilities
from symbols.layers import to_single
from symbols.options import LossOptions, TrunkOptions, class_count
from sniper_mxnet import mx


class RoiTargets(NamedTuple):
    label: Any          # (B*n,)
    bbox_target: Any    # (B*n, bbox_outputs)
    bbox_weight: Any    # (B*n, bbox_outputs)


class FastRcnn(ProposalNetwork):
    """rcnn: RcnnHead; stage: the backbone's feature that it reads, its reduction in the trunk's precision.

    Boxes have a background copy: 8 outputs if `CLASS_AGNOSTIC`, else 4 a class. n rois an image, any number.
    """

    def __init__(self, backbone, neck, rpn, rcnn, stage):
        super().__init__(backbone, neck, rpn)
        self.rcnn = rcnn
        self.stage = stage

    def _outputs(self, config):
        """(RcnnOutputs of all rois, rois (B*n, 5), the input `rois` (B, n, 5))."""
        options = TrunkOptions.from_config(config)
        feature = self.rcnn.reduce(self.backbone(mx.sym.var('data'), options)[self.stage])
        feature = feature._replace(symbol=to_single(feature.symbol, options.half_precision))
        by_image = mx.sym.var('rois')
        rois = mx.sym.Reshape(by_image, shape=(-1, 5), name='rois_reshape')
        return self.rcnn(feature, rois, class_count(config), bbox_outputs(config)), rois, by_image

    def train_symbol(self, config):
        """Inputs data, rois; label (B, n), bbox_target and bbox_weight (B, n, bbox outputs).

        Outputs `cls_prob_reshape_output` (B, n, C), `bbox_loss_reshape_output` (B, n, bbox outputs),
        `blockgrad0_output` (B*n,) the labels.
        """
        rcnn, _, by_image = self._outputs(config)
        columns = bbox_outputs(config)
        targets = RoiTargets(
            label=mx.sym.Reshape(mx.sym.var('label'), shape=(-1,), name='label_reshape'),
            bbox_target=mx.sym.Reshape(mx.sym.var('bbox_target'), shape=(-1, columns), name='bbox_target_reshape'),
            bbox_weight=mx.sym.Reshape(mx.sym.var('bbox_weight'), shape=(-1, columns), name='bbox_weight_reshape'))
        cls_prob, bbox_loss = rcnn_losses(rcnn, targets, LossOptions.from_config(config))
        return mx.sym.Group([_split_like(cls_prob, by_image, 'cls_prob_reshape'),
                             _split_like(bbox_loss, by_image, 'bbox_loss_reshape'), labels_output(targets.label)])

    def test_symbol(self, config):
        """Inputs data, rois (B, n, 5), im_ids, im_info, chip_ids.

        Outputs `rois_reshape_output` (B*n, 5), `cls_prob_reshape_output` (B, n, C), `bbox_pred_reshape_output`
        (B, n, bbox outputs), `im_ids`, `im_info`, `chip_ids`.
        """
        rcnn, rois, by_image = self._outputs(config)
        return mx.sym.Group([rois, _split_like(rcnn_probabilities(rcnn), by_image, 'cls_prob_reshape'),
                             _split_like(rcnn.bbox_pred, by_image, 'bbox_pred_reshape'),
                             mx.sym.var('im_ids'), mx.sym.var('im_info'), mx.sym.var('chip_ids')])

    @staticmethod
    def _train_shapes(config, batch, height, width):
        rois, columns = config.TRAIN.RPN_POST_NMS_TOP_N, bbox_outputs(config)
        return dict(data=(batch, 3, height, width), rois=(batch, rois, 5), label=(batch, rois),
                    bbox_target=(batch, rois, columns), bbox_weight=(batch, rois, columns))

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
