"""MultiProposal in operators of ONNX: anchors and network outputs -> the best boxes after NMS.

Every step is that of SNIPER-mxnet/include/sniper/proposals.h, in the same arithmetic: boxes are decoded in double,
rounded, clipped, and tested in float32. Boxes that fail the tests get the score -1 before the best are taken, as the
number before NMS counts only boxes that pass.

Of large maps only the best LOOKED_AT times as many boxes as enter NMS are decoded, which saves most of the time of a
light network. So others enter where three in four of these are too small, which no network does whose anchors are
larger than RPN_MIN_SIZE.

Letters: B images, N boxes of an image (anchor, row, column), K those that enter NMS, P those that come out.
"""
import numpy as np
from onnx import TensorProto

from lib.bbox.anchors import anchor_base
from lib.export.conversion import attribute
from lib.export.shaping import cut, numbers, side_of

FINITE = np.float32(np.finfo(np.float32).max)
LOOKED_AT, LEAST_LOOKED_AT = 4, 32768
MOST_GROWTH = 100.0     # of the logarithm of a side, as in the operator


def multi_proposal(conversion, node):
    """rois (B*P, 5), scores (B*P,)."""
    writer = conversion.writer
    probabilities, deltas, im_info = conversion.inputs(node)
    stride, most = attribute(node, 'feature_stride', 16), int(attribute(node, 'rpn_pre_nms_top_n', 12000))
    shapes = (np.float32(attribute(node, name)) for name in ('ratios', 'scales'))   # as the operator reads them
    anchors = anchor_base(stride, *shapes).astype(np.float32)
    limits = _limits(writer, im_info)
    scores = writer.add('Reshape', cut(writer, probabilities, 1, len(anchors), 2 * len(anchors)), np.array([0, -1]))
    scores, places = _largest(writer, scores, max(LOOKED_AT * most, LEAST_LOOKED_AT) if most >= 0 else -1)
    boxes, passed = _boxes(writer, deltas, places, anchors, stride, limits, float(attribute(node, 'rpn_min_size', 3)))
    scores, places = _largest(writer, writer.add('Where', passed, scores, np.float32(-1)), most)
    boxes = _rows(writer, boxes, places)
    rows = int(attribute(node, 'rpn_post_nms_top_n', 300))
    kept = _suppressed(writer, scores, boxes, float(attribute(node, 'threshold', 0.7)), rows)
    return _outputs(writer, scores, boxes, kept, limits, rows)


def _limits(writer, im_info):
    """(B, 1, 2) float32: last column and row of each image."""
    sizes = writer.add('Gather', im_info, np.array([1, 0]), axis=1)
    return writer.add('Unsqueeze', writer.add('Sub', sizes, np.float32(1)), np.array([1]))


def _largest(writer, scores, most):
    """The `most` best of scores (B, n), in order, -1 for all, and their places."""
    count = side_of(writer, writer.add('Shape', scores), 1)
    if most >= 0:
        count = writer.add('Min', count, np.array([most]))
    return writer.add('TopK', scores, count, outputs=2, axis=1)


def _rows(writer, table, places):
    """Rows of (B, n, columns) at places (B, k) -> (B, k, columns)."""
    return writer.add('GatherND', table, writer.add('Unsqueeze', places, np.array([2])), batch_dims=1)


def _boxes(writer, deltas, places, anchors, stride, limits, min_size):
    """(B, k, 4) float32 boxes within their images, (B, k) whether they enter NMS, of the anchors at places (B, k)."""
    shape = writer.add('Shape', deltas)
    by_anchor = writer.add('Reshape', deltas, writer.add(       # (B, A, 4, h, w) -> (B, A, h, w, 4)
        'Concat', np.array([0, len(anchors), 4]), cut(writer, shape, 0, 2, 4), axis=0))
    by_anchor = writer.add('Transpose', by_anchor, perm=[0, 1, 3, 4, 2])
    rows = _rows(writer, writer.add('Reshape', by_anchor, np.array([0, -1, 4])), places)
    finite = writer.add('LessOrEqual', writer.add('Abs', rows), FINITE)
    low, high = _decoded(writer, _placed(writer, places, shape, anchors, stride), rows)
    corners = []
    for corner in (low, high):
        corner = writer.add('Min', writer.add('Cast', corner, to=TensorProto.FLOAT), limits)
        corners.append(writer.add('Max', corner, np.float32(0)))
    sides = writer.add('Add', writer.add('Sub', corners[1], corners[0]), np.float32(1))
    large = writer.add('GreaterOrEqual', sides, np.float32(min_size))
    return writer.add('Concat', *corners, axis=2), writer.add('And', _all(writer, large), _all(writer, finite))


def _placed(writer, places, shape, anchors, stride):
    """[first corner, last corner] (B, k, 2) double of the anchors at places (B, k), x before y; shape: of deltas."""
    height, width = side_of(writer, shape, 2), side_of(writer, shape, 3)
    cells = writer.add('Mul', height, width)
    anchor, cell = writer.add('Div', places, cells), writer.add('Mod', places, cells)
    column, row = writer.add('Mod', cell, width), writer.add('Div', cell, width)
    shifts = [writer.add('Unsqueeze', writer.add('Mul', number, np.array(int(stride))), np.array([2]))
              for number in (column, row)]
    shifts = writer.add('Cast', writer.add('Concat', *shifts, axis=2), to=TensorProto.FLOAT)
    corners = [writer.add('Add', writer.add('Gather', part, anchor, axis=0), shifts)
               for part in (anchors[:, :2].copy(), anchors[:, 2:].copy())]
    return [writer.add('Cast', corner, to=TensorProto.DOUBLE) for corner in corners]


def _decoded(writer, placed, deltas):
    """(first corner, last corner) (B, k, 2) double of the boxes that deltas (B, k, 4) make of anchors."""
    first, last = placed
    shift = writer.add('Cast', cut(writer, deltas, 2, 0, 2), to=TensorProto.DOUBLE)
    growth = writer.add('Cast', cut(writer, deltas, 2, 2, 4), to=TensorProto.DOUBLE)
    growth = writer.add('Clip', growth, np.float64(-MOST_GROWTH), np.float64(MOST_GROWTH))
    # As OpenVINO 2026.4 never ends with last - first + 1, where a file has fixed sizes; all of this is exact in double.
    length = writer.add('Sub', last, writer.add('Sub', first, np.float64(1)))
    middle = writer.add('Mul', writer.add('Sub', length, np.float64(1)), np.float64(0.5))
    centre = writer.add('Add', writer.add('Add', writer.add('Mul', shift, length), first), middle)
    sides = writer.add('Mul', writer.add('Exp', growth), length)
    half = writer.add('Mul', writer.add('Sub', sides, np.float64(1)), np.float64(0.5))
    return writer.add('Sub', centre, half), writer.add('Add', centre, half)


def _all(writer, flags):
    """(B, k, any) -> (B, k): whether all flags of a row are set."""
    numbers = writer.add('Cast', flags, to=TensorProto.FLOAT)
    return writer.add('Greater', writer.add('ReduceMin', numbers, axes=[2], keepdims=0), np.float32(0.5))


def _suppressed(writer, scores, boxes, threshold, rows):
    """(B, K + P): at boxes that NMS keeps a number that falls along a row, else 0."""
    shape = writer.add('Shape', scores)
    places = numbers(writer, shape, 1)
    ranks = writer.add('Cast', writer.add('Sub', side_of(writer, shape, 1), places), to=TensorProto.FLOAT)  # K ... 1
    ranks = writer.add('Where', writer.add('Greater', scores, np.float32(-1)), ranks, np.float32(-1))
    # NMS of ONNX has sides x2 - x1; its scores are ranks, so that equal scores come in order too.
    wide = writer.add('Add', boxes, np.array([0, 0, 1, 1], np.float32))
    kept = writer.add('NonMaxSuppression', wide, writer.add('Unsqueeze', ranks, np.array([1])), np.array([rows]),
                      np.array([threshold], np.float32), np.array([0], np.float32))
    kept = writer.add('Gather', kept, np.array([0, 2]), axis=1)
    nothing = writer.add('Mul', ranks, np.float32(0))
    found = writer.add('ScatterND', nothing, kept, writer.add('GatherND', ranks, kept))
    return writer.add('Pad', found, np.array([0, 0, 0, rows]))


def _outputs(writer, scores, boxes, kept, limits, rows):
    """[rois (B*P, 5), scores (B*P,)]: those kept, then whole images with the score 0."""
    ranks, places = writer.add('TopK', kept, np.array([rows]), outputs=2, axis=1)
    found = writer.add('Greater', ranks, np.float32(0))
    places = writer.add('Where', found, places, np.array(0))
    places = writer.add('Unsqueeze', places, np.array([2]))
    scores = writer.add('Where', found, writer.add('GatherND', scores, places, batch_dims=1), np.float32(0))
    whole = writer.add('Max', limits, np.float32(0))
    whole = writer.add('Concat', writer.add('Mul', whole, np.float32(0)), whole, axis=2)     # (B, 1, 4)
    found = writer.add('Unsqueeze', found, np.array([2]))
    boxes = writer.add('Where', found, writer.add('GatherND', boxes, places, batch_dims=1), whole)
    images = writer.add('Cast', numbers(writer, writer.add('Shape', boxes), 0), to=TensorProto.FLOAT)
    images = writer.add('Unsqueeze', images, np.array([1, 2]))
    images = writer.add('Add', writer.add('Mul', cut(writer, boxes, 2, 0, 1), np.float32(0)), images)
    rois = writer.add('Reshape', writer.add('Concat', images, boxes, axis=2), np.array([-1, 5]))
    return [rois, writer.add('Reshape', scores, np.array([-1]))]


CONVERTERS = {'MultiProposal': multi_proposal}
