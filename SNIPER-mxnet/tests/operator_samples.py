"""One sample call of every operator: what the tests over all operators call, small or at the size of real use."""
from typing import Any, Dict, NamedTuple, Tuple

import numpy as np

import mask_reference
import proposal_reference
from sniper_mxnet import mx
from sniper_mxnet.operators import OPERATORS

BY_NAME = {op.name: op for op in OPERATORS}


class Sample(NamedTuple):
    """Inputs (float32 arrays, images along the first axis, each with as many rows as the others) and attributes."""

    inputs: Dict[str, np.ndarray]
    attributes: Dict[str, Any]
    images: int
    shared: Tuple[str, ...] = ()     # inputs without an axis of images
    packed: Tuple[str, ...] = ()     # outputs whose rows are those of all images, one after the other
    sums: Tuple[str, ...] = ()       # outputs that are numbers of the whole batch
    rois: Tuple[str, ...] = ()       # inputs and outputs whose rows begin with the number of their image
    bad: Tuple[Tuple[str, Any], ...] = ()  # attribute values out of range

    def image(self, n):
        """The sample of image n alone, as image 0."""
        inputs = {name: value if name in self.shared else rows_of(value, n, self.images)
                  for name, value in self.inputs.items()}
        for name in set(inputs) & set(self.rois):
            inputs[name][:, 0] = 0
        return self._replace(inputs=inputs, images=1)


def rows_of(array, n, images):
    """A copy of the n-th of `images` equal parts."""
    size = len(array) // images
    return array[n * size:(n + 1) * size].copy()


def sample(name, large=False, images=2, seed=0):
    """The sample of an operator, with a KeyError if nobody wrote one."""
    return SAMPLES[name](np.random.RandomState(seed), large, images)


def run(name, case, backward=True):
    """({output name: array}, {input name: gradient}) of a sample; output gradients are the numbers -1, -0.9, ... 1.

    Operators for inference only give no gradients.
    """
    op = BY_NAME[name]
    backward = backward and bool(op.gradients)
    arrays = {key: mx.nd.array(value) for key, value in case.inputs.items()}
    for key in op.gradients if backward else ():
        if key in arrays:
            arrays[key].attach_grad()
    with mx.autograd.record(backward):
        outputs = getattr(mx.nd, name)(**arrays, **case.attributes)
        outputs = outputs if isinstance(outputs, list) else [outputs]
    if backward:
        mx.autograd.backward(outputs, [pattern(output.shape) for output in outputs])
    results = {key: value.asnumpy() for key, value in zip(op.outputs, outputs)}
    grads = {key: value.grad.asnumpy() for key, value in arrays.items() if value.grad is not None}
    for key, value in arrays.items():
        np.testing.assert_array_equal(value.asnumpy(), case.inputs[key], err_msg=f'{name} changes its input')
    return results, grads


class Prepared:
    """A forward and, if there is one, a backward pass over arrays that are there already; nothing is computed yet."""

    def __init__(self, name, case):
        op = BY_NAME[name]
        self.function, self.attributes, self.gradients = getattr(mx.nd, name), case.attributes, op.gradients
        self.inputs = {key: mx.nd.array(value) for key, value in case.inputs.items()}
        shapes = {key: value.shape for key, value in self.inputs.items()}
        symbol = getattr(mx.sym, name)(**{key: mx.sym.var(key) for key in shapes}, **case.attributes)
        self.output_shapes = symbol.infer_shape(**shapes)[1]
        self.out_grads = [pattern(shape) for shape in self.output_shapes]
        for key in op.gradients:
            if key in self.inputs:
                self.inputs[key].attach_grad()
        mx.nd.waitall()

    def call(self):
        """Returns when both passes are done."""
        with mx.autograd.record(bool(self.gradients)):
            outputs = self.function(**self.inputs, **self.attributes)
        if self.gradients:
            mx.autograd.backward(outputs, self.out_grads)
        mx.nd.waitall()

    def bytes(self):
        """Size of the inputs and outputs of the forward pass."""
        return 4 * sum(int(np.prod(shape)) for shape in
                       [value.shape for value in self.inputs.values()] + self.output_shapes)


def pattern(shape):
    """An output gradient."""
    return mx.nd.array((np.arange(np.prod(shape)) % 21 / 10 - 1).reshape(shape))


PROPOSALS = dict(feature_stride=8, ratios=(0.5, 1, 2), scales=(2, 4), rpn_post_nms_top_n=12, rpn_min_size=0)
BAD_PROPOSALS = (('threshold', -0.1), ('threshold', 1.5), ('feature_stride', 0), ('scales', ()), ('ratios', (1, -1)),
                 ('rpn_post_nms_top_n', 0), ('rpn_pre_nms_top_n', 0), ('rpn_min_size', -1), ('batch_size', 0))
BAD_STDS = (('bbox_stds', (0.1, 0.1, 0.2)), ('bbox_stds', (0, 1, 1, 1)))
BAD_SAMPLING = (('soft_sampling_a', -0.1), ('soft_sampling_a', 1.5), ('soft_sampling_b', -1), ('soft_sampling_c', -1),
                ('soft_sampling_c', 1e7))


def _network(rng, large, images):
    """(cls_prob 4-d, bbox_pred, im_info, attributes) of the proposal operators."""
    cells = 32 if large else 7
    settings = dict(feature_stride=16, rpn_min_size=3) if large else PROPOSALS
    anchors = 21 if large else 6
    stride = settings['feature_stride']
    arrays = proposal_reference.random_case(rng, images, cells, cells, anchors, stride, spread=0.1)
    return arrays + (settings,)


def multi_proposal(rng, large, images):
    cls_prob, bbox_pred, im_info, settings = _network(rng, large, images)
    return Sample(dict(cls_prob=cls_prob, bbox_pred=bbox_pred, im_info=im_info), settings, images,
                  rois=('output',), bad=BAD_PROPOSALS)


def multi_proposal_target(rng, large, images):
    cls_prob, bbox_pred, im_info, settings = _network(rng, large, images)
    cells = cls_prob.shape[-1]
    gt_boxes = proposal_reference.random_truths(rng, images, 100 if large else 5, cells * settings['feature_stride'])
    inputs = dict(cls_prob=cls_prob.reshape(images, 2, -1, cells), bbox_pred=bbox_pred, im_info=im_info,
                  gt_boxes=gt_boxes, valid_ranges=np.tile(np.float32([0, 400]), (images, 1)),
                  crowd_boxes=proposal_reference.random_groups(rng, images, 10 if large else 3, 40))
    return Sample(inputs, settings, images, rois=('rois',),
                  bad=BAD_PROPOSALS + BAD_STDS + BAD_SAMPLING + (('group_boxes', 2),))


def multi_proposal_target_mask(rng, large, images):
    base = multi_proposal_target(rng, large, images)
    del base.inputs['crowd_boxes']
    return base._replace(attributes=dict(base.attributes, max_masks=50 if large else 4, rfcn_3k=True),
                         packed=('mask_rois', 'mask_ids', 'mask_labels'),
                         bad=BAD_PROPOSALS + BAD_STDS + (('max_masks', 0), ('max_gts', 7)))


def roi_rows(images, low, high):
    """(R, 5) image number, x1, y1, x2, y2, as many of every image."""
    return np.hstack([np.repeat(np.arange(images), len(low) // images)[:, None], low, high])


def mask_rcnn_target(rng, large, images):
    objects, rows, length = (100, 50, 500) if large else (3, 5, 40)
    polygons = np.full((images, objects, length), -1, np.float32)
    for n in range(images):
        for k in range(objects):
            polygons[n, k] = mask_reference.record(rng.randint(1, 9), [list(rng.uniform(0, 90, 12))], length)
    corners = rng.uniform(0, 40, (images * rows, 2))
    rois = roi_rows(images, corners, corners + rng.uniform(9, 50, corners.shape))
    ids = rng.randint(-1, objects, (images * rows, 1))
    return Sample(dict(rois=rois.astype(np.float32), mask_polys=polygons, mask_ids=ids.astype(np.float32)),
                  dict(mask_size=28 if large else 7), images, rois=('rois',),
                  bad=(('mask_size', 0), ('mask_size', 2.5), ('num_proposals', rows + 1), ('max_num_gts', objects + 1),
                       ('max_polygon_len', 0)))


def deformable_convolution(rng, large, images):
    channels, filters, cells = (256, 256, 32) if large else (8, 6, 9)
    attributes = dict(kernel=(3, 3), pad=(2, 2), dilate=(2, 2), num_filter=filters, num_deformable_group=4)
    inputs = dict(data=rng.randn(images, channels, cells, cells), offset=rng.randn(images, 72, cells, cells),
                  weight=rng.randn(filters, channels, 3, 3) / 10, bias=rng.randn(filters))
    return Sample({name: value.astype(np.float32) for name, value in inputs.items()}, attributes, images,
                  shared=('weight', 'bias'),
                  bad=(('kernel', (3,)), ('kernel', (0, 3)), ('stride', (0, 1)), ('dilate', (1, 1.5)),
                       ('pad', (-1, 0)), ('num_filter', 0), ('num_group', 0), ('num_deformable_group', 0),
                       ('layout', 'NHWC')))


def winograd_convolution(rng, large, images):
    channels, filters, cells = (256, 256, 32) if large else (8, 6, 9)
    inputs = dict(data=rng.randn(images, channels, cells, cells),
                  weight=rng.randn(36, -(-filters // 32), channels, 32) / 10, bias=rng.randn(filters))
    return Sample({name: value.astype(np.float32) for name, value in inputs.items()}, dict(num_filter=filters), images,
                  shared=('weight', 'bias'), bad=(('num_filter', 0), ('num_filter', 1.5), ('relu', 2)))


def deformable_psroi_pooling(rng, large, images):
    channels, cells, rows, bins = (256, 32, 300, 7) if large else (8, 9, 5, 3)
    corners = rng.uniform(0, cells * 4, (images * rows, 2))
    rois = roi_rows(images, corners, corners + rng.uniform(9, 60, corners.shape))
    inputs = dict(data=rng.randn(images, channels, cells, cells), rois=rois,
                  trans=rng.randn(images * rows, 2, bins, bins))
    attributes = dict(spatial_scale=0.125, output_dim=channels, group_size=1, pooled_size=bins, part_size=bins,
                      sample_per_part=4, trans_std=0.1)
    return Sample({name: value.astype(np.float32) for name, value in inputs.items()}, attributes, images,
                  rois=('rois',),
                  bad=(('spatial_scale', 0), ('spatial_scale', 2), ('output_dim', 0), ('group_size', -1),
                       ('pooled_size', 0), ('part_size', -1), ('sample_per_part', 0), ('trans_std', 1.5)))


def roi_mean_pooling(rng, large, images):
    channels, cells, rows = (1000, 32, 300) if large else (20, 9, 5)
    corners = rng.uniform(0, cells * 4, (images * rows, 2))
    rois = roi_rows(images, corners, corners + rng.uniform(9, 60, corners.shape))
    inputs = dict(data=rng.randn(images, channels, cells, cells), rois=rois)
    return Sample({name: value.astype(np.float32) for name, value in inputs.items()},
                  dict(pooled_size=(7, 7), spatial_scale=0.125), images, rois=('rois',),
                  bad=(('pooled_size', (7, 0)), ('pooled_size', (7, 7, 7)), ('pooled_size', 1.5), ('pooled_size', 257),
                       ('spatial_scale', 0), ('spatial_scale', 2)))


def soft_sampling_weight(rng, large, images):
    objects, rows = (100, 300) if large else (4, 7)
    corners = rng.uniform(0, 60, (images * rows, 2))
    rois = roi_rows(images, corners, corners + rng.uniform(9, 60, corners.shape))
    return Sample(dict(rois=rois.astype(np.float32),
                       gt_boxes=proposal_reference.random_truths(rng, images, objects, 80)), {}, images,
                  rois=('rois',), bad=BAD_SAMPLING)


def soft_nms(rng, large, images):
    sets, rows = (40 * images, 300) if large else (3 * images, 40)
    corners = rng.uniform(0, 150, (sets, rows, 2))
    dets = np.concatenate([corners, corners + rng.uniform(5, 90, (sets, rows, 2)), rng.rand(sets, rows, 1)], axis=2)
    return Sample(dict(dets=dets.astype(np.float32)), {}, images,
                  bad=(('sigma', 0), ('iou_thresh', -0.5), ('iou_thresh', 1.5), ('method', 'medium')))


def chip_generator(rng, large, images):
    rows, size = (100, 2000) if large else (12, 900)
    images_in_all = images * (64 if large else 1)
    corners = rng.uniform(0, size - 200, (images_in_all, rows, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 150, (images_in_all, rows, 2))], axis=2)
    im_info = np.tile(np.float32([size, size, 1]), (images_in_all, 1))
    return Sample(dict(boxes=boxes.astype(np.float32), im_info=im_info), dict(stride=32, seed=5), images,
                  bad=(('chip_size', 0), ('stride', 0), ('stride', 1.5), ('max_chips', 0), ('seed', -1)))


def multibox_loss(rng, large, images):
    priors, classes = (32760, 81) if large else (40, 5)
    targets = np.where(rng.rand(images, priors) < 0.03, rng.randint(1, classes, (images, priors)), 0)
    targets[:, 0] = 1
    inputs = dict(cls_pred=rng.randn(images, priors, classes), loc_pred=rng.randn(images, priors, 4),
                  cls_target=targets, loc_target=rng.randn(images, priors, 4))
    return Sample({name: value.astype(np.float32) for name, value in inputs.items()}, {}, images,
                  sums=('cls_loss', 'loc_loss'), bad=(('negatives_per_positive', -1),))


def mined_anchor_target(rng, large, images):
    cells, rows = ((150, 200), 500) if large else ((7, 9), 6)
    corners = rng.uniform(0, 0.8, (images, rows, 2)) * [8 * cells[1], 8 * cells[0]]
    kinds = rng.choice([1, 1, 1, -1, -2, -3], (images, rows, 1))
    kinds[:, 0] = 1
    corners[:, 0] = 8
    boxes = np.concatenate([corners, corners + rng.uniform(10, 40, (images, rows, 2)), kinds], axis=2)
    boxes[:, 0, 2:4] = 23
    inputs = dict(prob=rng.rand(images, 2, *cells), gt_boxes=boxes,
                  im_info=np.tile([8 * cells[0] - 4, 8 * cells[1], 1], (images, 1)))
    return Sample({name: value.astype(np.float32) for name, value in inputs.items()},
                  dict(feat_stride=8, scales=(1, 2), ratios=(1,), batch_size=256 if large else 30), images,
                  bad=(('feat_stride', 0), ('base_size', 0), ('scales', ()), ('ratios', (0,)), ('allowed_border', -1),
                       ('positive_overlap', 0), ('positive_overlap', 1.5), ('negative_overlap', 0),
                       ('negative_overlap', 0.6), ('ignore_overlap', -0.1), ('batch_size', 0), ('batch_size', 1.5),
                       ('positive_fraction', 1.1), ('force_best', 2)))


SAMPLES = {
    'MultiProposal': multi_proposal,
    'MultiProposalTarget': multi_proposal_target,
    'MultiProposalTargetMask': multi_proposal_target_mask,
    'MaskRcnnTarget': mask_rcnn_target,
    'DeformableConvolution': deformable_convolution,
    'WinogradConvolution': winograd_convolution,
    'DeformablePSROIPooling': deformable_psroi_pooling,
    'RoIMeanPooling': roi_mean_pooling,
    'MultiBoxLoss': multibox_loss,
    'MinedAnchorTarget': mined_anchor_target,
    'SoftSamplingWeight': soft_sampling_weight,
    'SoftNMS': soft_nms,
    'ChipGenerator': chip_generator,
}
