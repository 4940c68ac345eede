"""Scale factors of the image pyramid (reference/pipeline.md section 6).

A scale is defined either by a resolution pair (a, b) in pixels or by a factor:
    (a, b), a > 0    the short side becomes a, unless the long side would then exceed b (b > 0): it becomes b
    (a, b), a <= 0   the long side becomes b
    number           the factor itself; as the last of the training scales, pixels of the long side
A factor always comes from the size of the whole image, never from that of a chip.
"""
import numbers

from lib.utils.errors import SniperError


def is_pair(definition):
    """True for a resolution pair, False for a number."""
    return not isinstance(definition, numbers.Real) and len(definition) == 2


def resolution_scale(pair, width, height):
    """Resolution pair (a, b) -> factor (float) for an image of width x height pixels."""
    short_target, long_target = pair
    short, long = min(width, height), max(width, height)
    if not short > 0:
        raise SniperError(f'an image of {width} x {height} pixels has no scale; check its width and height')
    if short_target <= 0:
        return _positive(long_target / float(long), pair)
    scale = short_target / float(short)
    if long_target > 0 and round(scale * long) > long_target:  # rounds half to even
        scale = long_target / float(long)
    return scale


def scale_factor(definition, width, height, last=False):
    """One scale definition -> factor (float). last: a number means pixels of the long side."""
    if is_pair(definition):
        return resolution_scale(definition, width, height)
    if last:
        return resolution_scale((-1, definition), width, height)
    return _positive(float(definition), definition)


def training_scales(definitions, width, height):
    """Definitions, fine to coarse -> list of factors. SniperError for a mixture of pairs and numbers."""
    pairs = [is_pair(definition) for definition in definitions]
    if any(pairs) and not all(pairs):
        raise SniperError(f'TRAIN.SCALES must be all pairs or all numbers, got {list(definitions)}')
    last = len(definitions) - 1
    return [scale_factor(definition, width, height, last=index == last)
            for index, definition in enumerate(definitions)]


def test_scale(pair, width, height):
    """Factor of a test scale; test scales are resolution pairs only. SniperError for anything else."""
    if not is_pair(pair):
        raise SniperError(f'TEST.SCALES must hold pairs such as [800, 1280], got {pair}')
    return resolution_scale(pair, width, height)


test_scale.__test__ = False  # not a test case, whatever pytest thinks of the name


def scaled_size(width, height, scale):
    """(width, height) of the scaled image, truncated: a side can come out one pixel below what was aimed at."""
    return int(width * scale), int(height * scale)


def _positive(scale, definition):
    if not scale > 0:
        raise SniperError(f'scale {definition} gives the factor {scale}; it must be above 0')
    return scale
