"""Greedy matching of ranked proposals with objects, for many overlap thresholds and size ranges at once."""
import numpy as np

from libcpp.vector cimport vector


def count_recalled(const double[:, ::1] overlaps, const double[::1] areas, const double[::1] thresholds,
                   const double[:, ::1] ranges, const int[::1] limits, long long[:, :, ::1] found,
                   long long[::1] total):
    """Add the objects of one image that its proposals recall to `found`, and those there are to `total`.

    overlaps (n, g) IoU of proposals, best first, with objects; areas (g,); ranges (R, 2): objects with
    low <= area < high count, the others may be matched but count for nothing; limits (L,) ascending: how many of the
    best proposals are looked at. found (R, T, L), total (R,).

    As in COCO's evaluation, a proposal takes the free object it overlaps most (at least the threshold), one that
    counts before one that does not, the later one among equals.
    """
    cdef Py_ssize_t n = overlaps.shape[0], g = overlaps.shape[1], r, t, p, k, i, best
    cdef Py_ssize_t last = limits[limits.shape[0] - 1]
    cdef double least, most, lowest = thresholds[0]
    cdef bint counts
    cdef vector[Py_ssize_t] order, rows
    cdef vector[char] taken, inside
    with nogil:
        for t in range(thresholds.shape[0]):
            lowest = thresholds[t] if thresholds[t] < lowest else lowest
        for p in range(n if n < last else last):  # only proposals that can match anything
            for i in range(g):
                if overlaps[p, i] >= lowest:
                    rows.push_back(p)
                    break
        inside.resize(g)
        for r in range(ranges.shape[0]):
            order.clear()
            for i in range(g):
                inside[i] = ranges[r, 0] <= areas[i] and areas[i] < ranges[r, 1]
                if inside[i]:
                    order.push_back(i)
            total[r] += <long long>order.size()
            if order.size() == 0:
                continue
            for i in range(g):
                if not inside[i]:
                    order.push_back(i)
            for t in range(thresholds.shape[0]):
                taken.assign(g, 0)
                for k in range(<Py_ssize_t>rows.size()):
                    p = rows[k]
                    best, least = -1, thresholds[t]
                    for i in range(g):
                        if taken[order[i]]:
                            continue
                        if best >= 0 and inside[best] and not inside[order[i]]:
                            break
                        most = overlaps[p, order[i]]
                        if most >= least:
                            best, least = order[i], most
                    if best < 0:
                        continue
                    taken[best] = 1
                    if inside[best]:
                        for i in range(limits.shape[0]):
                            if p < limits[i]:
                                found[r, t, i] += 1
