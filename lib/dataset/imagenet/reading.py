"""XML files by the million to boxes with labels, in several processes, piece by piece.

What is left out and counted: a coordinate beyond FARTHEST, a box that reaches beyond the picture or is empty, a class
that the data set has not. Coordinates are taken as they stand, without -1. (reference/other_detectors.md A)
"""
import collections
import logging
import os
import time
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from lib.dataset.base import AnnotationWarnings, Kind
from lib.dataset.class_list import class_key
from lib.dataset.coco_images import picture_size
from lib.dataset.imagenet.listing import NONE, Listing
from lib.dataset.voc_annotations import VocObject, read_annotation
from lib.utils.errors import SniperError
from lib.utils.process_pool import in_order
from lib.utils.processes import num_cores
from lib.utils.progress_bar import ProgressBar

logger = logging.getLogger(__name__)

FARTHEST = 4000         # pixels
PIECE = 512             # pictures that a process reads at a time
WORTH_PROCESSES = 20000     # pictures; fewer are read in less time than processes take to start
SECONDS_BETWEEN_LINES = 10.0
FAR = Kind('box has a coordinate above 4000 and is left out', 'boxes have a coordinate above 4000 and are left out')
OUTSIDE = Kind('box reaches beyond its picture and is left out', 'boxes reach beyond their picture and are left out')
EMPTY = Kind('box is empty and is left out', 'boxes are empty and are left out')
UNKNOWN = Kind('box is of a class that the data set has not and is left out',
               'boxes are of a class that the data set has not and are left out')
NO_NUMBERS = Kind('object has no box of four numbers and is left out',
                  'objects have no box of four numbers and are left out')
NO_SIZE = Kind('picture is not there or cannot be read, no annotation says its size, and it is left out',
               'pictures are not there or cannot be read, no annotation says their size, and they are left out')
BROKEN = Kind('annotation file cannot be used and is left out with its picture',
              'annotation files cannot be used and are left out with their pictures')


class Boxes(NamedTuple):
    """Of n pictures. size (n, 2) float64 width and height, 0 where a picture is left out; count (n,) boxes of each;
    box (N, 4) float64 x1 y1 x2 y2 as in the file; label (N,) int64."""

    size: np.ndarray
    count: np.ndarray
    box: np.ndarray
    label: np.ndarray


class Omitted(NamedTuple):
    """What is left out: {what is wrong: names of the boxes or pictures}; error: the first file's that is broken."""

    kinds: Dict[Kind, List[str]]
    error: str


def read_boxes(listing: Listing, labels: Mapping[str, int],
               warnings: AnnotationWarnings) -> Iterator[Tuple[int, Boxes]]:
    """(number of the first picture, Boxes) of one piece after another. labels: {class, in any spelling: label}.

    warnings take up what is left out. SniperError: most annotation files cannot be used.
    """
    total, errors = len(listing.names), []  # type: ignore[var-annotated]
    pieces = [(first, min(first + PIECE, total)) for first in range(0, total, PIECE)]
    tasks = ((listing.folder, [listing.image_path(number) for number in range(*piece)],
              [listing.annotation_path(number) for number in range(*piece)]) for piece in pieces)
    told = begun = time.monotonic()
    processes = num_cores() if total >= WORTH_PROCESSES else 1
    read = in_order(read_piece, tasks, processes, 'annotations are read', (dict(labels),))
    with ProgressBar() as bar:
        for (first, end), (boxes, omitted) in zip(pieces, read):
            for kind, names in omitted.kinds.items():
                warnings.add_many(kind, len(names), names)
            errors += [omitted.error] * bool(omitted.error and not errors)
            bar.show('annotations', end, total)
            if time.monotonic() - told > SECONDS_BETWEEN_LINES and not bar.active:
                told = time.monotonic()
                logger.info('%d of %d annotation files are read, %.0f a second', end, total, end / (told - begun))
            yield first, boxes
    broken, files = warnings.kinds.get(BROKEN, 0), total - listing.where.count(NONE)
    if 2 * broken > files:
        raise SniperError(f'{errors[0]} ({broken} of {files} annotation files cannot be used)')
    if errors:
        logger.warning('%s', errors[0])


def read_piece(task: Tuple[str, Sequence[str], Sequence[str]], labels: Mapping[str, int]) -> Tuple[Boxes, Omitted]:
    """task: (folder of the set, paths of pictures, paths of their boxes or '')."""
    folder, images, annotations = task
    omitted, error = collections.defaultdict(list), ''
    sizes, counts, boxes, found = np.zeros((len(images), 2)), np.zeros(len(images), np.int64), [], []
    for number, (image, path) in enumerate(zip(images, annotations)):
        name = os.path.relpath(image, folder)
        try:
            annotation = read_annotation(path) if path else None
        except FileNotFoundError:
            annotation = None
        except SniperError as failure:
            omitted[BROKEN].append(name)
            error = error or str(failure)
            continue
        size = (annotation.width, annotation.height) if annotation and annotation.width else picture_size(image)
        if size is None:
            omitted[NO_SIZE].append(name)
            continue
        sizes[number] = size
        for item in annotation.objects if annotation else ():
            label = labels.get(item.name) or labels.get(class_key(item.name))
            why = _why_not(item, label, size)
            if why is not None:
                omitted[why].append(f'{name} {item.name:.40}')
                continue
            boxes.append(item.box)
            found.append(label)
            counts[number] += 1
    return Boxes(sizes, counts, np.array(boxes, np.float64).reshape(-1, 4), np.array(found, np.int64)), Omitted(
        dict(omitted), error)


def _why_not(item: VocObject, label: Optional[int], size) -> Optional[Kind]:
    """Why a box is left out, None if it is not."""
    if item.box is None:
        return NO_NUMBERS
    if max(item.box) > FARTHEST:
        return FAR
    x1, y1, x2, y2 = item.box
    if x2 > size[0] or y2 > size[1] or min(item.box) < 0:
        return OUTSIDE
    if x2 <= x1 or y2 <= y1 or x1 > size[0] - 1 or y1 > size[1] - 1:
        return EMPTY
    return None if label is not None else UNKNOWN
