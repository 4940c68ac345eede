"""The loss of single-shot detectors in plain NumPy, row by row (reference/m2det.md, section 7)."""
import numpy as np


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def used_rows(cross_entropy, positive, ratio=3):
    """(B, P) bool: positives, and of each image the negatives with the largest losses."""
    used = positive.copy()
    priors = positive.shape[1]
    for image in range(len(positive)):
        count = int(min(ratio * positive[image].sum(), priors - 1))
        losses = np.where(positive[image], 0, cross_entropy[image])
        used[image, np.argsort(-losses, kind='stable')[:count]] = True
    return used


def loss(cls_pred, loc_pred, cls_target, loc_target, ratio=3):
    """-> (cls_loss, loc_loss, used (B, P) bool, gradient of cls_loss by cls_pred, of loc_loss by loc_pred)."""
    cls_pred, loc_pred = cls_pred.astype(np.float64), loc_pred.astype(np.float64)
    labels = cls_target.astype(int)
    positive = labels > 0
    count = max(1, positive.sum())
    log_probability = log_softmax(cls_pred)
    cross_entropy = -np.take_along_axis(log_probability, labels[..., None], axis=2)[..., 0]
    used = used_rows(cross_entropy.astype(np.float32), positive, ratio)
    difference = np.where(positive[..., None], loc_pred - np.where(positive[..., None], loc_target, 0), 0)
    size = np.abs(difference)
    loc_loss = np.where(size < 1, 0.5 * difference ** 2, size - 0.5).sum() / count
    one_hot = np.eye(cls_pred.shape[2])[labels]
    cls_grad = np.where(used[..., None], np.exp(log_probability) - one_hot, 0) / count
    return cross_entropy[used].sum() / count, loc_loss, used, cls_grad, np.clip(difference, -1, 1) / count
