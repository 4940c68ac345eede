"""Binding of sniper/anchor_targets.h, the interpreter lock released."""
import numpy as np

from libc.stdint cimport int8_t, int32_t


cdef extern from "sniper/anchor_targets.h" namespace "sniper" nogil:
    cdef cppclass AnchorLabeller:
        AnchorLabeller(const double *base, int num_anchors, int cells, int stride, double chip_size,
                       double border) except +
        int Count()
        void Label(const double *valid, int num_valid, const double *invalid, int num_invalid, double positive,
                   double negative, double ignore, int8_t *label, int32_t *match)
        void Write(const int8_t *label, const int32_t *match, const double *valid, float *label_out,
                   float *target_out, float *weight_out)


cdef const double *_first(const double[:, ::1] boxes):
    if boxes.shape[0] == 0:
        return NULL
    return &boxes[0, 0]


cdef class Labeller:
    """Anchor grid of one chip shape with its scratch memory; not for two threads at once."""

    cdef AnchorLabeller *_labeller
    cdef readonly int num_anchors, cells

    def __cinit__(self, const double[:, ::1] base, int cells, int stride, double chip_size, double border):
        self.num_anchors = <int>base.shape[0]
        self.cells = cells
        self._labeller = new AnchorLabeller(_first(base), self.num_anchors, cells, stride, chip_size, border)

    def __dealloc__(self):
        del self._labeller

    def label(self, const double[:, ::1] valid, const double[:, ::1] invalid, double positive, double negative,
              double ignore):
        """(label (K,) int8, match (K,) int32), K anchors cell by cell, base anchor fastest."""
        cdef int count = self._labeller.Count()
        cdef int num_valid = <int>valid.shape[0], num_invalid = <int>invalid.shape[0]
        cdef const double *valid_data = _first(valid)
        cdef const double *invalid_data = _first(invalid)
        label_array = np.empty(count, dtype=np.int8)
        match_array = np.empty(count, dtype=np.int32)
        cdef int8_t[::1] label = label_array
        cdef int32_t[::1] match = match_array
        with nogil:
            self._labeller.Label(valid_data, num_valid, invalid_data, num_invalid, positive, negative, ignore,
                                 &label[0], &match[0])
        return label_array, match_array

    def write(self, const int8_t[::1] label, const int32_t[::1] match, const double[:, ::1] valid,
              float[::1] label_out, float[:, :, ::1] target_out, float[:, :, ::1] weight_out):
        """Fill the network's label (A * F * F,), bbox_target and bbox_weight (4A, F, F)."""
        cdef int count = self._labeller.Count()
        if label.shape[0] != count or match.shape[0] != count or label_out.shape[0] != count:
            raise ValueError('label arrays must hold %d anchors' % count)
        if target_out.size != 4 * count or weight_out.size != 4 * count:
            raise ValueError('bbox_target and bbox_weight must have shape (%d, %d, %d)'
                             % (4 * self.num_anchors, self.cells, self.cells))
        cdef const double *valid_data = _first(valid)
        with nogil:
            self._labeller.Write(&label[0], &match[0], valid_data, &label_out[0], &target_out[0, 0, 0],
                                 &weight_out[0, 0, 0])
