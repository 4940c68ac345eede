"""Rigid DeformablePSROIPooling as two products of matrices: rows of the map with the weights of each bin, then columns.

A bin's samples lie on a grid, so its mean is a sum over rows and columns of the map with weights for each axis, which
are made as in SNIPER-mxnet/include/sniper/psroi_pooling.h: a sample off the map does not count, one beyond the last
cell's middle has that cell's value.

Letters: B images, R = B*n rois, image by image, P bins a side, S samples a bin and side, C channels, H x W cells.
"""
import numpy as np
from onnx import TensorProto

from lib.export.shaping import numbers, side_of

BY_IMAGE = ('MultiProposal',)       # operators whose rois come image by image, as many of each


def is_by_image(rois):
    """Whether a node's rois do."""
    return rois.op in BY_IMAGE


def pooled_by_products(writer, data: str, start: str, size: str, channels: int, bins: int, samples: int) -> str:
    """(R, C, P, P) of data (B, C, H, W) and rois of start and size (R, 2), x before y, in cells."""
    shape = writer.add('Shape', data)
    positions = _positions(writer, start, size, bins, samples)
    columns, rows = (_weights(writer, positions, place, numbers(writer, shape, 3 - place), bins, samples)
                     for place in (0, 1))       # (R, P, W), (R, P, H)
    height, width = side_of(writer, shape, 2), side_of(writer, shape, 3)
    rows = writer.add('Reshape', rows, writer.add('Concat', side_of(writer, shape, 0), np.array([-1]), height, axis=0))
    maps = writer.add('Transpose', data, perm=[0, 2, 1, 3])                         # (B, H, C, W)
    maps = writer.add('Reshape', maps, np.array([0, 0, -1]))
    by_row = writer.add('MatMul', rows, maps)                                       # (B, n*P, C*W)
    by_row = writer.add('Reshape', by_row, writer.add('Concat', np.array([-1, bins * channels]), width, axis=0))
    pooled = writer.add('MatMul', by_row, writer.add('Transpose', columns, perm=[0, 2, 1]))     # (R, P*C, P)
    pooled = writer.add('Reshape', pooled, np.array([-1, bins, channels, bins]))
    return writer.add('Transpose', pooled, perm=[0, 2, 1, 3])


def _positions(writer, start, size, bins, samples):
    """(R, 2, P*S) where samples lie, in cells."""
    start, size = (writer.add('Unsqueeze', value, np.array([2])) for value in (start, size))
    side = writer.add('Div', size, np.float32(bins))
    step = writer.add('Div', side, np.float32(samples))
    bin_number, sample = np.divmod(np.arange(bins * samples, dtype=np.float32), samples)
    first = writer.add('Add', writer.add('Mul', side, bin_number[None, None]), start)
    return writer.add('Add', first, writer.add('Mul', step, sample[None, None]))


def _weights(writer, positions, place, cells, bins, samples):
    """(R, P, cells): share of each cell along an axis in the mean of each bin; place: 0 for x, 1 for y; cells (length,)
    numbers of the axis."""
    at = writer.add('Gather', positions, np.array(place), axis=1)                   # (R, P*S)
    at = writer.add('Unsqueeze', at, np.array([2]))
    cells = writer.add('Cast', cells, to=TensorProto.FLOAT)
    last = writer.add('ReduceMax', cells, axes=[0], keepdims=1)
    counts = writer.add('And', writer.add('GreaterOrEqual', at, np.float32(-0.5)),
                        writer.add('LessOrEqual', at, writer.add('Add', last, np.float32(0.5))))
    at = writer.add('Max', writer.add('Min', at, last), np.float32(0))
    share = writer.add('Sub', np.float32(1), writer.add('Abs', writer.add('Sub', at, cells)))   # (R, P*S, cells)
    counts = writer.add('Cast', counts, to=TensorProto.FLOAT)
    share = writer.add('Mul', writer.add('Max', share, np.float32(0)), counts)
    total = writer.add('ReduceSum', writer.add('Reshape', share, writer.add(
        'Concat', np.array([-1, bins, samples]), writer.add('Shape', cells), axis=0)), np.array([2]), keepdims=0)
    used = writer.add('ReduceSum', writer.add('Reshape', counts, np.array([-1, bins, samples])), np.array([2]),
                      keepdims=1)
    return writer.add('Div', total, writer.add('Max', used, np.float32(1)))
