"""Greedy hard non-maximum suppression, in the precision of its input."""
import numpy as np

ctypedef fused real:
    float
    double


def nms_sorted(const real[:, ::1] boxes, double thresh, Py_ssize_t most=0):
    """Boxes (N, 4) from best to worst -> (M,) positions of those that survive, ascending; the first `most` if not 0.

    A box goes if its IoU with an earlier survivor is above thresh, compared in the boxes' precision.
    """
    cdef Py_ssize_t i, j, count = boxes.shape[0], kept = 0
    cdef real x1, y1, x2, y2, area, iw, ih, inter, limit = <real>thresh
    dtype = np.float32 if real is float else np.float64
    keep_array = np.empty(count, dtype=np.int64)
    area_array = np.empty(count, dtype=dtype)
    dead_array = np.zeros(count, dtype=np.uint8)
    cdef long long[::1] keep = keep_array
    cdef real[::1] areas = area_array
    cdef unsigned char[::1] dead = dead_array
    with nogil:
        for i in range(count):
            areas[i] = (boxes[i, 2] - boxes[i, 0] + 1) * (boxes[i, 3] - boxes[i, 1] + 1)
        for i in range(count):
            if dead[i]:
                continue
            keep[kept] = i
            kept += 1
            if kept == most:
                break
            x1, y1, x2, y2, area = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3], areas[i]
            for j in range(i + 1, count):
                if dead[j]:
                    continue
                iw = (x2 if x2 < boxes[j, 2] else boxes[j, 2]) - (x1 if x1 > boxes[j, 0] else boxes[j, 0]) + 1
                if not iw > 0:
                    continue
                ih = (y2 if y2 < boxes[j, 3] else boxes[j, 3]) - (y1 if y1 > boxes[j, 1] else boxes[j, 1]) + 1
                if not ih > 0:
                    continue
                inter = iw * ih
                if inter / (area + areas[j] - inter) > limit:
                    dead[j] = 1
    return keep_array[:kept]
