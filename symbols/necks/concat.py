"""Features of one stride side by side."""
from sniper_mxnet import mx
from symbols.feature import Feature
from symbols.layers import to_single


class Concat:
    """Concatenation of features of equal stride, as node `name`; in float32."""

    def __init__(self, stages, name):
        self.stages = stages
        self.name = name

    def __call__(self, features, options):
        parts = [features[stage] for stage in self.stages]
        strides = {part.stride for part in parts}
        assert len(strides) == 1, f'concatenated features must share a stride, got {sorted(strides)}'
        joined = mx.sym.Concat(*[part.symbol for part in parts], dim=1, name=self.name)
        return Feature(to_single(joined, options.half_precision), parts[0].stride, sum(part.channels for part in parts))
