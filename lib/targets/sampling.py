"""Random choice of the anchors that a chip's loss sees (reference/pipeline.md 10.7)."""
import numpy as np


def subsample(label, batch_size, positive_fraction, rng):
    """Set surplus labels of (K,) int8 `label` to -1 in place: 1 object, 0 background, -1 not used.

    At most int(batch_size * positive_fraction) positives stay, and negatives up to batch_size together. Which
    ones is uniform. rng: numpy Generator, or anything else with a `choice(a, size, replace)` method (a legacy
    RandomState makes the original's draws), with which the surplus is drawn, positives first.
    """
    positives = np.nonzero(label == 1)[0]
    limit = int(batch_size * positive_fraction)
    _drop_surplus(label, positives, limit, rng)
    negatives = np.nonzero(label == 0)[0]
    _drop_surplus(label, negatives, batch_size - min(len(positives), limit), rng)


def _drop_surplus(label, members, limit, rng):
    surplus = len(members) - limit
    if surplus <= 0:
        return
    if isinstance(rng, np.random.Generator):
        # Few of many stay: drawing those is far cheaper than drawing the surplus, and as uniform.
        kept = rng.choice(members, size=limit, replace=False, shuffle=False)
        value = label[members[0]]
        label[members] = -1
        label[kept] = value
    else:
        label[rng.choice(members, size=surplus, replace=False)] = -1
