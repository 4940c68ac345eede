"""What is odd about the objects of a data set: tiny, doubled, as large as their picture; how classes are balanced."""
import os
from typing import Dict, List, Sequence

import numpy as np

from lib.bbox import bbox_overlaps
from lib.dataset.picture_check import Finding, named
from lib.utils.counted import counted

TINY = 8.0           # pixels of a side, below which little can be learnt of an object
DOUBLE = 0.9         # IoU of boxes of one class that are the same object,
TWO_CLASSES = 0.95   # and of boxes of two classes
WHOLE = 0.98         # share of width and height of a picture, from which on a box is all of it
FEW = 20             # objects of a class that is hardly learnt
MOST_COMPARED = 2000     # boxes of a picture that are set against each other: time and memory are its square
UNEVEN = 100         # times that one class has more objects than another


def object_findings(roidbs: Dict[str, Sequence]) -> List[Finding]:
    """Of all sets together, each picture once. roidbs: {set: records}."""
    tiny, whole, double, two_classes, empty, total, seen = [], [], [], [], [], 0, set()
    for roidb in roidbs.values():
        for record in roidb:
            path = os.path.realpath(record['image'])
            if path in seen:
                continue
            seen.add(path)
            name, boxes, labels = os.path.basename(path), record['boxes'], record['gt_classes']
            total += len(boxes)
            if not len(boxes):
                empty.append(name)
                continue
            sides = np.maximum(boxes[:, 2:] - boxes[:, :2] + 1, 0)
            tiny += [name] * int((np.sqrt(sides.prod(axis=1)) < TINY).sum())
            whole += [name] * int((sides >= WHOLE * np.array([record['width'], record['height']])).all(axis=1).sum())
            same, other = _doubles(boxes, labels)
            double += [name] * same
            two_classes += [name] * other
    of_all = f'of {total:,} objects'
    kinds = (('doubled', double, 'box lies', 'boxes lie',
              f'on another of the same class (IoU from {DOUBLE}): one counts as missed'),
             ('two classes', two_classes, 'box lies', 'boxes lie', f'on one of another class (IoU from {TWO_CLASSES})'),
             ('tiny', tiny, f'{of_all} has', f'{of_all} have', f'a side below {TINY:g} pixels'),
             ('whole', whole, 'box is', 'boxes are', 'as large as the whole picture'),
             ('empty', empty, 'picture has', 'pictures have', 'no objects: background, unless these are not labelled'))
    return [Finding(False, kind, len(names), f'{counted(len(names), one, many)} {words}: '
                    + named(list(dict.fromkeys(names)))) for kind, names, one, many, words in kinds if names]


def _doubles(boxes, labels):
    """(boxes that lie on an earlier one of their class, the same of another class), among the first MOST_COMPARED."""
    if len(boxes) < 2:
        return 0, 0
    boxes, labels = boxes[:MOST_COMPARED], labels[:MOST_COMPARED]
    overlaps = np.triu(bbox_overlaps(boxes.astype(np.float64), boxes.astype(np.float64)), 1)
    alike = labels[:, None] == labels[None]
    return (int(((overlaps >= DOUBLE) & alike).any(axis=0).sum()),
            int(((overlaps >= TWO_CLASSES) & ~alike).any(axis=0).sum()))


def class_counts(classes: Sequence[str], roidb: Sequence) -> Dict[str, int]:
    """{class: objects} of a set."""
    labels = np.concatenate([np.zeros(0, np.int64)] + [record['gt_classes'] for record in roidb])
    counts = np.bincount(labels, minlength=len(classes))[:len(classes)]
    return dict(zip(classes[1:], counts[1:].tolist()))


def training_findings(counts: Dict[str, Dict[str, int]], training: Sequence[str]) -> List[Finding]:
    """Nothing to train on, which training refuses. counts: {set: {class: objects}}."""
    if any(sum(counts[part].values()) for part in training):
        return []
    return [Finding(True, 'balance', 1, f'no object in {" + ".join(training)} can be trained on: label some, or name '
                    'other sets by --train')]


def balance_findings(counts: Dict[str, Dict[str, int]], training: Sequence[str], test: str) -> List[Finding]:
    """Classes that are missing or rare. counts: {set: {class: objects}}."""
    names = list(dict.fromkeys(name for of_set in counts.values() for name in of_set))
    trained = {name: sum(counts[part].get(name, 0) for part in training) for name in names}
    tested = {name: counts[test].get(name, 0) for name in names}
    found, sets = [], ' + '.join(training)
    absent = [name for name in names if tested[name] and not trained[name]]
    if absent:
        found.append(Finding(True, 'balance', len(absent), f'{counted(len(absent), "class", "classes")} of {test} '
                             f'without an object in {sets} cannot be learnt: {named(absent)}'))
    untested = [name for name in names if trained[name] and not tested[name]]
    if untested:
        found.append(Finding(False, 'balance', len(untested), f'{counted(len(untested), "class has", "classes have")} '
                             f'no object in {test}: no figure tells how well that is found: {named(untested)}'))
    rare = [f'{name} ({trained[name]})' for name in sorted(names, key=trained.get) if 0 < trained[name] < FEW]
    if rare:
        found.append(Finding(False, 'balance', len(rare), f'{counted(len(rare), "class has", "classes have")} '
                             f'fewer than {FEW} objects in {sets}: {named(rare)}'))
    present = [count for count in trained.values() if count]
    if present and max(present) > UNEVEN * min(present):
        most = max(trained, key=trained.get)
        found.append(Finding(False, 'balance', 1, f'classes are uneven: {max(present)} objects of {most}, '
                             f'{min(present)} of {min((n for n in names if trained[n]), key=trained.get)}'))
    return found
