"""The operators of the library as Python has to know them."""
from collections import namedtuple

# name; names of the inputs, required and optional, in order; names of the outputs. `gradients`: MXNet lets an operator
# of a library overwrite gradients even where the caller asked for addition (grad_req 'add'), which shows on arrays and
# variables that enter it directly: those named go through the stock operator `guard` first.
Operator = namedtuple('Operator', 'name inputs optional outputs gradients guard')

OPERATORS = (
    Operator('MultiProposal', ('cls_prob', 'bbox_pred', 'im_info'), (), ('output', 'score'),
             ('cls_prob', 'bbox_pred'), 'BlockGrad'),
    Operator('MultiProposalTarget', ('cls_prob', 'bbox_pred', 'im_info', 'gt_boxes', 'valid_ranges'), (),
             ('rois', 'label', 'bbox_target', 'bbox_weight'), ('cls_prob', 'bbox_pred'), 'BlockGrad'),
    # The seventh output is there with rfcn_3k=True only.
    Operator('MultiProposalTargetMask', ('cls_prob', 'bbox_pred', 'im_info', 'gt_boxes', 'valid_ranges'), (),
             ('rois', 'label', 'bbox_target', 'bbox_weight', 'mask_rois', 'mask_ids', 'mask_labels'),
             ('cls_prob', 'bbox_pred'), 'BlockGrad'),
    Operator('MaskRcnnTarget', ('rois', 'mask_polys', 'mask_ids'), (), ('mask_targets', 'mask_cls'),
             ('rois', 'mask_polys', 'mask_ids'), 'BlockGrad'),
    Operator('DeformableConvolution', ('data', 'offset', 'weight'), ('bias',), ('output',),
             ('data', 'offset', 'weight', 'bias'), 'identity'),
    Operator('DeformablePSROIPooling', ('data', 'rois'), ('trans',), ('output',), ('data', 'trans'), 'identity'),
    Operator('SoftNMS', ('dets',), (), ('output', 'count'), ('dets',), 'BlockGrad'),
    Operator('ChipGenerator', ('boxes', 'im_info'), (), ('chips', 'num_chips'), ('boxes', 'im_info'), 'BlockGrad'),
)
