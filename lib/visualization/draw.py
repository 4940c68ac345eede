"""Detections, their masks and FocusChips drawn into a picture, each class in a colour of its own."""
import colorsys
import unicodedata

import cv2
import numpy as np

from lib.masks import unpack

FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALL_TEXT, LARGE_TEXT = 0.4, 1.0  # font scales; the picture's size chooses between
PADDING = 2                        # pixels between a label's text and its edge
TINT = 0.45                        # share of a mask's colour

GOLDEN_RATIO = 0.61803398875  # steps of this share of the hue circle never come close to each other soon
SATURATIONS = (0.85, 0.65, 1.0)
VALUES = (0.95, 0.75)

CHIP_COLOURS = ((60, 200, 255), (90, 230, 90), (255, 160, 60), (200, 90, 255))  # B, G, R, by scale
SHADE = 0.45       # brightness where no chip is
TEXT_HEIGHT = 18   # pixels of a line of the legend


def draw_detections(pixels, detections, classes, score_thresh=0.0):
    """(H, W, 3) uint8 B, G, R -> a copy with boxes and labels 'class score'.

    detections: lib.bbox.detections.Detections in pixels of the picture; classes: names, '__background__' first. Masks
    are drawn translucent with their outline. Drawn: score >= score_thresh, the best last, so that they are on top; all
    labels over all boxes, all boxes over all masks.
    """
    picture = np.ascontiguousarray(pixels).copy()
    shown = detections.take(detections.score >= score_thresh)
    shown = shown.take(np.lexsort([shown.label, shown.score]))
    for label, code in zip(shown.label.tolist(), shown.mask or ()):
        if code:
            _draw_mask(picture, code, class_colour(label))
    rows = [(score, label, _corners(box, picture))
            for score, label, box in zip(shown.score.tolist(), shown.label.tolist(), shown.box)]
    for _, label, (x1, y1, x2, y2) in rows:
        cv2.rectangle(picture, (x1, y1), (x2, y2), class_colour(label), _line_width(picture))
    for score, label, corners in rows:
        _draw_label(picture, corners[:2], f'{class_name(classes, label)} {score:.2f}', class_colour(label))
    return picture


def _draw_mask(picture, code, colour):
    """A mask as a tint, which lets the object through, and its outline, which parts objects of a class."""
    height, width = picture.shape[:2]
    mask = unpack(code, width, height).astype(np.uint8)
    x, y, mask_width, mask_height = cv2.boundingRect(np.ascontiguousarray(mask))
    if not mask_width:
        return
    window = picture[y:y + mask_height, x:x + mask_width]
    inside = mask[y:y + mask_height, x:x + mask_width].astype(bool)
    window[inside] = np.rint((1 - TINT) * window[inside] + TINT * np.array(colour)).astype(np.uint8)
    contours = cv2.findContours(np.ascontiguousarray(inside, np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE,
                                offset=(x, y))[-2]
    cv2.drawContours(picture, contours, -1, colour, _line_width(picture))


def _draw_label(picture, corner, text, colour):
    """A filled label above `corner` (x, y), below it where there is no room, always inside the picture."""
    height, width = picture.shape[:2]
    font_scale = float(np.clip(min(height, width) / 1000, SMALL_TEXT, LARGE_TEXT))
    text_thickness = max(1, int(round(font_scale * 1.5)))
    text = _drawable(text)
    (text_width, text_height), baseline = cv2.getTextSize(text, FONT, font_scale, text_thickness)
    label_width, label_height = text_width + 2 * PADDING, text_height + baseline + 2 * PADDING
    x, y = corner
    left = min(max(x, 0), max(width - label_width, 0))
    top = min(y - label_height if y >= label_height else max(y, 0), max(height - label_height, 0))
    cv2.rectangle(picture, (left, top), (left + label_width - 1, top + label_height - 1), colour, cv2.FILLED)
    cv2.putText(picture, text, (left + PADDING, top + PADDING + text_height), FONT, font_scale, text_colour(colour),
                text_thickness, cv2.LINE_AA)


def _corners(box, picture):
    """x1, y1, x2, y2 as int, at most one pixel outside."""
    limit = max(picture.shape[:2])
    return tuple(int(round(float(value))) for value in np.clip(box, -1, limit))


def _line_width(picture):
    return max(1, int(round(min(picture.shape[:2]) / 400)))


def class_name(classes, label):
    """Name of a class, 'class 7' where there is none."""
    return classes[label] if label < len(classes) else f'class {label}'


def _drawable(text):
    """OpenCV's font is ASCII: letters lose their accents, others become '?'."""
    plain = unicodedata.normalize('NFKD', text)
    return ''.join(letter for letter in plain if not unicodedata.combining(letter)).encode('ascii', 'replace').decode()


def class_colour(label):
    """Label (int) -> (B, G, R), 0 to 255: the same class always has the same colour, neighbours differ clearly."""
    hue = (label * GOLDEN_RATIO) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, SATURATIONS[label % 3], VALUES[label % 2])
    return tuple(int(round(255 * part)) for part in (blue, green, red))


def text_colour(background):
    """Black or white, whichever reads better on `background` (B, G, R)."""
    blue, green, red = background
    luminance = 0.114 * blue + 0.587 * green + 0.299 * red  # ITU-R BT.601
    return (0, 0, 0) if luminance > 140 else (255, 255, 255)


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
            cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), CHIP_COLOURS[number % len(CHIP_COLOURS)], width)
    for number, (name, chips) in enumerate(scales):
        text = f'{name}: {len(chips)}'
        place = (4, (number + 1) * TEXT_HEIGHT - 4)
        cv2.putText(picture, text, place, FONT, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(picture, text, place, FONT, 0.5, CHIP_COLOURS[number % len(CHIP_COLOURS)], 1, cv2.LINE_AA)
    return picture


def _whole(chip, shape):
    """Corners as int inside the picture, at least a pixel apart."""
    height, width = shape[:2]
    x1, y1 = max(int(round(chip[0])), 0), max(int(round(chip[1])), 0)
    return x1, y1, max(min(int(round(chip[2])), width), x1 + 1), max(min(int(round(chip[3])), height), y1 + 1)
