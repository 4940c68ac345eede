"""The operators of SNIPER-mxnet as the networks call them: one function each, arguments by name.

Everything that differs between builds and devices is settled here and nowhere else; the devices are those of the run
(options.runs_on_gpu), not what the machine has. The two deformable operators come
from SNIPER-mxnet where it has a kernel for the device, else from stock MXNet, which computes the same
(reference/operators.md section 9) more slowly. The proposal operators run where the graph runs if SNIPER-mxnet was
built with CUDA kernels. If not, they form the context group `HOST`, which whoever binds a graph to a GPU maps to the
CPU; MXNet copies their inputs and outputs across.
"""
import sniper_mxnet
from sniper_mxnet import mx
from symbols.options import SoftSampling

HOST = 'host'


def _deformable(name, on_gpu, half_precision=False):
    """Operator `name` of SNIPER-mxnet; stock MXNet's on GPUs for which ours has no kernels, or none in float16."""
    ours = not on_gpu or sniper_mxnet.has_cuda_kernels() and not half_precision
    return getattr(mx.sym if ours else mx.sym.contrib, name)


def _proposal_scope():
    """Attributes of the proposal operators' nodes."""
    return mx.AttrScope() if sniper_mxnet.has_cuda_kernels() else mx.AttrScope(ctx_group=HOST)


def deformable_convolution(data, offset, weight, name, half_precision=False, on_gpu=False, **settings):
    """Convolution whose sample points are moved by `offset` (B, groups * 2 * kernel cells, H', W') cells.

    half_precision: the arrays are float16. on_gpu: the graph will run on GPUs.
    """
    operator = _deformable('DeformableConvolution', on_gpu, half_precision)
    return operator(data=data, offset=offset, weight=weight, name=name, **settings)


def deformable_roi_pooling(data, rois, name, trans=None, on_gpu=False, **settings):
    """Average pooling of `rois` (R, 5) to (R, output_dim, pooled_size, pooled_size).

    `trans` (R, 2, part_size, part_size) moves the bins, in units of `trans_std` x side of the roi. on_gpu: the
    graph will run on GPUs.
    """
    operator = _deformable('DeformablePSROIPooling', on_gpu)
    if trans is None:
        return operator(data=data, rois=rois, no_trans=True, name=name, **settings)
    return operator(data=data, rois=rois, trans=trans, no_trans=False, name=name, **settings)


def roi_mean_pooling(data, rois, name, on_gpu=False, **settings):
    """(R, C): the mean over the bins of `rois` (R, 5), each of which gives the largest value of its cells. Stock
    MXNet's ROIPooling with a mean behind it, without the (R, C, bins, bins) between them.

    settings: pooled_size, spatial_scale. on_gpu: the graph will run on GPUs.
    """
    if not on_gpu or sniper_mxnet.has_cuda_kernels():
        return mx.sym.RoIMeanPooling(data=data, rois=rois, name=name, **settings)
    pooled = mx.sym.ROIPooling(data=data, rois=rois, name=f'{name}_bins', **settings)
    return mx.sym.mean(pooled, axis=(2, 3), name=name)


def multi_proposal(cls_prob, bbox_pred, im_info, anchors, proposals, name):
    """Proposals at test: rois (B*P, 5) and their scores (B*P,).

    cls_prob (B, 2A, F, F), bbox_pred (B, 4A, F, F), im_info (B, 3); anchors AnchorOptions, proposals ProposalOptions.
    """
    with _proposal_scope():
        rois = mx.sym.MultiProposal(cls_prob=cls_prob, bbox_pred=bbox_pred, im_info=im_info, name=name,
                                    **_proposal_attributes(anchors, proposals))
    return rois[0], rois[1]


def multi_proposal_target(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, anchors, proposals, losses, name,
                          crowd_boxes=None, sampling=None):
    """Proposals with their targets in training: rois (B*P, 5), label (B*P, 1), bbox_target and bbox_weight (B*P, 4).

    cls_prob (B, 2, A*F, F), bbox_pred (B, 4A, F, F), im_info (B, 3), gt_boxes (B, G, 5), valid_ranges (B, 2).
    With `crowd_boxes` (B, C, 5), x1, y1, x2, y2 and a flag, 0 a box around a group of objects, -1 a row without
    content, it is OpenImages' form (reference/operators.md section 6): a roi in a group box that matches no object has
    the label -1, and a fifth symbol is label_weight (B*P, 1), the weight of each roi by `sampling`, SoftSampling.
    """
    groups = {} if crowd_boxes is None else dict(_sampling_attributes(sampling or SoftSampling()),
                                                 crowd_boxes=crowd_boxes)
    with _proposal_scope():
        outputs = mx.sym.MultiProposalTarget(cls_prob=cls_prob, bbox_pred=bbox_pred, im_info=im_info, gt_boxes=gt_boxes,
                                             valid_ranges=valid_ranges, bbox_stds=losses.bbox_stds, name=name,
                                             aligned_targets=losses.aligned, **groups,
                                             **_proposal_attributes(anchors, proposals))
    return tuple(outputs[index] for index in range(5 if groups else 4))


def soft_sampling_weight(rois, gt_boxes, sampling, name):
    """label_weight (R, 1): how much each of the rois (R, 5) image index, x1, y1, x2, y2 counts in a classification
    loss, by its largest overlap with an object of its image; gt_boxes (B, G, 5), rows of a class above 0 are objects,
    whatever the valid range; sampling SoftSampling. No gradient flows."""
    with _proposal_scope():
        return mx.sym.SoftSamplingWeight(rois=rois, gt_boxes=gt_boxes, name=name, **_sampling_attributes(sampling))


def multi_proposal_target_mask(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, anchors, proposals, losses,
                               max_masks, name, one_class=False):
    """Proposals with their targets as of multi_proposal_target, and what the mask head is trained on: mask_rois
    (B*max_masks, 5) and mask_ids (B*max_masks, 1): six symbols in this order.

    one_class: labels are 1 for objects of all classes, and a seventh symbol is the class of each of mask_rois from 0
    on, -1 = none, (B*max_masks, 1).
    """
    with _proposal_scope():
        outputs = mx.sym.MultiProposalTargetMask(
            cls_prob=cls_prob, bbox_pred=bbox_pred, im_info=im_info, gt_boxes=gt_boxes, valid_ranges=valid_ranges,
            bbox_stds=losses.bbox_stds, aligned_targets=losses.aligned, max_masks=max_masks, name=name,
            **({'rfcn_3k': True} if one_class else {}), **_proposal_attributes(anchors, proposals))
    return tuple(outputs[index] for index in range(6 + one_class))


def mask_rcnn_target(rois, polygons, ids, size, name='mask_rcnn_target'):
    """Masks of objects within rois: mask_targets and mask_cls (R, size, size).

    rois (R, 5), polygons (B, G, L) as lib.targets.polygons writes them, ids (R, 1): row of an image's polygons, or -1.
    """
    with _proposal_scope():
        outputs = mx.sym.MaskRcnnTarget(rois=rois, mask_polys=polygons, mask_ids=ids, mask_size=size, name=name)
    return outputs[0], outputs[1]


def mined_anchor_target(prob, gt_boxes, im_info, anchors, mining, name):
    """Anchor targets with hard example mining: label (B, A*h*w), bbox_target and bbox_weight (B, 4A, h, w).

    prob (B, A, h, w): grows with the probability of an object at each anchor, by which the anchors that are kept are
    chosen (random numbers: a random choice); gt_boxes (B, G, 5) x1, y1, x2, y2 in pixels of the input, and class, from
    1 on an object, -1 a row without content, or REGION and OUT_OF_RANGE of lib.targets.chip_boxes; im_info (B, 3)
    height and width of the picture, scale; anchors AnchorOptions, mining MiningOptions. A label is 1, 0 (background) or
    -1 (not used), numbered (a, y, x). Targets are deltas that are not normalised; their weight is 1 / number of anchors
    that the image keeps, 0 except at label 1: both are for a loss that is summed and multiplied by the weight. No
    gradient flows.
    """
    with _proposal_scope():
        outputs = mx.sym.MinedAnchorTarget(
            prob=prob, gt_boxes=gt_boxes, im_info=im_info, name=name, feat_stride=anchors.stride,
            base_size=mining.base_size, scales=anchors.scales, ratios=anchors.ratios, allowed_border=mining.border,
            positive_overlap=mining.positive_overlap, negative_overlap=mining.negative_overlap,
            batch_size=mining.batch_size, positive_fraction=mining.positive_fraction, force_best=mining.force_best)
    return outputs[0], outputs[1], outputs[2]


def _sampling_attributes(sampling):
    return dict(soft_sampling_a=sampling.a, soft_sampling_b=sampling.b, soft_sampling_c=sampling.c)


def _proposal_attributes(anchors, proposals):
    return dict(batch_size=proposals.batch_images, feature_stride=anchors.stride, scales=anchors.scales,
                ratios=anchors.ratios, rpn_pre_nms_top_n=proposals.pre_nms_top_n,
                rpn_post_nms_top_n=proposals.post_nms_top_n, threshold=proposals.nms_threshold,
                rpn_min_size=proposals.min_size)
