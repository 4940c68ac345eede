"""ResNeXt-101 64x4d with a deformable last stage (Xie et al. 2017, "Aggregated residual transformations").

Post-activation units of three convolutions, all as wide as their stage, the 3x3 in 64 groups. Names as in
`backbones/resnet.py`, with `_bn1.._bn3` behind the convolutions and `_sc`, `_sc_bn` for the projection.
"""
from symbols.backbones.resnet import STAGE_CHANNELS, STAGE_STRIDES, UNITS, deformable_3x3, stem
from symbols.feature import Feature
from symbols.layers import batch_norm, convolution, relu

GROUPS = 64
EPS = 2e-5


class ResNeXt101:
    """Features 'stage1' to 'stage4', strides 4, 8, 16, 16, after the ReLU.

    With pretrained weights, the BNs of stem and stage 1 use stored statistics, the projection's included (the original
    had it the wrong way round there: batch statistics in stage 1's projection, stored ones in those of stages 2 to 4).
    """

    def __call__(self, data, options):
        features = {}
        body = stem(data, options)
        stride = 4
        for stage, units in enumerate(UNITS[101], start=1):
            stride *= STAGE_STRIDES[stage - 1]
            for unit in range(1, units + 1):
                body = self._unit(body, f'stage{stage}_unit{unit}', STAGE_CHANNELS[stage - 1], options,
                                  stride=STAGE_STRIDES[stage - 1] if unit == 1 else 1, project=unit == 1,
                                  stored=stage == 1 and options.pretrained, deformable=stage == 4)
            features[f'stage{stage}'] = Feature(body, stride, STAGE_CHANNELS[stage - 1])
        return features

    @staticmethod
    def _unit(data, name, channels, options, stride, project, stored, deformable):
        def norm(symbol, suffix):
            return batch_norm(symbol, name + suffix, EPS, options.bn_momentum, stored)

        body = relu(norm(convolution(data, name + '_conv1', channels), '_bn1'), name + '_relu1')
        if deformable:
            body = deformable_3x3(body, name, channels, options, GROUPS)
        else:
            body = convolution(body, name + '_conv2', channels, kernel=3, stride=stride, groups=GROUPS)
        body = relu(norm(body, '_bn2'), name + '_relu2')
        body = norm(convolution(body, name + '_conv3', channels), '_bn3')
        shortcut = data
        if project:
            shortcut = norm(convolution(data, name + '_sc', channels, stride=stride), '_sc_bn')
        return relu(body + shortcut, name + '_relu')
