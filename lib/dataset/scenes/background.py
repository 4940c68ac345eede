"""Textured backgrounds: gradients, octaves of noise, stripes, and clutter that is none of the classes."""
import cv2
import numpy as np


def background(rng, width, height):
    """-> float32 (height, width, 3) BGR, about 0 to 255."""
    image = _gradient(rng, width, height)
    image += _octaves(rng, width, height)
    if rng.random() < 0.35:
        image += _stripes(rng, width, height)
    _add_clutter(rng, image)
    return image


def _gradient(rng, width, height):
    """Blend of two related colours across the image."""
    # Muted, as in most photographs: a grey level with a tint.
    start = np.clip(rng.uniform(50, 205) + rng.normal(0, 22, 3), 25, 230)
    end = np.clip(start + rng.uniform(-45, 45) + rng.normal(0, 16, 3), 25, 230)
    angle = rng.uniform(0, 2 * np.pi)
    columns = (np.linspace(-0.5, 0.5, width) * np.cos(angle)).astype(np.float32)
    rows = (np.linspace(-0.5, 0.5, height) * np.sin(angle)).astype(np.float32)
    share = np.clip(0.5 + columns[None, :] + rows[:, None], 0, 1)
    # One plane at a time: broadcasting over a last axis of 3 is several times slower.
    return cv2.merge([share * np.float32(b - a) + np.float32(a) for a, b in zip(start, end)])


def _octaves(rng, width, height):
    """Sum of smooth noises, each twice as fine and weaker; all grey, but for some colour in the coarsest."""
    amplitude, cell = rng.uniform(9, 24), rng.uniform(90, 220)
    falloff = rng.uniform(0.5, 0.75)
    tints = _noise(rng, width, height, amplitude * 0.4, cell, 3)
    grey = np.zeros((height, width), np.float32)
    for _ in range(6):
        grey += _noise(rng, width, height, amplitude, cell)
        amplitude *= falloff
        cell = max(cell / 2, 2)
    return cv2.add(tints, cv2.merge([grey, grey, grey]))


def _noise(rng, width, height, amplitude, cell, channels=1):
    """Random values `cell` pixels apart, smoothly joined: float32 (height, width), or (height, width, 3)."""
    grid = rng.normal(0, amplitude, (int(height / cell) + 3, int(width / cell) + 3, channels)).astype(np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def _stripes(rng, width, height):
    """Waves in one direction, sine or hard-edged."""
    angle, period = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(8), np.log(120)))
    columns = (np.arange(width) * (2 * np.pi * np.cos(angle) / period)).astype(np.float32)
    rows = (np.arange(height) * (2 * np.pi * np.sin(angle) / period)).astype(np.float32)
    waves = np.sin(columns[None, :] + rows[:, None])
    if rng.random() < 0.3:
        waves = np.clip(waves * 4, -1, 1)
    return cv2.merge([waves * np.float32(strength) for strength in rng.uniform(3, 14, 3)])


def _add_clutter(rng, image):
    """Lines, curls and soft blots in colours near the background's, drawn in place."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(4, 16)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        here = image[int(y), int(x)]
        colour = np.clip(here + rng.uniform(-45, 45, 3), 5, 250).tolist()
        if rng.random() < 0.6:
            _draw_curl(rng, image, x, y, colour)
        else:
            _blend_blot(rng, image, x, y, colour)


def _draw_curl(rng, image, x, y, colour):
    """A thin wandering line."""
    steps = rng.integers(3, 14)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.5, steps))
    stride = rng.uniform(10, 50)
    points = np.stack([x + np.cumsum(np.cos(heading)) * stride, y + np.cumsum(np.sin(heading)) * stride], axis=1)
    cv2.polylines(image, [np.round(points * 16).astype(np.int32)], False, colour, int(rng.integers(1, 4)),
                  cv2.LINE_AA, 4)


def _blend_blot(rng, image, x, y, colour):
    """A soft cloud without an edge."""
    height, width = image.shape[:2]
    radius = rng.uniform(15, 110)
    x1, x2 = max(0, int(x - 2 * radius)), min(width, int(x + 2 * radius) + 1)
    y1, y2 = max(0, int(y - 2 * radius)), min(height, int(y + 2 * radius) + 1)
    across = np.exp(-((np.arange(x1, x2) - x) / radius) ** 2)
    down = np.exp(-((np.arange(y1, y2) - y) / (radius * rng.uniform(0.5, 1.0))) ** 2)
    weight = (down[:, None] * across[None, :] * rng.uniform(0.4, 0.9)).astype(np.float32)[:, :, None]
    region = image[y1:y2, x1:x2]
    region += (np.asarray(colour, np.float32) - region) * weight
