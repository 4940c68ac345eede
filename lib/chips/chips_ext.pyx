"""Binding of sniper/chips.h and sniper/chip_rows.h; the interpreter lock is released for the work."""
import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libcpp cimport bool as cbool
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

    vector[int] CoverBoxes(const ChipGrid &grid, const float *boxes, int count, const int *order, uint64_t seed,
                           int trials) except +
    vector[int] CoverBoxes(const ChipGrid &grid, const double *boxes, int count, const int *order, uint64_t seed,
                           int trials) except +


cdef extern from "sniper/chip_rows.h" namespace "sniper" nogil:
    cdef struct ScaleRule:
        double low, high, limit
        int place

    cbool SeedsChip(const float *box, const ScaleRule &rule)
    int ChipOf(const float *box, const double *chips, int num_chips, const ScaleRule &rule)


cdef ScaleRule _rule(rule) except *:
    cdef ScaleRule made
    made.low, made.high, made.limit, made.place = rule
    return made


cdef const int *_order(const int[::1] order) noexcept:
    if order is None:
        return NULL
    return &order[0]


def candidate_count(int width, int height, int size, int stride):
    """Number of candidate chips of a scaled image."""
    cdef ChipGrid *grid = new ChipGrid(width, height, size, stride)
    count = grid.Count()
    del grid
    return count


cdef object _windows(ChipGrid *grid, const vector[int] &numbers):
    cdef Py_ssize_t i
    cdef ChipWindow window
    result = np.empty((numbers.size(), 4), dtype=np.float32)
    cdef float[:, ::1] out = result
    for i in range(<Py_ssize_t>numbers.size()):
        window = grid.Window(numbers[i])
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = window.x1, window.y1, window.x2, window.y2
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


def cover(const real[:, ::1] boxes, int width, int height, int size, int stride, uint64_t seed, int trials,
          const int[::1] order):
    """Chips (M, 4) float32 that cover the (N, 4) boxes, N > 0; order is a permutation of all candidates or None."""
    cdef ChipGrid *grid = new ChipGrid(width, height, size, stride)
    cdef vector[int] chosen
    cdef int count = <int>boxes.shape[0]
    cdef const int *given = _order(order)
    try:
        with nogil:
            chosen = CoverBoxes(grid[0], &boxes[0, 0], count, given, seed, trials)
        return _windows(grid, chosen)
    finally:
        del grid


def seed_rows(const float[:, ::1] boxes, rule):
    """(n,) bool: the rows that would seed chips. rule: (low, high, limit, place), see lib.chips.rows."""
    cdef ScaleRule scale_rule = _rule(rule)
    cdef Py_ssize_t i
    result = np.zeros(boxes.shape[0], dtype=np.bool_)
    cdef unsigned char[::1] out = result.view(np.uint8)
    for i in range(boxes.shape[0]):
        out[i] = SeedsChip(&boxes[i, 0], scale_rule)
    return result


def assign_rows(const float[:, ::1] boxes, const double[:, ::1] chips, rule):
    """(n,) int32: the chip that each row belongs to, -1 for none. rule as in seed_rows."""
    cdef ScaleRule scale_rule = _rule(rule)
    cdef Py_ssize_t i
    cdef int num_chips = <int>chips.shape[0]
    cdef const double *data = NULL
    result = np.empty(boxes.shape[0], dtype=np.int32)
    cdef int[::1] out = result
    if num_chips > 0:
        data = &chips[0, 0]
    with nogil:
        for i in range(boxes.shape[0]):
            out[i] = ChipOf(&boxes[i, 0], data, num_chips, scale_rule)
    return result


def scale_chips(const float[:, ::1] boxes, const unsigned char[::1] objects, rule, double scale, int width,
                int height, int size, int stride, bint single, uint64_t seed, int trials, const int[::1] order):
    """Chips of one scale of one image in a single pass: seeds, cover, assignment.

    boxes (n, 4) and objects (n,) in original pixels; width, height of the scaled image; single: float32 or float64
    containment. Returns a list of (box of four floats in original pixels, (k,) int32 rows) a chip.
    """
    if boxes.shape[0] != objects.shape[0]:
        raise ValueError('%d boxes but %d overlaps' % (boxes.shape[0], objects.shape[0]))
    cdef ScaleRule scale_rule = _rule(rule)
    cdef ChipGrid *grid = new ChipGrid(width, height, size, stride)
    cdef vector[int] chosen, chip_of, rows_of
    cdef vector[float] seeds
    cdef vector[double] seeds_double, chips
    cdef ChipWindow window
    cdef Py_ssize_t i, c, count = boxes.shape[0]
    cdef int m, num_chips
    cdef float factor = <float>scale
    cdef const int *given = _order(order)
    try:
        with nogil:
            for i in range(count):
                if objects[i] and SeedsChip(&boxes[i, 0], scale_rule):
                    for c in range(4):
                        seeds.push_back(boxes[i, c] * factor)
            if single:
                chosen = CoverBoxes(grid[0], seeds.data(), <int>(seeds.size() // 4), given, seed, trials)
            else:
                seeds_double.assign(seeds.begin(), seeds.end())
                chosen = CoverBoxes(grid[0], seeds_double.data(), <int>(seeds.size() // 4), given, seed, trials)
            num_chips = <int>chosen.size()
            for m in range(num_chips):
                window = grid.Window(chosen[m])
                chips.push_back(window.x1 / scale)
                chips.push_back(window.y1 / scale)
                chips.push_back(window.x2 / scale)
                chips.push_back(window.y2 / scale)
            rows_of.assign(num_chips, 0)
            chip_of.assign(count if num_chips > 0 else 0, -1)
            for i in range(<Py_ssize_t>chip_of.size()):
                m = ChipOf(&boxes[i, 0], chips.data(), num_chips, scale_rule)
                chip_of[i] = m
                if m >= 0:
                    rows_of[m] += 1
        return [((chips[4 * m], chips[4 * m + 1], chips[4 * m + 2], chips[4 * m + 3]),
                 _members(chip_of, m, rows_of[m])) for m in range(num_chips)]
    finally:
        del grid


cdef object _members(const vector[int] &chip_of, int chip, int count):
    cdef Py_ssize_t i, filled = 0
    result = np.empty(count, dtype=np.int32)
    cdef int[::1] out = result
    for i in range(<Py_ssize_t>chip_of.size()):
        if chip_of[i] == chip:
            out[filled] = <int>i
            filled += 1
    return result
