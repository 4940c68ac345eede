"""DeformablePSROIPooling in operators of ONNX: RoiAlign on the map enlarged to twice as many cells, less one.

The samples of a bin lie where SNIPER-mxnet/include/sniper/psroi_pooling.h has them: at the first side of each of its
parts, not in the middle, so boxes move by half a part. Samples farther than half a cell off the map do not count there;
RoiAlign leaves out, as zeros, those farther than a cell. On the enlarged map, whose values between cells are the very
ones that interpolation gives, that is the same distance on both sides. What does not count is taken out of the mean by
pooling a map of ones too. Where nothing moves and samples are many, products of matrices are faster:
lib.export.psroi_products.

Letters: B images, R rois, P bins a side, C channels of the output, G groups a side of the input's channels.
"""
import numpy as np
from onnx import TensorProto

from lib.export.conversion import attribute
from lib.export.psroi_products import is_by_image, pooled_by_products
from lib.export.shaping import cut
from lib.utils.errors import SniperError

# Cells of the enlarged map: samples on the very border of the map, where most rois at 0 begin, stay on it.
NUDGE = 2e-6
LEAST_SIDE = np.float32(0.1)
FEWEST_SAMPLES = 4      # a bin and side, from which on products are faster than RoiAlign


def deformable_psroi_pooling(conversion, node):
    """(R, C, P, P) of data (B, C*G*G, H, W), rois (R, 5) and, unless no_trans, trans (R, 2, parts, parts)."""
    writer = conversion.writer
    data, rois, *trans = conversion.inputs(node)
    bins, samples = int(attribute(node, 'pooled_size')), int(attribute(node, 'sample_per_part', 1))
    groups, columns = int(attribute(node, 'group_size', 1)), int(attribute(node, 'output_dim'))
    start, size = roi_frames(writer, rois, float(attribute(node, 'spatial_scale')))
    if node.flag('no_trans', False) and groups == 1 and samples >= FEWEST_SAMPLES and is_by_image(node.inputs[1].node):
        return [pooled_by_products(writer, data, start, size, columns, bins, samples)]
    images = writer.add('Cast', writer.add('Squeeze', cut(writer, rois, 1, 0, 1), np.array([1])), to=TensorProto.INT64)
    maps = _with_ones(writer, _enlarged(writer, data))
    if node.flag('no_trans', False):
        pooled = _rigid(writer, maps, images, start, size, bins, samples)
    else:
        shift = _shifts(conversion, node, trans[0], bins)
        pooled = _moved(writer, maps, images, start, size, shift, bins, samples)
    # (R, C*G*G + 1, P*P): the last channel is the share of the samples that count
    channels = columns * groups * groups
    share = writer.add('Max', cut(writer, pooled, 1, channels, channels + 1), np.float32(0.5 / samples ** 2))
    mean = writer.add('Div', cut(writer, pooled, 1, 0, channels), share)
    if groups > 1:
        mean = _own_groups(writer, mean, bins, groups, columns)
    return [writer.add('Reshape', mean, np.array([-1, columns, bins, bins]))]


def roi_frames(writer, rois, scale):
    """(start, size) (R, 2), x before y, of rois in cells."""
    first, last = (_rounded(writer, cut(writer, rois, 1, begin, begin + 2)) for begin in (1, 3))
    scale, half = np.float32(scale), np.float32(0.5)
    start = writer.add('Sub', writer.add('Mul', first, scale), half)
    end = writer.add('Sub', writer.add('Mul', writer.add('Add', last, np.float32(1)), scale), half)
    return start, writer.add('Max', writer.add('Sub', end, start), LEAST_SIDE)


def _rounded(writer, numbers):
    """To the nearest whole number, halves away from zero (ONNX' Round takes them to even ones)."""
    magnitude = writer.add('Floor', writer.add('Add', writer.add('Abs', numbers), np.float32(0.5)))
    return writer.add('Mul', writer.add('Sign', numbers), magnitude)


def _enlarged(writer, data):
    """(B, channels, H, W) -> (B, channels, 2H - 1, 2W - 1): between two cells their mean."""
    shape = writer.add('Shape', data)
    sizes = writer.add('Sub', writer.add('Mul', shape, np.array([1, 1, 2, 2])), np.array([0, 0, 1, 1]))
    return writer.add('Resize', data, None, None, sizes, mode='linear',
                      coordinate_transformation_mode='align_corners')


def _with_ones(writer, maps):
    """The same with one more channel, of ones."""
    ones = writer.add('Add', writer.add('Mul', cut(writer, maps, 1, 0, 1), np.float32(0)), np.float32(1))
    return writer.add('Concat', maps, ones, axis=1)


def _aligned(writer, maps, boxes, images, bins, samples):
    return writer.add('RoiAlign', maps, boxes, images, output_height=bins, output_width=bins, sampling_ratio=samples,
                      spatial_scale=1.0, mode='avg', coordinate_transformation_mode='half_pixel')


def _box(writer, start, size, part, axis):
    """Corners x1, y1, x2, y2 for RoiAlign of what begins at `start` and has parts of side `part`, all in cells."""
    first = writer.add('Sub', writer.add('Mul', start, np.float32(2)), part)     # twice half a part
    first = writer.add('Add', first, np.float32(0.5 + NUDGE))
    last = writer.add('Add', first, writer.add('Mul', size, np.float32(2)))
    return writer.add('Concat', first, last, axis=axis)


def _rigid(writer, maps, images, start, size, bins, samples):
    """(R, channels, P*P) of rois of `start`, `size` (R, 2)."""
    part = writer.add('Div', size, np.float32(bins * samples))
    pooled = _aligned(writer, maps, _box(writer, start, size, part, 1), images, bins, samples)
    return writer.add('Reshape', pooled, np.array([0, 0, bins * bins]))


def _moved(writer, maps, images, start, size, shift, bins, samples):
    """The same with bins moved by shift (R, 2, P*P) sides of the roi: each bin is a roi of its own."""
    axes = np.array([2])
    start, size = writer.add('Unsqueeze', start, axes), writer.add('Unsqueeze', size, axes)
    side = writer.add('Div', size, np.float32(bins))
    rows, columns = np.divmod(np.arange(bins * bins, dtype=np.float32), bins)
    places = writer.add('Mul', side, np.stack([columns, rows])[None])       # (R, 2, P*P)
    begin = writer.add('Add', writer.add('Add', places, start), writer.add('Mul', shift, size))
    part = writer.add('Div', side, np.float32(samples))
    boxes = writer.add('Transpose', _box(writer, begin, side, part, 1), perm=[0, 2, 1])     # (R, P*P, 4)
    boxes = writer.add('Reshape', boxes, np.array([-1, 4]))
    every = writer.add('Expand', writer.add('Unsqueeze', images, np.array([1])), np.array([1, bins * bins]))
    pooled = _aligned(writer, maps, boxes, writer.add('Reshape', every, np.array([-1])), 1, samples)
    pooled = writer.add('Reshape', pooled, writer.add(
        'Concat', np.array([-1, bins * bins]), cut(writer, writer.add('Shape', maps), 0, 1, 2), axis=0))
    return writer.add('Transpose', pooled, perm=[0, 2, 1])


def _shifts(conversion, node, trans, bins):
    """(R, 2, P*P) of trans (R, 2, parts, parts): how far each bin moves, in sides of the roi, x before y."""
    writer, parts = conversion.writer, int(attribute(node, 'part_size', 0)) or bins
    if conversion.shape(node.inputs[2])[1] != 2:
        raise SniperError(f'the layer {node.name} moves bins otherwise for each class, which the ONNX exporter does '
                          'not know')
    numbers = np.minimum(np.floor(np.arange(bins, dtype=np.float32) / np.float32(bins) * parts), parts - 1)
    places = (numbers[:, None] * parts + numbers).ravel().astype(np.int64)
    trans = writer.add('Reshape', trans, np.array([0, 2, parts * parts]))
    if not np.array_equal(places, np.arange(parts * parts)):
        trans = writer.add('Gather', trans, places, axis=2)
    return writer.add('Mul', trans, np.float32(attribute(node, 'trans_std', 0)))


def _own_groups(writer, pooled, bins, groups, columns):
    """(R, C*G*G, P*P) -> (R, C, P*P): each bin of the group of channels that it reads."""
    numbers = np.minimum(np.floor(np.arange(bins, dtype=np.float32) * groups / np.float32(bins)), groups - 1)
    group = (numbers[:, None] * groups + numbers).ravel().astype(np.int64)
    pooled = writer.add('Reshape', pooled, np.array([0, columns, groups * groups * bins * bins]))
    return writer.add('Gather', pooled, group * bins * bins + np.arange(bins * bins), axis=2)


CONVERTERS = {'DeformablePSROIPooling': deformable_psroi_pooling}
