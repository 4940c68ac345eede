"""Binding of sniper/soft_nms.h."""
from libc.float cimport FLT_MAX
from libc.stddef cimport size_t


cdef extern from "sniper/soft_nms.h" namespace "sniper" nogil:
    cdef enum class SoftNmsMethod:
        kHard
        kLinear
        kGaussian

    cdef struct SoftNmsParam:
        float sigma
        float iou_thresh
        float score_thresh
        SoftNmsMethod method
        float min_score

    cdef cppclass SoftNmsSet:
        size_t Run(float *rows, size_t count, const SoftNmsParam &param, int *origin, size_t most) except +


def soft_nms_inplace(float[:, ::1] rows, float sigma, float iou_thresh, float score_thresh, int method,
                     int[::1] origin=None, size_t most=0):
    """Reorder and rescore (N, 5) rows in place, and reorder origin (N,), if given, with them.

    Returns how many rows from the first are left, at most `most` of them if that is not 0.
    """
    cdef SoftNmsParam param
    cdef SoftNmsSet worker
    cdef size_t left, count = rows.shape[0]
    cdef int *moved = NULL
    if count == 0:
        return 0
    param.sigma = sigma
    param.iou_thresh = iou_thresh
    param.score_thresh = score_thresh
    param.method = <SoftNmsMethod>method
    param.min_score = -FLT_MAX
    if origin is not None:
        if origin.shape[0] != rows.shape[0]:
            raise ValueError('%d origins for %d rows' % (origin.shape[0], rows.shape[0]))
        moved = &origin[0]
    with nogil:
        left = worker.Run(&rows[0, 0], count, param, moved, most if most else count)
    return left
