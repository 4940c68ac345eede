"""Going on with a run: from which checkpoint, where, and with which values. (lib.train.saving writes them.)"""
import logging
import os
from typing import Any, Dict, List, NamedTuple, Tuple

from configs import values_affecting
from lib.distributed.workers import ALONE, Workers
from lib.engine.optimiser_state import in_other_batches
from lib.engine.training import TrainingStep
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.files import remove_stale_temporaries
from lib.weights import checkpoint
from lib.weights.earlier_runs import run_files
from lib.weights.newest import Checkpoint, find_newest
from lib.weights.paths import VALIDATED

logger = logging.getLogger(__name__)


class Position(NamedTuple):
    """Where a run goes on: before batch number `batch` of epoch number `epoch`, both from 0.

    If the epoch was begun with updates of another size, its batches are counted anew from chip `first_chip`, and
    `order_batch` is the size with which it was begun. (These are the arguments of TrainIterator.start_epoch.)
    """
    epoch: int
    batch: int
    first_chip: int
    order_batch: int


def find_start(config, prefix: str, resume: bool, batch_size: int, workers: Workers = ALONE):
    """The Checkpoint to go on from, or None, and the Position: worker 0 looks, and tells the others what is in its side
    file. batch_size: chips of an update now. SniperError if there are checkpoints but none is whole.
    """
    found = _prepare_files(prefix, resume) if workers.rank == 0 else None
    if not workers.alone:
        told = workers.json_from_first(found and list(found))
        found = told and Checkpoint(*told)
    return found, where_to_go_on(found.sidecar if found else {}, config, batch_size)


def _prepare_files(prefix, resume):
    """Clean up the output folder; -> the checkpoint to go on from, or None."""
    folder = os.path.dirname(prefix) or '.'
    os.makedirs(folder, exist_ok=True)
    remove_stale_temporaries(folder)
    checkpoint.remove(prefix, VALIDATED)
    if not resume:
        if run_files(prefix):
            logger.warning('%s holds checkpoints of an earlier run: they are set aside when this one saves its first '
                           '(--resume would continue that run)', folder)
        return None
    newest, broken = find_newest(prefix)
    if newest:
        logger.info('Resuming from %s-%s: %s and %s are done', prefix, newest.tag,
                    counted(newest.sidecar['epoch'], 'epoch', 'epochs'),
                    counted(newest.sidecar['batch'], 'batch', 'batches'))
    elif broken:
        raise SniperError(f'--resume: no checkpoint {prefix}-* is whole, for {", ".join(broken)} '
                          f'{"is" if len(broken) == 1 else "are"} missing or damaged: put back what is missing, or '
                          'start over without --resume, which sets them aside')
    else:
        logger.warning('--resume: there is no checkpoint %s-*%s, training starts from the beginning', prefix,
                       f' of the run that {prefix}-run.json names (delete that file to go on with an earlier one)'
                       if run_files(prefix) else '')
    return newest


def where_to_go_on(sidecar: dict, config, batch_size: int) -> Position:
    """Where the run goes on. Says what changed in the configuration since.

    sidecar: side file of the checkpoint, {} without one; batch_size: chips of an update now.
    """
    if not sidecar:
        return Position(0, 0, 0, batch_size)
    changed = changed_keys(sidecar.get('config', {}), config)
    if changed:
        logger.warning('The configuration has changed since the checkpoint: %s', ', '.join(changed))
    epoch, batch, old = sidecar['epoch'], sidecar['batch'], sidecar['batch_size']
    first_chip, order_batch = sidecar.get('first_chip', 0), sidecar.get('order_batch', old)
    if old == batch_size:
        return Position(epoch, batch, first_chip, order_batch)
    logger.info('An update had %d chips, now it has %d: %s', old, batch_size,
                'the schedule counts updates, whatever their size' if config.TRAIN.end_iteration else
                'the schedule goes on at the same share of the training')
    if not batch + first_chip:
        return Position(epoch, 0, 0, batch_size)
    return Position(epoch, 0, first_chip + batch * old, order_batch)


def batches_before(sidecar: dict) -> int:
    """Batches that were trained before the checkpoint of this side file; older ones say updates."""
    return sidecar.get('step', sidecar.get('num_update', 0))


def changed_keys(before: Dict[str, Any], config) -> List[str]:
    """'TRAIN.lr 0.1 -> 0.01' for each key that changes what training computes. before: {dotted name: value} of the
    checkpoint."""
    now = values_affecting(config, 'schedule')
    if config.TRAIN.LR_POLICY == 'step':
        del now['TRAIN.end_epoch'], now['TRAIN.end_iteration']  # --resume is for training longer; no rate moves
    return [f'{key} {before.get(key)!r} -> {now[key]!r}' for key in sorted(now) if before.get(key) != now[key]]


def load_parameters(step: TrainingStep, prefix: str, tag: str) -> None:
    """Give a bound step the parameters of a checkpoint. SniperError if they do not fit the network."""
    path = f'{prefix}-{tag}.params'
    arg_params, aux_params = checkpoint.load_params(path)
    given = dict(arg_params, **aux_params)
    wanted = {name: shape for shapes in step.shapes() for name, shape in shapes.items()}
    unfit = [name for name, shape in wanted.items() if name not in given or given[name].shape != shape]
    if unfit:
        raise SniperError(f'checkpoint {path} does not fit the network ({", ".join(unfit[:5])}): resume with the '
                          'configuration it was trained with')
    step.load(arg_params, aux_params)


def load_optimiser(step: TrainingStep, prefix: str, found: Checkpoint, recount: Tuple[int, int] = (1, 1),
                   workers: Workers = ALONE):
    """Give a step the optimiser's state of a checkpoint, from worker 0's file.

    recount: size of an update before and now, as a share of the training; the schedule counts updates.
    """
    state = checkpoint.load_state(prefix, found.tag) if workers.rank == 0 else {}
    state = in_other_batches(workers.arrays_from_first(state), *recount)
    step.set_state(state, f'{prefix}-{found.tag}.states')
