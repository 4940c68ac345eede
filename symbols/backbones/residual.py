"""Post-activation residual networks as PyTorch has them, whole: ResNet-18 to 152 (He et al. 2015), and with squeeze and
excitation SE-ResNet, SE-ResNeXt and SENet-154 (Hu et al. 2018).

`symbols.backbones.resnet_v1` is the ResNet of the two-stage detectors, with a deformable last stage and an input
BatchNorm. Here strides are the caller's and names those of the public files. Source: reference/m2det.md sections 2.2
and 2.3.
"""
from typing import NamedTuple, Tuple

from sniper_mxnet import mx
from symbols.feature import Feature
from symbols.layers import he_normal, relu, to_half
from symbols.module_layers import conv_norm, convolution

STAGE_WIDTHS = (64, 128, 256, 512)
SQUEEZE = 16                    # hidden channels of squeeze and excitation are so many times fewer
CLASSES = 1000                  # of ImageNet, in files


class Form(NamedTuple):
    """What a network's units are, for a stage of width w.

    units: of each stage. inner: factors on w of the 1x1 and 3x3 convolutions; expansion: on w of what comes out.
    basic: two 3x3 convolutions instead of three. groups: of the 3x3 one. early_stride: a stage's stride is in its
    first 1x1 convolution, not in the 3x3. squeeze: squeeze and excitation, whose files name stem and classifier in
    another way. deep_stem: three 3x3 convolutions. wide_projection: shortcuts of stages 2 to 4 are 3x3 convolutions.
    """
    units: Tuple[int, int, int, int]
    inner: Tuple[int, int] = (1, 1)
    expansion: int = 4
    basic: bool = False
    groups: int = 1
    early_stride: bool = False
    squeeze: bool = False
    deep_stem: bool = False
    wide_projection: bool = False

    def unused(self):
        """{name: shape} of the classifier, which files have and no feature depends on."""
        name = 'last_linear' if self.squeeze else 'fc'
        return {f'{name}.weight': (CLASSES, STAGE_WIDTHS[-1] * self.expansion), f'{name}.bias': (CLASSES,)}


def _se_resnet(*units):
    return Form(units, early_stride=True, squeeze=True)


def _se_resnext(*units):
    return Form(units, inner=(2, 2), groups=32, squeeze=True)


FORMS = {
    'resnet18': Form((2, 2, 2, 2), expansion=1, basic=True),
    'resnet34': Form((3, 4, 6, 3), expansion=1, basic=True),
    'resnet50': Form((3, 4, 6, 3)),
    'resnet101': Form((3, 4, 23, 3)),
    'resnet152': Form((3, 8, 36, 3)),
    'se_resnet50': _se_resnet(3, 4, 6, 3),
    'se_resnet101': _se_resnet(3, 4, 23, 3),
    'se_resnet152': _se_resnet(3, 8, 36, 3),
    'se_resnext50_32x4d': _se_resnext(3, 4, 6, 3),
    'se_resnext101_32x4d': _se_resnext(3, 4, 23, 3),
    'senet154': Form((3, 8, 36, 3), inner=(2, 4), groups=64, squeeze=True, deep_stem=True, wide_projection=True),
}


class ResidualNet:
    """Features 'stage1' to 'stage4' after the ReLU, of a network in FORMS.

    strides: of the four stages, behind a stem of stride 4. prefix: of all names.
    """

    def __init__(self, name, strides=(1, 2, 2, 2), prefix=''):
        self.form = FORMS[name]
        self.strides = strides
        self.prefix = prefix

    def __call__(self, data, options):
        features, stride = {}, 4
        body = self._stem(data, options)
        channels = 128 if self.form.deep_stem else 64
        for stage, (units, width) in enumerate(zip(self.form.units, STAGE_WIDTHS), start=1):
            stride *= self.strides[stage - 1]
            for unit in range(units):
                body = self._unit(body, f'{self.prefix}layer{stage}.{unit}', stage, options.bn_momentum,
                                  1 if unit else self.strides[stage - 1], channels)
                channels = width * self.form.expansion
            features[f'stage{stage}'] = Feature(body, stride, channels)
        return features

    def _stem(self, data, options):
        """(B, 3, H, W) -> (B, 64 or 128, H/4, W/4). The first convolution is float32."""
        name = self.prefix + ('layer0.' if self.form.squeeze else '')
        layers = ((1, 64, 3, 2), (2, 64, 3, 1), (3, 128, 3, 1)) if self.form.deep_stem else ((1, 64, 7, 2),)
        body = data
        for number, channels, kernel, stride in layers:
            body = conv_norm(body, f'{name}conv{number}', f'{name}bn{number}', channels, options.bn_momentum,
                             kernel=kernel, stride=stride, init=he_normal())
            body = to_half(body, options.half_precision) if number == 1 else body
        # Squeeze-and-excitation networks come from Caffe, which rounds the size up instead of padding on all sides.
        rounding = dict(pooling_convention='full') if self.form.squeeze else dict(pad=(1, 1))
        return mx.sym.Pooling(data=body, kernel=(3, 3), stride=(2, 2), pool_type='max', name=f'{name}pool', **rounding)

    def _unit(self, data, name, stage, momentum, stride, channels):
        """channels: of `data`."""
        form, width = self.form, STAGE_WIDTHS[stage - 1]
        outputs = width * form.expansion
        middle = dict(kernel=3, groups=form.groups)
        first, second = (stride, 1) if form.early_stride or form.basic else (1, stride)
        if form.basic:
            layers = [(width, first, dict(kernel=3)), (outputs, 1, dict(kernel=3))]
        else:
            layers = [(width * form.inner[0], first, {}), (width * form.inner[1], second, middle), (outputs, 1, {})]
        body = data
        for number, (wanted, step, settings) in enumerate(layers, start=1):
            last = number == len(layers)
            # From scratch the sums of many units must not grow: each branch starts small (backbones/resnet.py).
            init = he_normal(sum(form.units) ** -0.5) if last else he_normal()
            body = conv_norm(body, f'{name}.conv{number}', f'{name}.bn{number}', wanted, momentum, active=not last,
                             stride=step, init=init, **settings)
        if form.squeeze:
            body = _excited(body, f'{name}.se_module', outputs)
        if stride != 1 or channels != outputs:
            kernel = 3 if form.wide_projection and stage > 1 else 1
            data = conv_norm(data, f'{name}.downsample.0', f'{name}.downsample.1', outputs, momentum, active=False,
                             kernel=kernel, stride=stride, init=he_normal())
        return relu(body + data, f'{name}.relu')


def _excited(data, name, channels):
    """Squeeze and excitation: each channel times a factor in [0, 1] that all channels' means decide."""
    body = mx.sym.Pooling(data, global_pool=True, pool_type='avg', kernel=(1, 1), name=f'{name}.mean')
    body = convolution(body, f'{name}.fc1', channels // SQUEEZE, bias=True, init=he_normal())
    body = convolution(relu(body, f'{name}.relu'), f'{name}.fc2', channels, bias=True, init=he_normal())
    factor = mx.sym.Activation(body, act_type='sigmoid', name=f'{name}.gate')
    return mx.sym.broadcast_mul(data, factor, name=name)
