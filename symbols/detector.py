"""What every detector has, whatever its family."""
import fnmatch
from typing import Dict, List, Mapping, Sequence

from symbols.layers import he_normal, new_parameters
from symbols.variants import Variant

TRUNK = 'trunk'     # what the heads read: backbone, and neck unless a detector names it apart


class Detector:
    """A network of a configuration: `train_symbol(config)`, `test_symbol(config)` and more give `mx.sym.Symbol`s.

    What the inputs of the training graph are says the detector's task (lib.tasks); those of the other graphs, which
    take any batch and input size, `input_shapes`.

    parts: {part of the network: patterns of its layers' names, as fnmatch has them}, for reports; the first that fits
    counts, and what fits none is the TRUNK.
    """

    parts: Mapping[str, Sequence[str]] = {}

    def symbol(self, config, variant: str):
        """Graph by its variant: 'train', 'test', 'export', or others that it has, such as 'feature'."""
        return getattr(self, variant + '_symbol')(config)

    def input_shapes(self, config, batch: int, height: int, width: int, variant: str) -> Dict[str, tuple]:
        """{input name: shape} of a variant that is not for training; height, width: of the network's input."""
        return getattr(self, f'_{variant}_shapes')(config, batch, height, width)

    def export_symbol(self, config):
        """The test graph with its outputs in the form of the network's original, for programs other than these."""
        return self.test_symbol(config)

    def part_of(self, layer: str) -> str:
        """The part of the network that a layer of this name belongs to, see `parts`."""
        return next((part for part, patterns in self.parts.items()
                     if any(fnmatch.fnmatchcase(layer, pattern) for pattern in patterns)), TRUNK)

    def _feature_shapes(self, config, batch, height, width):
        return self.input_shapes(config, batch, height, width, 'test')

    def _export_shapes(self, config, batch, height, width):
        return self.input_shapes(config, batch, height, width, 'test')

    @staticmethod
    def new_parameters(symbol) -> set:
        """Names of the arguments and statistics that are initialised anew over any pretrained file: heads and
        deformable offsets. Those of layers that a file may lack as a whole: symbols.layers.optional_parameters.

        Their initialisers sit on the variables.
        """
        return new_parameters(symbol)

    @staticmethod
    def initializer():
        """Initialiser of every array whose variable carries none, for training from scratch."""
        return he_normal()

    def variants(self, shapes: Dict[str, tuple]) -> List[Variant]:
        """What differs in parameters, for files with arrays of these {name: shape}; see symbols.variants."""
        return [Variant('whole')]
