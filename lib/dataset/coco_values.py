"""Values of COCO files in the forms in which tools write them: numbers as text, whole numbers as fractions, flags."""
from typing import Any, Dict, Iterable, List, Mapping, Optional

from lib.dataset.base import is_number

MOST_DIGITS = 18        # of a text that is taken as a number
LARGEST_SIDE = 1 << 24  # pixels; float32 holds every whole number up to here
_FLAGS = {0: False, 1: True, '': False, '0': False, '1': True, 'false': False, 'true': True, 'no': False, 'yes': True}


def identity_of(value: Any):
    """An id: whole number or text, 7.0 as 7; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def number_of(value: Any) -> Optional[float]:
    """A number of sensible size, maybe written as text; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if is_number(value) else None


def side_of(value: Any) -> Optional[float]:
    """Width or height of an image in pixels, whole numbers as int; None if it is none."""
    value = number_of(value)
    if value is None or not 1 <= value <= LARGEST_SIDE:
        return None
    return int(value) if value == int(value) else value


def box_of(value: Any) -> Optional[List[float]]:
    """bbox as a list of four numbers, maybe all written as text; None if it is none."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    if all(isinstance(number, str) for number in value):
        value = [number_of(number) for number in value]
    return value if all(map(is_number, value)) else None


def flag_of(value: Any) -> Optional[bool]:
    """0 or 1, in whatever form; missing and null are 0; None for anything else."""
    if value is None:
        return False
    if isinstance(value, str):
        value = value.strip().lower()
        value = value[:-2] if value.endswith('.0') else value
    return _FLAGS.get(value) if isinstance(value, (str, int, float)) else None


def printable_text(text: str) -> str:
    """Text without halves of letters, which JSON can hold and no file or terminal."""
    return text.encode('utf-8', 'replace').decode('utf-8')


class IdFinder:
    """Finds ids however they are written: 7 also as 7.0, '7' and '007', '7' also as 7."""

    def __init__(self, ids: Iterable, others: Optional[Mapping] = None):
        """others: {another name: id}, which counts where nothing else fits."""
        self._ids = dict.fromkeys(ids)
        self._alike: Dict[Any, Any] = {}
        for known in self._ids:
            self._alike.setdefault(_number_in(known), known)
        self._alike.pop(None, None)
        self._others = others or {}

    def find(self, value: Any):
        """The id that `value` means, None if there is none."""
        value = identity_of(value)
        if value is None or value in self._ids:
            return value
        number = _number_in(value)
        return self._alike[number] if number in self._alike else self._others.get(value)


def _number_in(value):
    """7 of 7 and '007'; None of other texts."""
    if isinstance(value, int):
        return value
    text = value.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
