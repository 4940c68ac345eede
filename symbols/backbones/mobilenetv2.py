"""MobileNetV2, width 1 (Sandler et al. 2018, "Inverted residuals and linear bottlenecks").

Names have hyphens, as in the public weights: `<prefix>-conv2d`, `<prefix>-batchnorm`, `<prefix>-relu6`.
"""
from sniper_mxnet import mx
from symbols.feature import Feature
from symbols.layers import batch_norm, convolution, to_half

# (expansion of the input channels, output channels, blocks, stride of the first block) of each sequence
SEQUENCES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM_CHANNELS = 32
LAST_CHANNELS = 1280
EPS = 1e-5


class MobileNetV2:
    """Feature 'last': 1280 channels at stride 32. All BNs use batch statistics in training.

    In half precision everything behind the stem is float16 (the original did so whatever `TRAIN.fp16` said).
    """

    def __call__(self, data, options):
        body = _unit(data, 'first-3x3-conv', STEM_CHANNELS, options, kernel=3, stride=2)
        body = to_half(body, options.half_precision)
        channels, stride = STEM_CHANNELS, 2
        for index, (expansion, outputs, blocks, first_stride) in enumerate(SEQUENCES):
            for block in range(blocks):
                body = _block(body, f'seq-{index}-block{block}', channels * expansion, outputs, options,
                              stride=first_stride if block == 0 else 1, residual=block > 0)
                channels = outputs
            stride *= first_stride
        return {'last': Feature(_unit(body, 'last-1x1-conv', LAST_CHANNELS, options), stride, LAST_CHANNELS)}


def _block(data, prefix, expanded, outputs, options, stride, residual):
    """Inverted residual: widen by 1x1, filter each channel by 3x3, narrow by 1x1 without an activation."""
    body = _unit(data, prefix + '-exp', expanded, options)
    body = _unit(body, prefix + '-depthwise', expanded, options, kernel=3, stride=stride, groups=expanded)
    body = _unit(body, prefix + '-linear', outputs, options, active=False)
    return mx.sym.elemwise_add(body, data, name=prefix + '-shortcut') if residual else body


def _unit(data, prefix, channels, options, kernel=1, stride=1, groups=1, active=True):
    """Convolution, BN and, if active, ReLU6."""
    body = convolution(data, prefix + '-conv2d', channels, kernel, stride, groups=groups)
    body = batch_norm(body, prefix + '-batchnorm', EPS, options.bn_momentum)
    return mx.sym.clip(body, a_min=0, a_max=6, name=prefix + '-relu6') if active else body
