"""Painting of the synthetic scenes: backgrounds, and single shapes on them (coverage mask, colour, shading).

Backgrounds are textured: gradients, octaves of noise, stripes, and clutter that is none of the classes.

Images are float32 (H, W, 3) BGR, 0 to 255, while a scene is built.
"""
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


LUMINANCE = np.array([0.114, 0.587, 0.299], np.float32)  # of B, G, R
MIN_LUMINANCE_STEP = 48  # between a shape and what lies behind it, so that every shape can be seen
MIN_COLOUR_STEP = 80
FIXED_POINT_BITS = 4


def coverage(rings, width, height):
    """Share of each pixel that an outline covers: float32 (height, width), 0 to 1.

    Drawn several times larger, then averaged; finer for small shapes, where a border pixel matters most.
    """
    factor = 8 if max(width, height) <= 64 else 4
    mask = np.zeros((height * factor, width * factor), np.uint8)
    # cv2 puts pixel centres on whole coordinates, ours lie at halves.
    points = [np.round((ring * factor - 0.5) * (1 << FIXED_POINT_BITS)).astype(np.int32) for ring in rings]
    cv2.fillPoly(mask, points, 255, cv2.LINE_8, FIXED_POINT_BITS)
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def contrasting_colour(rng, behind):
    """Random BGR colour (3,) that stands out from the mean colour `behind` (3,)."""
    for _ in range(100):
        colour = rng.uniform(15, 240, 3).astype(np.float32)
        if (abs(float((colour - behind) @ LUMINANCE)) >= MIN_LUMINANCE_STEP
                and np.linalg.norm(colour - behind) >= MIN_COLOUR_STEP):
            return colour
    dark = float(behind @ LUMINANCE) < 128
    return np.full(3, 230 if dark else 25, np.float32)


def paint(rng, image, alpha, x, y):
    """Paint a shape with coverage `alpha` (h, w) into `image` with its corner at column x, row y, in place."""
    height, width = alpha.shape
    region = image[y:y + height, x:x + width]
    behind = np.array([float((region[:, :, plane] * alpha).sum()) for plane in range(3)]) / float(alpha.sum())
    colour = contrasting_colour(rng, np.clip(behind, 0, 255))
    light = _shading(rng, width, height)
    texture = cv2.merge([light * plane for plane in colour])
    if max(width, height) >= 24:
        texture = _with_pattern(rng, texture)
        if rng.random() < 0.4:
            texture = _with_border(rng, texture, alpha)
    np.clip(texture, 0, 255, out=texture)
    texture -= region
    texture *= cv2.merge([alpha, alpha, alpha])
    region += texture


def _shading(rng, width, height):
    """Light falling from one side: factor (h, w) around 1."""
    angle = rng.uniform(0, 2 * np.pi)
    strength = rng.uniform(0.0, 0.2)
    columns = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(angle))
    rows = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(np.sin(angle))
    return 1 + np.float32(strength) * (columns[None, :] + rows[:, None])


def _with_pattern(rng, texture):
    """Grain or weak stripes on a shape."""
    height, width = texture.shape[:2]
    kind = rng.random()
    if kind < 0.4:
        grain = rng.normal(0, rng.uniform(2, 9), ((height + 1) // 2, (width + 1) // 2)).astype(np.float32)
        return texture + cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)[:, :, None]
    if kind < 0.65:
        angle, period = rng.uniform(0, np.pi), rng.uniform(6, 30)
        columns = (np.arange(width) * (2 * np.pi * np.cos(angle) / period)).astype(np.float32)
        rows = (np.arange(height) * (2 * np.pi * np.sin(angle) / period)).astype(np.float32)
        waves = np.sin(columns[None, :] + rows[:, None]) * np.float32(rng.uniform(5, 16))
        return texture + waves[:, :, None]
    return texture


def _with_border(rng, texture, alpha):
    """A darker or lighter rim along the outline."""
    thickness = max(2, int(round(min(alpha.shape) * rng.uniform(0.04, 0.09))))
    padded = cv2.copyMakeBorder((alpha > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    factor = np.where(depth <= thickness, np.float32(rng.choice([0.6, 0.75, 1.25])), np.float32(1))
    return texture * factor[:, :, None]
