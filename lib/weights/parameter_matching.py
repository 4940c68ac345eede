"""Do the arrays of a file agree with what a network wants? What does not is said by name, in one line."""
from typing import Dict, List, NamedTuple, Tuple

LISTED = 20  # names of each kind in one line; `python -m lib.weights.inspect_model FILE` shows all


class Agreement(NamedTuple):
    """missing: names that the network wants and the file has not; misshapen: name -> (shape there, shape wanted);
    extra: names that only the file has, which does no harm."""
    missing: List[str]
    misshapen: Dict[str, Tuple[tuple, tuple]]
    extra: List[str]

    @property
    def complete(self):
        """True if the network can be filled."""
        return not self.missing and not self.misshapen

    def complaint(self, listed=LISTED):
        """Everything that differs, by name; '' if the network can be filled. listed: names of each kind, None = all."""
        if self.complete:
            return ''
        parts = []
        if self.missing:
            parts.append('{} missing ({})'.format(_count(self.missing, 'parameters are', 'parameter is'),
                                              shortened(self.missing, listed=listed)))
        if self.misshapen:
            parts.append('{} other shapes ({})'.format(_count(self.misshapen, 'have', 'has'), shortened([
                f'{name} is {shape_text(there)}, the network wants {shape_text(wanted)}'
                for name, (there, wanted) in self.misshapen.items()], '; ', listed)))
        if self.extra:
            parts.append(f'{_count(self.extra, "are", "is")} not asked for ({shortened(self.extra, listed=listed)})')
        return '; '.join(parts)


def compare(wanted, given):
    """{name: shape} wanted and given -> Agreement, names in the order of each."""
    return Agreement(missing=[name for name in wanted if name not in given],
                     misshapen={name: (tuple(given[name]), tuple(shape)) for name, shape in wanted.items()
                                if name in given and tuple(given[name]) != tuple(shape)},
                     extra=[name for name in given if name not in wanted])


def shape_text(shape):
    """(64, 3, 7, 7) -> '64x3x7x7'."""
    return 'x'.join(map(str, shape))


def shortened(names, joint=', ', listed=LISTED):
    """At most `listed` names as text (None = all), and how many more there are."""
    more = 0 if listed is None else max(0, len(names) - listed)
    return joint.join(names[:len(names) - more]) + (f' and {more} more' if more else '')


def _count(items, many, one):
    return f'{len(items)} {one if len(items) == 1 else many}'
