"""Pictures of FocusChips: where an image was looked at again, at which scale."""
import cv2
import numpy as np

from lib.visualization.draw import FONT

COLOURS = ((60, 200, 255), (90, 230, 90), (255, 160, 60), (200, 90, 255))  # B, G, R, by scale
SHADE = 0.45       # brightness where no chip is
TEXT_HEIGHT = 18   # pixels of a line of the legend


def draw_focus_chips(pixels, scales):
    """(H, W, 3) uint8 B, G, R -> a copy: chips outlined in the colour of their scale, the rest darkened.

    scales: list of (name, chips (n, 4) x1, y1, x2, y2 in pixels of the picture), coarse to fine; finer ones are on top.
    """
    picture = (pixels * SHADE).astype(np.uint8)
    corners = [[_whole(chip, pixels.shape) for chip in chips] for _, chips in scales]
    for x1, y1, x2, y2 in (chip for chips in corners for chip in chips):
        picture[y1:y2, x1:x2] = pixels[y1:y2, x1:x2]
    width = max(1, int(round(min(pixels.shape[:2]) / 250)))
    for number, chips in enumerate(corners):
        for x1, y1, x2, y2 in chips:
            cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), COLOURS[number % len(COLOURS)], width)
    for number, (name, chips) in enumerate(scales):
        text = f'{name}: {len(chips)}'
        place = (4, (number + 1) * TEXT_HEIGHT - 4)
        cv2.putText(picture, text, place, FONT, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(picture, text, place, FONT, 0.5, COLOURS[number % len(COLOURS)], 1, cv2.LINE_AA)
    return picture


def _whole(chip, shape):
    """Corners as int inside the picture, at least a pixel apart."""
    height, width = shape[:2]
    x1, y1 = max(int(round(chip[0])), 0), max(int(round(chip[1])), 0)
    return x1, y1, max(min(int(round(chip[2])), width), x1 + 1), max(min(int(round(chip[3])), height), y1 + 1)
