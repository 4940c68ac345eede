"""Going on with other data than a run was begun with: images were added, taken out, renamed or labelled anew, or an
epoch is cut into other chips.

The schedule is made for the chips of the first epoch (`samples` in the side file). If there are others now it is made
anew for these, and the training goes on at the same share of it, as with updates of another size.
"""
import logging
import os
import zlib
from typing import NamedTuple, Optional, Sequence, Tuple

from lib.dataset.compact import image_paths
from lib.distributed.consistency import boxes_number
from lib.train.resume import Position, changed_keys

logger = logging.getLogger(__name__)


class Length(NamedTuple):
    """What the schedule goes by. samples: chips of the first epoch, padded to whole batches, None if that is not known
    yet; position: where the run goes on; recount: size of an update before and now, as a share of the training."""
    samples: Optional[int]
    position: Position
    recount: Tuple[int, int] = (1, 1)


def training_set_facts(roidb: Sequence) -> dict:
    """What tells a training set from another, for the side file: records, and a number that changes with the names of
    images, with boxes and with classes; not with the folder, nor with the order of classes once they are those of the
    checkpoint (lib.train.classes)."""
    names = zlib.crc32('\0'.join(os.path.basename(path) for path in image_paths(roidb)).encode('utf-8', 'replace'))
    return {'records': len(roidb), 'number': [names, boxes_number(roidb)]}


def settle_length(sidecar: dict, config, iterator, data: Optional[dict], batch_size: int, position: Position) -> Length:
    """How long an epoch is for the schedule, and where the run goes on.

    sidecar: of the checkpoint, {} where training begins; data: training_set_facts of now, None if nobody knows;
    batch_size: chips of an update now; position: where the run goes on if an epoch has as many chips as before. Says
    what changed.
    """
    before, old_batch = sidecar.get('samples'), sidecar.get('batch_size', batch_size)
    by_iterations = bool(config.TRAIN.end_iteration)    # a schedule that counts updates stands whatever an epoch has
    same_data = data is not None and sidecar.get('data') == data
    if not before or same_data and old_batch == batch_size and not changed_keys(sidecar.get('config', {}), config):
        return Length(before, position, (1, 1) if by_iterations else (old_batch, batch_size))
    samples = iterator.count_batches(0) * batch_size
    if abs(samples - before) < max(old_batch, batch_size):  # as much as filling up the last batch makes
        samples = before
    recount = (1, 1) if by_iterations else (old_batch * samples, batch_size * before)
    was, now = (f' of {facts["records"]} images with mirrored copies' if facts else ''
                for facts in (sidecar.get('data'), data))
    if samples != before:
        logger.warning('An epoch had %d chips%s, now it has %d%s: %s', before, was, samples, now,
                       'the schedule counts updates and stays as it is' if by_iterations else
                       'the schedule is made for these, and goes on at the same share of the training')
        position = _same_share(position, iterator, batch_size, samples / before)
    elif sidecar.get('data') and not same_data:
        logger.warning('The training set%s is another than that of the checkpoint%s: training goes on with it', now,
                       was)
    return Length(samples, position, recount)


def _same_share(position, iterator, batch_size, factor):
    """Position in an epoch that is `factor` times as long; its chips are others, so that its order is begun anew."""
    done = position.first_chip + position.batch * batch_size
    if not done:
        return position
    batch = max(0, min(round(done * factor / batch_size), iterator.count_batches(position.epoch) - 1))
    logger.warning('Epoch %d was begun: it goes on with batch %d in an order of its own, so that some images may come '
                   'twice', position.epoch + 1, batch + 1)
    return Position(position.epoch, batch, 0, batch_size)
