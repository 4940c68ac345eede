"""Binding of sniper/chips.h: cover boxes with chips, the interpreter lock released."""
import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libcpp.vector cimport vector

ctypedef fused real:
    float
    double


cdef extern from "sniper/chips.h" namespace "sniper" nogil:
    cdef struct ChipWindow:
        int x1, y1, x2, y2

    cdef cppclass ChipGrid:
        ChipGrid(int width, int height, int size, int stride)
        int64_t Count()
        ChipWindow Window(int index)

    cdef cppclass ChipCover:
        ChipCover(const ChipGrid &grid, const float *boxes, int count) except +
        ChipCover(const ChipGrid &grid, const double *boxes, int count) except +
        vector[int] InOrder(const int *order, int length) except +
        vector[int] Smallest(uint64_t seed, int trials) except +


cdef object _windows(ChipGrid *grid, vector[int] numbers):
    cdef Py_ssize_t i
    cdef ChipWindow window
    result = np.empty((numbers.size(), 4), dtype=np.float32)
    cdef float[:, ::1] out = result
    for i in range(<Py_ssize_t>numbers.size()):
        window = grid.Window(numbers[i])
        out[i, 0] = window.x1
        out[i, 1] = window.y1
        out[i, 2] = window.x2
        out[i, 3] = window.y2
    return result


def candidates(int width, int height, int size, int stride):
    """All candidate chips (C, 4) float32 in their order of construction."""
    cdef ChipGrid *grid = new ChipGrid(width, height, size, stride)
    cdef vector[int] numbers
    cdef int i
    try:
        for i in range(<int>grid.Count()):
            numbers.push_back(i)
        return _windows(grid, numbers)
    finally:
        del grid


def cover(const real[:, ::1] boxes, int width, int height, int size, int stride,
          uint64_t seed, int trials, const int[::1] order):
    """Chips (M, 4) float32 that cover the (N, 4) boxes, N > 0, which lie in the image.

    With order (a permutation of all candidates, else None) one greedy pass in that order; otherwise the
    smallest cover of `trials` passes.
    """
    cdef ChipGrid *grid = new ChipGrid(width, height, size, stride)
    cdef ChipCover *search = NULL
    cdef vector[int] chosen
    cdef int count = <int>boxes.shape[0]
    cdef const int *given = NULL
    cdef int given_length = 0
    try:
        if order is not None:
            given = &order[0]
            given_length = <int>order.shape[0]
        with nogil:
            search = new ChipCover(grid[0], &boxes[0, 0], count)
            if given != NULL:
                chosen = search.InOrder(given, given_length)
            else:
                chosen = search.Smallest(seed, trials)
        return _windows(grid, chosen)
    finally:
        del search
        del grid


def candidate_count(int width, int height, int size, int stride):
    """Number of candidate chips of a scaled image."""
    cdef ChipGrid *grid = new ChipGrid(width, height, size, stride)
    try:
        return grid.Count()
    finally:
        del grid
