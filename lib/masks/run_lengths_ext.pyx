"""Masks of detections -> COCO run-length codes, without ever making the pixels.

A run-length code goes through an image column by column: lengths of runs that are outside, inside, outside, ... the
mask. Along a column, the bilinear interpolation of a mask of S x S cells is a chain of S - 1 straight lines, and each
crosses the threshold once at most: the place is found by halving, so that a column costs S steps however high the box.
"""
import numpy as np

from libc.math cimport ceil, floor
from libcpp.vector cimport vector
from cpython.bytes cimport PyBytes_FromStringAndSize


cdef struct Runs:
    bint inside         # what the run that is going on is
    long long length    # its pixels so far


cdef inline int extend(Runs *runs, vector[long long] *counts, bint inside, long long length) except -1 nogil:
    if length == 0:
        return 0
    if runs.inside != inside:
        counts.push_back(runs.length)
        runs.inside = inside
        runs.length = 0
    runs.length += length
    return 0


cdef inline void first_and_end(double low, double high, int limit, int *first, int *end) noexcept nogil:
    """Pixels whose centre, number + 0.5, is in [low, high + 1), corners being inclusive, and in the image."""
    cdef double begin = ceil(low - 0.5), stop = ceil(high + 0.5)
    first[0] = <int>min(max(begin, 0.0), <double>limit)
    end[0] = <int>min(max(stop, <double>first[0]), <double>limit)


cdef inline double place(int pixel, double low, double extent, int cells, int *cell) noexcept nogil:
    """Between the centres of which two cells a pixel's centre lies: number of the first, and the share of the way."""
    cdef double at = (pixel + 0.5 - low) * cells / extent - 0.5
    at = min(max(at, 0.0), cells - 1.0)
    cell[0] = min(<int>at, max(cells - 2, 0))
    return at - cell[0]


cdef int paste(const float *mask, int cells, const double *box, double least, int width, int height, float threshold,
              vector[int] &starts, vector[int] &cell_of, vector[double] &share_of, vector[double] &profile,
              vector[long long] &counts) except -1 nogil:
    """Counts of one mask; the vectors before `counts` are scratch."""
    cdef int left, right, top, bottom, column, cell, beside, row, segment, low, high, middle
    cdef double share, extent_x = max(box[2] - box[0], least), extent_y = max(box[3] - box[1], least)
    cdef bint above, below
    cdef Runs runs
    first_and_end(box[0], box[2], width, &left, &right)
    first_and_end(box[1], box[3], height, &top, &bottom)
    counts.clear()
    if right <= left or bottom <= top:
        counts.push_back(<long long>width * height)
        return 0

    # Rows in groups that lie between the same two cells: group g is rows starts[g] to starts[g + 1] - 1.
    starts.clear()
    cell_of.clear()
    share_of.resize(bottom - top)
    for row in range(top, bottom):
        share_of[row - top] = place(row, box[1], extent_y, cells, &cell)
        if cell_of.empty() or cell_of.back() != cell:
            starts.push_back(row)
            cell_of.push_back(cell)
    starts.push_back(bottom)

    profile.resize(cells + 1)
    runs.inside = False
    runs.length = <long long>left * height
    for column in range(left, right):
        share = place(column, box[0], extent_x, cells, &cell)
        beside = min(cell + 1, cells - 1)
        for row in range(cells):
            profile[row] = (1 - share) * mask[row * cells + cell] + share * mask[row * cells + beside]
        profile[cells] = profile[cells - 1]  # where a mask is a single cell high
        extend(&runs, &counts, False, top)
        for segment in range(<int>cell_of.size()):
            cell = cell_of[segment]
            above, below = profile[cell] >= threshold, profile[cell + 1] >= threshold
            low, high = starts[segment], starts[segment + 1]
            if above != below:
                while low < high:  # the first row that is like the lower cell
                    middle = (low + high) // 2
                    share = share_of[middle - top]
                    if ((1 - share) * profile[cell] + share * profile[cell + 1] >= threshold) == below:
                        high = middle
                    else:
                        low = middle + 1
                extend(&runs, &counts, above, low - starts[segment])
                high = starts[segment + 1]
            if high > low:
                extend(&runs, &counts, below, high - low)
        extend(&runs, &counts, False, height - bottom)
    extend(&runs, &counts, False, <long long>(width - right) * height)
    if runs.length:
        counts.push_back(runs.length)
    return 0


cdef bytes compressed(vector[long long] &counts):
    """COCO's text: from the fourth count on the difference to the count two before, five bits a letter, lowest first;
    bit 5 says that more follow, bit 4 of the last is the sign."""
    cdef vector[char] text
    cdef long long value
    cdef size_t index
    cdef int bits
    cdef bint more
    for index in range(counts.size()):
        value = counts[index] - (counts[index - 2] if index > 2 else 0)
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text.push_back(<char>(48 + bits + (32 if more else 0)))
    return PyBytes_FromStringAndSize(text.data(), text.size())


def paste_masks(const float[:, :, ::1] masks, const double[:, ::1] boxes, double least, int width, int height,
                float threshold):
    """See lib.masks.run_lengths.paste; boxes are finite."""
    cdef vector[int] starts, cell_of
    cdef vector[double] share_of, profile
    cdef vector[long long] counts
    cdef int cells = masks.shape[1]
    cdef Py_ssize_t index
    codes = []
    for index in range(masks.shape[0]):
        with nogil:
            paste(&masks[index, 0, 0], cells, &boxes[index, 0], least, width, height, threshold, starts, cell_of,
                  share_of, profile, counts)
        codes.append(compressed(counts))
    return codes


def pack_counts(const long long[::1] lengths):
    """int64 counts -> code."""
    cdef vector[long long] counts
    cdef Py_ssize_t index
    for index in range(lengths.shape[0]):
        counts.push_back(lengths[index])
    return compressed(counts)


def run_counts(const unsigned char[::1] code):
    """The inverse of `compressed`: int64 counts. ValueError for a text that ends within a number."""
    cdef vector[long long] counts
    cdef Py_ssize_t at = 0
    cdef long long value
    cdef int bits, shift
    while at < code.shape[0]:
        value, shift, bits = 0, 0, 32
        while bits & 32:
            if at == code.shape[0] or not 48 <= code[at] < 112 or shift > 55:
                raise ValueError('not a COCO run-length code')
            bits = code[at] - 48
            value |= <long long>(bits & 31) << shift
            shift += 5
            at += 1
        if bits & 16:
            value |= <long long>(-1) << shift
        counts.push_back(value + (counts[counts.size() - 2] if counts.size() > 2 else 0))
    return np.array(counts, np.int64)
