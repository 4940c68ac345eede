"""VGG-16 (Simonyan and Zisserman 2014), plain or with its fully connected layers reduced to convolutions (Liu et al.
2015, "ParseNet"; the trunk of SSD and M2Det). Layer names are those of the first release: `conv1_1` ... `conv5_3`,
`fc6`, `fc7`; or, as SSD's and M2Det's files have them, places in the list of all layers, ReLU and pooling included.
"""
from sniper_mxnet import mx
from symbols import module_layers
from symbols.feature import Feature
from symbols.layers import convolution, he_normal, relu, to_half

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))      # (convolutions, channels); each ends in a max pooling
FC_CHANNELS = 1024
FC6_DILATE = 6


def layer_names(reduced_fc=False):
    """Names of all convolutions in order."""
    names = [f'conv{block}_{index}' for block, (count, _) in enumerate(BLOCKS, start=1)
             for index in range(1, count + 1)]
    return names + (['fc6', 'fc7'] if reduced_fc else [])


def layer_places(norm=False):
    """{name: place in the list of all layers} of the convolutions, `fc6` and `fc7` included.

    A ReLU follows each, and with `norm` a BatchNorm comes in between.
    """
    places, place, step = {}, 0, 3 if norm else 2
    for block, (count, _) in enumerate(BLOCKS, start=1):
        for index in range(1, count + 1):
            places[f'conv{block}_{index}'] = place
            place += step
        place += 1
    return dict(places, fc6=place, fc7=place + step)


class VGG16:
    """Features 'conv3_3', 'conv4_3', 'conv5_3' at strides 4, 8, 16, after the ReLU, and 'fc7' at 16 with `reduced_fc`.

    ceil_pools: numbers of the poolings that round up. The first release (and SSH) rounds all up, SSD and M2Det only the
    third, torchvision none. width: factor on all channels. list_name: layers are named `<list_name>.<place>` in the
    list of all layers, with parameters as in symbols.module_layers; '' = by the names of the first release.
    norm: a BatchNorm behind each convolution, in the list of layers (torchvision's vgg16_bn has them so): without one,
    nothing this deep learns from random weights in reasonable time. bias_rate, bias_decay: see layers.convolution, of
    the layers that are named as in the first release. first_gain: factor on the first values of `conv1_1`, for weights
    drawn at random: inputs are pixels, whose deviation of about 60 nothing lowers on the way.
    """

    def __init__(self, reduced_fc=False, ceil_pools=(1, 2, 3, 4), width=1.0, list_name='', norm=False, bias_rate=None,
                 bias_decay=None, first_gain=1.0):
        self.reduced_fc = reduced_fc
        self.ceil_pools = ceil_pools
        self.width = width
        self.list_name = list_name
        self.norm = norm
        self.first_gain = first_gain
        self.bias = dict(bias_rate=bias_rate, bias_decay=bias_decay)

    def __call__(self, data, options):
        features, body, stride = {}, data, 1
        for block, (count, channels) in enumerate(BLOCKS, start=1):
            channels = round(channels * self.width)
            if block > 1:
                body, stride = self._pool(body, block - 1), 2 * stride
            for index in range(1, count + 1):
                body = self._layer(body, f'conv{block}_{index}', channels, 3, options)
                if block == index == 1:
                    body = to_half(body, options.half_precision)
            if block > 2:
                features[f'conv{block}_{count}'] = Feature(body, stride, channels)
        if self.reduced_fc:
            channels = round(FC_CHANNELS * self.width)
            body = mx.sym.Pooling(data=body, kernel=(3, 3), stride=(1, 1), pad=(1, 1), pool_type='max', name='pool5')
            body = self._layer(body, 'fc6', channels, 3, options, FC6_DILATE)
            features['fc7'] = Feature(self._layer(body, 'fc7', channels, 1, options), stride, channels)
        return features

    def _pool(self, data, number):
        return mx.sym.Pooling(data=data, kernel=(2, 2), stride=(2, 2), pool_type='max', name=f'pool{number}',
                              pooling_convention='full' if number in self.ceil_pools else 'valid')

    def _layer(self, data, name, channels, kernel, options, dilate=1):
        settings = dict(kernel=kernel, dilate=dilate, bias=True,
                        init=he_normal(self.first_gain if name == 'conv1_1' else 1.0))
        if not self.list_name:
            return relu(convolution(data, name, channels, **settings, **self.bias), name + '_relu')
        place = layer_places(self.norm)[name]
        name = f'{self.list_name}.{place}'
        if not self.norm:
            return relu(module_layers.convolution(data, name, channels, **settings), name + '_relu')
        return module_layers.conv_norm(data, name, f'{self.list_name}.{place + 1}', channels, options.bn_momentum,
                                       **settings)
