"""Pictures of a test, drawn when all else is done: detections, those of single scales, and FocusChips."""
import logging
import os
from typing import Collection, Optional, Sequence

import numpy as np

from lib.bbox.detections import Detections
from lib.image import read_image
from lib.inference.scale import scale_name
from lib.utils.errors import SniperError
from lib.visualization import draw_detections, draw_focus_chips, picture_names, write_picture

logger = logging.getLogger(__name__)


def draw_all(roidb, detections: Detections, classes: Sequence[str], score_thresh: float, folder: str,
             unreadable: Collection[int] = (), names: Sequence[str] = (),
             labels: Optional[Sequence[int]] = None) -> None:
    """A picture `<folder>/<name>` an image with its detections and its objects, see draw_detections.

    unreadable: numbers of images that are left out; names: of the pictures, by default those of the images; labels: of
    `classes` in the data set, if these are others.
    """
    of_images, none = dict(detections.by_image()), Detections.empty()

    def drawn(number, entry, pixels):
        return draw_detections(pixels, of_images.get(number, none), classes, score_thresh,
                               objects_of(entry, labels))
    _write(roidb, names or picture_names(roidb), folder, 'pictures', unreadable, drawn)


def objects_of(entry, labels=None):
    """Objects of a roidb record -> (boxes (n, 4), labels (n,), positions in `labels` if given); None if there are none.
    """
    if 'boxes' not in entry or 'max_overlaps' not in entry:
        return None
    real = entry['max_overlaps'] == 1
    if not real.any():
        return None
    found = entry['max_classes'][real]
    if labels is not None:
        places = {label: place for place, label in enumerate(labels) if label}
        found = np.array([places.get(label, 0) for label in found.tolist()])
    return entry['boxes'][real], found


def draw_scales(test, roidb, found, names: Sequence[str] = ()) -> None:
    """Pictures of the detections of every scale of an Outcome, before valid ranges and suppression. test: Setup."""
    config = test.config
    for index, result in enumerate(found.results):
        draw_all(roidb, result.image_detections.replace(mask=None), test.classes, config.TEST.VIS_THRESH,
                 os.path.join(test.pictures, 'dets_scale_' + scale_name(config, index)), found.unreadable, names,
                 test.labels)


def draw_chips(config, roidb, found, folder: str) -> None:
    """A picture an image: the chips of all scales of an Outcome that run on chips."""
    focused = [index for index, pruning in enumerate(config.TEST.DO_PRUNING) if pruning]

    def drawn(number, entry, pixels):
        return draw_focus_chips(pixels, [(scale_name(config, index), found.results[index].crops[number])
                                         for index in focused])
    _write(roidb, picture_names(roidb), os.path.join(folder, 'focus_chips'), 'pictures of FocusChips', found.unreadable,
           drawn)


def _write(roidb, names, folder, what, unreadable, drawn):
    """drawn(number, record, pixels) -> picture, of every image. SniperError if the folder takes no picture: then the
    others are not tried, as one a line would say the same."""
    count = 0
    for number, (entry, name) in enumerate(zip(roidb, names)):
        if number in unreadable:
            continue
        try:
            pixels = read_image(entry['image'], entry['width'], entry['height'])
        except SniperError as error:  # it could be read when it was tested
            logger.warning('%s (no picture of it)', error)
            continue
        try:
            write_picture(os.path.join(folder, name), drawn(number, entry, pixels))
        except SniperError as error:
            raise SniperError(f'{count} of {len(roidb)} {what} were drawn in {folder}; then: {error}. The detections '
                              'and their scores are written: with TEST.USE_CACHE they need not be made again') from None
        count += 1
    logger.info('%d %s in %s', count, what, folder)
