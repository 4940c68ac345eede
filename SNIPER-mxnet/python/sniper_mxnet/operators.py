"""The operators of the library as Python has to know them."""
import re
from collections import namedtuple

# name; names of the inputs, required and optional, in order; names of the outputs. `gradients`: MXNet lets an operator
# of a library overwrite gradients even where the caller asked for addition (grad_req 'add'), which shows on arrays and
# variables that enter it directly: those named go through the stock operator `guard` first. An operator without
# `gradients` is for inference only. `switches` are the attributes that leave the optional inputs out; `announced`,
# {optional input: attribute that says it is there}, are set when it is given. `parameters` are the inputs that are
# learnt, {name: function from the node's attributes and the other inputs' shapes to its shape, or None}.
Operator = namedtuple('Operator', 'name inputs optional outputs gradients guard switches parameters announced',
                      defaults=((), {}, {}))


def _weight_shape(attributes, shapes):
    """Of a convolution over `shapes['data']` (N, C, H, W); attributes are texts as in a symbol's JSON."""
    kernel = tuple(int(size) for size in re.findall(r'\d+', attributes.get('kernel', '')))
    groups = int(attributes.get('num_group', 1))
    if len(shapes.get('data') or ()) != 4 or len(kernel) != 2 or groups < 1:
        return None  # nothing follows yet, or the operator will say what is wrong
    return (int(attributes['num_filter']), shapes['data'][1] // groups) + kernel


def _winograd_weight_shape(attributes, shapes):
    """(points, panels of 32 filters, C, 32): SNIPER-mxnet/src/cpu/winograd_convolution.h."""
    if len(shapes.get('data') or ()) != 4:
        return None
    return (36, -(-int(attributes['num_filter']) // 32), shapes['data'][1], 32)


def _bias_shape(attributes, shapes):
    return (int(attributes['num_filter']),)


OPERATORS = (
    Operator('MultiProposal', ('cls_prob', 'bbox_pred', 'im_info'), (), ('output', 'score'),
             ('cls_prob', 'bbox_pred'), 'BlockGrad'),
    # The fifth output is there with crowd_boxes only.
    Operator('MultiProposalTarget', ('cls_prob', 'bbox_pred', 'im_info', 'gt_boxes', 'valid_ranges'),
             ('crowd_boxes',), ('rois', 'label', 'bbox_target', 'bbox_weight', 'label_weight'),
             ('cls_prob', 'bbox_pred'), 'BlockGrad', announced={'crowd_boxes': 'group_boxes'}),
    # The seventh output is there with rfcn_3k=True only.
    Operator('MultiProposalTargetMask', ('cls_prob', 'bbox_pred', 'im_info', 'gt_boxes', 'valid_ranges'), (),
             ('rois', 'label', 'bbox_target', 'bbox_weight', 'mask_rois', 'mask_ids', 'mask_labels'),
             ('cls_prob', 'bbox_pred'), 'BlockGrad'),
    Operator('MaskRcnnTarget', ('rois', 'mask_polys', 'mask_ids'), (), ('mask_targets', 'mask_cls'),
             ('rois', 'mask_polys', 'mask_ids'), 'BlockGrad'),
    Operator('DeformableConvolution', ('data', 'offset', 'weight'), ('bias',), ('output',),
             ('data', 'offset', 'weight', 'bias'), 'identity', ('no_bias',),
             {'weight': _weight_shape, 'bias': _bias_shape}),
    Operator('WinogradConvolution', ('data', 'weight'), ('bias',), ('output',), (), None, ('no_bias',),
             {'weight': _winograd_weight_shape, 'bias': _bias_shape}),
    Operator('DeformablePSROIPooling', ('data', 'rois'), ('trans',), ('output',), ('data', 'trans'), 'identity',
             ('no_trans',)),
    Operator('RoIMeanPooling', ('data', 'rois'), (), ('output',), ('data',), 'identity'),
    Operator('MultiBoxLoss', ('cls_pred', 'loc_pred', 'cls_target', 'loc_target'), (),
             ('cls_loss', 'loc_loss', 'used'), ('cls_pred', 'loc_pred'), 'identity'),
    Operator('MinedAnchorTarget', ('prob', 'gt_boxes', 'im_info'), (), ('label', 'bbox_target', 'bbox_weight'),
             ('prob', 'gt_boxes', 'im_info'), 'BlockGrad'),
    Operator('SoftSamplingWeight', ('rois', 'gt_boxes'), (), ('label_weight',), ('rois', 'gt_boxes'), 'BlockGrad'),
    Operator('SoftNMS', ('dets',), (), ('output', 'count'), ('dets',), 'BlockGrad'),
    Operator('ChipGenerator', ('boxes', 'im_info'), (), ('chips', 'num_chips'), ('boxes', 'im_info'), 'BlockGrad'),
)
