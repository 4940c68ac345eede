"""Colours of classes: the same class always has the same colour, neighbours differ clearly."""
import colorsys

GOLDEN_RATIO = 0.61803398875  # steps of this share of the hue circle never come close to each other soon
SATURATIONS = (0.85, 0.65, 1.0)
VALUES = (0.95, 0.75)


def class_colour(label):
    """Label (int) -> (B, G, R), 0 to 255."""
    hue = (label * GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, SATURATIONS[label % 3], VALUES[label % 2])
    return tuple(int(round(255 * part)) for part in (blue, green, red))


def text_colour(background):
    """Black or white, whichever reads better on `background` (B, G, R)."""
    blue, green, red = background
    luminance = 0.114 * blue + 0.587 * green + 0.299 * red  # ITU-R BT.601
    return (0, 0, 0) if luminance > 140 else (255, 255, 255)
