"""Which network the arrays of a parameter file belong to, and what one lacks of the other, by name.

Which variants of a network there are, and which sizes of heads the file decides, the detectors say
(symbols.variants).
"""
import functools
from typing import Dict, List, NamedTuple, Tuple

from configs import load_config
from symbols.registry import detector_names, get_detector
from symbols.variants import Variant

LISTED = 20  # names of each kind in one line; `python -m lib.weights.inspect FILE` shows all
FEW = 3      # of these where the line says the mend as well
SIDE = 64  # of the input for which shapes are inferred; no parameter depends on it
TEST_ENDING = '_test'  # of arrays that take the place of the ones without it in a test graph


class ParameterMatch(NamedTuple):
    """The arrays of a file beside those that a network wants.

    missing: names that the network wants and the file has not; misshapen: name -> (shape there, shape wanted); extra:
    names that only the file has, which does no harm.
    """
    missing: List[str]
    misshapen: Dict[str, Tuple[tuple, tuple]]
    extra: List[str]

    @property
    def complete(self) -> bool:
        """True if the network can be filled."""
        return not self.missing and not self.misshapen

    def differences(self, listed=LISTED) -> str:
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


class NetworkMatch(NamedTuple):
    """How a file fits one variant of a network; names of auxiliary states are among the others."""
    network: str
    variant: Variant
    whole: ParameterMatch           # with everything that the graph wants
    pretrained: ParameterMatch      # with what `network.pretrained` must bring: all but newly initialised layers

    @property
    def extra(self) -> List[str]:
        """Names that this network does not ask for, test weights aside."""
        return [name for name in self.whole.extra if not name.endswith(TEST_ENDING)]

    @property
    def rank(self):
        """Sort key: whole and without leftovers first, then whole, then as pretrained weights, then the nearest."""
        lacking = len(self.whole.missing) + len(self.whole.misshapen)
        short = len(self.pretrained.missing) + len(self.pretrained.misshapen)
        return lacking > 0, len(self.extra) if not lacking else 0, short, lacking, len(self.extra)


def match_parameters(wanted, given) -> ParameterMatch:
    """{name: shape} wanted and given -> ParameterMatch, names in the order of each."""
    return ParameterMatch(missing=[name for name in wanted if name not in given],
                          misshapen={name: (tuple(given[name]), tuple(shape)) for name, shape in wanted.items()
                                     if name in given and tuple(given[name]) != tuple(shape)},
                          extra=[name for name in given if name not in wanted])


def match_networks(shapes) -> List[NetworkMatch]:
    """{name: shape} of a file, without 'arg:' and 'aux:' -> NetworkMatch of each known variant, best first."""
    return sorted((match for name in detector_names() for match in match_network(name, shapes)),
                  key=lambda match: match.rank)


def match_network(name: str, shapes) -> List[NetworkMatch]:
    """The same of the variants of one detector, in their order."""
    return [NetworkMatch(name, variant, *(match_parameters(wanted, shapes) for wanted in _wanted(name, variant)))
            for variant in get_detector(name).variants(shapes)]


def override(key: str, value) -> str:
    """A key and its value as they are written behind --set."""
    return f'{key} {str(value).replace(" ", "")}'


def shape_text(shape) -> str:
    """(64, 3, 7, 7) -> '64x3x7x7'."""
    return 'x'.join(map(str, shape))


def shortened(names, joint=', ', listed=LISTED) -> str:
    """At most `listed` names as text (None = all), and how many more there are."""
    more = 0 if listed is None else max(0, len(names) - listed)
    return joint.join(names[:len(names) - more]) + (f' and {more} more' if more else '')


@functools.lru_cache(maxsize=320)
def _wanted(name, variant):
    """({name: shape} of all that a variant's graphs want, the same without newly initialised layers)."""
    from symbols.layers import optional_parameters  # loads MXNet
    detector, config = get_detector(name), config_of(name, variant)
    whole, trunk = {}, {}
    for graph in variant.graphs:
        inputs, symbol = detector.input_shapes(config, 1, SIDE, SIDE, graph), detector.symbol(config, graph)
        arguments, _, auxiliary = symbol.infer_shape(**inputs)
        wanted = {key: shape for key, shape in zip(symbol.list_arguments(), arguments) if key not in inputs}
        wanted.update(zip(symbol.list_auxiliary_states(), auxiliary))
        new = detector.new_parameters(symbol) | optional_parameters(symbol)
        whole.update(wanted)
        trunk.update((key, shape) for key, shape in wanted.items() if key not in new)
    return whole, trunk


def config_of(name, variant):
    """Configuration of a Variant of the detector `name`, with as many classes and the like as the file has, where it
    says."""
    config = load_config(None, ['symbol', name])
    for key, value in variant.keys:
        section, _, last = key.rpartition('.')
        (config[section] if section else config)[last] = list(value) if isinstance(value, tuple) else value
    return config


def _count(items, many, one):
    return f'{len(items)} {one if len(items) == 1 else many}'
