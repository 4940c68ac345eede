"""How TRAIN.SCALES and TEST.SCALES say at what size an image is looked at.

    [short, long]   pixels: the short side becomes `short`, unless the long side would exceed `long`: it becomes that;
                    [-1, long] = the long side alone
    2x              a factor of each image by itself
    256px           pixels of the long side
    2.0             a number is a factor; but the last of TRAIN.SCALES is pixels of the long side, the original's rule

A configuration holds pairs as tuples, numbers of TRAIN.SCALES as they are, and texts in one spelling: '2x', '256px'.
What becomes of an image is in lib/chips/scales.py.
"""
import ast
import functools
import math
import numbers
import re
from typing import Sequence, Tuple, Union, cast

from configs.schema import FLOAT, ConfigError, Kind, tuple_of

Definition = Union[float, str, Tuple[float, float]]

FACTOR, PIXELS = 'x', 'px'
LEAST_SIDE = 32           # a bare number from here up is meant as pixels, one below as a factor
FEWEST, MOST = 8, 65535   # pixels of a side
LARGEST = 100             # factor
FORMS = 'a factor such as 2x, pixels of the long side such as 256px, or a pair of pixels [short side, long side]'

_NUMBER = r'([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)'
_TEXTS = tuple((unit, re.compile(form + '$', re.IGNORECASE)) for unit, form in (
    (FACTOR, _NUMBER + r'\s*[x×]'), (FACTOR, r'[x×]\s*' + _NUMBER), (PIXELS, _NUMBER + r'\s*(?:px|pixels?)')))
_PAIR = tuple_of(FLOAT, 2, '')


def is_number(definition) -> bool:
    """True for a bare number, False for a pair or a text."""
    return isinstance(definition, numbers.Real)


@functools.lru_cache(maxsize=256)
def read_scale(text: str) -> Tuple[str, float]:
    """'2x' or '256px' -> (FACTOR, 2.0) or (PIXELS, 256.0). ConfigError for another text, or a number that is none."""
    for unit, form in _TEXTS:
        found = form.match(text.strip())
        if found:
            value = float(found.group(1))
            least, most = (FEWEST, MOST) if unit == PIXELS else (0, LARGEST)
            if not least <= value <= most or value == 0:
                raise ConfigError(f'the scale {text!r} must be ' + (f'from {FEWEST} to {MOST} pixels' if unit == PIXELS
                                                                    else f'above 0 and at most {LARGEST}'))
            return unit, value
    raise ConfigError(f'the scale {text!r} is none; write {FORMS}')


def _spelled(value, unit):
    """One spelling of a number and its unit, without exponent: '2x', '0.33x', '256px'."""
    text = repr(value) if 'e' not in repr(value) else f'{value:.17f}'.rstrip('0')
    return (text[:-2] if text.endswith('.0') else text) + unit


def _entry(value):
    """One entry of a list as a file or --set gives it -> what a configuration holds."""
    if isinstance(value, str):
        try:
            value = FLOAT.convert(value)  # 1e-3, which YAML takes for a text
        except ValueError:
            unit, number = read_scale(value)
            return _spelled(number, unit)
    if isinstance(value, bool) or is_number(value):
        return float(FLOAT.convert(value))
    return _PAIR.convert(value)


def _of_test(value):
    """In TEST.SCALES a number is a factor, and written as one, so that the same is the same."""
    if not is_number(value) or not 0 < value:
        return value  # configs.checks says what is wrong
    if value >= LEAST_SIDE:
        raise ConfigError(f'a number is a factor of each image, and {value:g} is none: write {value:g}px for pixels of '
                          f'the long side, or a pair in brackets of its own, [[{value:g}, ...]]')
    return _spelled(value, FACTOR)


def _items(value):
    """A list of entries; a text, as --set has it where units stand without quotes, is taken apart."""
    if isinstance(value, str):
        def quoted(found):
            word = found.group().strip()
            try:
                return word if math.isfinite(float(word)) else repr(word)
            except ValueError:
                return repr(word) if word else ''
        try:
            plain = value.replace('"', '').replace("'", '')
            value = ast.literal_eval(re.sub(r'[^][(),]+', quoted, plain))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise ValueError(value) from None
        value = [value] if isinstance(value, str) else value
    if hasattr(value, 'tolist'):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        raise ValueError(value)
    return value


WANTS = f'a list of scales, each {FORMS}'
TRAIN_SCALES = Kind(WANTS, lambda value: [_entry(item) for item in _items(value)])
TEST_SCALES = Kind(WANTS, lambda value: [_of_test(_entry(item)) for item in _items(value)])


def check_scales(section: str, definitions: Sequence[Definition]) -> None:
    """Raise ConfigError if a scale is not above 0, or a number can hardly be meant as it would be read."""
    for scale in definitions:
        if isinstance(scale, float) and not scale > 0:
            raise ConfigError(f'{section}.SCALES has the entry {scale}; it must be above 0')
        if isinstance(scale, tuple) and not FEWEST <= max(scale) <= MOST:
            raise ConfigError(f'{section}.SCALES has the pair {list(scale)}, which are the short and the long side in '
                              f'pixels: from {FEWEST} to {MOST}; factors are written [2x, 1x]')
        if isinstance(scale, tuple) and scale[0] > scale[1] > 0:
            short, long = map('{:g}'.format, scale[::-1])
            raise ConfigError(f'{section}.SCALES has the pair {list(scale)}, but the short side comes first: write '
                              f'[{short}, {long}], or {short}px for the long side alone')
    if section == 'TRAIN':
        _check_numbers(definitions)


def check_last(definitions: Sequence[Definition]) -> None:
    """Raise ConfigError for TRAIN.SCALES whose last is a bare number while others are not: which would it be?"""
    last = definitions[-1]
    if isinstance(last, float) and not all(map(is_number, definitions)):
        raise ConfigError(f'TRAIN.SCALES is {_shown(definitions)}: a last number is pixels of the long side only where '
                          f'all are numbers; write {last:g}{FACTOR if last < LEAST_SIDE else PIXELS}')


def _check_numbers(definitions):
    """Raise ConfigError where bare numbers in TRAIN.SCALES can hardly be factors, the last one pixels."""
    check_last(definitions)
    *before, last = definitions
    if is_number(last) and last < LEAST_SIDE:
        factors = [scale if isinstance(scale, str) else f'{scale:g}x' for scale in definitions]
        raise ConfigError(f'TRAIN.SCALES is {_shown(definitions)}, and its last number is pixels of the long side, of '
                          f'which {last:g} are too few: write [{", ".join(factors)}] for factors, or such as 256px '
                          'for pixels')
    for scale in before:
        if is_number(scale) and scale >= LEAST_SIDE:
            raise ConfigError(f'TRAIN.SCALES is {_shown(definitions)}: a number before the last is a factor, and '
                              f'{scale:g} is none; write {scale:g}px for pixels of the long side, or pairs in brackets '
                              'of their own, [[short side, long side], ...]')


def _shown(definitions) -> str:
    """Scales as a user writes them."""
    return f'[{", ".join(scale_name(scale, ", ", "[{}]") for scale in definitions)}]'


def scale_name(definition: Definition, between: str = 'x', pair: str = '{}') -> str:
    """'2x', '256px', '800x1280' for a pair; a number as it is. Fit for the name of a file."""
    if isinstance(definition, str):
        return definition
    if is_number(definition):
        return f'{definition:g}'
    return pair.format(between.join(str(side) for side in cast(Tuple[float, float], definition)))


def ascending(coarse: Definition, fine: Definition) -> bool:
    """Whether `fine` is larger than `coarse`; True where that depends on the image: a factor and pixels."""
    def sides(definition):
        if isinstance(definition, str):
            unit, value = read_scale(definition)
            return unit, (value, value)
        return (FACTOR, (definition, definition)) if is_number(definition) else ('pair', tuple(definition))
    (unit, low), (other, high) = sides(coarse), sides(fine)
    return unit != other or (low != high and low[0] <= high[0] and low[1] <= high[1])

