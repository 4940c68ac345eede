"""Binding of sniper/image_planes.h, the interpreter lock released."""
import numpy as np

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t


cdef extern from "sniper/image_planes.h" namespace "sniper" nogil:
    void WritePlanes(const uint8_t *pixels, ptrdiff_t stride, int height, int width, const float *means, float *out,
                     int out_height, int out_width)


def write_planes(const uint8_t[:, :, :] pixels, means, float[:, :, ::1] out):
    """(H, W, 3) B, G, R pixels -> top left of out (3, h, w) as R, G, B minus means (B, G, R); -> (height, width).

    What does not fit is cut off, what is not reached is zero.
    """
    cdef const float[::1] levels = np.ascontiguousarray(means, np.float32)
    if pixels.shape[2] != 3 or levels.shape[0] != 3 or out.shape[0] != 3:
        raise ValueError('pixels must have 3 channels, means 3 values and out 3 planes')
    if pixels.shape[0] > 0 and pixels.shape[1] > 0 and (pixels.strides[2] != 1 or pixels.strides[1] != 3):
        raise ValueError('the pixels of a row must lie one after another')
    cdef int height = <int>min(pixels.shape[0], out.shape[1]), width = <int>min(pixels.shape[1], out.shape[2])
    cdef ptrdiff_t stride = pixels.strides[0]
    cdef int out_height = <int>out.shape[1], out_width = <int>out.shape[2]
    if out_height == 0 or out_width == 0:
        return 0, 0
    cdef const uint8_t *first = &pixels[0, 0, 0] if height > 0 and width > 0 else NULL
    with nogil:
        WritePlanes(first, stride, height, width, &levels[0], &out[0, 0, 0], out_height, out_width)
    return height, width
