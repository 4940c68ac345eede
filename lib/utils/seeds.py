"""Random generators that depend on what they are for, never on which worker draws from them."""
import numpy as np

STRIDE, CHIPS, ORDER, SAMPLE, SCALES, BACKGROUND = range(6)  # purposes


def generator(seed, epoch, purpose, index=0) -> np.random.Generator:
    """numpy Generator for (seed, epoch, purpose, index), all integers >= 0.

    `index` is the image for CHIPS and the position in the epoch for SAMPLE.
    """
    return np.random.default_rng(np.random.SeedSequence((int(seed), int(epoch), purpose, int(index))))
