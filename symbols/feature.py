"""What the parts of a network hand to each other."""
from typing import Any, NamedTuple

from sniper_mxnet import mx

FEATURE_MAP = 'feature_map'     # lib.tasks calls its output by this name too


class Feature(NamedTuple):
    """A feature map (B, channels, ceil(H / stride), ceil(W / stride)) of an input (B, 3, H, W)."""
    symbol: Any
    stride: int
    channels: int

    @property
    def spatial_scale(self):
        """Factor from input pixels to feature cells."""
        return 1.0 / self.stride


def feature_output(feature):
    """A Feature as the output `feature_map_output` (B, channels, h, w) of a graph: lib.fewshot reads it."""
    return mx.sym.identity(feature.symbol, name=FEATURE_MAP)
