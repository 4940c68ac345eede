"""Coarse features merged into finer ones (Lin et al. 2017, "Feature pyramid networks"), down to one map."""
from sniper_mxnet import mx
from symbols.feature import Feature
from symbols.layers import conv_norm_relu, convolution, he_normal, to_single


class TopDown:
    """Sum of 1x1 laterals of `stages` (finest first, each half as fine as the one before), upsampled to the finest.

    A closing 3x3 convolution with BN and ReLU gives (B, channels, H/stride, W/stride) in float32. Any input size works:
    an upsampled map that sticks out by a row or column is cut to the finer one.
    """

    def __init__(self, stages, channels):
        self.stages = stages
        self.channels = channels

    def __call__(self, features, options):
        merged = None
        for stage in reversed(self.stages):
            lateral = convolution(features[stage].symbol, f'neck_{stage}_conv', self.channels, bias=True,
                                  init=he_normal(0.5 ** 0.5))
            if merged is not None:
                larger = mx.sym.UpSampling(merged, scale=2, sample_type='nearest', num_args=1)
                lateral = lateral + mx.sym.slice_like(larger, lateral, axes=(2, 3))
            merged = lateral
        merged = conv_norm_relu(merged, 'neck', self.channels, options.bn_momentum)
        return Feature(to_single(merged, options.half_precision), features[self.stages[0]].stride, self.channels)
