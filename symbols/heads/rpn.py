"""Region proposal network (Ren et al. 2015, "Faster R-CNN", section 3.1).

Letters: B chips, A anchors a cell, (F, F) feature cells, P rois a chip. Channels of the score map: first the background
scores of all anchors, then their object scores.
"""
from typing import Any, NamedTuple

from sniper_mxnet import mx
from symbols.heads.soft_sampling import weighted
from symbols.layers import convolution, gaussian, relu
from symbols.ops import multi_proposal, multi_proposal_target, multi_proposal_target_mask, soft_sampling_weight


class RpnOutputs(NamedTuple):
    cls_score: Any      # (B, 2, A*F, F) background and object logits
    bbox_pred: Any      # (B, 4A, F, F) deltas, not normalised


class MaskRois(NamedTuple):
    """Rois to train masks on, of all images together: early images can take up more rows than late ones."""
    rois: Any           # (R, 5) image index, x1, y1, x2, y2
    ids: Any            # (R, 1) row of the roi's object among the image's gt_boxes and gt_masks, -1 = none


class ProposalTargets(NamedTuple):
    rois: Any           # (B*P, 5) image index, x1, y1, x2, y2
    label: Any          # (B*P,) class, 0 = background, -1 = ignore
    bbox_target: Any    # (B*P, 4) deltas divided by bbox_stds
    bbox_weight: Any    # (B*P, 4) 1 for objects, else 0
    mask_rois: Any = None       # MaskRois, or None
    label_weight: Any = None    # (B*P, 1) of Soft Sampling, or None


class RpnHead:
    """A 3x3 convolution of `channels` and two 1x1 convolutions on it. Released weights ask for these layer names.

    hidden_init: makes the initialiser of the 3x3 convolution; new_hidden: how that starts beside pretrained weights,
    see symbols.layers.parameter.
    """

    def __init__(self, channels, hidden_init=gaussian, new_hidden=True):
        self.channels = channels
        self.hidden_init = hidden_init
        self.new_hidden = new_hidden

    def __call__(self, feature, anchors, channels=0):
        """Feature, AnchorOptions -> RpnOutputs. channels: in place of the network's own, where above 0."""
        body = relu(_convolution(feature.symbol, 'rpn_conv_3x3', channels or self.channels, self.hidden_init(), 3,
                                 self.new_hidden), 'rpn_relu')
        score = _convolution(body, 'rpn_cls_score', 2 * anchors.count, gaussian())
        return RpnOutputs(
            cls_score=mx.sym.Reshape(score, shape=(0, 2, -1, 0), name='rpn_cls_score_reshape'),     # (B, 2, A*F, F)
            bbox_pred=_convolution(body, 'rpn_bbox_pred', 4 * anchors.count, gaussian()))


def _convolution(data, name, channels, init, kernel=1, new=True):
    return convolution(data, name, channels, kernel, bias=True, init=init, new=new)


def rpn_losses(outputs, losses):
    """(probabilities, box loss) as graph outputs; labels are the inputs `label`, `bbox_target`, `bbox_weight`.

    label (B, A*F*F), anchor-major, -1 ignored; bbox_target and bbox_weight (B, 4A, F, F). The classification loss is
    a mean over the labels that count (see LossOptions), the box loss a sum times 3 / (B x RPN_BATCH_SIZE). Where
    anchors are weighed, the input `label_weight` (B, 1, A*F, F) multiplies each anchor's part of the first.
    """
    scores = outputs.cls_score
    if losses.weigh_anchors:
        scores = weighted(scores, mx.sym.var('label_weight'), 'rpn_cls_score_weighted')
    cls_prob = mx.sym.SoftmaxOutput(data=scores, label=mx.sym.var('label'), multi_output=True,
                                    use_ignore=True, ignore_label=-1, name='rpn_cls_prob',
                                    **losses.of_labels(losses.rpn_batch, losses.anchors * losses.cells))
    weight = mx.sym.var('bbox_weight')
    distance = mx.sym.smooth_l1(outputs.bbox_pred - mx.sym.var('bbox_target'), scalar=1.0, name='rpn_bbox_loss_')
    bbox_loss = mx.sym.MakeLoss(weight * distance, name='rpn_bbox_loss',
                                grad_scale=3.0 * losses.scale / (losses.batch_images * losses.rpn_batch))
    return cls_prob, bbox_loss


def rpn_proposals(outputs, im_info, anchors, proposals):
    """Test: (rois (B*P, 5), scores (B*P,)) of images of `im_info` (B, 3), as outputs `rois_output` and `rois_score`."""
    prob = mx.sym.softmax(outputs.cls_score, axis=1, name='rpn_cls_prob')
    prob = mx.sym.Reshape(prob, shape=(0, 2 * anchors.count, -1, 0), name='rpn_cls_prob_reshape')   # (B, 2A, F, F)
    return multi_proposal(prob, outputs.bbox_pred, im_info, anchors, proposals, name='rois')


def proposal_targets(cls_prob, outputs, anchors, proposals, losses, max_masks=0):
    """Training: proposals in the chip's valid range, with the ground truth among them, and what each should become.

    Reads the inputs `im_info` (B, 3), `gt_boxes` (B, G, 5) and `valid_ranges` (B, 2); passes no gradient. With
    `max_masks`, B*max_masks rows of rois with an object are chosen for the mask head too.
    """
    gt_boxes = mx.sym.var('gt_boxes')
    inputs = (cls_prob, outputs.bbox_pred, mx.sym.var('im_info'), gt_boxes, mx.sym.var('valid_ranges'), anchors,
              proposals, losses)
    masks = None
    if max_masks:
        rois, label, target, weight, *masks = multi_proposal_target_mask(*inputs, max_masks,
                                                                         name='multi_proposal_target_mask')
    else:
        rois, label, target, weight = multi_proposal_target(*inputs, name='multi_proposal_target')
    return ProposalTargets(rois, _flat(label), target, weight, masks and MaskRois(*masks),
                           roi_weights(rois, gt_boxes, losses))


def group_proposal_targets(cls_prob, outputs, anchors, proposals, losses):
    """`proposal_targets` for Open Images: also reads the input `crowd_boxes` (B, C, 5), boxes around groups, and always
    has a label_weight."""
    rois, label, target, weight, label_weight = multi_proposal_target(
        cls_prob, outputs.bbox_pred, mx.sym.var('im_info'), mx.sym.var('gt_boxes'), mx.sym.var('valid_ranges'), anchors,
        proposals, losses, name='multi_proposal_target', crowd_boxes=mx.sym.var('crowd_boxes'),
        sampling=losses.sampling)
    return ProposalTargets(rois, _flat(label), target, weight, None, label_weight)


def roi_weights(rois, gt_boxes, losses):
    """(R, 1) weight of each roi in the classification loss by Soft Sampling; None without it."""
    return losses.sampling and soft_sampling_weight(rois, gt_boxes, losses.sampling, name='label_weight')


def _flat(label):
    return mx.sym.Reshape(label, shape=(-1,), name='label_reshape')
