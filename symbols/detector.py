"""What every detector has, whatever its family."""
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from symbols.layers import he_normal, new_parameters


class ParameterVariant(NamedTuple):
    """A set of parameters that files of this detector may have.

    graphs: variants of the detector's graphs whose parameters make it up; switches: keys that are True for it.
    """
    name: str
    graphs: Tuple[str, ...]
    switches: Tuple[str, ...] = ()


class Detector:
    """A network of a configuration: `train_symbol(config)`, `test_symbol(config)` and more give `mx.sym.Symbol`s.

    What the inputs of the training graph are says the detector's task (lib.tasks); those of the other graphs, which
    take any batch and input size, `input_shapes`.
    """

    def symbol(self, config, variant: str):
        """Graph by its variant: 'train', 'test', or others that the detector has, such as 'proposal_test'."""
        return getattr(self, variant + '_symbol')(config)

    def input_shapes(self, config, batch: int, height: int, width: int, variant: str) -> Dict[str, tuple]:
        """{input name: shape} of a variant that is not for training; height, width: of the network's input."""
        return getattr(self, f'_{variant}_shapes')(config, batch, height, width)

    @staticmethod
    def new_parameters(symbol) -> set:
        """Names of the arguments that are initialised anew over any pretrained file: heads and deformable offsets.

        Their initialisers sit on the variables.
        """
        return new_parameters(symbol)

    @staticmethod
    def initializer():
        """Initialiser of every array whose variable carries none, for training from scratch."""
        return he_normal()

    def parameter_variants(self) -> List[ParameterVariant]:
        """Which sets of parameters files may have, for recognising them."""
        return [ParameterVariant('whole', ('test',))]

    @staticmethod
    def settings_of(shapes: Dict[str, Sequence[int]]) -> Dict[str, Any]:
        """{configuration key: value} that a file with arrays of `shapes` speaks for, such as the number of classes.

        Values are hashable. Where the file says nothing, any value will do.
        """
        return {}
