"""A small post-activation residual network for small inputs and CPUs, trained from scratch."""
from symbols.feature import Feature
from symbols.layers import conv_norm_relu, relu, to_half

STEM_CHANNELS = 16
STAGES = ((32, 1), (64, 2), (96, 2), (128, 1))      # (channels, blocks) of each stage; each halves the resolution


class TinyNet:
    """Features 'stage1' to 'stage4' at strides 4, 8, 16, 32, after the ReLU. All BNs use batch statistics."""

    def __call__(self, data, options):
        body = conv_norm_relu(data, 'stem', STEM_CHANNELS, options.bn_momentum, stride=2)
        body = to_half(body, options.half_precision)
        features = {}
        for stage, (channels, blocks) in enumerate(STAGES, start=1):
            for block in range(1, blocks + 1):
                body = _block(body, f'stage{stage}_block{block}', channels, options.bn_momentum,
                              stride=2 if block == 1 else 1)
            features[f'stage{stage}'] = Feature(body, 2 ** (stage + 1), channels)
        return features


def _block(data, name, channels, momentum, stride):
    """Two 3x3 convolutions and a shortcut, which is projected where the shape changes."""
    body = conv_norm_relu(data, name + '_a', channels, momentum, stride=stride)
    body = conv_norm_relu(body, name + '_b', channels, momentum, active=False)
    if stride != 1:
        data = conv_norm_relu(data, name + '_sc', channels, momentum, kernel=1, stride=stride, active=False)
    return relu(body + data, name + '_relu')
