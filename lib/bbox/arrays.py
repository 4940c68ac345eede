"""The door through which boxes enter the kernels: one check, one error text."""
import numpy as np


def as_boxes(boxes, dtype, columns=4, name='boxes'):
    """Anything array-like -> C-ordered (N, columns) array of dtype; an empty list is (0, columns).

    Copies only when layout or type differ. Raises ValueError with the shape got and expected.
    """
    array = np.asarray(boxes)
    if array.size == 0:
        return np.zeros((0, columns), dtype=dtype)
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f'{name} must have shape (N, {columns}), got {array.shape}')
    return np.ascontiguousarray(array, dtype=dtype)
