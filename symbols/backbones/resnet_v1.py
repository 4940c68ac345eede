"""Post-activation ResNet with a deformable last stage (He et al. 2015, "Deep residual learning"; Dai et al. 2017), for
the public ImageNet weights of ResNet-50 and 101.

Parameter names are those of the first release: `conv1`, `bn_conv1`, `res{2..5}{unit}_branch1` (projection) and
`_branch2{a,b,c}`, `bn{2..5}...` the BatchNorm behind each; units are a, b, c, ..., and a, b1, b2, ... in the long
stages of ResNet-101. What public weights differ in is where a stage's first unit has its stride: in the 3x3 convolution
(torchvision; 'ResNet v1.5') or in the first 1x1 (the first release; Gluon's model zoo).
"""
from sniper_mxnet import mx
from symbols.backbones.resnet import STAGE_CHANNELS, STAGE_STRIDES, STEM_CHANNELS, UNITS, deformed
from symbols.feature import Feature
from symbols.layers import batch_norm, convolution, he_normal, relu, to_half

EPS = 1e-5


def unit_names(depth, stage):
    """Names of the units of stage 1 to 4: ['2a', '2b', '2c'] for stage 1."""
    count = UNITS[depth][stage - 1]
    if depth == 101 and stage in (2, 3):
        letters = ['a'] + [f'b{index}' for index in range(1, count)]
    else:
        letters = 'abcdef'[:count]
    return [f'{stage + 1}{letter}' for letter in letters]


class ResNetV1:
    """ResNet of `depth` 50 or 101. Features 'stage1' to 'stage4', strides 4, 8, 16, 16, after the ReLU.

    The input BN `bn_data` holds the means and deviations that the weights want of their input. With pretrained
    weights, it, the stem's and stage 1's BN use stored statistics.
    """

    def __init__(self, depth):
        self.depth = depth

    def __call__(self, data, options):
        features = {}
        body = _stem(data, options)
        stride = 4
        for stage, channels in enumerate(STAGE_CHANNELS, start=1):
            stride *= STAGE_STRIDES[stage - 1]
            for unit, name in enumerate(unit_names(self.depth, stage)):
                body = self._unit(body, name, channels, options, stride=1 if unit else STAGE_STRIDES[stage - 1],
                                  project=unit == 0, stored=stage == 1 and options.pretrained, deformable=stage == 4)
            features[f'stage{stage}'] = Feature(body, stride, channels)
        return features

    def _unit(self, data, name, channels, options, stride, project, stored, deformable):
        """One bottleneck: 1x1, 3x3, 1x1, each with BN, and the shortcut; ReLU behind the sum."""
        def norm(symbol, suffix):
            return batch_norm(symbol, f'bn{name}_{suffix}', EPS, options.bn_momentum, stored)

        first, second = (stride, 1) if options.stride_in_1x1 else (1, stride)
        res = f'res{name}_'
        body = convolution(data, res + 'branch2a', channels // 4, stride=first)
        body = relu(norm(body, 'branch2a'), res + 'branch2a_relu')
        if deformable:
            body = deformed(body, res + 'branch2b', channels // 4, options)
        else:
            body = convolution(body, res + 'branch2b', channels // 4, kernel=3, stride=second)
        body = relu(norm(body, 'branch2b'), res + 'branch2b_relu')
        small = he_normal(gain=sum(UNITS[self.depth]) ** -0.5)      # see backbones/resnet.py
        body = norm(convolution(body, res + 'branch2c', channels, init=small), 'branch2c')
        if project:
            data = norm(convolution(data, res + 'branch1', channels, stride=stride), 'branch1')
        return relu(body + data, res + 'relu')


def _stem(data, options):
    """Input BN, 7x7 convolution, BN, ReLU and max pooling: (B, 3, H, W) -> (B, 64, H/4, W/4)."""
    body = batch_norm(data, 'bn_data', EPS, options.bn_momentum, stored=options.pretrained, fix_gamma=True)
    body = convolution(body, 'conv1', STEM_CHANNELS, kernel=7, stride=2)
    body = to_half(body, options.half_precision)
    body = relu(batch_norm(body, 'bn_conv1', EPS, options.bn_momentum, stored=options.pretrained), 'conv1_relu')
    return mx.sym.Pooling(data=body, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type='max', name='pool1')
