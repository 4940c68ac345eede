"""The gt_boxes tensor of one chip (reference/pipeline.md 10.11)."""
import numpy as np


def write_gt_boxes(chip_boxes, out):
    """Fill out (MAX_GT, 5) float32 with x1, y1, x2, y2, label of the chip's objects, the rest with -1.

    Objects stand in row order. If there are more than MAX_GT, valid ones are preferred and among equals the
    earlier rows. Returns how many were left out.
    """
    order = np.arange(len(chip_boxes.boxes))
    dropped = len(order) - len(out)
    if dropped > 0:
        preferred = np.argsort(~chip_boxes.valid, kind='stable')  # valid first, each part in row order
        order = np.sort(preferred[:len(out)])
    out[:] = -1
    out[:len(order), :4] = chip_boxes.boxes[order]
    out[:len(order), 4] = chip_boxes.labels[order]
    return max(dropped, 0)
