"""The trunk of `deepv_arm_net`, depthwise separable convolutions (Howard et al. 2017, "MobileNets") for ARM processors:
31,392 parameters, stride 8. Names are those of the original's weights (reference/networks.md 12.4).
"""
from symbols.feature import Feature
from symbols.layers import batch_norm, convolution, relu

STEM_CHANNELS = 16
BLOCKS = ((2, 32), (1, 32), (1, 32), (2, 64), (1, 64), (1, 64), (1, 64), (1, 128))     # (stride, channels) each
FIRST = 2               # number of the first block: the stem is conv1
EPS, MOMENTUM = 1e-3, 0.9       # MXNet's own; gammas stay 1


class DeepvArm:
    """Feature 'conv9' at stride 8, after the ReLU. All convolutions have biases; all BNs use batch statistics.

    It stays float32: `fp16` in the original's configuration changes its optimiser alone.
    """

    def __call__(self, data, options):
        body = relu(convolution(data, 'conv1', STEM_CHANNELS, 3, 2, bias=True), 'relu1')
        stride, channels, name = 2, STEM_CHANNELS, ''
        for number, (step, outputs) in enumerate(BLOCKS, start=FIRST):
            name = f'conv{number}'
            body = _normed(body, name + '_dw', channels, 3, step, channels)
            body = _normed(body, name + '_pw', outputs)
            stride, channels = stride * step, outputs
        return {name: Feature(body, stride, channels)}


def _normed(data, name, channels, kernel=1, stride=1, groups=1):
    body = convolution(data, name, channels, kernel, stride, groups=groups, bias=True)
    return relu(batch_norm(body, name + '_bn', EPS, MOMENTUM, fix_gamma=True), name + '_relu')
