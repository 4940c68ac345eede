"""Painting of one shape: coverage mask, colour, shading.

Images are float32 (H, W, 3) BGR, 0 to 255, while a scene is built.
"""
import cv2
import numpy as np

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
