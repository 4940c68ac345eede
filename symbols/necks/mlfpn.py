"""Multi-level feature pyramid network (Zhao et al. 2019, "M2Det"): two maps of a backbone -> a map a scale that mixes
several depths. Source: reference/m2det.md sections 3.1 to 3.6, whose module names the layers have.

Letters: B images, S input side, L levels, p planes. Sides of the maps: configs.m2det_keys.
"""
from typing import Any, NamedTuple, Tuple

from sniper_mxnet import mx
from symbols.feature import Feature
from symbols.layers import OPTIONAL, parameter, relu, to_single
from symbols.module_layers import batch_norm, conv_norm_relu
from symbols.resizing import resize_nearest

SHALLOW, DEEP = 256, 512        # channels that the base feature takes from either map, times the width
ATTENTION = 16                  # the channels of an attention's hidden layer are so many times fewer


class MlfpnOptions(NamedTuple):
    """planes: channels of a level's maps; levels: L; sides: of the maps, largest first, from S/8; smooth: a 1x1
    convolution behind each sum; sfam: attention over the channels of each scale; width: factor on SHALLOW and DEEP.
    momentum, norm_momentum: of the BatchNorms behind convolutions, and of the last one; None = statistics stay.
    init: makes the initialiser of the convolutions; half_precision: all but the last BatchNorm is float16.
    """
    planes: int
    levels: int
    sides: Tuple[int, ...]
    smooth: bool = True
    sfam: bool = False
    width: float = 1.0
    momentum: Any = 0.99
    norm_momentum: Any = 0.9
    init: Any = None
    half_precision: bool = False

    def layer(self, data, name, channels, kernel=1, momentum=None, **settings):
        """Convolution, BatchNorm and ReLU under `name`."""
        return conv_norm_relu(data, name, channels, momentum or self.momentum, kernel=kernel,
                              init=self.init and self.init(), new=OPTIONAL, **settings)


def mlfpn(base, stride, options):
    """Base feature, of `stride` 8 -> list of Feature (B, L * p, side, side), largest map first, in float32."""
    thin = leach(base, options)
    levels = []
    for level in range(1, options.levels + 1):
        data = mx.sym.Concat(thin, levels[-1][-1], dim=1, name=f'level{level}') if levels else thin
        levels.append(tum(data, f'unet{level}', options))
    sources = [mx.sym.Concat(*[maps[place] for maps in levels], dim=1, name=f'source{scale}')
               for scale, place in enumerate(reversed(range(len(options.sides))))]
    if options.sfam:
        sources = attention(sources, options.planes * options.levels)
    sources = [to_single(source, options.half_precision) for source in sources]
    sources[0] = batch_norm(sources[0], 'Norm', options.norm_momentum, OPTIONAL)
    size = options.sides[0] * stride
    return [Feature(source, size / side, options.planes * options.levels)
            for source, side in zip(sources, options.sides)]


def base_feature(shallow, deep, options):
    """FFMv1: (B, Cs, S/8, S/8) and (B, Cd, S/16, S/16) -> (B, (SHALLOW + DEEP) * width, S/8, S/8)."""
    fine = options.layer(shallow, 'reduce', round(SHALLOW * options.width), kernel=3)
    coarse = options.layer(deep, 'up_reduce', round(DEEP * options.width))
    coarse = mx.sym.UpSampling(coarse, scale=2, sample_type='nearest', num_args=1, name='up_reduce.larger')
    return mx.sym.Concat(fine, coarse, dim=1, name='base')


def leach(base, options):
    """Base feature -> (B, p / 2, S/8, S/8), the same for all levels.

    The original calls this one module once a level on the same input, so that each training step moves its statistics
    L times by the same batch. That is one move by the L-th power of the momentum.
    """
    momentum = None if options.momentum is None else options.momentum ** options.levels
    return options.layer(base, 'leach.0', options.planes // 2, momentum=momentum)


def tum(data, name, options):
    """Thinned U-shape module: (B, C, S/8, S/8) -> list of (B, p, side, side), smallest map first.

    Down by strided convolutions, the last one without padding; up by repeated cells, with a lateral of what went down
    added at each size. Smoothing comes behind the sums, not between them; the smallest map has none.
    """
    planes, count = options.planes, len(options.sides)
    down = [data]
    for index in range(count - 1):
        last = index == count - 2
        down.append(options.layer(down[-1], f'{name}.layers.{index}', planes, kernel=3, stride=1 if last else 2,
                                  pad=0 if last else 1))
    body = options.layer(down.pop(), f'{name}.toplayer.0', planes)
    maps, sides = [body], options.sides[::-1]
    for index, lateral in enumerate(reversed(down)):
        lateral = options.layer(lateral, f'{name}.latlayer.{index}', planes, kernel=3)
        body = resize_nearest(body, sides[index], sides[index + 1], f'{name}.larger.{index}') + lateral
        maps.append(options.layer(body, f'{name}.smooth.{index}', planes) if options.smooth else body)
    return maps


def attention(sources, channels):
    """SFAM: each (B, channels, side, side) times a factor in [0, 1] a channel, from the channels' means.

    The same two layers serve all scales.
    """
    hidden = channels // ATTENTION
    first, second = (_shared(f'sfam_module.fc{number}.0', inputs) for number, inputs in ((1, channels), (2, hidden)))
    result = []
    for scale, source in enumerate(sources):
        name = f'sfam_module.{scale}'
        body = mx.sym.Pooling(source, global_pool=True, pool_type='avg', kernel=(1, 1), name=f'{name}.mean')
        body = relu(_dense(body, f'{name}.fc1', hidden, first), f'{name}.relu')
        factor = mx.sym.Activation(_dense(body, f'{name}.fc2', channels, second), act_type='sigmoid',
                                   name=f'{name}.gate')
        result.append(mx.sym.broadcast_mul(source, factor, name=name))
    return result


def _shared(name, inputs):
    """Variables of a 1x1 convolution, with PyTorch's first values."""
    init = mx.init.Uniform(inputs ** -0.5)
    return dict(weight=parameter(f'{name}.weight', init, OPTIONAL, wd_mult=1.0),
                bias=parameter(f'{name}.bias', init, OPTIONAL))


def _dense(data, name, channels, arrays):
    return mx.sym.Convolution(data=data, num_filter=channels, kernel=(1, 1), name=name, **arrays)
