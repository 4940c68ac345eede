"""Pre-activation ResNet with a deformable last stage (He et al. 2016, "Identity mappings in deep residual networks";
Dai et al. 2017, "Deformable convolutional networks").

Parameter names are those of the released weights: `stage{i}_unit{j}_{bn1,conv1,bn2,conv2,bn3,conv3,sc}`. Stages 1 to 3
have strides 4, 8 and 16; stage 4 keeps stride 16 and dilates instead, so that it stays fine enough for boxes.
"""
from sniper_mxnet import mx
from symbols.feature import Feature
from symbols.layers import batch_norm, convolution, he_normal, parameter, relu, same_pad, to_half
from symbols.ops import deformable_convolution

UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
STEM_CHANNELS = 64
STAGE_CHANNELS = (256, 512, 1024, 2048)
STAGE_STRIDES = (1, 2, 2, 1)
EPS = 2e-5
DEFORMABLE_GROUPS = 4
DILATE = 2


class ResNet:
    """ResNet of `depth` 50 or 101. Features 'stage1' to 'stage4' are the raw sums: no BN, no ReLU behind them.

    With pretrained weights, the input BN, the stem's and stage 1's use stored statistics. new_offsets: how offsets
    start beside pretrained weights, see symbols.layers.parameter.
    """

    def __init__(self, depth, new_offsets=True):
        self.units = UNITS[depth]
        self.new_offsets = new_offsets

    def __call__(self, data, options):
        features = {}
        body = stem(data, options)
        stride = 4
        for stage, units in enumerate(self.units, start=1):
            stride *= STAGE_STRIDES[stage - 1]
            channels = STAGE_CHANNELS[stage - 1]
            for unit in range(1, units + 1):
                body = self._unit(body, f'stage{stage}_unit{unit}', channels, options,
                                  stride=STAGE_STRIDES[stage - 1] if unit == 1 else 1, project=unit == 1,
                                  stored=stage == 1 and options.pretrained, deformable=stage == 4)
            features[f'stage{stage}'] = Feature(body, stride, channels)
        return features

    def _unit(self, data, name, channels, options, stride, project, stored, deformable):
        """One bottleneck: the sum of the shortcut and a 1x1, 3x3, 1x1 branch; BN and ReLU before each convolution."""
        def norm_relu(symbol, index):
            norm = batch_norm(symbol, f'{name}_bn{index}', EPS, options.bn_momentum, stored)
            return relu(norm, f'{name}_relu{index}')

        narrow = channels // 4
        active = norm_relu(data, 1)
        body = norm_relu(convolution(active, name + '_conv1', narrow), 2)
        if deformable:
            body = deformable_3x3(body, name, narrow, options, new_offset=self.new_offsets)
        else:
            body = convolution(body, name + '_conv2', narrow, kernel=3, stride=stride)
        # From scratch the sums of many units must not grow: each branch starts small (Zhang et al. 2019, "Fixup").
        small = he_normal(gain=sum(self.units) ** -0.5)
        body = convolution(norm_relu(body, 3), name + '_conv3', channels, init=small)
        # The projection reads the normalised input, unlike the identity.
        return body + (convolution(active, name + '_sc', channels, stride=stride) if project else data)


def stem(data, options):
    """Input BN, 7x7 convolution and max pooling: (B, 3, H, W) -> (B, 64, H/4, W/4). The convolution is float32."""
    body = batch_norm(data, 'bn_data', EPS, options.bn_momentum, stored=options.pretrained, fix_gamma=True)
    body = convolution(body, 'conv0', STEM_CHANNELS, kernel=7, stride=2)
    body = to_half(body, options.half_precision)
    body = relu(batch_norm(body, 'bn0', EPS, options.bn_momentum, stored=options.pretrained), 'relu0')
    return mx.sym.Pooling(data=body, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type='max', name='pooling0')


def deformable_3x3(data, name, channels, options, groups=1, new_offset=True):
    """`<name>_conv2` as a deformable convolution; the plain convolution `<name>_offset` moves it."""
    return deformed(data, name + '_conv2', channels, options, groups, name + '_offset', new_offset)


def deformed(data, name, channels, options, groups=1, offset_name=None, new_offset=True):
    """3x3 deformable convolution, dilated by 2, and the plain convolution that moves it (`<name>_offset`).

    new_offset: how that starts beside pretrained weights, see symbols.layers.parameter.
    """
    offset = convolution(data, offset_name or name + '_offset', 2 * 9 * DEFORMABLE_GROUPS, kernel=3, dilate=DILATE,
                         bias=True, init=mx.init.Zero(), new=new_offset)
    pad = same_pad(3, DILATE)
    return deformable_convolution(data, offset, parameter(name + '_weight'), name, num_filter=channels,
                                  kernel=(3, 3), stride=(1, 1), pad=(pad, pad), dilate=(DILATE, DILATE),
                                  num_group=groups, num_deformable_group=DEFORMABLE_GROUPS, no_bias=True,
                                  half_precision=options.half_precision, on_gpu=options.on_gpu)
