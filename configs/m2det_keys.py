"""What follows from the section M2DET: the maps of the pyramid and their priors' steps and sizes. Free of MXNet.

Source: reference/m2det.md sections 1, 3.3 and 4.
"""
from typing import Dict, NamedTuple, Optional, Tuple

from easydict import EasyDict

from configs.schema import ConfigError

VGG_BACKBONES = ('vgg16', 'vgg16_bn')
BACKBONES = (*VGG_BACKBONES, 'resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152', 'se_resnet50',
             'se_resnet101', 'se_resnet152', 'se_resnext50_32x4d', 'se_resnext101_32x4d', 'senet154')
STRIDE = 8                  # of the largest map
PRIORS_A_CELL = 6
ATTENTION = 16              # SFAM's hidden layer has so many times fewer channels
LARGEST = 8                 # size of a prior, as a share of the side; more was meant as pixels
# Input side: steps of the maps in pixels, sizes of the priors as shares of the side, one more than there are maps.
SHIPPED: Dict[int, Tuple[Tuple[float, ...], Tuple[float, ...]]] = {
    320: ((8, 16, 32, 64, 107, 320), (0.08, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)),
    512: ((8, 16, 32, 64, 128, 256), (0.06, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)),
    704: ((8, 16, 32, 64, 117, 176), (0.04, 0.11, 0.23, 0.39, 0.58, 0.80, 1.05)),
    800: ((8, 16, 32, 62, 115, 160), (0.04, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)),
}


class Pyramid(NamedTuple):
    """size: of the input, pixels. sides: of the maps, cells, largest first. steps: pixels a cell of each map. sizes: of
    the priors as shares of `size`, one a map and one more."""
    size: int
    sides: Tuple[int, ...]
    steps: Tuple[float, ...]
    sizes: Tuple[float, ...]

    @property
    def priors(self) -> int:
        """P, of all maps."""
        return PRIORS_A_CELL * sum(side * side for side in self.sides)

    @classmethod
    def from_config(cls, config: EasyDict) -> 'Pyramid':
        """That of M2DET. ConfigError, one line, where the keys do not fit each other."""
        keys = config.M2DET
        size, scales = int(keys.input_size), int(keys.num_scales)
        sides = map_sides(size, scales)
        usual_steps, usual_sizes = SHIPPED[min(SHIPPED, key=lambda side: abs(side - size))]
        if size not in SHIPPED or scales != len(usual_steps):
            usual_steps = tuple(size / side for side in sides)
        steps = tuple(keys.step_pattern) or usual_steps
        sizes = tuple(keys.size_pattern) or usual_sizes
        if len(steps) != scales:
            raise ConfigError(f'M2DET.step_pattern has {len(steps)} entries, but M2DET.num_scales is {scales}; give '
                              'one step a map')
        cells = [round(size / step) for step in steps]
        if cells != list(sides):
            raise ConfigError(f'M2DET.step_pattern {list(steps)} gives priors for maps of {_text(cells)} cells a side, '
                              f'but with M2DET.input_size {size} the maps have {_text(sides)}; leave it empty')
        if len(sizes) != scales + 1:
            raise ConfigError(f'M2DET.size_pattern has {len(sizes)} entries{"" if keys.size_pattern else " by default"}'
                              f', but M2DET.num_scales is {scales}; give one size a map and one more, {scales + 1}')
        if list(sizes) != sorted(set(sizes)) or sizes[-1] > LARGEST or sizes[0] * size < 1:
            raise ConfigError(f"M2DET.size_pattern is {list(sizes)}; it wants growing shares of the input's side, from "
                              f'1 pixel ({1 / size:.2g}) to {LARGEST}')
        return cls(size, sides, steps, sizes)


def map_sides(size: int, scales: int, key: str = 'M2DET.input_size') -> Tuple[int, ...]:
    """Sides of `scales` maps of an input of `size` pixels: halved with ceiling from S/8 on, the last one 2 smaller.

    ConfigError, which names `key`, where the backbone's two maps are not an exact half of each other, or the last map
    has no cell.
    """
    if size % (2 * STRIDE):
        low = size - size % (2 * STRIDE)
        raise ConfigError(f'{key} is {size}, no multiple of {2 * STRIDE}, so that the two maps of the '
                          f'backbone do not fit together; take {max(low, least_size(scales))} or '
                          f'{max(low, least_size(scales)) + 2 * STRIDE}')
    sides = [size // STRIDE]
    while len(sides) < scales - 1:
        sides.append(-(-sides[-1] // 2))
    if sides[-1] < 3:
        raise ConfigError(f'{key} {size} is too small for {scales} maps (M2DET.num_scales): the last but '
                          f'one has {sides[-1]} cells a side, and the last one 2 less; take {least_size(scales)} or '
                          'more, or fewer maps')
    return (*sides, sides[-1] - 2)


def least_size(scales: int) -> int:
    """Smallest input side with which the last of `scales` maps has a cell."""
    return 2 * STRIDE * (2 ** (scales - 2) + 1)


def check_m2det(config: EasyDict) -> None:
    """ConfigError, one line, if keys of M2DET do not fit each other."""
    keys = config.M2DET
    Pyramid.from_config(config)
    if keys.planes % 2:
        raise ConfigError(f'M2DET.planes is {keys.planes}; a level begins with half of it, so it must be even')
    if keys.init == 'prior' and not keys.neg_pos:
        raise ConfigError("M2DET.init is 'prior', the share of the background among the priors that are learnt from, "
                          "but M2DET.neg_pos is 0, so there is none: set init to 'original'")
    if keys.sfam and keys.planes * keys.num_levels % ATTENTION:
        raise ConfigError(f'M2DET.sfam is True, but M2DET.planes x M2DET.num_levels is {keys.planes * keys.num_levels}'
                          f', no multiple of {ATTENTION}; set it to False, or planes to a multiple of {ATTENTION}')
    if keys.width != 1 and keys.backbone not in VGG_BACKBONES:
        raise ConfigError(f'M2DET.width is {keys.width}, but {keys.backbone} has one width only; set it to 1, or '
                          f'M2DET.backbone to {" or ".join(VGG_BACKBONES)}')
    if len(keys.variance) != 2:
        raise ConfigError(f'M2DET.variance has {len(keys.variance)} entries; it wants two: of centres and of sides')
    if keys.width * 64 % 1:
        raise ConfigError(f'M2DET.width is {keys.width}; the narrowest layer has 64 channels times that, which must be '
                          'a whole number')


def own_size(config: EasyDict) -> Optional[str]:
    """A sentence on an input size that the original refuses; None for those that it takes."""
    pyramid = Pyramid.from_config(config)
    if pyramid.size in SHIPPED and len(pyramid.sides) == len(SHIPPED[pyramid.size][0]):
        return None
    return ('M2DET.input_size {} with {} maps is none of those that M2Det was published with ({}), and refused by the '
            'original; here, by the rule of those: maps of {} cells a side, {} pixels a cell, priors of {} of the '
            'side'.format(pyramid.size, len(pyramid.sides), _text(SHIPPED, ', '), _text(pyramid.sides),
                          _text(f'{step:g}' for step in pyramid.steps), _text(f'{size:g}' for size in pyramid.sizes)))


def _text(numbers, joint=' '):
    return joint.join(map(str, numbers))
