"""The gt_boxes tensor of one chip (reference/pipeline.md 10.11), and which objects have a row there."""
import numpy as np


def objects_with_row(chip_boxes, rows):
    """Numbers of the chip's objects that fit into `rows` rows, ascending.

    If there are more, valid ones are preferred and among equals the earlier ones.
    """
    count = len(chip_boxes.boxes)
    if count <= rows:
        return np.arange(count)
    preferred = np.argsort(~chip_boxes.valid, kind='stable')  # valid first, each part in row order
    return np.sort(preferred[:rows])


def write_gt_boxes(chip_boxes, out):
    """Fill out (MAX_GT, 5) float32 with x1, y1, x2, y2, label of the chip's objects, the rest with -1.

    Objects stand in row order, those of objects_with_row. Returns how many were left out.
    """
    order = objects_with_row(chip_boxes, len(out))
    out[:] = -1
    out[:len(order), :4] = chip_boxes.boxes[order]
    out[:len(order), 4] = chip_boxes.labels[order]
    return len(chip_boxes.boxes) - len(order)
