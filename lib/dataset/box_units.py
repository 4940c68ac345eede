"""Do boxes mean what they should? Tools write shares of the image, percent, corners, centres, boxes of other copies.

Where nothing but such a mistake explains the boxes, it is an error; where it is likely, a warning.
"""
import math
from typing import List, NamedTuple, Optional

import numpy as np

from lib.utils.errors import SniperError

SHARE = 1.1             # numbers of boxes that are shares of the image stay below it
STICKS_OUT = 3, 0.02    # pixels, and share of the side: the larger of the two is more than careless
FEW = 10                # boxes, from which on a pattern counts as one
MANY = 0.1              # share of boxes that stick out, from which on the cause is asked for
NEARLY_ALL = 0.99
UNLIKELY = -7.0         # logarithm of a probability
GRIDS = {100: 'percent of the image, as Label Studio writes', 1000: 'thousandths of the image'}
SMALLER = 0.6           # largest share of the image that boxes of a smaller copy reach up to
OF_AN_IMAGE = 3, 0.4    # boxes that count where chance is asked for, and share of a proof: objects keep together


class BoxFormat(NamedTuple):
    """How files of a format write boxes."""
    if_empty: str       # what to say of boxes without sides
    has_sizes: bool     # whether corners, or a centre, can stand there instead
    counts_few: bool    # whether a line counts the few that stick out; else the reader names them
    zero_is_side: bool  # whether a side of 0 is that of a pixel, or none


XYWH = BoxFormat('bbox has to be x, y, width, height from the upper left corner', True, True, False)
CORNERS = BoxFormat('are they x, y, width, height, or are the corners in another order? <bndbox> has to hold xmin, '
                    'ymin, xmax, ymax', False, False, True)
EDGES = BoxFormat('the second corner has to lie right of and below the first', False, True, False)


def check_boxes(path: str, boxes: np.ndarray, sizes: np.ndarray, images: Optional[np.ndarray] = None,
                form: BoxFormat = XYWH) -> List[str]:
    """What is remarkable about the boxes of a file, as lines.

    boxes: (n, 4) x, y, width, height as the file has them, sizes: (n, 2) width and height of their images, pixels;
    images: (n,) which image a box belongs to, each to its own if not given.
    SniperError: they are shares of the image, or corners, or most show nothing of their images.
    """
    boxes, sizes = boxes.astype(np.float64).reshape(-1, 4), sizes.astype(np.float64).reshape(-1, 2)
    images = np.arange(len(boxes)) if images is None else images
    dummy = (boxes == 0).all(axis=1)  # so some tools mark images without objects
    boxes, sizes, images = boxes[~dummy], sizes[~dummy], images[~dummy]
    if not len(boxes):
        return []
    shares = _shares(path, boxes, sizes)
    _refuse_empty(path, boxes, form)
    with_area = (boxes[:, 2:] > 0).all(axis=1)
    return shares + _beside_images(path, boxes[with_area], sizes[with_area], images[with_area], form)


def _beside_images(path, boxes, sizes, images, form) -> List[str]:
    """Lines about where boxes with an area lie in their images."""
    ends = boxes[:, :2] + boxes[:, 2:]
    outside = ((boxes[:, :2] >= sizes) | (ends <= 0)).any(axis=1)
    sticks_out = (np.maximum(ends - sizes, -boxes[:, :2]) > _tolerance(sizes)).any(axis=1)
    if 2 * outside.sum() > len(boxes):
        raise SniperError(f'{path}: {outside.sum()} of {len(boxes)} boxes lie outside their images: '
                          f'{_cause(boxes, sizes, form)}')
    if not sticks_out.any():
        return _unused_space(path, ends, sizes, images)
    line = (f'{path}: {sticks_out.sum()} of {len(boxes)} boxes stick out of their images by more than '
            f'{STICKS_OUT[0]} pixels and {STICKS_OUT[1]:.0%} of the side; they are cut')
    cause = _cause(boxes, sizes, form)
    if sticks_out.sum() <= MANY * len(boxes) and not (cause is _CENTRES and _chance_of_centres(boxes, sizes)):
        return [line] if form.counts_few else []
    if 2 * sticks_out.sum() > len(boxes) >= FEW and cause is _CORNERS:
        raise SniperError(f'{path}: {sticks_out.sum()} of {len(boxes)} boxes stick out of their images: {cause}')
    return [f'{line}: {cause}']


_CORNERS = 'is bbox x1 y1 x2 y2? It has to be x, y, width, height'
_CENTRES = 'is bbox the centre, width and height (as YOLO has it)? It has to be x, y, width, height from the upper left'
_SWAPPED = 'are width and height of the images exchanged?'


def _shares(path, boxes, sizes) -> List[str]:
    """A line if some boxes are shares of the image. SniperError: most are."""
    shares = (np.abs(boxes) <= SHARE).all(axis=1) & (sizes.min(axis=1) > 2 * SHARE)
    if 2 * shares.sum() > len(boxes):
        raise SniperError(f'{path}: the numbers of {shares.sum()} of {len(boxes)} boxes lie between 0 and 1: are boxes '
                          'shares of the image? They have to be in pixels: multiply by its width and height')
    # A pixel in the corner may be meant, but has no fractions.
    count = int((shares & (boxes[:, 2:] > 0).all(axis=1) & (boxes != np.floor(boxes)).any(axis=1)).sum())
    return [f'{path}: the numbers of {count} of {len(boxes)} boxes lie between 0 and 1: if they are shares of the '
            'image, multiply them by its width and height; as pixels, they are nothing but its corner'] if count else []


def _refuse_empty(path, boxes, form):
    empty = (boxes[:, 2:] < 0 if form.zero_is_side else boxes[:, 2:] <= 0).any(axis=1)
    if 2 * empty.sum() > len(boxes):
        raise SniperError(f'{path}: {empty.sum()} of {len(boxes)} boxes have no width or height: '
                          f'{form.if_empty}')


def _tolerance(sizes):
    return np.maximum(STICKS_OUT[0], STICKS_OUT[1] * sizes)


def _cause(boxes, sizes, form) -> str:
    """The likely cause of boxes that stick out."""
    start, size, slack = boxes[:, :2], boxes[:, 2:], _tolerance(sizes)

    def nearly_all(fits):
        return len(boxes) > 1 and fits.all(axis=1).mean() >= NEARLY_ALL

    if form.has_sizes and nearly_all((start >= 0) & (size > start) & (size <= sizes + slack)):
        return _CORNERS
    if nearly_all((start >= 0) & (start + size <= sizes[:, ::-1] + slack[:, ::-1])):
        return _SWAPPED
    if form.has_sizes and len(boxes) >= FEW and nearly_all(
            (start >= size / 2 - slack) & (start + size / 2 <= sizes + slack)):
        return _CENTRES
    factor = np.percentile(((start + size) / sizes).max(axis=1), 99)
    if factor > 1.2 and nearly_all(start >= -slack):
        grid = [name for grid, name in GRIDS.items() if 0.9 * grid < (start + size).max() <= grid + 0.5]
        other = ''.join(f', or are they {name}' for name in grid)
        return (f'were they made on a copy about {factor:.1f} times as large{other}? They have to be in pixels of the '
                'image')
    return 'do boxes and images belong together? ' + (
        'bbox is x, y, width, height in pixels of the image' if form.has_sizes else 'see whether <size> is right')


def _chance_of_centres(boxes, sizes) -> bool:
    """Whether chance hardly explains that boxes keep half their size away from the left and the top."""
    room = np.maximum(sizes - boxes[:, 2:], boxes[:, 2:])
    return float(np.log1p(-np.minimum(0.5, boxes[:, 2:] / 2 / room)).sum()) < 2 * UNLIKELY


def _unused_space(path, ends, sizes, images) -> List[str]:
    """A line if all boxes keep to the upper left of their images in a way that chance does not explain."""
    for grid, name in GRIDS.items():
        limit = UNLIKELY * (4 if np.mean(ends == np.floor(ends)) > 0.5 else 1)
        chances = np.log(np.minimum(1, (grid + 0.5) / sizes)).sum(axis=1)
        if grid / 2 < ends.max() <= grid + 0.5 and _is_unlikely(chances, images, limit):
            return [f'{path}: all {len(ends)} boxes end within {grid} x {grid} pixels of images of up to '
                    f'{sizes[:, 0].max():.0f} x {sizes[:, 1].max():.0f}: are they {name}? They have to be in pixels']
    reach = float((ends / sizes).max())
    chances = np.full(len(ends), 2 * math.log(max(reach, 1e-6)))
    if reach < SMALLER and len(ends) >= FEW and _is_unlikely(chances, images, 2 * UNLIKELY):
        return [f'{path}: all {len(ends)} boxes lie in the upper left {reach:.0%} of the width and height of their '
                'images: were they made on a smaller copy? They have to be in pixels of the image']
    return []


def _is_unlikely(chances, images, limit) -> bool:
    """Whether boxes with these logarithms of probabilities are less likely than `limit`, in three images at least."""
    order = np.argsort(images, kind='stable')
    starts = np.flatnonzero(np.diff(images[order], prepend=-1))
    place = np.arange(len(images)) - np.repeat(starts, np.diff(starts, append=len(images)))
    of_images = np.add.reduceat(np.where(place < OF_AN_IMAGE[0], chances[order], 0), starts)
    return float(np.maximum(of_images, OF_AN_IMAGE[1] * limit).sum()) < limit
