"""The proposal operators on outputs like those of a trained network: 21 anchors a cell, stride 16."""
import numpy as np

from benchmarks.cases.arrays import array, draw, synchronous
from benchmarks.cases.one_thread import one_thread
from sniper_mxnet import mx

ANCHORS, STRIDE, MAX_GT = 21, 16, 100
SCALES, RATIOS = (2, 4, 7, 10, 13, 16, 24), (0.5, 1, 2)


def multi_proposal(images, height, width):
    """{column: callable}: ours and stock with the same attributes, 6000 -> 300."""
    cls_prob, bbox_pred, im_info = network_outputs(images, height, width)
    inputs = [array(cls_prob.reshape(images, 2 * ANCHORS, height, width)), array(bbox_pred), array(im_info)]
    settings = dict(rpn_pre_nms_top_n=6000, rpn_post_nms_top_n=300, threshold=0.7, rpn_min_size=3, scales=SCALES,
                    ratios=RATIOS, feature_stride=STRIDE)
    return {'ours': synchronous(mx.nd.MultiProposal, *inputs, batch_size=images, **settings),
            'stock': synchronous(mx.nd.contrib.MultiProposal, *inputs, **settings)}


def targets(operator, chips, valid_range):
    """{column: callable}: ours alone, MultiProposalTarget or MultiProposalTargetMask on chips of 512x512."""
    cls_prob, bbox_pred, im_info = network_outputs(chips, 32, 32)
    inputs = [array(value) for value in (cls_prob, bbox_pred, im_info, ground_truth(chips),
                                         np.tile([valid_range], (chips, 1)))]
    return {'ours': synchronous(getattr(mx.nd, operator), *inputs, batch_size=chips)}


def scaling_targets(operator, chips, valid_range):
    """{column: callable}: `targets` here, with all cores, and in a process with one thread."""
    return dict(targets(operator, chips, valid_range),
                **{'one thread': one_thread('proposals', 'targets', operator, chips, valid_range)})


def targets_with_groups(chips, groups=10):
    """{column: callable}: MultiProposalTarget with group boxes and without, as many boxes into suppression."""
    cls_prob, bbox_pred, im_info = network_outputs(chips, 32, 32)
    corners = draw(2).uniform(0, 300, (chips, groups, 2))
    crowd = np.concatenate([corners, corners + 150, np.zeros((chips, groups, 1))], axis=2)
    inputs = [array(value) for value in (cls_prob, bbox_pred, im_info, ground_truth(chips),
                                         np.tile([(0, 160)], (chips, 1)))]
    return {'ours': synchronous(mx.nd.MultiProposalTarget, *inputs, array(crowd), batch_size=chips),
            'without': synchronous(mx.nd.MultiProposalTarget, *inputs, batch_size=chips, rpn_pre_nms_top_n=6000)}


def soft_sampling(chips=16, rois=300):
    """{column: callable}: SoftSamplingWeight, and all rois of a chip times its objects at once in NumPy."""
    corners = draw(3).uniform(0, 400, (chips * rois, 2))
    boxes = np.concatenate([np.repeat(np.arange(chips), rois)[:, None], corners,
                            corners + draw(4).uniform(10, 110, corners.shape)], axis=1).astype(np.float32)
    objects = ground_truth(chips).astype(np.float32)
    return {'ours': synchronous(mx.nd.SoftSamplingWeight, array(boxes), array(objects)),
            'numpy': lambda: numpy_weights(boxes.reshape(chips, rois, 5), objects)}


def numpy_weights(boxes, objects):
    """(chips, rois) weights of boxes (chips, rois, 5) among objects (chips, G, 5)."""
    a, b = boxes[:, :, None, 1:], objects[:, None, :, :4]
    sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1, 0)
    shared = sides[..., 0] * sides[..., 1]
    areas = [np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (a, b)]
    nearest = np.where(objects[:, None, :, 4] > 0, shared / (areas[0] + areas[1] - shared), 0).max(axis=2)
    return np.where(nearest >= 0.5, 1, 0.25 + 0.75 * np.exp(-50 * np.exp(-20 * nearest)))


def mask_targets(chips=10, rois=50):
    """{column: callable}: ours and the loop over pycocotools' rasteriser that a user would write."""
    rng = draw()
    polygons, boxes, ids = polygon_operands(rng, chips, rois)
    inputs = [array(boxes), array(polygons), array(ids)]
    return {'ours': synchronous(mx.nd.MaskRcnnTarget, *inputs, batch_size=chips, num_proposals=rois,
                                max_num_gts=MAX_GT, max_polygon_len=500, mask_size=28),
            'pycocotools loop': lambda: pycocotools_masks(polygons, boxes, ids)}


def network_outputs(images, height, width):
    """cls_prob (images, 2, A*height, width), bbox_pred, im_info as NumPy arrays."""
    rng = draw()
    logits = rng.randn(images, 1, ANCHORS * height, width) * 2 - 2
    foreground = 1 / (1 + np.exp(-logits))
    spread = np.tile([0.3, 0.3, 0.2, 0.2], ANCHORS)[None, :, None, None]
    return (np.concatenate([1 - foreground, foreground], axis=1),
            rng.randn(images, 4 * ANCHORS, height, width) * spread,
            np.tile([[height * STRIDE, width * STRIDE, 1]], (images, 1)))


def ground_truth(chips, objects=20):
    """(chips, MAX_GT, 5) boxes of a 512x512 chip; unused rows -1."""
    rng = draw(1)
    boxes = -np.ones((chips, MAX_GT, 5))
    corners = rng.uniform(0, 400, (chips, objects, 2))
    boxes[:, :objects, :2] = corners
    boxes[:, :objects, 2:4] = corners + rng.uniform(10, 110, (chips, objects, 2))
    boxes[:, :objects, 4] = rng.randint(1, 81, (chips, objects))
    return boxes


def polygon_operands(rng, chips, rois, vertices=40):
    """Star-shaped outlines of 20 objects a chip, and rois around them."""
    objects = 20
    polygons = -np.ones((chips, MAX_GT, 500))
    centres = rng.uniform(60, 450, (chips, objects, 1, 2))
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    radii = rng.uniform(20, 60, (chips, objects, vertices, 1))
    outlines = centres + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    polygons[:, :objects, 0] = rng.randint(0, 80, (chips, objects))
    polygons[:, :objects, 1] = 1
    polygons[:, :objects, 2] = 2 * vertices
    polygons[:, :objects, 3:3 + 2 * vertices] = outlines.reshape(chips, objects, -1)
    ids = rng.randint(0, objects, (chips, rois))
    middle = centres[np.arange(chips)[:, None], ids, 0] + rng.uniform(-5, 5, (chips, rois, 2))
    image = np.repeat(np.arange(chips), rois)[:, None]
    boxes = np.concatenate([middle - 50, middle + 50], axis=2).reshape(-1, 4)
    return polygons, np.concatenate([image, boxes], axis=1), ids.reshape(-1, 1)


def pycocotools_masks(polygons, boxes, ids, size=28):
    """The same targets by pycocotools, one roi after another (reference/operators.md 8.2)."""
    from pycocotools import mask as coco
    masks = np.empty((len(boxes), size, size), np.float32)
    for row, (box, gt) in enumerate(zip(boxes, ids[:, 0].astype(int))):
        record = polygons[int(box[0]), gt]
        outline = record[3:3 + int(record[2])].reshape(-1, 2)
        scaled = (outline - box[1:3]) * size / np.maximum(box[3:5] - box[1:3], 1)
        masks[row] = coco.decode(coco.frPyObjects([scaled[:, ::-1].ravel().tolist()], size, size))[:, :, 0].T
    return masks
