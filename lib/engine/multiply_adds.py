"""How many multiplications, each with its addition, an operator does for arrays of given shapes.

Counted: products with learnt weights, products of matrices, and bilinear interpolation, four a value. Not counted, as
in published figures: biases, BatchNorms (which TEST.FOLD makes disappear), activations, softmaxes, pooling by the
largest value or the mean, and the arithmetic of boxes (MultiProposal, labels of anchors, losses).
"""
import math
import re
from typing import Callable, Dict, Sequence, Tuple

from lib.engine.graph import Node

Shapes = Sequence[Tuple[int, ...]]
CORNERS = 4     # cells that one interpolated value is made of


def multiply_adds(node: Node, inputs: Shapes, outputs: Shapes) -> int:
    """Of one forward pass of a node whose inputs and outputs have these shapes."""
    return RULES[node.op](node, inputs, outputs) if node.op in RULES else 0


def _convolution(node, inputs, outputs):
    """A weight (F, C / groups, kernel) is read once for every value of its filter."""
    return math.prod(outputs[0]) * math.prod(inputs[1][1:])


def _deconvolution(node, inputs, outputs):
    """A weight (C, F / groups, kernel) is read once for every value of the input."""
    return math.prod(inputs[0]) * math.prod(inputs[1][1:])


def _fully_connected(node, inputs, outputs):
    return math.prod(outputs[0]) * inputs[1][1]


def _product(node, inputs, outputs):
    """dot and batch_dot, which sum over one axis."""
    first = inputs[0]
    axis = (-2 if node.op == 'batch_dot' else 0) if node.flag('transpose_a', False) else -1
    return math.prod(outputs[0]) * first[axis]


def _deformable_convolution(node, inputs, outputs):
    """A convolution, and for each of its kernel's cells and input channels an interpolated value a cell of output."""
    data, _, weight = inputs[:3]
    samples = data[0] * data[1] * math.prod(weight[2:]) * math.prod(outputs[0][2:])
    return math.prod(outputs[0]) * math.prod(weight[1:]) + CORNERS * samples


def _deformable_pooling(node, inputs, outputs):
    """Means of interpolated values, sample_per_part in both directions."""
    return CORNERS * math.prod(outputs[0]) * int(node.attrs.get('sample_per_part', 1)) ** 2


def _up_sampling(node, inputs, outputs):
    """Bilinear up-sampling is a deconvolution of each channel alone; repeated cells are copied."""
    if node.attrs.get('sample_type') != 'bilinear':
        return 0
    scale = int(re.findall(r'\d+', node.attrs['scale'])[0])
    return math.prod(inputs[0]) * (2 * scale - scale % 2) ** 2


RULES: Dict[str, Callable[[Node, Shapes, Shapes], int]] = {
    'Convolution': _convolution, 'Deconvolution': _deconvolution, 'FullyConnected': _fully_connected,
    'dot': _product, 'batch_dot': _product, 'UpSampling': _up_sampling,
    'DeformableConvolution': _deformable_convolution, '_contrib_DeformableConvolution': _deformable_convolution,
    'DeformablePSROIPooling': _deformable_pooling, '_contrib_DeformablePSROIPooling': _deformable_pooling,
}
