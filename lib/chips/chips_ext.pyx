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

    uint64_t MixBits(uint64_t value)
    vector[int] CoverBoxes(const ChipGrid &grid, const float *boxes, int count, const int *order, uint64_t seed,
                           int trials) except +
    vector[int] CoverBoxes(const ChipGrid &grid, const double *boxes, int count, const int *order, uint64_t seed,
                           int trials) except +


cdef extern from "sniper/chip_rows.h" namespace "sniper" nogil:
    cdef struct ScaleRule:
        double low, high, limit
        int place
        double share

    cbool SeedsChip(const float *box, const ScaleRule &rule)
    cbool MayBelong(const float *box, const ScaleRule &rule)
    cbool BelongsTo(const double *chip, const float *box, const ScaleRule &rule)
    int ChipOf(const float *box, const double *chips, int num_chips, const ScaleRule &rule, cbool negative)


cdef ScaleRule _rule(rule) except *:
    cdef ScaleRule made
    made.low, made.high, made.limit, made.place, made.share = rule
    return made


cdef const int *_order(const int[::1] order) noexcept:
    # Good as long as the caller holds on to `order`.
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
    """(n,) bool: the rows that would seed chips. rule: (low, high, limit, place), see lib.chips.scales."""
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
            out[i] = ChipOf(&boxes[i, 0], data, num_chips, scale_rule, False)
    return result


cdef struct Window:  # of the scaled image, and what the cover needs besides boxes
    double scale
    bint single
    uint64_t seed
    int trials


cdef cppclass Held:  # chips of one scale, four numbers each in original pixels, and which chip holds which row
    vector[double] chips
    vector[int] chip
    vector[int] row


cdef int _make_chips(const ChipGrid &grid, const float[:, ::1] boxes, const vector[int] &seeds,
                     const vector[int] &members, const ScaleRule &rule, const Window &window, bint negative,
                     const int *order, Held &held) except -1 nogil:
    """Cover rows `seeds` of the boxes with chips, assign rows `members`, each to one chip, to several or to none."""
    cdef vector[int] chosen
    cdef vector[float] scaled
    cdef vector[double] scaled_double
    cdef ChipWindow place
    cdef Py_ssize_t i, c
    cdef int chip, num_chips
    cdef float factor = <float>window.scale
    scaled.reserve(4 * seeds.size())
    for i in range(<Py_ssize_t>seeds.size()):
        for c in range(4):
            scaled.push_back(boxes[seeds[i], c] * factor)
    if window.single:
        chosen = CoverBoxes(grid, scaled.data(), <int>seeds.size(), order, window.seed, window.trials)
    else:
        scaled_double.assign(scaled.begin(), scaled.end())
        chosen = CoverBoxes(grid, scaled_double.data(), <int>seeds.size(), order, window.seed, window.trials)
    num_chips = <int>chosen.size()
    held.chips.reserve(4 * num_chips)
    for i in range(num_chips):
        place = grid.Window(chosen[i])
        held.chips.push_back(place.x1 / window.scale)
        held.chips.push_back(place.y1 / window.scale)
        held.chips.push_back(place.x2 / window.scale)
        held.chips.push_back(place.y2 / window.scale)
    for i in range(<Py_ssize_t>members.size()):
        if rule.share > 0 and not negative:
            for chip in range(num_chips):
                if BelongsTo(held.chips.data() + 4 * chip, &boxes[members[i], 0], rule):
                    held.chip.push_back(chip)
                    held.row.push_back(members[i])
            continue
        chip = ChipOf(&boxes[members[i], 0], held.chips.data(), num_chips, rule, negative)
        if chip >= 0:
            held.chip.push_back(chip)
            held.row.push_back(members[i])
    return 0


def scale_chips(const float[:, ::1] boxes, const unsigned char[::1] objects, rule, double scale, int width,
                int height, int size, int stride, bint single, uint64_t seed, int trials, int min_rows=-1,
                const int[::1] order=None, const int[::1] negative_order=None):
    """Chips of one scale of one image in a single pass: seeds, cover, assignment, then the same for negative chips.

    boxes (n, 4) and objects (n,) in original pixels; width, height of the scaled image; single: float32 or float64
    containment. min_rows: a negative chip is kept if it holds more rows; below 0, none are made. order,
    negative_order: permutations of the candidates, for one greedy pass each.
    Returns two lists, positive and negative, of (box of four floats in original pixels, (k,) int32 rows) a chip.
    """
    if boxes.shape[0] != objects.shape[0]:
        raise ValueError('%d boxes but %d overlaps' % (boxes.shape[0], objects.shape[0]))
    cdef ScaleRule scale_rule = _rule(rule)
    cdef ChipGrid *grid = new ChipGrid(width, height, size, stride)
    cdef vector[int] seeds, members, left
    cdef vector[char] taken
    cdef Held positives, negatives
    cdef Window window
    cdef Py_ssize_t i, count = boxes.shape[0]
    cdef const int *given = _order(order)
    cdef const int *negative_given = _order(negative_order)
    window.scale, window.single, window.seed, window.trials = scale, single, seed, trials
    try:
        with nogil:
            for i in range(count):
                if objects[i] and SeedsChip(&boxes[i, 0], scale_rule):
                    seeds.push_back(<int>i)
                if MayBelong(&boxes[i, 0], scale_rule):
                    members.push_back(<int>i)
            _make_chips(grid[0], boxes, seeds, members, scale_rule, window, False, given, positives)
            if min_rows >= 0:
                taken.assign(count, 0)
                for i in range(<Py_ssize_t>positives.row.size()):
                    taken[positives.row[i]] = 1
                for i in range(<Py_ssize_t>members.size()):
                    if not taken[members[i]]:
                        left.push_back(members[i])
            if min_rows >= 0 and <int>left.size() > min_rows:
                window.seed, window.trials = MixBits(seed), 1  # the original's single pass; few of them are used
                _make_chips(grid[0], boxes, left, left, scale_rule, window, True, negative_given, negatives)
        return _records(positives, -1), _records(negatives, min_rows)
    finally:
        del grid


cdef object _records(const Held &held, int min_rows):
    """List of (box, rows) of the chips that hold more than min_rows rows."""
    cdef Py_ssize_t m, i, num_chips = <Py_ssize_t>(held.chips.size() // 4)
    cdef vector[int] count, filled
    cdef int chip
    if num_chips == 0:
        return []
    count.assign(num_chips, 0)
    for i in range(<Py_ssize_t>held.chip.size()):
        count[held.chip[i]] += 1
    filled.assign(num_chips + 1, 0)
    for m in range(num_chips):
        filled[m + 1] = filled[m] + count[m]
    starts = [filled[m] for m in range(num_chips + 1)]
    rows = np.empty(filled[num_chips], dtype=np.int32)
    cdef int[::1] out = rows
    for i in range(<Py_ssize_t>held.chip.size()):
        chip = held.chip[i]
        out[filled[chip]] = held.row[i]
        filled[chip] += 1
    return [((held.chips[4 * m], held.chips[4 * m + 1], held.chips[4 * m + 2], held.chips[4 * m + 3]),
             rows[starts[m]:starts[m + 1]]) for m in range(num_chips) if count[m] > min_rows]
