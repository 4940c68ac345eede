"""A coarse feature added to one twice as fine (Najibi et al. 2017, "SSH", section 3.2)."""
from sniper_mxnet import mx
from symbols.feature import Feature
from symbols.layers import convolution, parameter, relu, to_single


class Fusion:
    """`fine` and `coarse`, both reduced to `channels` by 1x1 convolutions with ReLU; the coarse one is enlarged by
    fixed bilinear weights, cut to the fine one's size and added; a 3x3 convolution with ReLU closes. In float32.

    fine, coarse: names of features, whose strides differ by 2. names: layers, (coarse, enlarging, fine, closing).
    init: makes an initialiser. bias: arguments of layers.convolution for the biases.
    """

    def __init__(self, fine, coarse, channels, names, init, bias):
        self.fine, self.coarse = fine, coarse
        self.channels = channels
        self.names = names
        self.init = init
        self.bias = bias

    def __call__(self, features, options):
        fine, coarse = features[self.fine], features[self.coarse]
        assert coarse.stride == 2 * fine.stride, f'strides {fine.stride} and {coarse.stride} do not differ by 2'
        coarse_name, enlarging, fine_name, closing = self.names
        merged = self._enlarged(self._reduced(coarse, coarse_name, options), enlarging)
        lateral = self._reduced(fine, fine_name, options)
        merged = lateral + mx.sym.slice_like(merged, lateral, axes=(2, 3))
        return Feature(self._layer(merged, closing, kernel=3), fine.stride, self.channels)

    def _reduced(self, feature, name, options):
        return self._layer(to_single(feature.symbol, options.half_precision), name)

    def _layer(self, data, name, kernel=1):
        return relu(convolution(data, name, self.channels, kernel, bias=True, init=self.init(), new=True, **self.bias),
                    name + '_relu')

    def _enlarged(self, data, name):
        """Twice as large; the weights (channels, 1, 4, 4) are never trained."""
        weight = parameter(name + '_weight', mx.init.Bilinear(), True, lr_mult=0.0, wd_mult=0.0)
        return mx.sym.Deconvolution(data=data, weight=weight, num_filter=self.channels, num_group=self.channels,
                                    kernel=(4, 4), stride=(2, 2), pad=(1, 1), no_bias=True, name=name)
