"""Which classes of a data set the classes of the weights are."""
import logging
from typing import NamedTuple, Tuple

import numpy as np

from lib.dataset.class_choice import one_class_mend
from lib.dataset.class_names import NOWHERE, match_classes, named
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)


class NetworkClasses(NamedTuple):
    """names: of what the network finds, '__background__' first. labels: for each of these its label in the data set, 0
    where the data set does not have the class: what is found of it is not reported."""
    names: Tuple[str, ...]
    labels: Tuple[int, ...]


def classes_of_test(weights, dataset, roidb) -> NetworkClasses:
    """The classes of `weights` (lib.inference.weights.Weights) beside those of a data set with the records `roidb`.

    Names decide (lib.dataset.class_names). Weights without a side file do not say their classes: those of the data set
    are meant. SniperError, with both lists, for classes that the weights do not know and of which there are objects.
    """
    classes = tuple(dataset.classes)
    if not weights.classes or weights.classes == classes:
        return NetworkClasses(classes, tuple(range(len(classes))))
    match = match_classes(classes, weights.classes)
    if match.unknown:
        _check_unknown(weights, dataset, roidb, match)
    labels = [0] * len(weights.classes)
    for label, known in enumerate(match.labels):
        if known != NOWHERE:
            labels[known] = label
    if match.respelt:
        logger.warning('%s spells classes of %s differently: %s', weights.path, dataset.name, match.respelt_text())
    if match.absent:
        logger.warning('%s knows %d classes that %s does not have: %s; what is found of them is not reported',
                       weights.path, len(match.absent), dataset.name, named(match.absent))
    elif match.labels != tuple(sorted(match.labels)):
        logger.info('%s has the classes of the data set in another order; they are matched by name', weights.path)
    return NetworkClasses(weights.classes, tuple(labels))


def _check_unknown(weights, dataset, roidb, match):
    """Classes that the weights do not know do no harm where a set with objects has none of them."""
    counts = np.bincount(np.concatenate([np.zeros(0, np.int64)] + [record['gt_classes'] for record in roidb]),
                         minlength=dataset.num_classes)
    unknown = [(name, int(count)) for name, count, known in zip(dataset.classes, counts, match.labels)
               if known == NOWHERE]
    if counts.sum() and not any(count for _, count in unknown):
        logger.warning('%s does not know %d classes of %s, of which there are no objects: %s', weights.path,
                       len(unknown), dataset.name, named(match.unknown))
        return
    without = [f'{name} ({count} objects)' if count else name for name, count in unknown]
    mend = one_class_mend(weights.classes, dataset.classes)
    raise SniperError(
        f'{weights.path} was trained on {len(weights.classes) - 1} classes and does not know {len(unknown)} of the '
        f'{dataset.num_classes - 1} of {dataset.name}: {named(without)}; classes of the weights that are not there: '
        f'{named(match.absent) or "none"}' + (f': {mend}' if mend else (
            '. Classes are matched by name: give them the names of the weights in the annotations, take their objects '
            'out, or test weights that were trained on them')))
