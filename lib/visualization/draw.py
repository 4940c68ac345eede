"""Detections, their masks and FocusChips drawn into a picture, each class in a colour of its own."""
import colorsys
import unicodedata
from typing import NamedTuple, Tuple

import cv2
import numpy as np

from lib.masks import unpack
from lib.visualization.labels import least_hiding, place_labels

FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALL_TEXT, LARGE_TEXT = 0.4, 1.0  # font scales; the picture's size chooses between
SMALLEST_TEXT = 0.35               # of small objects
SIDE_OF_FULL_TEXT = 140            # pixels: the longer side of an object whose text has a font scale of 1
SMALL_BOX = 24                     # pixels of the shorter side: lines go around such boxes
LINE_SHARE = 30                    # a line takes at most one part in this many of the shorter side
LEGEND_BACKGROUND, LEGEND_LINE = (40, 40, 40), (90, 230, 90)
PADDING = 2                        # pixels between a label's text and its edge
TINT = 0.45                        # share of a mask's colour

GOLDEN_RATIO = 0.61803398875  # steps of this share of the hue circle never come close to each other soon
SATURATIONS = (0.85, 0.65, 1.0)
VALUES = (0.95, 0.75)

CHIP_COLOURS = ((60, 200, 255), (90, 230, 90), (255, 160, 60), (200, 90, 255))  # B, G, R, by scale
SHADE = 0.45       # brightness where no chip is
TEXT_HEIGHT = 18   # pixels of a line of the legend


def draw_detections(pixels, detections, classes, score_thresh=0.0, objects=None):
    """(H, W, 3) uint8 B, G, R -> a copy with boxes and labels 'class score'.

    detections: lib.bbox.detections.Detections in pixels of the picture; classes: names, '__background__' first. Masks
    are drawn translucent with their outline. Drawn: score >= score_thresh, the best last, so that they are on top; all
    labels over all boxes, all boxes over all masks. Labels stand where they hide neither an object nor each other, see
    labels.py; where there is no room the score stands alone, or nothing.
    objects: (boxes (n, 4), labels (n,)) that the annotations have, dashed; a legend tells the two apart.
    """
    picture = np.ascontiguousarray(pixels).copy()
    shown = detections.take(detections.score >= score_thresh)
    shown = shown.take(np.lexsort([shown.label, shown.score]))
    for label, code in zip(shown.label.tolist(), shown.mask or ()):
        if code:
            _draw_mask(picture, code, class_colour(label))
    corners = [_corners(box, picture) for box in shown.box]
    for label, box in zip(shown.label.tolist(), corners):
        _draw_box(picture, box, class_colour(label))
    truth = [] if objects is None else [_corners(box, picture) for box in objects[0]]
    for box, label in zip(truth, () if objects is None else np.asarray(objects[1]).tolist()):
        _draw_dashed(picture, box, class_colour(label))
    unnamed, labels = _draw_labels(picture, corners[::-1], shown.label[::-1].tolist(), shown.score[::-1].tolist(),
                                   classes, truth)
    signs = [(class_colour(label), class_name(classes, label)) for label in sorted(unnamed)]
    if objects is not None:
        signs = [(None, 'detected'), ('dashed', 'annotated')] + signs
    _draw_legend(picture, signs, corners + truth + labels)
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


def _draw_box(picture, corners, colour):
    """Lines by the size of the picture and of the box; around a small one, whose pixels lines would hide."""
    x1, y1, x2, y2 = corners
    side = max(min(x2 - x1, y2 - y1), 0)
    around = 1 if side < SMALL_BOX else 0
    cv2.rectangle(picture, (x1 - around, y1 - around), (x2 + around, y2 + around), colour,
                  min(_line_width(picture), max(1, side // LINE_SHARE)))


def _draw_dashed(picture, corners, colour):
    """A box of an annotation: dashes of the class's colour and of white."""
    x1, y1, x2, y2 = corners
    width = min(_line_width(picture), max(1, min(x2 - x1, y2 - y1) // LINE_SHARE))
    dash = max(3, 4 * width)
    cv2.rectangle(picture, (x1, y1), (x2, y2), (255, 255, 255), width)
    for first in range(x1, x2, 2 * dash):
        for y in (y1, y2):
            cv2.line(picture, (first, y), (min(first + dash - 1, x2), y), colour, width)
    for first in range(y1, y2, 2 * dash):
        for x in (x1, x2):
            cv2.line(picture, (x, first), (x, min(first + dash - 1, y2)), colour, width)


class _Text(NamedTuple):
    """A text and the room that its label takes."""

    text: str
    scale: float
    thickness: int
    height: int     # of the letters
    size: Tuple[int, int]   # of the label

    @classmethod
    def of(cls, text, scale):
        """scale: of the font."""
        text, thickness = _drawable(text), max(1, int(round(scale * 1.5)))
        (width, height), baseline = cv2.getTextSize(text, FONT, scale, thickness)
        return cls(text, scale, thickness, height, (width + 2 * PADDING, height + baseline + 2 * PADDING))

    def draw(self, picture, left, top, colour):
        """On a background of its class's colour."""
        width, height = self.size
        cv2.rectangle(picture, (left, top), (left + width - 1, top + height - 1), colour, cv2.FILLED)
        cv2.putText(picture, self.text, (left + PADDING, top + PADDING + self.height), FONT, self.scale,
                    text_colour(colour), self.thickness, cv2.LINE_AA)


def _draw_labels(picture, corners, labels, scores, classes, others):
    """Labels of boxes, the best first -> (set of the classes, by number, whose name does not stand at all of its boxes,
    corners of the labels). others: boxes that they should not hide either."""
    height, width = picture.shape[:2]
    texts = []
    for (x1, y1, x2, y2), label, score in zip(corners, labels, scores):
        side = max(abs(x2 - x1), abs(y2 - y1))
        scale = float(np.clip(min(_font_scale(picture), side / SIDE_OF_FULL_TEXT), SMALLEST_TEXT, LARGE_TEXT))
        texts.append([_Text.of(f'{class_name(classes, label)} {score:.2f}', scale), _Text.of(f'{score:.2f}', scale),
                      _Text.of(f'{score:.2f}', SMALLEST_TEXT)])
    places = place_labels(np.array(corners).reshape(-1, 4), [[text.size for text in of_box] for of_box in texts], width,
                          height, others)
    drawn = []
    for place, of_box, label in zip(places, texts, labels):
        if place:
            choice, left, top = place
            of_box[choice].draw(picture, left, top, class_colour(label))
            drawn.append((left, top, left + of_box[choice].size[0] - 1, top + of_box[choice].size[1] - 1))
    return {label for place, label in zip(places, labels) if not place or place[0] > 0}, drawn


def _draw_legend(picture, signs, corners):
    """A line in the corner where it hides least. signs: (B, G, R) and a class, or 'dashed' or None and what such boxes
    are; none where there is no room."""
    scale = max(SMALL_TEXT, 0.7 * _font_scale(picture))
    while signs:
        texts = [_Text.of(text, scale) for _, text in signs]
        mark = texts[0].size[1]
        room = sum(text.size[0] + 2 * mark for text in texts), mark
        place = least_hiding(np.array(corners).reshape(-1, 4), room, picture.shape[1], picture.shape[0])
        if place:
            break
        signs = signs[:-1]
    else:
        return
    left, top = place
    cv2.rectangle(picture, place, (left + room[0] - 1, top + mark - 1), LEGEND_BACKGROUND, cv2.FILLED)
    for (colour, _), text in zip(signs, texts):
        box = (left + 4, top + 4, left + 2 * mark - 6, top + mark - 5)
        if colour == 'dashed':
            _draw_dashed(picture, box, LEGEND_LINE)
        else:
            cv2.rectangle(picture, box[:2], box[2:], colour or LEGEND_LINE, cv2.FILLED if colour else 1)
        text.draw(picture, left + 2 * mark - 2, top, LEGEND_BACKGROUND)
        left += text.size[0] + 2 * mark


def _font_scale(picture):
    return float(np.clip(min(picture.shape[:2]) / 1000, SMALL_TEXT, LARGE_TEXT))


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
