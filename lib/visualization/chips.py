"""Pictures of training chips over their image: a panel a scale."""
import os
from typing import NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from lib.chips.statistics import scale_text
from lib.image import read_image
from lib.utils.errors import SniperError
from lib.visualization.draw import FONT
from lib.visualization.pictures import write_picture

VALID, INVALID, UNCOVERED = (80, 220, 60), (40, 160, 255), (230, 60, 230)   # B, G, R
POSITIVE, NEGATIVE, PROPOSAL = (255, 170, 40), (50, 50, 255), (225, 225, 140)
LEGEND = ((POSITIVE, 'chip'), (NEGATIVE, 'negative chip'), (VALID, 'valid object'), (INVALID, 'out of range'),
          (UNCOVERED, 'in no chip'), (PROPOSAL, 'proposal of a negative chip'))
PANEL_LONG = 640     # pixels: long side that an image is drawn with
HEADER, MARGIN = 26, 8
FADE = 0.55          # brightness of the image under the lines


class SeenPicture(NamedTuple):
    """pixels: (h, w, 3) uint8 B, G, R as a network sees them; boxes: (n, 4) that it is told, in their coordinates."""
    pixels: np.ndarray
    boxes: np.ndarray
    title: str


class ChipPictures:
    """Pictures of images with their chips in a folder. What cannot be read or written is told by `check`, at the end:
    the figures do not depend on it.

    count: of pictures that were written. settings: ChipSettings.
    """

    def __init__(self, folder, settings):
        self.count = 0
        self._folder, self._settings = folder, settings
        self._taken, self._failed = set(), []

    def draw(self, entry, chips, seen=()):
        """See draw_image_chips; the file has the name of the image, and its id where names are equal.

        seen: pictures that the network sees of the image, see draw_seen; they get a file `<name>_seen.png`.
        """
        base = os.path.splitext(os.path.basename(entry['image']))[0] + ('_mirrored' if entry['flipped'] else '')
        name = base if base not in self._taken else f'{base}_{entry["image_id"]}'.replace(os.sep, '_')
        while name in self._taken:
            name += '_'
        self._taken.add(name)
        try:
            write_picture(os.path.join(self._folder, name + '.png'), draw_image_chips(entry, chips, self._settings))
            self.count += 1
            if len(seen):
                write_picture(os.path.join(self._folder, name + '_seen.png'), draw_seen(seen))
        except SniperError as error:
            self._failed.append(str(error))

    def check(self):
        """SniperError if a picture could not be drawn."""
        if self._failed:
            raise SniperError(f'{len(self._failed)} of {len(self._failed) + self.count} pictures could not be drawn '
                              f'(first: {self._failed[0]})')


def draw_image_chips(entry, chips, settings):
    """(H, W, 3) uint8 B, G, R: the image once a scale, finest first, with that scale's chips and boxes.

    entry: roidb entry with proposals as rows; chips: of ChipSampler.sample; settings: ChipSettings.
    """
    pixels = read_image(entry['image'], entry['width'], entry['height'])
    if entry['flipped']:
        pixels = pixels[:, ::-1]
    if entry.get('flipped_vertical'):
        pixels = pixels[::-1]
    factor = PANEL_LONG / max(pixels.shape[:2])
    base = cv2.resize(np.ascontiguousarray(pixels), None, fx=factor, fy=factor,
                      interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    base = (base * FADE).astype(np.uint8)
    covered = np.zeros(len(entry['boxes']), bool)
    for chip in chips:
        covered[chip.rows] = True
    panels = []
    for index, definition in enumerate(settings.scales):
        of_scale = [chip for chip in chips if chip.level == index]
        negative = sum(chip.negative for chip in of_scale)
        title = (f'{scale_text(definition, index == len(settings.scales) - 1)}: {len(of_scale) - negative} positive '
                 f'chips, {negative} negative')
        panels.append(titled(_panel(base.copy(), entry, of_scale, covered, factor), title))
    joined = np.concatenate(panels, axis=1)
    return np.concatenate([joined, legend(joined.shape[1])])


def draw_seen(seen: Sequence[SeenPicture]) -> np.ndarray:
    """SeenPictures of one size -> one picture, side by side, with their boxes."""
    panels = []
    for pixels, boxes, title in seen:
        picture = np.ascontiguousarray(pixels).copy()
        for box in boxes:
            _rectangle(picture, box, 1, VALID, 1)
        panels.append(titled(picture, title))
    return np.concatenate(panels, axis=1)


def _panel(picture, entry, chips, covered, factor):
    boxes, is_object = entry['boxes'], np.asarray(entry['max_overlaps']) == 1
    valid = np.zeros(len(boxes), bool)
    for chip in chips:
        valid[chip.rows] = True
        if chip.negative:
            for row in chip.rows:
                if not is_object[row]:
                    _rectangle(picture, boxes[row], factor, PROPOSAL, 1)
    for row in np.nonzero(is_object)[0]:
        colour = VALID if valid[row] else INVALID if covered[row] else UNCOVERED
        _rectangle(picture, boxes[row], factor, colour, 2 if valid[row] else 1)
    for number, chip in enumerate(chips):
        # Chips often share borders: each is drawn a pixel further in than the one before.
        box = np.array(chip.box) + np.array([1, 1, -1, -1]) * (number % 4) * 2 / factor
        _rectangle(picture, box, factor, NEGATIVE if chip.negative else POSITIVE, 2)
    return picture


def _rectangle(picture, box, factor, colour, thickness):
    x1, y1, x2, y2 = (int(round(float(side) * factor)) for side in box)
    cv2.rectangle(picture, (x1, y1), (max(x2, x1 + 1), max(y2, y1 + 1)), colour, thickness)


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    """(h, w, 3) uint8 B, G, R -> a copy with a line of text above and a margin on its right."""
    height, width = picture.shape[:2]
    panel = np.zeros((height + HEADER, width + MARGIN, 3), np.uint8)
    panel[HEADER:, :width] = picture
    cv2.putText(panel, title, (4, HEADER - 8), FONT, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    return panel


def legend(width: int, entries: Sequence[Tuple[Tuple[int, int, int], str]] = LEGEND) -> np.ndarray:
    """A strip of `width` pixels that says what (colour, text) pairs mean."""
    strip = np.zeros((HEADER, width, 3), np.uint8)
    left = 4
    for colour, text in entries:
        cv2.rectangle(strip, (left, 7), (left + 12, HEADER - 7), colour, cv2.FILLED)
        cv2.putText(strip, text, (left + 18, HEADER - 8), FONT, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
        left += 30 + cv2.getTextSize(text, FONT, 0.45, 1)[0][0]
    return strip
