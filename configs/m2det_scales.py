"""An M2Det at several input sides: what TEST.SCALES mean for it, and the configuration of each. Free of MXNet.

The weights do not depend on the side, the graph and the priors do. Layers know pixels, not shares of the input: an
object of 40 pixels looks the same to them whatever surrounds it. So a prior keeps its pixels, and its share of the
side is the trained one times trained side / side.
"""
from easydict import EasyDict

from configs.m2det_keys import Pyramid, map_sides
from configs.one_scale import of_one_scale
from configs.scales import FACTOR, INPUT, read_scale, scale_name
from configs.schema import ConfigError


def scale_side(config: EasyDict, index: int) -> int:
    """Side of the square input at entry `index` of TEST.SCALES, pixels. ConfigError for one that there cannot be."""
    scale = config.TEST.SCALES[index]
    if scale == INPUT:
        return int(config.M2DET.input_size)
    side = 0.0
    if isinstance(scale, str):
        unit, side = read_scale(scale)
        side = 0.0 if unit == FACTOR else side
    if side <= 0 or side != int(side):
        raise ConfigError(f'TEST.SCALES has {scale_name(scale)}, but {config.symbol} resizes both sides of an image to '
                          f"those of a square: write {INPUT} (M2DET.input_size), or whole pixels such as 320px")
    map_sides(int(side), config.M2DET.num_scales, 'a side of TEST.SCALES')
    return int(side)


def scale_config(config: EasyDict, index: int) -> EasyDict:
    """The configuration whose graph, priors and only test scale are those of entry `index` of TEST.SCALES: a copy, or
    `config` itself where it is of that one already."""
    test, side, trained = config.TEST, scale_side(config, index), Pyramid.from_config(config)
    if side == trained.size and len(test.SCALES) == 1:
        return config
    own = of_one_scale(config, index)
    own.TEST.SCALES = [INPUT]
    if side != trained.size:
        own.M2DET.input_size, own.M2DET.step_pattern = side, []
        own.M2DET.size_pattern = [size * trained.size / side for size in trained.sizes]
    return own


def check_scales(config: EasyDict) -> None:
    """ConfigError, one line, for an entry of TEST.SCALES that the pyramid cannot take."""
    for index in range(len(config.TEST.SCALES)):
        Pyramid.from_config(scale_config(config, index))
