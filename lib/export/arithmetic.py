"""Operators that work on each number, or on rows of them."""
import numpy as np

from lib.export.conversion import attribute
from lib.export.shaping import cut


def _same(op):
    """Converter to the operator of the same inputs and no attributes."""
    return lambda conversion, node: [conversion.writer.add(op, *conversion.inputs(node))]


def _with_scalar(op):
    def converter(conversion, node):
        scalar = np.float32(attribute(node, 'scalar'))
        return [conversion.writer.add(op, conversion.name(node.inputs[0]), scalar)]
    return converter


def softmax(conversion, node):
    """softmax of the numbers along an axis; of two maps the logistic function of their difference, which runtimes have
    in vector code."""
    shape, axis = conversion.shape(node.inputs[0]), attribute(node, 'axis', -1)
    if len(shape) == 4 and axis == 1 and shape[1] == 2:
        writer, data = conversion.writer, conversion.name(node.inputs[0])
        first, second = cut(writer, data, 1, 0, 1), cut(writer, data, 1, 1, 2)
        share = writer.add('Sigmoid', writer.add('Sub', second, first))
        return [writer.add('Concat', writer.add('Sub', np.float32(1), share), share, axis=1)]
    return [conversion.writer.add('Softmax', conversion.name(node.inputs[0]), axis=axis)]


def clip(conversion, node):
    """clip to a range."""
    low, high = (np.float32(attribute(node, name)) for name in ('a_min', 'a_max'))
    return [conversion.writer.add('Clip', conversion.name(node.inputs[0]), low, high)]


CONVERTERS = {
    'elemwise_add': _same('Add'), 'elemwise_sub': _same('Sub'), 'elemwise_mul': _same('Mul'),
    'broadcast_add': _same('Add'), 'broadcast_sub': _same('Sub'), 'broadcast_mul': _same('Mul'),
    '_plus_scalar': _with_scalar('Add'), '_minus_scalar': _with_scalar('Sub'), '_mul_scalar': _with_scalar('Mul'),
    '_div_scalar': _with_scalar('Div'), 'floor': _same('Floor'), 'sigmoid': _same('Sigmoid'),
    '_copy': _same('Identity'), 'BlockGrad': _same('Identity'),
    'softmax': softmax, 'clip': clip}
