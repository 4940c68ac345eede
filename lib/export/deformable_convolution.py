"""DeformableConvolution in operators of ONNX: GridSample at all points of the kernel, then a 1x1 convolution.

The points are those of SNIPER-mxnet/include/sniper/deformable_convolution.h. DeformConv of ONNX has other values at the
borders: here a point beyond the last cell, by less than one, has that cell's value, and one before the first has 0.

Letters: B images, G groups of offsets, T points of the kernel, h x w cells of the output, C channels.
"""
import numpy as np
from onnx import TensorProto

from lib.export.conversion import attribute
from lib.export.shaping import cut, numbers, side_of

OUTSIDE = np.float32(-4)    # of the sampled map, whose sides lie at -1 and 1: far enough off for maps of one cell


def deformable_convolution(conversion, node):
    """(B, filters, h, w) of data (B, C, H, W), offset (B, G*T*2, h, w), weight (filters, C / groups, kernel)."""
    writer = conversion.writer
    data, offset, _, *bias = conversion.inputs(node)
    weight = conversion.array(node.inputs[2])
    groups = int(attribute(node, 'num_deformable_group', 1))
    kernel = attribute(node, 'kernel')
    taps = kernel[0] * kernel[1]
    channels = weight.shape[1] * attribute(node, 'num_group', 1)
    shape = writer.add('Shape', offset)
    rows, columns = side_of(writer, shape, 2), side_of(writer, shape, 3)
    offset = writer.add('Reshape', offset, writer.add('Concat', np.array([-1, taps, 2]), rows, columns, axis=0))
    size = writer.add('Shape', data)
    lines = []
    for axis in (1, 0):         # GridSample wants x before y
        points = _points(writer, cut(writer, offset, 2, axis, axis + 1), numbers(writer, shape, 2 + axis), node, axis)
        lines.append(_on_grid(writer, points, side_of(writer, size, 2 + axis)))
    grid = writer.add('Concat', *lines, axis=4)         # (B*G, T, h, w, 2)
    grid = writer.add('Reshape', grid, writer.add('Concat', np.array([0, -1]), columns, np.array([2]), axis=0))
    maps = writer.add('Reshape', data, np.array([-1, channels // groups, 0, 0])) if groups > 1 else data
    sampled = writer.add('GridSample', maps, grid, mode='bilinear', padding_mode='zeros', align_corners=0)
    sampled = writer.add('Reshape', sampled, writer.add(        # (B*G, C/G, T*h, w) -> (B, C*T, h, w)
        'Concat', np.array([-1, channels * taps]), rows, columns, axis=0))
    kernel = writer.parameter(f'{node.inputs[2].node.name}_taps', weight.reshape(len(weight), -1, 1, 1))
    return [writer.add('Conv', sampled, kernel, *bias, kernel_shape=[1, 1], group=attribute(node, 'num_group', 1))]


def _points(writer, offset, cells, node, axis):
    """(B*G, T, h, w, 1): where each point lies along `axis`, in cells; cells (length,) numbers of the output's."""
    kernel, stride, dilate, pad = (attribute(node, name) or (default, default) for name, default in (
        ('kernel', 1), ('stride', 1), ('dilate', 1), ('pad', 0)))
    places = np.arange(kernel[axis]) * dilate[axis] - pad[axis]
    places = np.repeat(places, kernel[1]) if axis == 0 else np.tile(places, kernel[0])
    cells = writer.add('Cast', writer.add('Mul', cells, np.array(stride[axis])), to=TensorProto.FLOAT)
    cells = writer.add('Unsqueeze', cells, np.array([[0, 2], [0, 1]][axis]))        # (1, h, 1) or (1, 1, w)
    starts = writer.add('Add', cells, places.astype(np.float32).reshape(-1, 1, 1))    # (T, h, 1) or (T, 1, w)
    points = writer.add('Add', writer.add('Squeeze', offset, np.array([2])), starts)
    return writer.add('Unsqueeze', points, np.array([4]))


def _on_grid(writer, points, size):
    """Points in cells -> GridSample's coordinates, -1 to 1 between the outer sides of the outer cells; size (1,)."""
    size = writer.add('Cast', size, to=TensorProto.FLOAT)
    inside = writer.add('And', writer.add('GreaterOrEqual', points, np.float32(0)), writer.add('Less', points, size))
    points = writer.add('Min', points, writer.add('Sub', size, np.float32(1)))
    twice = writer.add('Add', writer.add('Mul', points, np.float32(2)), np.float32(1))
    return writer.add('Where', inside, writer.add('Sub', writer.add('Div', twice, size), np.float32(1)), OUTSIDE)


CONVERTERS = {'DeformableConvolution': deformable_convolution}
