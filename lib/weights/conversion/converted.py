"""What converting a file gives, whatever it was a file of."""
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np


class FeatureDifference(NamedTuple):
    """Of one feature map or output: the largest difference between the networks, and the source's largest magnitude."""
    feature: str
    shape: tuple
    difference: float
    magnitude: float

    @property
    def relative(self):
        return self.difference / max(self.magnitude, 1e-30)

    @classmethod
    def between(cls, feature: str, theirs: np.ndarray, ours: np.ndarray) -> 'FeatureDifference':
        """Infinite where the shapes differ."""
        difference = float(np.abs(theirs - ours).max()) if theirs.shape == ours.shape else np.inf
        return cls(feature, theirs.shape, difference, float(np.abs(theirs).max()))


class Converted(NamedTuple):
    """Arrays of ours, and the proof.

    name: of the source network; prefix: usual, of the parameter file in data/pretrained_model; args, auxs: float32
    arrays by name; requires: {key: value} that the configuration must have; rows: both networks on one seeded picture;
    most: largest relative difference that counts as the same function; use: lines on what to do with the file, in which
    {prefix} stands for where it lies; classes: that a detector tells apart, background first, () if no one says them.
    """
    name: str
    prefix: str
    args: Dict[str, np.ndarray]
    auxs: Dict[str, np.ndarray]
    requires: Dict[str, Any]
    rows: List[FeatureDifference]
    most: float
    use: Tuple[str, ...]
    classes: Tuple[str, ...] = ()
