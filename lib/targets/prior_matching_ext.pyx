"""Binding of sniper/prior_matching.h, the interpreter lock released."""
import numpy as np

from libc.stdint cimport int32_t


cdef extern from "sniper/prior_matching.h" namespace "sniper" nogil:
    cdef cppclass PriorMatcher:
        PriorMatcher(const float *priors, int count) except +
        int Count()
        void Match(const float *truths, int num, float threshold, int32_t *truth) except +


cdef class Matcher:
    """Priors (P, 4) float32 cx, cy, w, h with their scratch memory; not for two threads at once."""

    cdef PriorMatcher *_matcher

    def __cinit__(self, const float[:, ::1] priors):
        self._matcher = new PriorMatcher(&priors[0, 0] if priors.shape[0] else NULL, <int>priors.shape[0])

    def __dealloc__(self):
        del self._matcher

    def match(self, const float[:, ::1] truths, float threshold):
        """truths (G, 4) float32 corners -> (P,) int32: the truth of each prior, -1 for none."""
        truth_array = np.empty(self._matcher.Count(), np.int32)
        cdef int32_t[::1] truth = truth_array
        cdef int num = <int>truths.shape[0]
        if truth.shape[0] == 0:
            return truth_array
        cdef const float *first = &truths[0, 0] if num else NULL
        with nogil:
            self._matcher.Match(first, num, threshold, &truth[0])
        return truth_array
