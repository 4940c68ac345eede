"""Training batches: chips of every epoch, made by worker processes in shared memory."""
import logging
import math
import time
from typing import List

import numpy as np

from lib.chips.samplers import chosen_background
from lib.chips.scale_weights import weighted_rows
from lib.image import ImageNotices
from lib.iterators.epoch import EpochPlan, WindowTable, draw_order, summarise
from lib.iterators.pool import make_pool
from lib.iterators.prefetch import Prefetcher, group_rows, resolve_prefetch
from lib.iterators.samples import TrainSamples
from lib.iterators.shared import Batch, BatchSlots, PackedRoidb
from lib.tasks import TargetReport, get_task
from lib.utils import seeds
from lib.utils.errors import SniperError
from lib.utils.processes import resolve_workers

logger = logging.getLogger(__name__)

_SLICE = 64  # images per chip task at most: small enough to share out, large enough to be worth a message
UNCOVERED = 0.03  # share of the objects that may be in no window without a warning
_WARNINGS_SHOWN = 20  # files named one by one; the rest is counted


class TrainIterator:
    """Batches of training chips; `for batch in iterator` after `start_epoch`.

    The batches depend on (roidb, config, batch_size, seed, epoch) alone, not on `num_workers`
    (None: TRAIN.NUM_PROCESS; 0: everything in this process).
    Of several trainers with batches of `batch_size` each, trainer `shard` (rank, count) gets its rows of the batches
    that one trainer with batches of count x batch_size would get: the same samples, each at one trainer.
    `wait_seconds`: time spent waiting for data in this epoch. `epoch_stats`: facts of this epoch.
    """

    def __init__(self, roidb, config, batch_size, seed=None, num_workers=None, shard=(0, 1)):
        if not roidb:
            raise SniperError('the training set has no image: check dataset.image_set and the annotation file')
        self.batch_size = batch_size
        self.global_batch = batch_size * shard[1]
        self._first_row = batch_size * shard[0]
        self._first_chip = 0
        self._task = get_task(config)
        self.provide_data, self.provide_label = self._task.layout(batch_size)
        self.epoch_stats = {}
        self._config = config
        self._seed = config.TRAIN.SEED if seed is None else seed
        self._roidb = PackedRoidb(roidb)
        self._sampler = self._task.sampler()
        self._layout = self.provide_data + self.provide_label
        self._broken, self._outside, self._notices = set(), set(), ImageNotices()
        self._plan = None
        self._said_uncovered, self._most_dropped = False, 0
        self._running = False  # an epoch has begun and was not reported
        workers = resolve_workers(config.TRAIN.NUM_PROCESS, len(roidb)) if num_workers is None else num_workers
        floats = {name: math.prod(shape) for name, shape in self._layout}
        num_slots = 1 + resolve_prefetch(config.TRAIN.PREFETCH, workers, batch_size, 4 * sum(floats.values()))
        self._slots = BatchSlots(num_slots, floats)
        self._pool = make_pool(TrainSamples, (self._roidb, self._slots, self._layout, self._task, self._seed), workers)
        self._workers = workers
        self._prefetcher = Prefetcher(self._pool, num_slots)

    def start_epoch(self, epoch: int, first_batch: int = 0, first_chip: int = 0, order_batch=None) -> int:
        """Make the chips of `epoch` and begin with batch `first_batch` -> number of batches.

        To go on in the middle of an epoch that was begun with other batches, of all trainers together: order_batch is
        their size, and batches number 0 and on are made of the chips from `first_chip` of that epoch's order.
        """
        self._report_epoch()
        started = time.perf_counter()
        sampler = self._sampler.of_epoch(seeds.generator(self._seed, epoch, seeds.STRIDE))
        slices = self._sample_windows(epoch, sampler)
        table = self._table(slices, epoch)
        if table.num_windows == 0:
            raise SniperError(f'no training chip: none of the {len(self._roidb)} images {sampler.nothing}')
        rows = self._weighted(table, epoch)
        order, batches = self._order(table, rows, epoch, first_chip, order_batch or self.global_batch)
        self._first_chip = first_chip
        self._plan = EpochPlan(table, order, self._roidb, self._broken)
        self.epoch_stats = dict(summarise(slices, table, sampler.levels, len(self._roidb)),
                                epoch=epoch, **sampler.facts(), batches=batches, dropped_boxes=0, simplified_masks=0,
                                replaced_samples=0, seconds=time.perf_counter() - started)
        if sampler.weights:
            self.epoch_stats['samples_per_scale'] = np.bincount(table.level[rows], minlength=sampler.levels).tolist()
        self._say_uncovered(sampler)
        self._running = True
        self._prefetcher.start(first_batch, batches, self._make_tasks, self._review)
        return batches

    def _say_uncovered(self, sampler):
        """Once, and by the first trainer: most of them are the same in all epochs."""
        stats, sentence = self.epoch_stats, getattr(sampler, 'uncovered', '')
        if sentence and not self._said_uncovered and self._first_row == 0 and (
                stats['uncovered_boxes'] > UNCOVERED * stats['objects']):
            self._said_uncovered = True
            logger.warning('Epoch %d: %d of %d objects (%.0f %%) %s', stats['epoch'] + 1, stats['uncovered_boxes'],
                           stats['objects'], 100 * stats['uncovered_boxes'] / stats['objects'], sentence)

    def count_batches(self, epoch: int) -> int:
        """Number of batches of a whole epoch, which is not begun."""
        sampler = self._sampler.of_epoch(seeds.generator(self._seed, epoch, seeds.STRIDE))
        table = self._table(self._sample_windows(epoch, sampler), epoch)
        return self._order(table, self._weighted(table, epoch), epoch, 0, self.global_batch)[1]

    def _table(self, slices, epoch) -> WindowTable:
        """Windows of the epoch: of images without objects as many as TRAIN.BACKGROUND_IMAGES says."""
        table = WindowTable.concatenate([part.table for part in slices])
        background = np.concatenate([part.background for part in slices])
        kept = chosen_background(background, self._config.TRAIN.BACKGROUND_IMAGES,
                                 seeds.generator(self._seed, epoch, seeds.BACKGROUND))
        return table if kept.all() else table.take(kept)

    def _weighted(self, table, epoch):
        """Rows of the table that the epoch is made of, ascending; some several times, some not, as the sampler says."""
        return weighted_rows(table.level, table.negative, self._sampler.weights,
                             seeds.generator(self._seed, epoch, seeds.SCALES))

    def _order(self, table, rows, epoch, first_chip, order_batch):
        """-> (row of the table at each position, number of batches from `first_chip` on)."""
        order = rows[draw_order(table.image[rows], order_batch, seeds.generator(self._seed, epoch, seeds.ORDER))]
        last = len(order)
        if self._config.TRAIN.MAX_BATCHES > 0:
            last = min(last, self._config.TRAIN.MAX_BATCHES * order_batch)
        batches = -(-max(0, last - first_chip) // self.global_batch)
        return np.resize(order, max(len(order), first_chip + batches * self.global_batch)), batches

    def _position(self, index, row):
        """Place in the epoch's order of row `row` of batch `index`."""
        return self._first_chip + index * self.global_batch + self._first_row + row

    def _sample_windows(self, epoch, sampler):
        """Chips of all images through the pool -> list of WindowSlice in image order."""
        self._pool.drain()
        count = len(self._roidb)
        step = max(1, min(_SLICE, count // (4 * max(1, self._workers))))
        starts = range(0, count, step)
        for first in starts:
            self._pool.submit(first, 'windows', (epoch, sampler, first, min(count, first + step)))
        answers = dict(self._pool.get() for _ in starts)
        return [answers[first] for first in starts]

    def epoch_chips(self):
        """(image index, Window) of every sample of this epoch in order, as if no image was broken: an iterator."""
        for index in range(self.epoch_stats['batches']):
            for row in range(self.batch_size):
                yield self._plan.chip_at(self._position(index, row))

    @property
    def worker_pids(self) -> List[int]:
        """Process ids of the workers; empty in serial mode."""
        return self._pool.pids

    @property
    def wait_seconds(self) -> float:
        """Seconds spent waiting for data in this epoch."""
        return self._prefetcher.wait_seconds

    def __iter__(self):
        return self

    def __next__(self):
        if self._plan is None:
            raise SniperError('call start_epoch before asking a TrainIterator for batches')
        ready = self._prefetcher.next_batch()
        if ready is None:
            self._report_epoch()
            raise StopIteration
        index, slot, reports = ready
        positions = [self._position(index, row) for row in range(self.batch_size)]
        images = [self._plan.path(position) for position in positions]
        stats = {'dropped_boxes': sum(report.dropped for report in reports),
                 'simplified_masks': sum(report.simplified for report in reports),
                 'replaced': sum(self._plan.release(position) for position in positions)}
        self._most_dropped = max([self._most_dropped] + [report.dropped for report in reports])
        for name in ('dropped_boxes', 'simplified_masks'):
            self.epoch_stats[name] += stats[name]
        self.epoch_stats['replaced_samples'] += stats['replaced']
        return Batch(self._views(slot, self.provide_data), self._views(slot, self.provide_label), images, index, stats)

    def _views(self, slot, layout):
        return {name: self._slots.view(slot, name, shape) for name, shape in layout}

    def _make_tasks(self, index, slot):
        """Pool tasks for the samples of batch `index`: those of one image file together."""
        positions = [self._position(index, row) for row in range(self.batch_size)]
        for position in positions:
            self._plan.assign(position)
        groups = group_rows([self._plan.path(position) for position in positions])
        return [(rows, *self._sample_task(index, rows, slot)) for rows in groups]

    def _sample_task(self, index, rows, slot):
        samples = []
        for row in rows:
            position = self._position(index, row)
            chip_index = self._plan.chip_index(position)
            image = int(self._plan.table.image[chip_index])
            samples.append((row, image, self._plan.table.window(chip_index), position))
        return 'fill', (slot, self.epoch_stats['epoch'], samples)

    def _review(self, index, row, slot, report):
        """Warn of what a sample met; a sample without an image gets the next chip of the order."""
        position = self._position(index, row)
        path = self._plan.path(position)
        for notice in report.notices:
            self._notices.add(notice)
        if report.broken:
            self._warn_once(self._broken, path, f'{report.broken} (its samples are replaced by others)')
        if report.outside:
            self._warn_once(self._outside, path, f'no pixel of image {path} lies in one of its chips: it is too '
                            'small, or of another size than its annotation says (the sample is replaced by another)')
        if not (report.broken or report.outside):
            return None
        self._plan.reject(position)
        return self._sample_task(index, [row], slot)

    def _warn_once(self, known, path, message):
        if path in known:
            return
        known.add(path)
        if len(known) <= _WARNINGS_SHOWN:
            logger.warning('%s', message)
        if len(known) == _WARNINGS_SHOWN:
            logger.warning('further files of this kind are counted only')

    def _report_epoch(self):
        """Say once an epoch what did not fit or could not be read."""
        if not self._running:
            return
        self._running = False
        self._notices.summary()
        stats = self.epoch_stats
        report = TargetReport(stats['dropped_boxes'], stats['simplified_masks'], self._most_dropped)
        for line in self._task.left_out(report):
            logger.warning('Epoch %d: %s', stats['epoch'] + 1, line)
        if stats['replaced_samples']:
            counts = (len(self._broken), 'broken images'), (len(self._outside), 'images without a pixel in a chip')
            causes = ' and '.join(f'{count} {what}' for count, what in counts if count)
            logger.warning('Epoch %d: %d samples were replaced because of %s', stats['epoch'] + 1,
                           stats['replaced_samples'], causes)

    def close(self) -> None:
        """Stop the workers. May be called more than once."""
        self._report_epoch()
        self._pool.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
