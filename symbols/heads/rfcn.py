"""R-FCN-3K's head (Singh et al. 2018, "R-FCN-3000 at 30fps"): position-sensitive maps, one set for all classes, say
whether a roi is an object and where it ends; an ordinary map a class says which one it is.

Letters: B images, P rois an image, R = B*P rois, K super-classes, N classes without background, M rois an image with a
fine class.
"""
from typing import Any, NamedTuple

from sniper_mxnet import mx
from symbols.heads.rpn import roi_weights
from symbols.heads.soft_sampling import weighted
from symbols.layers import convolution, gaussian, parameter, relu
from symbols.ops import deformable_roi_pooling, multi_proposal_target_mask, roi_mean_pooling
from symbols.options import RfcnOptions

GROUP = 7               # bins a side, each with maps of its own
SAMPLES = 4             # sample points a bin and side
TRANS_STD = 0.1         # of the original's node; nothing moves
SUPER_CLASS_OF = 'super_class_of'


class RfcnTargets(NamedTuple):
    rois: Any           # (R, 5) image index, x1, y1, x2, y2
    label: Any          # (R,) 1 + super-class, 0 = background, -1 = ignore
    bbox_target: Any    # (R, 4) deltas divided by bbox_stds
    bbox_weight: Any    # (R, 4) 1 for objects, else 0
    fine_rois: Any      # (B*M, 5) those with an object, of all images together
    fine_label: Any     # (B*M,) class from 0 on, -1 = none
    label_weight: Any   # (R, 1) of Soft Sampling, or None


class RfcnHead:
    """1x1 convolutions on one feature, under the names of the released weights; in AutoFocus's networks `conv_new_2`
    and `conv_new_3` are other layers.

    hidden: width of `conv_new_1`, before the position-sensitive maps, and `conv_new_2`, before the classes.
    active: a ReLU behind `conv_new_1`, which the original has not. hidden_init: makes the initialiser of both.
    """

    def __init__(self, hidden=1024, active=False, hidden_init=gaussian):
        self.hidden = hidden
        self.active = active
        self.hidden_init = hidden_init

    def shared(self, feature):
        """Feature that both position-sensitive maps are made of."""
        body = convolution(feature.symbol, 'conv_new_1', self.hidden, bias=True, init=self.hidden_init(), new=True)
        return feature._replace(symbol=relu(body, 'conv_new_1_relu') if self.active else body, channels=self.hidden)

    def object_score(self, shared, rois, super_classes, on_gpu=False):
        """(R, K + 1) logits, background first."""
        pooled = _position_sensitive(shared, 'rfcn_cls', 'psroipooled_cls_rois', rois, super_classes + 1, on_gpu)
        return _mean_of_bins(pooled, super_classes + 1, 'ave_cls_scors_rois', 'cls_score_reshape')

    def box_deltas(self, shared, rois, on_gpu=False):
        """(R, 4) deltas in units of bbox_stds, one box for all classes."""
        pooled = _position_sensitive(shared, 'rfcn_bbox', 'psroipooled_loc_rois', rois, 4, on_gpu)
        return _mean_of_bins(pooled, 4, 'ave_bbox_pred_rois', 'bbox_pred_mean')

    def fine_score(self, feature, rois, classes, on_gpu=False, apart=False):
        """(rois, N) logits of the classes. The largest value counts in each bin, so a mean cannot be taken before.

        apart: bins and their mean are nodes of their own, as in the original; else one operator, which keeps no
        (rois, N, 7, 7) and is many times as fast.
        """
        body = convolution(feature.symbol, 'conv_new_2', self.hidden, bias=True, init=self.hidden_init(), new=True)
        body = convolution(relu(body, 'conv_new_2_relu'), 'conv_new_3', classes, bias=True, init=gaussian(), new=True)
        settings = dict(pooled_size=(GROUP, GROUP), spatial_scale=feature.spatial_scale)
        if not apart:
            return roi_mean_pooling(body, rois, 'subcls_score_reshape', on_gpu=on_gpu, **settings)
        pooled = mx.sym.ROIPooling(data=body, rois=rois, name='roipooled_subcls_rois', **settings)
        return _mean_of_bins(pooled, classes, 'ave_subcls_scors_rois', 'subcls_score_reshape')


def _position_sensitive(feature, layer, name, rois, columns, on_gpu):
    maps = convolution(feature.symbol, layer, columns * GROUP * GROUP, bias=True, init=gaussian(), new=True)
    return deformable_roi_pooling(maps, rois, name, on_gpu=on_gpu, spatial_scale=feature.spatial_scale,
                                  output_dim=columns, group_size=GROUP, pooled_size=GROUP, part_size=GROUP,
                                  sample_per_part=SAMPLES, trans_std=TRANS_STD)


def _mean_of_bins(pooled, columns, name, reshaped):
    mean = mx.sym.Pooling(data=pooled, kernel=(GROUP, GROUP), global_pool=True, pool_type='avg', name=name)
    return mx.sym.Reshape(mean, shape=(-1, columns), name=reshaped)


def rfcn_targets(cls_prob, rpn, anchors, proposals, losses, options: RfcnOptions):
    """What each proposal should become: RfcnTargets. Reads the inputs im_info, gt_boxes (B, G, 5), valid_ranges."""
    gt_boxes = mx.sym.var('gt_boxes')
    inputs = (cls_prob, rpn.bbox_pred, mx.sym.var('im_info'), gt_boxes, mx.sym.var('valid_ranges'), anchors, proposals,
              losses, options.fine_rois)
    name = 'multi_proposal_target_mask'
    if options.super_classes == 1:
        rois, label, target, weight, fine_rois, _, fine_label = multi_proposal_target_mask(*inputs, name=name,
                                                                                           one_class=True)
    else:
        rois, label, target, weight, fine_rois, rows = multi_proposal_target_mask(*inputs, name=name)
        label = _super_label(label, options.classes)
        fine_label = _class_of_row(gt_boxes, fine_rois, rows) - 1
    return RfcnTargets(rois, mx.sym.Reshape(label, shape=(-1,), name='label_reshape'), target, weight, fine_rois,
                       mx.sym.Reshape(fine_label, shape=(-1,), name='sublabel_reshape'),
                       roi_weights(rois, gt_boxes, losses))


def super_class_of(classes):
    """The array (N,) of each class's super-class, from 0 on. It travels with the weights and does not learn; what it
    holds says the task (lib.tasks.rfcn3k)."""
    return parameter(SUPER_CLASS_OF, mx.init.Zero(), True, 0.0, 0.0, (classes,))


def _super_label(label, classes):
    """(R, 1) classes from 1 on -> 1 + super-class; what is no class stays."""
    found = mx.sym.take(super_class_of(classes), mx.sym.maximum(label - 1, 0))
    return mx.sym.BlockGrad(mx.sym.where(label > 0, 1 + found, label))


def _class_of_row(gt_boxes, rois, rows):
    """(B*M, 1) class of row `rows` (B*M, 1) of the gt_boxes of each roi's image, 0 where the row is -1."""
    image = mx.sym.slice_axis(rois, axis=1, begin=0, end=1)
    row = mx.sym.maximum(rows, 0)
    place = mx.sym.transpose(mx.sym.Concat(image, row, row * 0 + 4, dim=1))
    found = mx.sym.reshape(mx.sym.gather_nd(gt_boxes, place), shape=(-1, 1))
    return mx.sym.BlockGrad(mx.sym.where(rows >= 0, found, rows * 0))


def rfcn_losses(scores, deltas, fine_scores, targets, losses, options):
    """(object probabilities (R, K + 1), fine probabilities (B*M, N), box loss (R, 4)) as graph outputs."""
    if losses.sampling:
        scores = weighted(scores, targets.label_weight, 'cls_score_weighted')
    cls_prob = _softmax(scores, targets.label, losses.scale / options.cls_count, 'cls_prob')
    fine_prob = _softmax(fine_scores, targets.fine_label, losses.scale / options.fine_count, 'subcls_prob')
    distance = mx.sym.smooth_l1(deltas - targets.bbox_target, scalar=1.0, name='bbox_loss_')
    bbox_loss = mx.sym.MakeLoss(targets.bbox_weight * distance, grad_scale=losses.scale / losses.bbox_count,
                                name='bbox_loss')
    return cls_prob, fine_prob, bbox_loss


def _softmax(scores, label, grad_scale, name):
    return mx.sym.SoftmaxOutput(data=scores, label=label, use_ignore=True, ignore_label=-1, grad_scale=grad_scale,
                                name=name)
