"""Operators that move numbers to other places: reshaping, cutting, joining, gathering."""
import numpy as np

from lib.export.conversion import attribute
from lib.utils.errors import SniperError

TO_THE_END = np.iinfo(np.int64).max


def reshape(conversion, node):
    """Reshape by MXNet's codes: 0 keeps a side, -1 is what is left, -3 joins two sides, -4 splits one into the two
    that follow."""
    data, = conversion.inputs(node)
    codes, source, sides = list(attribute(node, 'shape')), 0, []
    while codes:
        code = codes.pop(0)
        if code == 0:
            sides.append(('side', source))
        elif code == -3:
            sides.append(('joined', source))
            source += 1
        elif code == -4:
            sides += [('number', codes.pop(0)), ('number', codes.pop(0))]
        elif code > 0 or code == -1:
            sides.append(('number', code))
        else:
            raise SniperError(f'the layer {node.name} reshapes by the code {code}, which the ONNX exporter does not '
                              'know')
        source += 1
    return [conversion.writer.add('Reshape', data, _target(conversion.writer, data, sides))]


def _target(writer, data, sides):
    """The shape as an array, or a tensor where that needs the sides of `data`."""
    free = not any(side == ('number', -1) for side in sides)
    plain = []
    for place, (kind, value) in enumerate(sides):
        if kind == 'number':
            plain.append(value)
        elif kind == 'joined' and free:
            plain.append(-1)
            free = False
        elif kind == 'side' and value == place:
            plain.append(0)     # ONNX has the same code for the side at the same place
        else:
            break
    else:
        return np.array(plain)
    shape, parts, free = writer.add('Shape', data), [], not any(side == ('number', -1) for side in sides)
    for kind, value in sides:
        if kind == 'number':
            parts.append(np.array([value]))
        elif kind == 'joined' and free:
            parts.append(np.array([-1]))
            free = False
        elif kind == 'joined':
            parts.append(writer.add('Mul', side_of(writer, shape, value), side_of(writer, shape, value + 1)))
        else:
            parts.append(side_of(writer, shape, value))
    return writer.add('Concat', *parts, axis=0)


def side_of(writer, shape: str, place: int) -> str:
    """(1,) int64: one side of a shape that `Shape` gave."""
    return writer.add('Gather', shape, np.array([place]), axis=0)


def numbers(writer, shape: str, place: int) -> str:
    """(length,) int64: 0, 1, ... of the places along one side of a shape that `Shape` gave."""
    length = writer.add('Gather', shape, np.array(place), axis=0)   # a scalar, as Range wants it
    return writer.add('Range', np.array(0), length, np.array(1))


def transpose(conversion, node):
    """transpose."""
    return [conversion.writer.add('Transpose', *conversion.inputs(node), perm=list(attribute(node, 'axes')))]


def concat(conversion, node):
    """Concat."""
    return [conversion.writer.add('Concat', *conversion.inputs(node), axis=attribute(node, 'dim', 1))]


def slice_axis(conversion, node):
    """slice_axis: a range of places along an axis."""
    end = attribute(node, 'end')
    return [cut(conversion.writer, conversion.name(node.inputs[0]), attribute(node, 'axis'), attribute(node, 'begin'),
                TO_THE_END if end is None else end)]


def cut(writer, data: str, axis: int, begin: int, end: int) -> str:
    """Places begin to end along an axis."""
    return writer.add('Slice', data, np.array([begin]), np.array([end]), np.array([axis]))


def slice_range(conversion, node):
    """slice: a range of places along each axis; None for the first or last."""
    begin, end = attribute(node, 'begin'), attribute(node, 'end')
    if any(attribute(node, 'step') or ()):
        raise SniperError(f'the layer {node.name} leaves out cells, which the ONNX exporter does not know')
    axes = [axis for axis in range(len(begin)) if (begin[axis], end[axis]) != (None, None)]
    return [conversion.writer.add(
        'Slice', conversion.name(node.inputs[0]), np.array([begin[axis] or 0 for axis in axes]),
        np.array([TO_THE_END if end[axis] is None else end[axis] for axis in axes]), np.array(axes))]


def slice_like(conversion, node):
    """slice_like: as many places as another tensor has along the axes."""
    data, other = conversion.inputs(node)
    axes = list(attribute(node, 'axes'))
    ends = conversion.writer.add('Gather', conversion.writer.add('Shape', other), np.array(axes), axis=0)
    return [conversion.writer.add('Slice', data, np.zeros(len(axes), np.int64), ends, np.array(axes))]


def reshape_like(conversion, node):
    """reshape_like: sides [lhs_begin, lhs_end) of the first become sides [rhs_begin, rhs_end) of the second."""
    writer, (data, other) = conversion.writer, conversion.inputs(node)
    own, theirs = writer.add('Shape', data), writer.add('Shape', other)
    begin, end = attribute(node, 'lhs_begin', 0), attribute(node, 'lhs_end', len(conversion.shape(node.inputs[0])))
    parts = [cut(writer, theirs, 0, attribute(node, 'rhs_begin', 0), attribute(
        node, 'rhs_end', len(conversion.shape(node.inputs[1]))))]
    if begin:
        parts.insert(0, cut(writer, own, 0, 0, begin))
    rest = conversion.shape(node.inputs[0])[end:]     # columns, which do not depend on the input's size
    return [writer.add('Reshape', data, writer.add('Concat', *parts, np.array(rest, np.int64), axis=0))]


def take(conversion, node):
    """take: places along an axis, by numbers that are whole."""
    data, places = conversion.inputs(node)
    places = conversion.writer.add('Cast', places, to=7)
    return [conversion.writer.add('Gather', data, places, axis=attribute(node, 'axis', 0))]


def arange(conversion, node):
    """_arange: numbers that are known here."""
    numbers = np.arange(*(float(attribute(node, name)) for name in ('start', 'stop', 'step')), dtype=np.float32)
    return [conversion.writer.parameter(f'{node.name}_numbers', np.repeat(numbers, attribute(node, 'repeat', 1)))]


CONVERTERS = {'Reshape': reshape, 'reshape_like': reshape_like, 'transpose': transpose, 'Concat': concat, 'take': take,
              'slice_axis': slice_axis, 'slice': slice_range, 'slice_like': slice_like, '_arange': arange}
