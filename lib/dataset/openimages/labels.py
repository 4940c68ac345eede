"""Labels of whole pictures: which classes somebody has looked for, and whether they are there.

Only these count when a picture is scored (reference/other_detectors.md B, "Metric").
"""
from typing import List, NamedTuple

import numpy as np

from lib.dataset.openimages.classes import UNKNOWN, Classes
from lib.dataset.openimages.sizes import places_of
from lib.dataset.openimages.table import NAME, NUMBER, TEXT, Codes, read_blocks

_COLUMNS = {'ImageID': NAME, 'LabelName': TEXT, 'Confidence': NUMBER}


class VerifiedLabels(NamedTuple):
    """n labels, ascending by image, then label, each once.

    image (n,) int64: place of the picture in roidb(); label (n,) int64: position in Dataset.classes, from 1; present
    (n,) bool: the class is there; else it is verified that it is not.
    """

    image: np.ndarray
    label: np.ndarray
    present: np.ndarray


def labelled_pictures(path: str) -> np.ndarray:
    """(m,) bytes, ascending: the pictures that a file of labels names. SniperError: it cannot be used."""
    found: List[np.ndarray] = [np.zeros(0, 'S1')]
    for block in read_blocks(path, 'file of image labels', _COLUMNS):
        found.append(np.unique(block.names('ImageID')))
    return np.unique(np.concatenate(found))


def read_labels(path: str, names: np.ndarray, classes: Classes) -> VerifiedLabels:
    """Labels of the pictures names (m,) bytes, ascending, and of the classes of the data set; others are passed over,
    as are labels that nobody has verified (a confidence between 0 and 1).

    A class that was put together of several is there if one of them is, and not there if that is verified of all.
    SniperError: the file cannot be used.
    """
    image, code, present = (np.concatenate(parts) for parts in zip(*_parts(path, names, Codes(classes.listed))))
    count = len(classes.listed)
    # Of several lines on one class of one picture, one that sees it counts.
    pairs, inverse = np.unique(image * count + code, return_inverse=True)
    seen = np.zeros(len(pairs), bool)
    seen[inverse[present]] = True
    image, label = pairs // count, classes.labels[pairs % count].astype(np.int64)
    chosen = label > 0
    return _united(image[chosen], label[chosen], seen[chosen], np.bincount(
        classes.labels[classes.labels > 0], minlength=len(classes.names)))


def _parts(path, names, codes):
    """(image, code, present) of each block."""
    yield np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool)
    for block in read_blocks(path, 'file of image labels', _COLUMNS):
        image, there = places_of(block.names('ImageID'), names)
        code = codes.numbers(block.columns['LabelName'], UNKNOWN).astype(np.int64)
        confidence = block.numbers('Confidence')
        taken = there & (code != UNKNOWN) & np.isin(confidence, (0, 1))
        yield image[taken], code[taken], confidence[taken] == 1


def _united(image, label, seen, members) -> VerifiedLabels:
    """One entry for each class of a picture. members: codes that each class is made of."""
    keys, inverse, told = np.unique(image * len(members) + label, return_inverse=True, return_counts=True)
    present = np.zeros(len(keys), bool)
    present[inverse[seen]] = True
    image, label = keys // len(members), keys % len(members)
    settled = present | (told == members[label])
    return VerifiedLabels(image[settled], label[settled], present[settled])
