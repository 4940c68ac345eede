"""Pairwise overlaps of inclusive boxes, in double precision with the interpreter lock released."""
import numpy as np


cdef inline double _side(double a1, double a2, double b1, double b2) noexcept nogil:
    """Length of the intersection of [a1, a2] and [b1, b2], inclusive; at most 0 if they are apart."""
    cdef double low = a1 if a1 > b1 else b1
    cdef double high = a2 if a2 < b2 else b2
    return high - low + 1


def overlaps(const double[:, ::1] boxes, const double[:, ::1] query, bint of_query):
    """(N, 4), (K, 4) -> (N, K) intersection over union, or over the query's area if of_query."""
    cdef Py_ssize_t n, k, count = boxes.shape[0], queries = query.shape[0]
    cdef double iw, ih, area, query_area
    result = np.zeros((count, queries), dtype=np.float64)
    areas = np.empty(count, dtype=np.float64)
    cdef double[:, ::1] out = result
    cdef double[::1] box_area = areas
    with nogil:
        for n in range(count):
            box_area[n] = (boxes[n, 2] - boxes[n, 0] + 1) * (boxes[n, 3] - boxes[n, 1] + 1)
        for k in range(queries):
            query_area = (query[k, 2] - query[k, 0] + 1) * (query[k, 3] - query[k, 1] + 1)
            for n in range(count):
                iw = _side(boxes[n, 0], boxes[n, 2], query[k, 0], query[k, 2])
                if not iw > 0:
                    continue
                ih = _side(boxes[n, 1], boxes[n, 3], query[k, 1], query[k, 3])
                if not ih > 0:
                    continue
                area = query_area if of_query else box_area[n] + query_area - iw * ih
                if area > 0:  # not so for NaN corners
                    out[n, k] = iw * ih / area
    return result
