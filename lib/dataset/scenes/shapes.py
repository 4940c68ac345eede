"""Outlines of the synthetic classes.

An outline is a list of rings, each float64 (k, 2) x y; the first is the outer border, others are holes.
Continuous coordinates: pixel i covers [i, i + 1).
"""
import numpy as np

CLASSES = ('disc', 'box', 'triangle', 'ring', 'cross', 'star')

# Below this size a form stands nearly upright: a turned square of 8 pixels cannot be told from a disc.
UPRIGHT_BELOW = 28
UPRIGHT_TURN = np.radians(7)

CURVE_POINTS = 48  # corners of the polygon that stands for a circle
RING_HOLE = 0.52  # inner radius of a ring / outer radius
CROSS_ARM = 0.34  # width of a cross's arm / its length
STAR_WAIST = 0.40  # inner radius of a star / outer radius


def unit_outline(name):
    """Outline of class `name` around the origin, within the circle of radius 1, not turned."""
    if name == 'disc':
        return [_circle(1.0)]
    if name == 'box':
        return [np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])]
    if name == 'triangle':
        return [_regular(np.radians([-90, 30, 150]), 1.0)]
    if name == 'ring':
        return [_circle(1.0), _circle(RING_HOLE)]
    if name == 'cross':
        arm = CROSS_ARM
        corner = np.array([[arm, -1.0], [arm, -arm], [1.0, -arm]])
        quarter = np.array([[0.0, -1.0], [1.0, 0.0]])  # turns x y by 90 degrees
        turned = [corner]
        for _ in range(3):
            turned.append(turned[-1] @ quarter.T)
        return [np.concatenate(turned)]
    if name == 'star':
        angles = np.radians(-90 + 36 * np.arange(10))
        return [_regular(angles, np.where(np.arange(10) % 2, STAR_WAIST, 1.0)[:, None])]
    raise ValueError(f'unknown shape {name!r}')


def random_outline(rng, name, size, low, high):
    """Outline of class `name` with a random turn and stretch, with the corner of its tight box at the origin.

    size is the wanted root of the box area in pixels; both sides of the box are whole numbers from low to high.
    Returns (rings, width, height).
    """
    largest_turn = UPRIGHT_TURN if size < UPRIGHT_BELOW else np.pi
    turn = rng.uniform(-largest_turn, largest_turn)
    stretch = rng.uniform(1.0, 1.12 if size < UPRIGHT_BELOW else 1.35)
    if rng.random() < 0.5:
        stretch = 1 / stretch
    cos, sin = np.cos(turn), np.sin(turn)
    rings = [ring * [stretch, 1.0] @ np.array([[cos, sin], [-sin, cos]]) for ring in unit_outline(name)]
    lowest, highest = rings[0].min(axis=0), rings[0].max(axis=0)
    extent = highest - lowest
    extent_pixels = np.clip(np.round(extent * size / np.sqrt(extent.prod())), low, high)
    rings = [(ring - lowest) / extent * extent_pixels for ring in rings]
    return rings, int(extent_pixels[0]), int(extent_pixels[1])


def _circle(radius):
    return _regular(2 * np.pi * np.arange(CURVE_POINTS) / CURVE_POINTS, radius)


def _regular(angles, radius):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius
