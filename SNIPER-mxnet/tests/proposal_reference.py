"""Plain NumPy twins of MultiProposal, MultiProposalTarget (with group boxes too), MultiProposalTargetMask and
SoftSamplingWeight: loops, no cleverness, written from the contract.

Coordinates are rounded to float32 after clipping and overlaps taken in float32, as the operators do, so that random
cases agree in every decision.
"""
import numpy as np

F32 = np.float32


def base_anchors(stride, ratios, scales):
    """(A, 4) anchors of cell (0, 0); ratios outer, scales inner; halves round up."""
    anchors = []
    for ratio in ratios:
        width = np.floor(np.sqrt(np.floor(stride * stride / ratio)) + 0.5)
        height = np.floor(width * ratio + 0.5)
        for scale in scales:
            w, h, c = width * scale, height * scale, (stride - 1) / 2.0
            anchors.append([c - (w - 1) / 2, c - (h - 1) / 2, c + (w - 1) / 2, c + (h - 1) / 2])
    return np.array(anchors)


def decoded_boxes(deltas, im_info, stride, ratios, scales):
    """(4A, H, W) deltas of one image -> (A*H*W, 4) clipped float32 boxes in flat index order."""
    anchors = base_anchors(stride, ratios, scales)
    _, height, width = deltas.shape
    boxes = np.zeros((len(anchors), height, width, 4))
    for a, anchor in enumerate(anchors):
        for y in range(height):
            for x in range(width):
                x1, y1, x2, y2 = anchor + np.array([x, y, x, y]) * stride
                w, h = x2 - x1 + 1, y2 - y1 + 1
                dx, dy, dw, dh = deltas[4 * a:4 * a + 4, y, x].astype(np.float64)
                cx, cy = dx * w + x1 + (w - 1) / 2, dy * h + y1 + (h - 1) / 2
                pw, ph = np.exp(dw) * w, np.exp(dh) * h
                boxes[a, y, x] = [cx - (pw - 1) / 2, cy - (ph - 1) / 2, cx + (pw - 1) / 2, cy + (ph - 1) / 2]
    boxes = boxes.reshape(-1, 4).astype(F32)
    limits = np.array([im_info[1], im_info[0], im_info[1], im_info[0]], F32) - 1
    return np.maximum(np.minimum(boxes, limits), F32(0))


def overlap(a, b, area_one):
    """Intersection with +1 over union, areas with `area_one` (1 at test, 0 in training)."""
    one = F32(1)
    width = min(a[2], b[2]) - max(a[0], b[0]) + one
    height = min(a[3], b[3]) - max(a[1], b[1]) + one
    inter = max(width, F32(0)) * max(height, F32(0))
    with np.errstate(all='ignore'):
        areas = [(box[2] - box[0] + F32(area_one)) * (box[3] - box[1] + F32(area_one)) for box in (a, b)]
        return inter / (areas[0] + areas[1] - inter)


def select(scores, boxes, alive, pre_nms, post_nms, threshold, area_one):
    """Flat indices kept by greedy NMS over the best `pre_nms` live boxes, by (score, lower index)."""
    order = [i for i in np.lexsort((np.arange(len(scores)), -scores)) if alive[i]]
    if pre_nms >= 0:
        order = order[:pre_nms]
    kept = []
    for i in order:
        if len(kept) == post_nms:
            break
        if not any(overlap(boxes[k], boxes[i], area_one) > F32(threshold) for k in kept):
            kept.append(i)
    return kept


def multi_proposal(cls_prob, bbox_pred, im_info, stride, ratios, scales, pre_nms=12000, post_nms=300, threshold=0.7,
                   min_size=3):
    num_anchors = len(ratios) * len(scales)
    rois, score = [], []
    for n in range(len(bbox_pred)):
        scores = cls_prob[n, num_anchors:].ravel()
        boxes = decoded_boxes(bbox_pred[n], im_info[n], stride, ratios, scales)
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        kept = select(scores, boxes, (sides >= min_size).all(1), pre_nms, post_nms, threshold, 1)
        whole = [0, 0, im_info[n, 1] - 1, im_info[n, 0] - 1]
        for row in range(post_nms):
            rois.append([n] + list(boxes[kept[row]] if row < len(kept) else whole))
            score.append(scores[kept[row]] if row < len(kept) else 0)
    return np.array(rois, F32), np.array(score, F32)


def encode(roi, gt, stds, aligned=False):
    roi, gt = roi.astype(np.float64), gt.astype(np.float64)
    pw, ph = roi[2] - roi[0] + 1, roi[3] - roi[1] + 1
    gw, gh = gt[2] - gt[0] + 1, gt[3] - gt[1] + 1
    half = 0.5 if aligned else 0.0
    dx = gt[0] + gw / 2 - half - (roi[0] + (pw - 1) / 2)
    dy = gt[1] + gh / 2 - half - (roi[1] + (ph - 1) / 2)
    return np.array([dx / (pw + 1e-7), dy / (ph + 1e-7), np.log(gw / (pw + 1e-7)), np.log(gh / (ph + 1e-7))]) / stds


def used_rows(gt_boxes):
    """Indices of the rows of (objects, 5) in use: class not -1, every number finite."""
    return np.flatnonzero(np.isfinite(gt_boxes).all(1) & (gt_boxes[:, 4] != -1))


def image_rois(n, scores, boxes, gts, lo, hi, pre_nms, post_nms, threshold, min_size, mask_rules):
    """P training rois of image n: proposals, then padding; objects in range claim the last rows."""
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = sides[:, 0] * sides[:, 1]
    alive = (sides >= min_size).any(1) & (areas < hi) & (areas >= lo)
    kept = select(scores, boxes, alive, pre_nms, post_nms, threshold, 0)
    rows = [boxes[i] for i in kept]
    for q in range(len(rows), post_nms):
        m = (q if mask_rules else n * len(scores) + q) % 100
        rows.append(np.array([m, m, m + 200, m + 200], F32))
    for j, gt in enumerate(gts):
        row = post_nms - 1 - j if mask_rules else post_nms - len(gts) + j
        area = (gt[2] - gt[0]) * (gt[3] - gt[1])
        if row >= 0 and lo <= area and (area < hi or (area == hi and not mask_rules)):
            rows[row] = gt[:4]
    return rows


def training_rois(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, stride, ratios, scales, pre_nms, post_nms,
                  threshold, min_size, stds, mask_rules):
    """rois (N*P, 5), targets, weights and the gt row of each roi (N*P,), -1 for background."""
    rois, target, weight, matches = [], [], [], []
    for n in range(len(bbox_pred)):
        lo, hi = valid_ranges[n] ** 2
        boxes = decoded_boxes(bbox_pred[n], im_info[n], stride, ratios, scales)
        used = used_rows(gt_boxes[n])
        gts = gt_boxes[n][used]
        for roi in image_rois(n, cls_prob[n, 1].ravel(), boxes, gts, lo, hi, pre_nms, post_nms, threshold, min_size,
                              mask_rules):
            overlaps = [overlap(roi, gt[:4], 0) for gt in gts]
            best = int(np.argmax(overlaps)) if len(gts) else -1
            matched = best >= 0 and overlaps[best] > 0.5
            rois.append([n] + list(roi))
            target.append(encode(roi, gts[best, :4], np.array(stds)) if matched else np.ones(4))
            weight.append([float(matched)] * 4)
            matches.append(used[best] if matched else -1)
    return np.array(rois, F32), np.array(target, F32), np.array(weight, F32), np.array(matches)


def matched_classes(gt_boxes, matches, rows_per_image):
    """(N*P, 1) class of the object each roi took, 0 for background."""
    images = np.arange(len(matches)) // rows_per_image
    return np.where(matches >= 0, gt_boxes[images, matches, 4], 0).astype(F32)[:, None]


def multi_proposal_target(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, stride, ratios, scales, pre_nms=-1,
                          post_nms=300, threshold=0.7, min_size=3, stds=(0.1, 0.1, 0.2, 0.2)):
    rois, target, weight, matches = training_rois(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, stride, ratios,
                                                  scales, pre_nms, post_nms, threshold, min_size, stds, False)
    return rois, matched_classes(gt_boxes, matches, post_nms), target, weight


def multi_proposal_target_mask(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, stride, ratios, scales,
                               pre_nms=6000, post_nms=300, threshold=0.7, min_size=3, stds=(0.1, 0.1, 0.2, 0.2),
                               max_masks=50, rfcn_3k=False):
    """The seven outputs; callers without `rfcn_3k` ignore the last."""
    rois, target, weight, matches = training_rois(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, stride, ratios,
                                                  scales, pre_nms, post_nms, threshold, min_size, stds, True)
    classes = matched_classes(gt_boxes, matches, post_nms)
    label = (matches >= 0).astype(F32)[:, None] if rfcn_3k else classes
    images, count = len(bbox_pred), len(bbox_pred) * max_masks
    taken = np.flatnonzero(label[:, 0] > 0)[:count]
    spare = np.arange(len(taken), count)
    corner = spare % 200
    spare_rois = np.stack([spare % images, corner, corner, corner + 100, corner + 100], 1)
    mask_rois = np.concatenate([rois[taken], spare_rois]).astype(F32)
    mask_ids = np.concatenate([matches[taken], -np.ones(len(spare))]).astype(F32)[:, None]
    mask_labels = np.concatenate([classes[taken, 0] - 1, -np.ones(len(spare))]).astype(F32)[:, None]
    return rois, label, target, weight, mask_rois, mask_ids, mask_labels


def soft_sampling(overlap_with_nearest, a=0.25, b=50, c=20):
    """w(o)."""
    return 1.0 if overlap_with_nearest >= 0.5 else a + (1 - a) * np.exp(-b * np.exp(-c * overlap_with_nearest))


def largest_overlap(roi, gts):
    """Of a roi (4,) with the rows of (n, 5); 0 without rows. Overlaps that are no number count as 0, as do those below,
    which boxes without an area may have."""
    return max([0] + [value for value in (overlap(roi, gt[:4], 0) for gt in gts) if value > 0])


def soft_sampling_weight(rois, gt_boxes, **numbers):
    """(R, 1)."""
    weights = []
    for roi in rois:
        rows = gt_boxes[int(roi[0])]
        objects = rows[np.isfinite(rows).all(1) & (rows[:, 4] > 0)]
        weights.append([soft_sampling(largest_overlap(roi[1:], objects) if np.isfinite(roi).all() else 0, **numbers)])
    return np.array(weights, F32).reshape(-1, 1)


def is_grouped(roi, groups):
    """Whether more than 0.9 of the roi lies in a group box: intersection with +1, area of the roi without, and 1."""
    area = (roi[2] - roi[0]) * (roi[3] - roi[1]) + F32(1)
    for x1, y1, x2, y2, flag in groups:
        width, height = min(roi[2], x2) - max(roi[0], x1) + F32(1), min(roi[3], y2) - max(roi[1], y1) + F32(1)
        if flag >= 0 and np.isfinite([x1, y1, x2, y2]).all() and max(width, 0) * max(height, 0) / area > 0.9:
            return True
    return False


def multi_proposal_target_groups(cls_prob, bbox_pred, im_info, gt_boxes, valid_ranges, crowd_boxes, stride, ratios,
                                 scales, pre_nms=6000, post_nms=300, threshold=0.7, min_size=3,
                                 stds=(0.1, 0.1, 0.2, 0.2), aligned=False, **numbers):
    """The five outputs of MultiProposalTarget with group boxes."""
    outputs = [[] for _ in range(5)]
    for n in range(len(bbox_pred)):
        lo, hi = valid_ranges[n] ** 2
        boxes = decoded_boxes(bbox_pred[n], im_info[n], stride, ratios, scales)
        gts = gt_boxes[n][used_rows(gt_boxes[n])]
        for roi in image_rois(n, cls_prob[n, 1].ravel(), boxes, gts, lo, hi, pre_nms, post_nms, threshold, min_size,
                              True):
            overlaps = [overlap(roi, gt[:4], 0) for gt in gts]
            best = int(np.argmax(overlaps)) if len(gts) else -1
            matched = best >= 0 and overlaps[best] >= 0.5
            label = gts[best, 4] if matched else -is_grouped(roi, crowd_boxes[n])
            target = encode(roi, gts[best, :4], np.array(stds), aligned) if matched else np.zeros(4)
            weight = soft_sampling(largest_overlap(roi, gts), **numbers)
            for output, row in zip(outputs, ([n] + list(roi), [label], target, [matched] * 4, [weight])):
                output.append(row)
    return [np.array(output, F32) for output in outputs]


def random_case(rng, images, height, width, num_anchors, stride, spread=0.3):
    """Distinct scores, moderate deltas, images a little smaller than the map: (cls_prob 4-d, bbox_pred, im_info)."""
    count = num_anchors * height * width
    foreground = np.stack([rng.permutation(count) for _ in range(images)]).astype(F32) + 1
    foreground = (foreground / (count + 2)).reshape(images, num_anchors, height, width)
    cls_prob = np.concatenate([1 - foreground, foreground], 1)
    bbox_pred = (rng.randn(images, 4 * num_anchors, height, width) * spread).astype(F32)
    sizes = [[height * stride - rng.randint(0, stride), width * stride - rng.randint(0, stride), 1.5]
             for _ in range(images)]
    return cls_prob.astype(F32), bbox_pred, np.array(sizes, F32)


def random_truths(rng, images, rows, extent, classes=80):
    """(images, rows, 5) with a random number of valid rows first, the rest -1."""
    gt_boxes = -np.ones((images, rows, 5), F32)
    for n in range(images):
        for j in range(rng.randint(0, rows + 1)):
            corner, size = rng.rand(2) * extent, rng.rand(2) * extent / 2 + 5
            gt_boxes[n, j] = list(np.round(corner)) + list(np.round(corner + size)) + [rng.randint(1, classes + 1)]
    return gt_boxes


def random_groups(rng, images, rows, extent):
    """(images, rows, 5) group boxes with flag 0, and rows of -1, in any order."""
    corners = np.round(rng.uniform(-0.2, 0.5, (images, rows, 2)) * extent)
    boxes = np.concatenate([corners, corners + np.round(rng.uniform(0.2, 1, (images, rows, 2)) * extent),
                            np.zeros((images, rows, 1))], axis=2)
    boxes[rng.rand(images, rows) < 0.4] = -1
    return boxes.astype(F32)
