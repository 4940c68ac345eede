"""Random colours of training pictures as in SSD (Liu et al., ECCV 2016) and M2Det: reference/m2det.md 8.2, step 2."""
import cv2
import numpy as np

from lib.utils.draws import Draws

BRIGHTNESS = 32             # largest change, of 0 to 255
FACTORS = (0.5, 1.5)        # of contrast and of saturation
HUE, HUES = 18, 180         # largest change, and how many OpenCV has in 8 bits


def distort_colors(pixels: np.ndarray, draws: Draws) -> np.ndarray:
    """(H, W, 3) uint8 B, G, R -> a copy with other colours.

    Each with a chance of one half, in this order of draws: brightness, contrast, hue, saturation. Every result is cut
    to 0..255 and truncated. All pictures go through 8-bit HSV and back, which alone moves some by a grey level.
    """
    values = pixels
    if draws.coin():
        values = _stretched(values, 1, draws.uniform(-BRIGHTNESS, BRIGHTNESS))
    if draws.coin():
        values = _stretched(values, draws.uniform(*FACTORS), 0)
    hsv = cv2.cvtColor(values, cv2.COLOR_BGR2HSV)
    if draws.coin():
        hsv[:, :, 0] = (hsv[:, :, 0].astype(np.int16) + draws.between(-HUE, HUE)) % HUES
    if draws.coin():
        hsv[:, :, 1] = _stretched(hsv[:, :, 1], draws.uniform(*FACTORS), 0)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)


def _stretched(values, factor, offset):
    """uint8 -> factor * value + offset as uint8, by a table of all 256."""
    table = np.clip(np.arange(256) * factor + offset, 0, 255).astype(np.uint8)
    return cv2.LUT(np.ascontiguousarray(values), table)
