"""Training chips as the network gets them, each a second time with the boxes that it is told, and those that it is not:
objects in the valid range of the chip's scale, and objects of another size that the chip shows too.
"""
import logging
import os
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from lib.chips.window import Window
from lib.dataset.proposals import with_proposals
from lib.image import ImageFile
from lib.iterators.samples import BAD_IMAGE, picture_of_window, why_bad
from lib.targets.chip_boxes import ChipBoxes, objects_on_chip
from lib.tasks import get_task
from lib.utils import seeds
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.visualization.chips import legend, titled
from lib.visualization.draw import FONT
from lib.visualization.pictures import write_picture

logger = logging.getLogger(__name__)

OBJECT, VALID, INVALID, UNLEARNT = (80, 220, 60), (60, 60, 255), (255, 120, 40), (170, 170, 170)   # B, G, R
LEGEND = ((OBJECT, 'object, its side in the image'), (VALID, 'valid'), (INVALID, 'invalid'),
          (UNLEARNT, 'nothing is learnt'))
SHOWN = 640             # pixels: smaller chips are enlarged to about this side, so that numbers can be read
MOST_TIMES = 4


class ChipPicture(NamedTuple):
    """raw: (h, w, 3) uint8 B, G, R; overlay: the same enlarged, with boxes, a title and a legend; negative: of a chip
    of background."""

    raw: np.ndarray
    overlay: np.ndarray
    negative: bool


class ValidBoxPictures:
    """Pictures of chips in a folder, `<number>_<image>_pos.png` (`_neg`) and the same name with `_boxes`. Images that
    cannot be read are named in a warning.

    count: of chips. task: a lib.tasks.Task that tells the boxes of a chip.
    """

    def __init__(self, folder: str, task):
        if not task.tells_boxes:
            raise SniperError(f'{task.config.symbol} does not tell valid objects of a chip from others, which is what '
                              'would be drawn: set TRAIN.VISUALIZE_VALID_GT to 0, or leave --valid out')
        self.count = 0
        self._folder, self._task = folder, task

    def draw(self, record, windows: Sequence[Window]) -> None:
        """record: of the roidb, proposals as rows; windows: of the sampler. SniperError: they cannot be written."""
        name = os.path.splitext(os.path.basename(record['image']))[0] + '_mirrored' * bool(record['flipped'])
        try:
            file = ImageFile(record['image'], record['width'], record['height'])
            pictures = [chip_picture(file, record, window, self._task) for window in windows]
        except BAD_IMAGE as error:
            logger.warning('chips are not drawn: %s', why_bad(record, error))
            return
        for picture in pictures:
            base = os.path.join(self._folder, f'{self.count:04d}_{name}_{"neg" if picture.negative else "pos"}')
            write_picture(f'{base}.png', picture.raw)
            write_picture(f'{base}_boxes.png', picture.overlay)
            self.count += 1


def chip_picture(file: ImageFile, record, window: Window, task) -> ChipPicture:
    """One chip. SniperError: the image cannot be read."""
    pixels, _, _ = picture_of_window(file, record, window, task, False, seeds.generator(0, 0, seeds.SAMPLE))
    boxes = task.boxes_of_window(record, window)
    rows, shown = objects_on_chip(record, window, task.input_size[0])
    seen = (shown[:, 2:] > shown[:, :2]).all(axis=1)
    corners = np.asarray(record['boxes'], np.float64).reshape(-1, 4)[rows[seen]]
    sides = np.sqrt((corners[:, 2:] - corners[:, :2]).prod(axis=1))     # as ranges are compared with
    return ChipPicture(pixels, draw_valid_boxes(pixels, shown[seen], sides, boxes, _title(window, boxes)),
                       window.negative)


def draw_valid_boxes(pixels: np.ndarray, objects: np.ndarray, sides: np.ndarray, boxes: ChipBoxes,
                     title: str) -> np.ndarray:
    """-> (H, W, 3) uint8 B, G, R: the chip, enlarged by a whole number, with its boxes.

    pixels: (h, w, 3) uint8 B, G, R; objects: (n, 4) chip pixels, all that it shows; sides: (n,) of these in the image,
    original pixels; boxes: what the network is told of them.
    """
    times = int(np.clip(round(SHOWN / max(1, *pixels.shape[:2])), 1, MOST_TIMES))
    picture = cv2.resize(np.ascontiguousarray(pixels), None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)
    for box in objects:
        _rectangle(picture, box, times, OBJECT, 0)
    for colour, of_colour in ((UNLEARNT, boxes.regions), (INVALID, boxes.boxes[~boxes.valid]),
                              (VALID, boxes.boxes[boxes.valid])):
        for box in of_colour:
            _rectangle(picture, box, times, colour, 2)
    for box, side in zip(objects, sides):
        _number(picture, box, times, f'{side:.0f}')
    picture = titled(picture, title)
    return np.concatenate([picture, legend(picture.shape[1], LEGEND)])


def _rectangle(picture, box, times, colour, inset):
    """Two pixels wide, `inset` pixels within the outline of the pixels of a box."""
    x1, y1, x2, y2 = (int(round(float(side))) for side in box)
    for step in (inset, inset + 1):
        left, top, right, bottom = x1 * times + step, y1 * times + step, (x2 + 1) * times - 1 - step, (
            y2 + 1) * times - 1 - step
        cv2.rectangle(picture, (left, top), (max(left, right), max(top, bottom)), colour)


def _number(picture, box, times, text):
    """The side of an object at the upper left corner of its box, inside the picture."""
    (width, height), _ = cv2.getTextSize(text, FONT, 0.45, 1)
    left = int(np.clip(box[0] * times + 4, 0, picture.shape[1] - width - 1))
    bottom = int(np.clip(box[1] * times + height + 5, height + 1, picture.shape[0] - 2))
    cv2.putText(picture, text, (left, bottom), FONT, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, text, (left, bottom), FONT, 0.45, OBJECT, 1, cv2.LINE_AA)


def _title(window, boxes):
    kind = 'negative chip' if window.negative else 'chip'
    return f'{kind} at x {window.scale_x:.3g}: {int(boxes.valid.sum())} valid, {int((~boxes.valid).sum())} invalid'


def draw_training_chips(config, roidb, folder: str) -> int:
    """TRAIN.VISUALIZE_VALID_GT chips of the first epoch into `folder`, of images in random order: one a scale of each,
    and a negative one.

    -> how many were drawn; a line says so. SniperError: the task has no such boxes, or they cannot be written.
    """
    task, count = get_task(config), config.TRAIN.VISUALIZE_VALID_GT
    pictures = ValidBoxPictures(folder, task)
    for record, windows in _epoch(config, task, roidb):
        if pictures.count >= count:
            break
        pictures.draw(record, windows[:count - pictures.count])
    logger.info('%s in %s, raw and with their boxes (TRAIN.VISUALIZE_VALID_GT)',
                counted(pictures.count, 'chip', 'chips'), folder)
    return pictures.count


def _epoch(config, task, roidb) -> Iterator[Tuple[dict, List[Window]]]:
    """(record, the first chip of each scale, and the first negative one) of images in random order."""
    seed = config.TRAIN.SEED
    sampler = task.sampler().of_epoch(seeds.generator(seed, 0, seeds.STRIDE))
    for number in seeds.generator(seed, 0, seeds.ORDER).permutation(len(roidb)).tolist():
        record = with_proposals(roidb[number])
        windows = sampler.windows(record, seeds.generator(seed, 0, seeds.CHIPS, number))
        first: Dict[Tuple[int, bool], Window] = {}
        for window in windows:
            first.setdefault((window.level, window.negative), window)
        yield record, [first[key] for key in sorted(first)]
