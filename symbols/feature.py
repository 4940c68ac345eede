"""What the parts of a network hand to each other."""
from typing import Any, NamedTuple


class Feature(NamedTuple):
    """A feature map (B, channels, ceil(H / stride), ceil(W / stride)) of an input (B, 3, H, W)."""
    symbol: Any
    stride: int
    channels: int

    @property
    def spatial_scale(self):
        """Factor from input pixels to feature cells."""
        return 1.0 / self.stride
