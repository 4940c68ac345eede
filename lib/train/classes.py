"""Training data in the classes of the weights that training goes on with: a checkpoint (--resume), or a detector whose
heads are kept as they are (network.KEEP_HEADS True). An output of the network stays the class that it was,
whatever order a new annotation file has."""
import logging
from typing import Sequence, Tuple

import numpy as np

from lib.dataset.class_choice import one_class_mend
from lib.dataset.class_names import match_classes, named
from lib.dataset.compact import relabelled
from lib.distributed.workers import ALONE, Workers
from lib.tasks import get_task
from lib.utils.errors import SniperError
from lib.weights.initial import WHOLE, class_names, initial_weights
from lib.weights.newest import newest_sidecar

logger = logging.getLogger(__name__)


def in_known_classes(config, prefix: str, resume: bool, roidb: Sequence, classes: Tuple[str, ...],
                     workers: Workers = ALONE) -> Tuple[Sequence, Tuple[str, ...]]:
    """-> records and class names to train with, in the order of the weights that training goes on with, if it does.

    roidb, classes: of the data set. prefix: of the run's checkpoints. Names decide, as in tests
    (lib.dataset.class_names); classes of the weights that the data set does not have keep their places. Weights that do
    not say their classes are taken by number. SniperError, with both lists, if the data set has others.
    """
    if not get_task(config).tells_classes:
        return roidb, classes
    source, known, mend = workers.json_from_first(
        _known_classes(config, prefix, resume) if workers.rank == 0 else None)
    known = tuple(known)
    if not known or known == tuple(classes):
        return roidb, classes
    match = match_classes(classes, known)
    if match.unknown:
        raise SniperError(f'the classes of the training set are not those of {source}. The data: {_listed(classes)}; '
                          f'there: {_listed(known)}; not known there: {named(match.unknown)}. Outputs of the network '
                          f'cannot change their meaning: {one_class_mend(known, classes) or mend}')
    if workers.rank == 0:
        logger.warning('%s: training goes on with the classes of %s, in its order', '; '.join(_differences(match)),
                       source)
    return relabelled(roidb, np.array(match.labels)), known


def _known_classes(config, prefix, resume):
    """(which weights training goes on with, their classes, the mend where these are others); classes are empty where
    they do not matter."""
    sidecar = newest_sidecar(prefix) if resume else {}
    source, mend = f'the checkpoint {prefix}-*', 'go on with the data of before, or start anew without --resume'
    start = None if sidecar else initial_weights(config)
    if start and start.heads == WHOLE:
        sidecar, source = start.sidecar, f'{start.path} (network.KEEP_HEADS)'
        mend = 'give classes the names of the weights, or train outputs of new ones with network.KEEP_HEADS by_name'
    return source, list(class_names(sidecar)), mend


def _differences(match):
    """What to say of the data set's classes."""
    if match.respelt:
        yield f'classes are spelt differently ({match.respelt_text()})'
    if match.absent:
        yield f'the data set has no {named(match.absent)}'
    if match.labels != tuple(sorted(match.labels)):
        yield 'the classes of the data set came in another order'


def _listed(classes):
    return f'{len(classes) - 1} ({named(classes[1:])})'
