"""The one training loop.

The engine of MXNet runs behind Python's back; reading an output waits for it. So the loop gives it batch k+1 first and
then looks at the outputs of batch k, which were copied aside meanwhile: while Python counts hits and logs, the engine
computes. Whatever must be exact (a checkpoint) is done after an epoch, or where the loop rests: all is over then.
"""
import logging
import math
import time
from typing import Dict, List, NamedTuple, Sequence

import numpy as np

from lib.engine.training import Outputs, TrainingStep
from lib.train.metrics import TrainMetrics
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

IMAGES_NAMED = 8  # in the message about a loss that is not finite


class Epoch:
    """Epoch number `number` (from 0) of `batches` batches; this run begins at `first` and has trained up to `done`.

    before: batches that were trained before batch 0 of the epoch, by earlier parts of the run too.
    """

    def __init__(self, number: int, batches: int, first: int = 0, before: int = 0):
        self.number, self.batches, self.first, self.done, self.before = number, batches, first, first, before

    @property
    def step(self) -> int:
        """Batches that were trained so far."""
        return self.before + self.done

    @property
    def over(self) -> bool:
        """Whether all batches are trained."""
        return self.done >= self.batches


class LaunchedBatch(NamedTuple):
    """A batch that the engine was given: its number in the epoch, and in the training from 1 (step), files, labels that
    metrics read (copies), outputs, learning rate, and the seconds that were waited for its data."""
    number: int
    step: int
    images: List[str]
    labels: Dict[str, np.ndarray]
    outputs: Outputs
    learning_rate: float
    waited: float


class Hook:
    """Something beside training. The loop calls these methods of each hook, in the order of the list of hooks."""

    def before_epoch(self, epoch: Epoch) -> None:
        """The epoch's iterator has started."""

    def after_launch(self, batch: LaunchedBatch) -> None:
        """The engine was given the batch and its update; whoever waits for results here slows training down."""

    def after_update(self, batch: LaunchedBatch) -> None:
        """The weights are those after the update of the batch, for whoever waits for them; the batch before is over."""

    def after_batch(self, batch: LaunchedBatch) -> None:
        """The outputs of the batch are there, and metrics hold them."""

    def at_rest(self, epoch: Epoch) -> None:
        """A checkpoint is due within the training (`Plan.rests`); nothing is pending."""

    def after_epoch(self, epoch: Epoch) -> None:
        """The epoch ends here, over or not (`epoch.over`); nothing is pending."""

    def after_stop(self, epoch: Epoch) -> None:
        """Training ends here, before its end; `after_epoch` was called."""


def fit(step: TrainingStep, iterator, metrics: TrainMetrics, hooks: Sequence[Hook], stop, epoch: Epoch, plan) -> bool:
    """Train from `epoch`, whose iterator has started, to the end of `plan`, a lib.train.plan.Plan.

    iterator: TrainIterator or alike: start_epoch(epoch) -> batches, iteration over batches. metrics: go on in the first
    epoch from what they hold. stop: `stop.requested` is true once training shall end after the batches under way.
    -> True if all was trained, False if it was stopped. SniperError if a loss is not finite.
    """
    while True:
        log_epoch_stats(iterator, epoch.number)
        for hook in hooks:
            hook.before_epoch(epoch)
        pending: LaunchedBatch = None
        while not (epoch.over or plan.ended(epoch) or stop.requested):
            started = time.monotonic()
            batch = next(iterator)
            waited = time.monotonic() - started
            step.forward_backward(batch, metrics.needed_outputs)
            step.update()
            previous, pending = pending, LaunchedBatch(
                epoch.done, epoch.step + 1, list(batch.images), _copies(batch.label, metrics.needed_labels),
                step.outputs(metrics.needed_outputs), step.learning_rate, waited)
            for hook in hooks:
                hook.after_launch(pending)
            epoch.done += 1
            _finish(epoch, previous, metrics, hooks)
            for hook in hooks:
                hook.after_update(pending)
            if plan.rests(epoch):
                _finish(epoch, pending, metrics, hooks)
                pending = None
                step.wait()
                for hook in hooks:
                    hook.at_rest(epoch)
        _finish(epoch, pending, metrics, hooks)
        step.wait()
        for hook in hooks:
            hook.after_epoch(epoch)
        if plan.ended(epoch):
            return True
        if not epoch.over or stop.requested:
            for hook in hooks:
                hook.after_stop(epoch)
            return False
        metrics.reset()
        epoch = Epoch(epoch.number + 1, iterator.start_epoch(epoch.number + 1), before=epoch.step)


def _finish(epoch, batch, metrics, hooks):
    """Wait for a launched batch, if any, and let metrics and hooks have it."""
    if batch is None:
        return
    losses = metrics.update(batch.outputs.read(), batch.labels)
    broken = [f'{name} {value}' for name, value in losses.items() if not math.isfinite(value)]
    if broken:
        raise SniperError(
            f'the loss is not finite ({", ".join(broken)}) in epoch {epoch.number + 1}, batch {batch.number + 1}, '
            f'images {_shortened(batch.images)}: lower TRAIN.lr or set TRAIN.CLIP_GRADIENT, look at these images '
            'and their boxes, and go on with --resume')
    for hook in hooks:
        hook.after_batch(batch)


def _copies(labels, names):
    """The iterator's arrays are used again for another batch."""
    return {name: np.array(labels[name], dtype=np.int16) for name in names}


def log_epoch_stats(iterator, epoch: int) -> None:
    """One line of what the iterator says about the epoch (`epoch_stats`), if it does."""
    stats = getattr(iterator, 'epoch_stats', None)
    if stats:
        text = ', '.join(f'{name} {f"{value:.4g}" if isinstance(value, float) else value}'
                         for name, value in stats.items() if name != 'epoch')
        logger.info('Epoch %d: %s', epoch + 1, text)


def _shortened(images):
    unique = list(dict.fromkeys(images))
    rest = len(unique) - IMAGES_NAMED
    return ', '.join(unique[:IMAGES_NAMED]) + (f' and {rest} more' if rest > 0 else '')
