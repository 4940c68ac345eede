"""What a training says in its log while it goes on."""
import logging
import math
import time
from typing import Callable, Optional

from lib.train.loop import Hook
from lib.train.plan import Plan
from lib.train.records import Place, Reading, Recorder
from lib.utils.clock import duration
from lib.utils.progress_bar import ProgressBar

logger = logging.getLogger(__name__)
LONGEST_SILENCE = 60.0  # seconds: a line comes at least so often, however slow the batches are


class Progress(Hook):
    """Logs one line every `display` batches: speed, share of time spent waiting for data, averages, time left. On a
    terminal a bar says so, and the lines go to the log file alone.

    display: batches between lines; batch_size: chips a batch of all workers; plan: of the whole run; metrics:
    TrainMetrics; sync: lib.engine.training.LocalUpdate or alike, which knows what talk with others takes; bar: to draw
    on; recorder: is given a Reading whenever a line is due.
    """

    def __init__(self, display: int, batch_size: int, plan: Plan, metrics, sync, bar: Optional[ProgressBar] = None,
                 recorder: Optional[Recorder] = None, clock: Callable[[], float] = time.monotonic):
        self.display = max(int(display), 1)
        self.bar, self.recorder = bar or ProgressBar(wanted=False), recorder
        self.batch_size, self.plan = batch_size, plan
        self.metrics, self.sync, self.clock = metrics, sync, clock

    def before_epoch(self, epoch):
        """Time counts from here."""
        self.epoch = epoch
        self.started = self.line_time = self.clock()
        self.line_batch = epoch.first
        self.waited = self.waited_in_epoch = 0.0
        self.turn = self.started    # when the batch launched last had its turn
        self.launched = epoch.first, 0.0, 0.0   # batches so far; seconds that the last took, and waited for data
        self.exchange_seconds = []
        self.sums = self.metrics.get_state() if self.recorder else {}

    def pause(self, seconds: float) -> None:
        """Training stood still for so long: that is none of its time."""
        self.started += seconds
        self.line_time += seconds
        self.turn += seconds

    def after_launch(self, batch):
        """Add up the time that was spent waiting for data."""
        self.waited += batch.waited
        self.waited_in_epoch += batch.waited
        self.launched = batch.number + 1, self.clock() - self.turn, batch.waited

    def after_update(self, batch):
        """The next batch has its turn."""
        self.turn = self.clock()

    def after_batch(self, batch):
        """Log the line when it is due."""
        if self.due(batch.number + 1):
            self.line(batch)
        elif self.bar.active:
            self.draw(batch.number + 1, batch.learning_rate)

    def due(self, done):
        """Whether a line is due after `done` batches of the epoch."""
        _, so_far, total = self.plan.bar(self.epoch, done)
        return (so_far % self.display == 0 or so_far == total or done == self.epoch.batches
                or self.clock() - self.line_time > LONGEST_SILENCE)

    def line(self, batch):
        """Log the line after a batch of the epoch."""
        now, done = self.clock(), batch.number + 1
        launched, *ahead = self.launched
        launching, waiting_ahead = ahead if launched > done else (0.0, 0.0)     # of the next batch, and its time
        now, self.waited = now - launching, self.waited - waiting_ahead
        elapsed = max(now - self.line_time, 1e-9)
        batches = done - self.line_batch
        waiting = f'{100 * min(self.waited / elapsed, 1.0):.0f}% waiting for data'
        exchange = self.sync.take_seconds()
        if exchange is not None:
            self.exchange_seconds.append(exchange)
            waiting += f', {100 * min(exchange * batches / elapsed, 1.0):.0f}% for workers'
        speed = batches * self.batch_size / elapsed
        logger.info('%s  %.1f chips/s (%s)  lr %.3g  %s  left %s', self.plan.text(self.epoch, done), speed, waiting,
                    batch.learning_rate, '  '.join(map(_value, self.metrics.values())), duration(self._left(done, now)),
                    extra={'in_file_only': self.bar.active})
        self.draw(done, batch.learning_rate)
        if self.recorder:
            self.recorder.reading(Reading(
                Place(batch.step, self.epoch.number + 1, done, self.epoch.batches), self._averages(),
                batch.learning_rate, speed, min(self.waited / elapsed, 1.0)))
        self.line_time, self.line_batch, self.waited = now, done, waiting_ahead

    def draw(self, done, rate):
        """Move the bar to `done` batches of the epoch. rate: learning rate."""
        now, trained = self.clock(), done - self.epoch.first
        speed = trained * self.batch_size / max(now - self.started, 1e-9)
        head, so_far, total = self.plan.bar(self.epoch, done)
        self.bar.show(head, so_far, total, f'{so_far}/{total}  left {duration(self._left(done, now))}  '
                      f'{speed:.1f} chips/s  lr {rate:.3g}  ' + '  '.join(map(_value, self.metrics.values())))

    def _averages(self):
        """[(name, average)] of the metrics since the call before, or since the epoch began."""
        before, self.sums = self.sums, self.metrics.get_state()
        found = []
        for name, (total, count) in self.sums.items():
            old_total, old_count = before.get(name, (0.0, 0))
            found.append((name, (total - old_total) / (count - old_count) if count > old_count else math.nan))
        return found

    def after_epoch(self, epoch):
        """Log what the epoch took, as far as it was trained: time, speed, share of the time spent waiting."""
        self.bar.clear()
        elapsed = max(self.clock() - self.started, 1e-9)
        batches = epoch.done - epoch.first
        logger.info('%s: %d batches in %s, %.1f chips/s, %.1f%% of the time waiting for data',
                    self.plan.epoch_text(epoch), batches, duration(elapsed), batches * self.batch_size / elapsed,
                    100 * min(self.waited_in_epoch / elapsed, 1.0))
        if self.exchange_seconds:
            seconds = sum(self.exchange_seconds) / len(self.exchange_seconds)
            traffic = self.sync.bytes_sent + self.sync.bytes_received
            logger.info('%s: a batch exchanges %.3f MB with the servers in %.4f s, %.1f%% of its %.4f s',
                        self.plan.epoch_text(epoch), traffic / 1e6, seconds,
                        100 * min(seconds * batches / elapsed, 1.0), elapsed / max(batches, 1))

    def _left(self, done, now):
        per_batch = (now - self.started) / max(done - self.epoch.first, 1)
        return per_batch * self.plan.left(self.epoch, done)


def _value(pair):
    """'RPNAcc 0.9123'. A loss that is not a number ends the training, so nan is an average of no samples."""
    name, average = pair
    return f'{name} (0 samples)' if math.isnan(average) else f'{name} {average:.4f}'
