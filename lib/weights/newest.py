"""Which checkpoints of a run there are, and which of them is the newest that is whole. Free of MXNet."""
import logging
import os
import re
from typing import List, NamedTuple, Optional, Tuple, Union

from configs import source_of
from configs.loader import SET
from lib.weights.params_file import file_checksum
from lib.weights.paths import AVERAGE, INTERRUPTED, ITERATION, current_run, read_json

logger = logging.getLogger(__name__)

LAST = 'last'           # how TEST.TEST_EPOCH names the newest
AVERAGED = 'average'    # of the averaged weights among `files` of a side file
PASSED_OVER = '%s is missing or damaged: its checkpoint is passed over'
NEEDED_TO_RESUME = {'epoch': int, 'batch': int, 'batch_size': int, 'num_update': int, 'files': dict}
OPTIONAL_TO_RESUME = {'first_chip': int, 'order_batch': int, 'samples': int, 'config': dict, 'metrics': dict,
                      'data': dict, 'run': str, 'step': int, 'validation': dict, 'average': dict}


class Checkpoint(NamedTuple):
    """A checkpoint on disk: its tag ('0003', 'interrupted') and its side file."""
    tag: str
    sidecar: dict


def find_newest(prefix: str) -> Tuple[Optional[Checkpoint], List[str]]:
    """The newest checkpoint of the current run whose files are whole -> (Checkpoint, or None; list of broken files).

    Newest: the furthest epoch, then most chips seen in it, whatever it is called. Broken ones are passed over with a
    warning. The number of updates does not tell: it is re-scaled when the size of an update changes.
    """
    found, passed_over = _of_current_run(prefix)
    for path in passed_over:
        logger.warning(PASSED_OVER, path)
    for checkpoint in found:
        broken = _broken_file(prefix, checkpoint)
        if broken is None:
            return checkpoint, passed_over
        logger.warning(PASSED_OVER, broken)
        passed_over.append(broken)
    return None, passed_over


def newest_sidecar(prefix: str) -> dict:
    """Side file of the newest checkpoint of the current run, whole or not; {} if there is none. It is read fast."""
    found, _ = _of_current_run(prefix)
    return found[0].sidecar if found else {}


def checkpoint_named(prefix: str, epoch: Union[int, str]) -> Union[int, str]:
    """What TEST.TEST_EPOCH may hold -> what lib.weights.paths.epoch_tag takes: 'last' becomes the tag of the newest
    whole checkpoint of the current run, 'last-ema' the averaged weights beside it; all else stays, and so do these
    where there is none."""
    word, dash, rest = str(epoch).partition('-')
    if word != LAST:
        return epoch
    newest, _ = find_newest(prefix)
    return newest.tag + dash + rest if newest else epoch


def checkpoint_to_test(config, prefix: str) -> Union[int, str]:
    """What TEST.TEST_EPOCH means -> what lib.weights.paths.epoch_tag takes.

    Where training ends by TRAIN.end_iteration, a number of epochs that only stands in a file, or in none, is meant for
    another length: the newest checkpoint takes its place, if there is one.
    """
    epoch = config.TEST.TEST_EPOCH
    if config.TRAIN.end_iteration and isinstance(epoch, int) and source_of(config, 'TEST.TEST_EPOCH') != SET:
        newest = checkpoint_named(prefix, LAST)
        return epoch if newest == LAST else newest
    return checkpoint_named(prefix, epoch)


def _tags(prefix):
    """Tags of all files of checkpoints, sorted."""
    folder, base = os.path.split(prefix)
    pattern = re.compile(re.escape(base) + fr'-(\d{{4,}}|{INTERRUPTED}|{ITERATION}\d+)\.(json|params|states)$')
    names = os.listdir(folder or '.') if os.path.isdir(folder or '.') else []
    return sorted({match.group(1) for match in filter(None, map(pattern.match, names))})


def _of_current_run(prefix):
    """([Checkpoint], newest first; side files that are missing or damaged)."""
    run = current_run(prefix)
    found, damaged = [], []
    for tag in _tags(prefix):
        path = f'{prefix}-{tag}.'
        sidecar = read_json(path + 'json')
        if not _can_be_resumed(sidecar):
            # One file alone may be weights that somebody put there, or what a checkpoint that was removed has left.
            if os.path.exists(path + 'params') and os.path.exists(path + 'states'):
                damaged.append(path + 'json')
        elif run in (None, sidecar.get('run')):
            found.append(Checkpoint(tag, sidecar))
    return sorted(found, key=_progress, reverse=True), damaged


def _can_be_resumed(sidecar):
    """Whether a side file has what resuming reads, of the kinds that it expects."""
    read = {key: sidecar.get(key) for key in NEEDED_TO_RESUME}
    read.update({key: sidecar[key] for key in OPTIONAL_TO_RESUME if sidecar.get(key) is not None})
    kinds = {**NEEDED_TO_RESUME, **OPTIONAL_TO_RESUME}
    return (all(isinstance(value, kinds[key]) for key, value in read.items())
            and all(value >= 0 for value in read.values() if isinstance(value, int)) and read['batch_size'] > 0)


def _progress(checkpoint):
    """(finished epochs, chips seen in the one that was begun): the same measure whatever the size of an update."""
    sidecar = checkpoint.sidecar
    return sidecar['epoch'], (sidecar.get('first_chip') or 0) + sidecar['batch'] * sidecar['batch_size']


def _broken_file(prefix, checkpoint):
    files, base = checkpoint.sidecar['files'], f'{prefix}-{checkpoint.tag}'
    paths = {'params': base + '.params', 'states': base + '.states'}
    if AVERAGED in files:
        paths[AVERAGED] = f'{base}{AVERAGE}.params'
    for name, path in paths.items():
        if list(file_checksum(path)) != files.get(name):
            return path
    return None
