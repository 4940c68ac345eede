"""Section: the pictures with the most errors, objects and detections side by side.

A picture is one JPEG of bounded size; boxes and names lie over it as SVG, so that names in any writing can be read.
"""
import base64
import logging
import os
from typing import Iterator, List, Sequence, Tuple

import cv2
import numpy as np

from lib.dataset.analysis.errors import KINDS
from lib.dataset.analysis.matching import NONE
from lib.image import ImageFile, chip_reduction
from lib.utils.errors import SniperError
from lib.visualization.report.markup import Markup, element
from lib.visualization.report.run import ReportedData, Run

logger = logging.getLogger(__name__)

MOST = 24           # pictures
LONGEST = 560       # pixels of the longer side
QUALITY = 75        # of the JPEG
BYTES = 200000      # of a JPEG, more than the size and quality give
MOST_BOXES = 150    # of a panel, the best ones
NAMED = 40          # boxes of a panel that have a name
TEXT = 11           # pixels of the picture: height of a name
LETTER = 6.8        # pixels: width of a letter, roughly


def worst_numbers(tested: ReportedData, runs: List[Run], most: int = MOST) -> List[int]:
    """Numbers of the pictures with the most errors, with two runs of those in which their errors differ most."""
    counts = [_errors(tested, run) for run in runs]
    value = counts[0] if len(runs) < 2 else np.abs(counts[0] - counts[1])
    order = np.lexsort([-counts[0], -value])
    unreadable = set(tested.unreadable)
    return [number for number in order[:most + len(unreadable)].tolist()
            if value[number] and number not in unreadable][:most]


def _errors(tested, run):
    """(images,) detections of a wrong class, in a wrong place or of nothing, and objects missed."""
    analysis, images = run.analysis, len(tested.roidb)
    wrong = analysis.confusion.shown & (analysis.scores.found == NONE)
    return (np.bincount(analysis.found.image[wrong], minlength=images) +
            np.bincount(tested.truth.image[analysis.confusion.missed], minlength=images))


def worst(tested: ReportedData, runs: List[Run]) -> Iterator[Markup]:
    """Markup of the pictures, one by one; nothing without objects to compare with."""
    if any(run.analysis.confusion is None for run in runs):
        return
    numbers = worst_numbers(tested, runs)
    yield element('p', ('Pictures in which the two runs differ most.' if len(runs) > 1 else
                        'Pictures with the most errors.') if numbers else 'There are no errors.',
                  ' First the objects: found ', element('span', 'green', class_='key right'), ', missed ',
                  element('span', 'orange, dashed', class_='key missed'), '; then the detections from the score of '
                  'the best F1 of their class on: right ', element('span', 'green', class_='key right'), ', wrong ',
                  element('span', 'red', class_='key wrong'), ' with the kind of error.')
    for number in numbers:
        entry = tested.roidb[number]
        try:
            jpeg, width, height = small_jpeg(entry)
        except SniperError as error:
            logger.warning('%s (not in the report)', error)
            continue
        yield _picture(tested, runs, number, jpeg, width, height)


def small_jpeg(entry) -> Tuple[bytes, int, int]:
    """Record -> (a JPEG of at most LONGEST pixels a side and about BYTES, its width, its height). SniperError."""
    factor = min(1.0, LONGEST / max(entry['width'], entry['height']))
    pixels = ImageFile(entry['image'], entry['width'], entry['height']).decode(chip_reduction(factor)).pixels
    size = max(1, round(entry['width'] * factor)), max(1, round(entry['height'] * factor))
    pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    for quality in (QUALITY, 50, 25):
        jpeg = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(jpeg) <= BYTES:
            break
    return jpeg, size[0], size[1]


def _picture(tested, runs, number, jpeg, width, height):
    entry = tested.roidb[number]
    factor = width / entry['width']
    source = 'data:image/jpeg;base64,' + base64.b64encode(jpeg).decode('ascii')
    image = element('image', id=f'picture{number}', href=Markup(source), width=width, height=height)
    again = element('use', href=f'#picture{number}')
    panels, captions = [], []
    for place, run in enumerate(runs):
        if not place:
            panels.append(_panel('objects', [image] + _objects(tested, run, number, factor, width), width, height))
        panels.append(_panel(run.name if len(runs) > 1 else 'detections',
                             [again] + _detections(tested, run, number, factor, width), width, height))
        captions.append((f'{run.name}: ' if len(runs) > 1 else '') + _caption(tested, run, number))
    return element('div', element('h3', os.path.basename(entry['image'])), element('div', *panels, class_='panels'),
                   *(element('small', caption) for caption in captions), class_='card picture')


def _panel(title, parts, width, height):
    return element('figure', element('svg', *parts, viewBox=f'0 0 {width} {height}', role='img', aria_label=title),
                   element('figcaption', title))


def _objects(tested, run, number, factor, width):
    truth = tested.truth
    first, end = np.searchsorted(truth.image, [number, number + 1])
    missed = run.analysis.confusion.missed
    shown = list(range(first, min(end, first + MOST_BOXES)))
    shown.sort(key=lambda row: -truth.area[row])
    return _boxes([(truth.box[row], 'ignored' if truth.ignored[row] else 'missed' if missed[row] else 'right',
                    tested.classes[truth.label[row]]) for row in shown], factor, width)


def _detections(tested, run, number, factor, width):
    analysis = run.analysis
    boxes = []
    for row in _shown(run, number)[:MOST_BOXES].tolist():
        kind = analysis.errors.kind[row]
        name = f'{tested.classes[analysis.found.label[row]]} {analysis.found.score[row]:.2f}'
        boxes.append((analysis.found.box[row], 'right' if kind == NONE else 'wrong',
                      name if kind == NONE else f'{name} ({KINDS[kind]})'))
    return _boxes(boxes, factor, width)


def _shown(run, number):
    """Rows of the detections of a picture that are shown, the best first."""
    found = run.analysis.found
    first, end = np.searchsorted(found.image, [number, number + 1])
    rows = first + np.flatnonzero(run.analysis.confusion.shown[first:end])
    return rows[np.argsort(-found.score[rows], kind='stable')]


def _boxes(boxes: Sequence, factor: float, width: int) -> List[Markup]:
    """[(box in original pixels, kind, name)] -> rectangles and, over all of them, names; the first boxes on top.

    factor: from original pixels to those of the panel, whose width is `width`.
    """
    rectangles, names = [], []
    for place, (box, kind, name) in enumerate(boxes):
        x1, y1, x2, y2 = (float(value) for value in box * factor)
        x2, y2 = x2 + factor, y2 + factor
        rectangles.append(element('g', element('title', name), element(
            'rect', x=x1, y=y1, width=max(x2 - x1, 1.0), height=max(y2 - y1, 1.0), class_=f'box {kind}')))
        if place < NAMED:
            above = y1 - 2 if y1 > TEXT + 2 else y2 + TEXT if y2 < y1 + 4 * TEXT else y1 + TEXT
            fits = x1 + LETTER * len(name) <= width
            names.append(element('text', name, x=max(x1, 1.0) if fits else width - 1, y=above, class_=f'name {kind}',
                                 text_anchor=None if fits else 'end'))
    return rectangles[::-1] + names[::-1]


def _caption(tested, run, number):
    analysis = run.analysis
    rows = _shown(run, number)
    kinds = analysis.errors.kind[rows]
    first, end = np.searchsorted(tested.truth.image, [number, number + 1])
    missed = tested.truth.label[first:end][analysis.confusion.missed[first:end]]
    wrong = [f'{int((kinds == place).sum())} {name}' for place, name in enumerate(KINDS) if (kinds == place).any()]
    lost = [f'{int((missed == label).sum())} {tested.classes[label]}' for label in np.unique(missed).tolist()]
    objects = int((~tested.truth.ignored[first:end]).sum())
    return f'objects: {objects}; right: {int((kinds == NONE).sum())}; wrong: {", ".join(wrong) or "none"}; missed: ' \
           f'{", ".join(lost) or "none"}'
