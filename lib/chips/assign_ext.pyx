"""Which rows seed chips, and which chip each row belongs to; the interpreter lock released."""
import numpy as np

from libc.math cimport NAN, fabs, sqrt

FIRST, MIDDLE, LAST = 0, 1, 2  # places of a scale among the scales: finest, between, coarsest
cdef int _FIRST = 0, _LAST = 2


cdef struct Extent:
    double width, height, side, longer


cdef inline Extent _extent(const float *box) noexcept nogil:
    """Sides truncated to integers, no +1, and the square root of their product; NaN for a broken box."""
    cdef Extent extent
    cdef float width = box[2] - box[0], height = box[3] - box[1]
    if not (fabs(width) < 2147483648.0 and fabs(height) < 2147483648.0):
        extent.width = extent.height = extent.side = extent.longer = NAN
        return extent
    extent.width = <int>width
    extent.height = <int>height
    extent.side = sqrt(extent.width * extent.height)
    extent.longer = extent.width if extent.width > extent.height else extent.height
    return extent


cdef inline double _share(const double *chip, const float *box) noexcept nogil:
    """Share of the box inside the chip, +1 convention."""
    cdef double iw, ih
    iw = (chip[2] if chip[2] < box[2] else <double>box[2]) - (chip[0] if chip[0] > box[0] else <double>box[0]) + 1
    if not iw > 0:
        return 0
    ih = (chip[3] if chip[3] < box[3] else <double>box[3]) - (chip[1] if chip[1] > box[1] else <double>box[1]) + 1
    if not ih > 0:
        return 0
    return iw * ih / ((<double>box[2] - box[0] + 1) * (<double>box[3] - box[1] + 1))


def seed_rows(const float[:, ::1] boxes, const unsigned char[::1] wanted, double low, double high, double limit,
              int place):
    """Mask (n,) bool of the wanted rows that chips are made for at a scale (see lib.chips.ranges)."""
    cdef Py_ssize_t i
    cdef Extent e
    cdef bint fits
    result = np.zeros(boxes.shape[0], dtype=np.uint8)
    cdef unsigned char[::1] out = result
    with nogil:
        for i in range(boxes.shape[0]):
            if not wanted[i]:
                continue
            e = _extent(&boxes[i, 0])
            if place == _LAST:
                fits = e.side >= low
            else:
                fits = e.side < high and e.longer < limit
                if place == _FIRST:
                    fits = fits and e.width >= 2 and e.height >= 2
                else:
                    fits = fits and e.side >= low
            out[i] = fits
    return result.view(np.bool_)


def assign_rows(const float[:, ::1] boxes, const double[:, ::1] chips, double low, double high, double limit,
                bint last):
    """(n,) int32: the chip each row belongs to, -1 for none (see lib.chips.assign)."""
    cdef Py_ssize_t i, m, best
    cdef double share, best_share, width, height, side
    cdef Extent e
    cdef const float *box
    cdef const double *chip
    result = np.full(boxes.shape[0], -1, dtype=np.int32)
    cdef int[::1] out = result
    if chips.shape[0] == 0:
        return result
    with nogil:
        for i in range(boxes.shape[0]):
            box = &boxes[i, 0]
            e = _extent(box)
            if last:
                if not e.side >= low:
                    continue
            elif not (e.side < high and e.longer < limit and e.width >= 2 and e.height >= 2):
                continue
            best = 0
            best_share = 0
            for m in range(chips.shape[0]):
                share = _share(&chips[m, 0], box)
                if share > best_share:
                    best = m
                    best_share = share
            chip = &chips[best, 0]
            width = (chip[2] if chip[2] < box[2] else <double>box[2]) - (chip[0] if chip[0] > box[0] else <double>box[0])
            height = (chip[3] if chip[3] < box[3] else <double>box[3]) - (chip[1] if chip[1] > box[1] else <double>box[1])
            if not (width >= 1 and height >= 1):
                continue
            side = sqrt(width * height)
            if side >= low if last else side <= high:
                out[i] = best
    return result
