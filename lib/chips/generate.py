"""Cover boxes with chips: fixed-size windows over one scaled image (reference/pipeline.md 7.2, 7.3)."""
import numpy as np

from lib.bbox.boxes import as_boxes
from lib.chips.chips_ext import candidate_count, candidates, cover

TRIALS = 8  # greedy passes at most for a group of boxes; the smallest cover wins
MAX_CANDIDATES = 10 ** 8  # a table of that many integers is made


def generate_chips(boxes, width, height, chip_size, stride, rng=None, order=None) -> np.ndarray:
    """Few chips such that every box inside some candidate chip lies wholly inside a chosen one.

    boxes: (N, 4) x1, y1, x2, y2 in pixels of the scaled image, clipped here to [0, width - 2] and
    [0, height - 2] as in the original. width, height: integers, size of the scaled image. Candidates stand
    on a grid of `stride` pixels and along the right and bottom edges; most are chip_size wide and high, some
    one pixel more, and an image that is smaller has only itself.
    rng: numpy Generator or RandomState (one number is drawn), an integer seed, or None for seed 0; decides among
    equals.
    order: a permutation of all candidates; then one plain greedy pass with ties to the first, as the original.
    Containment is tested in float64 for float64 boxes, else in float32.

    Returns (M, 4) float32 chips, inclusive corners in scaled pixels, those with most boxes first. Boxes with
    NaN or infinity, turned inside out (x2 < x1) or larger than every candidate are covered by none. No boxes, no
    chips. mx.nd.ChipGenerator gives the same chips from the same integer seed.
    Raises ValueError for a chip size or stride below 1 and for an order of the wrong length.
    """
    boxes = np.asarray(boxes)
    boxes = as_boxes(boxes, np.float64 if boxes.dtype == np.float64 else np.float32)
    width, height = int(width), int(height)
    order = check_candidates(width, height, chip_size, stride, order)
    if len(boxes) == 0 or width < 1 or height < 1:
        return np.zeros((0, 4), dtype=np.float32)
    seed = 0 if order is not None else seed_from(rng)
    return cover(boxes, width, height, chip_size, stride, seed, TRIALS, order)


def candidate_chips(width, height, chip_size, stride) -> np.ndarray:
    """All candidates (C, 4) float32 of a scaled image, in the order that permutations refer to."""
    return candidates(int(width), int(height), chip_size, stride)


def seed_from(rng) -> int:
    """A 63-bit seed from a numpy Generator or RandomState (drawn), an integer (itself) or None (0)."""
    if rng is None:
        return 0
    if isinstance(rng, (int, np.integer)):
        return int(rng) & (2 ** 63 - 1)
    if isinstance(rng, np.random.RandomState):
        return int(rng.randint(0, 2 ** 63 - 1, dtype=np.int64))
    return int(rng.integers(0, 2 ** 63 - 1))


def as_generator(rng) -> np.random.Generator:
    """A numpy Generator: `rng` itself, or one seeded as `seed_from` says."""
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(seed_from(rng))


def check_candidates(width, height, chip_size, stride, order=None):
    """`order` as int32, if given. ValueError for sizes that make no grid, too many candidates, a wrong order."""
    if chip_size < 1 or stride < 1:
        raise ValueError(f'chip size and stride must be at least 1, got {chip_size} and {stride}')
    count = candidate_count(width, height, chip_size, stride)
    if count > MAX_CANDIDATES:
        raise ValueError(f'{count} candidate chips on a {width} x {height} image: the stride {stride} is too small')
    if order is None:
        return None
    order = np.ascontiguousarray(order, dtype=np.int32)
    if order.shape != (count,) or not np.array_equal(np.sort(order), np.arange(count)):
        raise ValueError(f'order must be a permutation of the {count} candidates, got shape {order.shape}')
    return order
