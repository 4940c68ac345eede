"""The one training loop.

The engine of MXNet runs behind Python's back; reading an output waits for it. So the loop launches batch k+1 first and
then looks at the outputs of batch k, which were copied aside asynchronously: while Python counts hits and logs, the
engine computes. Everything that must be exact (a checkpoint) drains this pipeline before.
"""
import logging
import math
import time
from collections import namedtuple

import numpy as np
from sniper_mxnet import mx

from lib.utils.errors import SniperError
from lib.distributed.workers import ALONE

logger = logging.getLogger(__name__)

IMAGES_NAMED = 8

# A batch that was launched but not looked at: its number, files, learning rate, needed labels (copies), outputs (dict
# of lists, an array a device), what `stop.share` gave.
Launched = namedtuple('Launched', 'number images rate labels outputs wishes')


class FitLoop:
    """Trains a bound Module with an optimiser, from (epoch, batch) to the end.

    module: bound, initialised, with its optimiser.
    iterator: TrainIterator or alike: start_epoch(epoch, first_batch) -> batches, iteration over batches.
    feeder: BatchFeeder. metrics: TrainMetrics. progress: Progress. rate: update number -> learning rate.
    saver: object with save_epoch(epochs_done) and save_interrupted(epoch, batch).
    stop: StopRequest or SharedStop. exchange: of lib.distributed.gradient_sync, updates the parameters.
    workers: Workers.
    """

    def __init__(self, module, iterator, feeder, metrics, progress, rate, saver, stop, exchange, workers=ALONE):
        self.module, self.iterator, self.feeder = module, iterator, feeder
        self.exchange, self.workers = exchange, workers
        self.metrics, self.progress, self.rate = metrics, progress, rate
        self.saver, self.stop = saver, stop
        self.outputs = [(name, module.output_names.index(name)) for name in metrics.needed_outputs]

    def run(self, epoch, batch, end_epoch, batches):
        """Train epochs `epoch` to `end_epoch` - 1, the first from batch number `batch`.

        The iterator's start_epoch(epoch, batch) was called and gave `batches`. Metrics of the first epoch go on from
        what `self.metrics` holds. Returns True if all was trained, False if a signal stopped it (saved).
        """
        first = epoch
        for epoch in range(first, end_epoch):
            if epoch != first:
                batch = 0
                self.metrics.reset()
                batches = self.iterator.start_epoch(epoch)
            log_epoch_stats(self.iterator, epoch)
            done = self._run_epoch(epoch, batch, batches)
            self.stop.settle()
            if done < batches:
                self.saver.save_interrupted(epoch, done)
                return False
            self.saver.save_epoch(epoch + 1)
            if self.stop.requested and epoch + 1 < end_epoch:
                return False
        return True

    def _run_epoch(self, epoch, first_batch, batches):
        """-> number of the first batch that was not trained; less than `batches` if a signal came."""
        self.progress.start_epoch(epoch, batches, first_batch)
        launched = None
        number = first_batch
        while number < batches and not self.stop.requested:
            started = time.monotonic()
            batch = next(self.iterator)
            self.progress.add_wait(time.monotonic() - started)
            previous, launched = launched, self._launch(number, batch)
            self._look_at(epoch, previous)
            number += 1
        self._look_at(epoch, launched)
        with self.workers.waiting():
            mx.nd.waitall()  # BatchNorm's moving statistics are written without the engine knowing (CPU)
        self.progress.epoch_line(number)
        return number

    def _launch(self, number, batch):
        """Start forward, backward and update of a batch, and the copies of its outputs."""
        images = list(batch.images)
        labels = {name: np.array(batch.label[name], dtype=np.int16) for name in self.metrics.needed_labels}
        self.module.forward_backward(self.feeder(batch))
        self.exchange.update()
        wishes = self.stop.share()
        outputs = self.module.get_outputs(merge_multi_context=False)
        copies = {name: [array.copyto(mx.cpu()) for array in outputs[index]] for name, index in self.outputs}
        return Launched(number, images, self.rate(self.module._optimizer.num_update), labels, copies, wishes)

    def _look_at(self, epoch, launched):
        """Wait for a launched batch, take in its metrics, log the progress line when it is due."""
        if launched is None:
            return
        with self.workers.waiting():  # the batch began with weights that took in what all workers found
            outputs = {name: np.concatenate([array.asnumpy() for array in arrays]) if len(arrays) > 1
                       else arrays[0].asnumpy() for name, arrays in launched.outputs.items()}
        losses = self.metrics.update(outputs, launched.labels)
        broken = ['{} {}'.format(*pair) for pair in losses.items() if not math.isfinite(pair[1])]
        if broken:
            raise SniperError(
                ('the loss is not finite ({}) in epoch {}, batch {}, images {}: lower TRAIN.lr or set '
                'TRAIN.CLIP_GRADIENT, look at these images and their boxes, and go on with --resume').format(
                ', '.join(broken), epoch + 1, launched.number, _shortened(launched.images)))
        self.stop.learn(launched.wishes)
        done = launched.number + 1
        if self.progress.due(done):
            self.progress.line(done, launched.rate, self.metrics.values(), self.exchange.take_seconds())


def log_epoch_stats(iterator, epoch):
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
