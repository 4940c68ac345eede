"""Gaussian soft-NMS as a loop in NumPy (Bodla et al., ICCV 2017), vectorised over the boxes that are left."""
import numpy as np


def soft_nms(dets, sigma=0.5, score_thresh=0.001):
    """(N, 5) x1, y1, x2, y2, score -> (M, 5) survivors in order of choice, with decayed scores."""
    left = dets.copy()
    areas = (left[:, 2] - left[:, 0] + 1) * (left[:, 3] - left[:, 1] + 1)
    chosen = []
    while len(left):
        best = left[:, 4].argmax()
        box, area = left[best].copy(), areas[best]
        chosen.append(box)
        left, areas = np.delete(left, best, 0), np.delete(areas, best)
        width = np.minimum(left[:, 2], box[2]) - np.maximum(left[:, 0], box[0]) + 1
        height = np.minimum(left[:, 3], box[3]) - np.maximum(left[:, 1], box[1]) + 1
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        iou = inter / (area + areas - inter)
        left[:, 4] *= np.exp(-iou ** 2 / sigma)
        live = (left[:, 4] >= score_thresh) | (iou <= 0)
        left, areas = left[live], areas[live]
    return np.array(chosen, dets.dtype).reshape(-1, 5)
