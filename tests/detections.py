"""Detections for tests, from lists and back."""
import numpy as np

from lib.bbox.detections import Detections


def flat(lists, masks=None):
    """lists[class][image]: rows x1, y1, x2, y2, score -> Detections. masks[class][image]: a code a row."""
    parts = []
    for label, images in enumerate(lists):
        for image, rows in enumerate(images):
            rows = np.asarray(rows, np.float32).reshape(-1, 5)
            parts.append(Detections.from_rows(image, rows, label, masks and masks[label][image]))
    return Detections.concatenate(parts)


def assert_same(left, right):
    """Equal to the last bit, in the same order."""
    for name in ('image', 'label', 'box', 'score'):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    assert left.mask == right.mask
