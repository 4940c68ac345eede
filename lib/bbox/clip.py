"""Boxes into the image."""
import numpy as np


def clip_boxes(boxes, im_shape):
    """(N, 4 * C) boxes -> new array with x in [0, width - 1], y in [0, height - 1].

    im_shape is (height, width) or longer. A box outside collapses onto the border. Keeps float types;
    integers become float64.
    """
    boxes = np.asarray(boxes)
    dtype = boxes.dtype if boxes.dtype.kind == 'f' else np.float64
    clipped = np.empty(boxes.shape, dtype=dtype)
    height, width = im_shape[0], im_shape[1]
    clipped[:, 0::2] = np.maximum(np.minimum(boxes[:, 0::2], width - 1), 0)
    clipped[:, 1::2] = np.maximum(np.minimum(boxes[:, 1::2], height - 1), 0)
    return clipped
