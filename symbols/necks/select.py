"""One feature of the backbone by itself."""
from symbols.layers import to_single


class Select:
    """One feature of the backbone as it is; in float32."""

    def __init__(self, stage):
        self.stage = stage

    def __call__(self, features, options):
        feature = features[self.stage]
        return feature._replace(symbol=to_single(feature.symbol, options.half_precision))
