"""Random choices by name, from one seeded generator: what makes them can be put in place of a list of recorded ones."""
from typing import Any, Sequence

import numpy as np


class Draws:
    """Choices of a numpy Generator, one number of it each."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng

    def choice(self, options: Sequence) -> Any:
        """One of `options`, all with equal chance."""
        return options[self.below(len(options))]

    def uniform(self, low: float, high: float) -> float:
        """A number of [low, high)."""
        return float(self._rng.uniform(low, high))

    def share(self) -> float:
        """A number of [0, 1)."""
        return float(self._rng.random())

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1; ValueError if there is none."""
        return int(self._rng.integers(count))

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self._rng.integers(low, high + 1))

    def coin(self) -> bool:
        """True with a chance of one half."""
        return self.below(2) == 1
