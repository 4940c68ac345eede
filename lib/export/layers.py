"""Convolutions, normalisation, pooling and dense layers."""
import numpy as np

from lib.engine.fold import DEFAULT_EPS
from lib.export.conversion import attribute
from lib.utils.errors import SniperError


def convolution(conversion, node):
    """Convolution: the same layout of weights in both."""
    data, weight, *bias = conversion.inputs(node)
    return [conversion.writer.add('Conv', data, weight, *bias, kernel_shape=_pair(node, 'kernel'),
                                  strides=_pair(node, 'stride'), dilations=_pair(node, 'dilate'),
                                  pads=_pair(node, 'pad', 0) * 2, group=attribute(node, 'num_group', 1))]


def deconvolution(conversion, node):
    """Deconvolution, transposed convolution."""
    for name in ('adj', 'target_shape'):
        if any(attribute(node, name) or ()):
            raise SniperError(f'the layer {node.name} has {name}, which the ONNX exporter does not know')
    data, weight, *bias = conversion.inputs(node)
    return [conversion.writer.add('ConvTranspose', data, weight, *bias, kernel_shape=_pair(node, 'kernel'),
                                  strides=_pair(node, 'stride'), dilations=_pair(node, 'dilate'),
                                  pads=_pair(node, 'pad', 0) * 2, group=attribute(node, 'num_group', 1))]


def batch_norm(conversion, node):
    """BatchNorm that could not be folded, by its statistics."""
    data = conversion.name(node.inputs[0])
    gamma, beta, mean, variance = node.inputs[1:]
    scale = conversion.name(gamma)
    if node.flag('fix_gamma', True):
        scale = np.ones_like(conversion.array(gamma))
    return [conversion.writer.add('BatchNormalization', data, scale, *(conversion.name(value) for value in (
        beta, mean, variance)), epsilon=float(attribute(node, 'eps', DEFAULT_EPS)))]


def pooling(conversion, node):
    """Pooling: maxima of windows, or means of whole maps."""
    data, = conversion.inputs(node)
    kind, whole = attribute(node, 'pool_type', 'max'), node.flag('global_pool', False)
    if whole:
        return [conversion.writer.add({'avg': 'GlobalAveragePool', 'max': 'GlobalMaxPool'}[kind], data)]
    if kind != 'max':
        raise SniperError(f'the layer {node.name} pools by {kind!r}, which the ONNX exporter does not know')
    return [conversion.writer.add('MaxPool', data, kernel_shape=_pair(node, 'kernel'), strides=_pair(node, 'stride'),
                                  pads=_pair(node, 'pad', 0) * 2,
                                  ceil_mode=int(attribute(node, 'pooling_convention', 'valid') == 'full'))]


def fully_connected(conversion, node):
    """FullyConnected, on everything of a row."""
    data, weight, *bias = conversion.inputs(node)
    if node.flag('flatten', True) and len(conversion.shape(node.inputs[0])) != 2:
        columns = conversion.shape(node.inputs[1])[1]
        data = conversion.writer.add('Reshape', data, np.array([-1, columns]))
    return [conversion.writer.add('Gemm', data, weight, *bias, transB=1)]


def activation(conversion, node):
    """Activation."""
    kind = attribute(node, 'act_type')
    return [conversion.writer.add({'relu': 'Relu', 'sigmoid': 'Sigmoid', 'tanh': 'Tanh'}[kind],
                                  *conversion.inputs(node))]


def up_sampling(conversion, node):
    """UpSampling: each cell repeated."""
    if attribute(node, 'sample_type') != 'nearest':
        raise SniperError(f'the layer {node.name} enlarges maps otherwise than by repeating cells, which the ONNX '
                          'exporter does not know')
    scale = float(attribute(node, 'scale'))
    return [conversion.writer.add('Resize', conversion.name(node.inputs[0]), None,
                                  np.array([1, 1, scale, scale], np.float32), mode='nearest',
                                  coordinate_transformation_mode='asymmetric', nearest_mode='floor')]


def _pair(node, name, default=1):
    value = attribute(node, name) or (default, default)
    return list(value)


CONVERTERS = {'Convolution': convolution, 'Deconvolution': deconvolution, 'BatchNorm': batch_norm, 'Pooling': pooling,
              'FullyConnected': fully_connected, 'Activation': activation, 'UpSampling': up_sampling}
