"""Layers of PyTorch in test mode, evaluated from a file's own arrays, for networks written out as their authors did."""
import numpy as np


class TorchLayers:
    """Layers by the names that they have in `arrays` {name: NumPy array}; `nd` is MXNet's module of arrays."""

    def __init__(self, arrays):
        from sniper_mxnet import mx
        self.nd, self.arrays = mx.nd, arrays

    def get(self, name):
        return self.nd.array(np.asarray(self.arrays[name], np.float32))

    def conv(self, data, name, stride=1, pad=0, dilate=1, groups=1):
        weight = self.get(name + '.weight')
        bias = [self.get(name + '.bias')] if name + '.bias' in self.arrays else []
        return self.nd.Convolution(data, weight, *bias, num_filter=weight.shape[0], kernel=weight.shape[2:],
                                   stride=(stride, stride), pad=(pad, pad), dilate=(dilate, dilate), num_group=groups,
                                   no_bias=not bias)

    def norm(self, data, name):
        weight, bias, mean, var = [self.get(f'{name}.{part}').reshape((1, -1, 1, 1))
                                   for part in ('weight', 'bias', 'running_mean', 'running_var')]
        return self.nd.broadcast_add(self.nd.broadcast_mul(self.nd.broadcast_sub(data, mean), weight
                                                           / self.nd.sqrt(var + 1e-5)), bias)

    def pool(self, data, kernel, stride, pad=0, ceil=False):
        return self.nd.Pooling(data, kernel=(kernel, kernel), stride=(stride, stride), pad=(pad, pad), pool_type='max',
                               pooling_convention='full' if ceil else 'valid')

    def first_conv(self, data, name, border, stride=1):
        """A convolution of the picture `data` (1, 3, H, W), NumPy, with `border` around it, a number a channel."""
        wide = with_border(data, self.arrays[name + '.weight'].shape[2] // 2, border)
        return self.conv(self.nd.array(wide), name, stride=stride)


def with_border(data, pad, border):
    """A picture (1, 3, H, W), NumPy, with `pad` more pixels on each side, which are `border`, a number a channel."""
    border = np.reshape(np.asarray(border, np.float64), (3, 1, 1))
    wide = np.tile(border, (data.shape[2] + 2 * pad, data.shape[3] + 2 * pad))[None]
    wide[:, :, pad:-pad, pad:-pad] = data
    return wide
