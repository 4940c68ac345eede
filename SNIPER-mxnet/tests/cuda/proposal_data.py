"""Random inputs of the proposal operators, and calls of the libraries with them."""
import numpy as np

RATIOS = (0.5, 1, 2)
SCALES = (2, 4, 7, 10, 13, 16, 24)


class Options:
    """Attributes as the operators name them, with the defaults of MultiProposal."""

    def __init__(self, stride=16, pre=12000, post=300, threshold=0.7, min_size=3, scales=SCALES, ratios=RATIOS):
        self.post = post
        self.scales, self.ratios = scales, ratios
        self.numbers = np.array([stride, pre, post, threshold, min_size] + list(scales) + list(ratios), np.float64)

    def sizes(self, images, height, width, *more):
        return np.array([images, height, width, len(self.scales), len(self.ratios)] + list(more), np.int64)


def network_outputs(seed, images, height, width, anchors, stride=16, levels=None, spread=0.4):
    """cls_prob (N, 2A, H, W), bbox_pred (N, 4A, H, W), im_info (N, 3); `levels`: so many distinct scores, no more."""
    draw = np.random.RandomState(seed)
    scores = draw.uniform(0, 1, (images, 2 * anchors, height, width)).astype(np.float32)
    if levels:
        scores = np.round(scores * levels) / np.float32(levels)
    deltas = draw.normal(0, spread, (images, 4 * anchors, height, width)).astype(np.float32)
    info = np.array([[height * stride - 3 * n, width * stride - 5 * n, 1] for n in range(images)], np.float32)
    return scores, deltas, info


def ground_truth(seed, images, max_gt, side):
    """gt_boxes (N, max_gt, 5) with unused rows among the used ones, valid_ranges (N, 2)."""
    draw = np.random.RandomState(seed)
    corner = draw.uniform(0, 0.7 * side, (images, max_gt, 2))
    size = draw.uniform(10, 0.5 * side, (images, max_gt, 2))
    classes = draw.randint(1, 81, (images, max_gt, 1))
    boxes = np.concatenate([corner, corner + size, classes], axis=2).astype(np.float32)
    boxes[draw.uniform(size=(images, max_gt)) < 0.3] = -1
    ranges = np.array([[0, 150], [60, 512], [32, 200]], np.float32)[np.arange(images) % 3]
    return boxes, ranges


def multi_proposal(library, outputs, options):
    """rois (N*P, 5), scores (N*P,)."""
    images, _, height, width = outputs[1].shape
    inputs = [library.array(value) for value in outputs]
    rois, scores = library.output(images * options.post, 5), library.output(images * options.post)
    library.call('multi_proposal', *(inputs + [rois, scores, options.sizes(images, height, width), options.numbers]))
    for array, value in zip(inputs, outputs):
        np.testing.assert_array_equal(array.numpy(), value)
    return rois.numpy(), scores.numpy()


def group_boxes(seed, images, max_groups, side):
    """crowd_boxes (N, max_groups, 5): flag 0, or rows of -1 among them."""
    draw = np.random.RandomState(seed)
    corner = draw.uniform(-20, 0.5 * side, (images, max_groups, 2))
    size = draw.uniform(0.2 * side, 1.5 * side, (images, max_groups, 2))
    boxes = np.concatenate([corner, corner + size, np.zeros((images, max_groups, 1))], axis=2).astype(np.float32)
    boxes[draw.uniform(size=(images, max_groups)) < 0.3] = -1
    return boxes


def proposal_targets(library, outputs, truth, options, masks=0, labels=False, mask_rules=False, aligned=False,
                     stds=(0.1, 0.1, 0.2, 0.2), groups=None, sampling=(0.25, 50, 20)):
    """rois (N*P, 5), label (N*P,), target (N*P, 4), weight (N*P, 4); of N*masks rows mask rois, ids, labels; with
    `groups` (N, max_groups, 5) label weights (N*P,)."""
    images, _, height, width = outputs[1].shape
    rows, mask_rows = images * options.post, images * masks
    arrays = [library.output(rows, 5), library.output(rows), library.output(rows, 4), library.output(rows, 4)]
    arrays += [library.output(mask_rows, 5), library.output(mask_rows), library.output(mask_rows if labels else 0)]
    arrays += [library.output(rows if groups is not None else 0)]
    values = outputs + truth + (np.zeros((images, 0, 5), np.float32) if groups is None else groups,)
    inputs = [library.array(value) for value in values]
    library.call('proposal_targets', *(inputs + arrays + [
        options.sizes(images, height, width, truth[0].shape[1], masks, labels, values[-1].shape[1]), options.numbers,
        np.array(list(stds) + [aligned, labels, mask_rules] + list(sampling), np.float64)]))
    for array, value in zip(inputs, values):
        np.testing.assert_array_equal(array.numpy(), value)
    return [array.numpy() for array in arrays]
