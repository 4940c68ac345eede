"""The progress line of training."""
import logging
import math
import time

from lib.utils.clock import duration

logger = logging.getLogger(__name__)
LONGEST_SILENCE = 60.0  # seconds: a line comes at least so often, however slow the batches are


class Progress:
    """Logs one line every `display` batches: speed, share of time spent waiting for data, averages, time left.

    display: batches between lines; batch_size: chips a batch of all workers; end_epoch: epochs of the whole run;
    traffic: bytes that this worker sends and receives a batch.
    """

    def __init__(self, display, batch_size, end_epoch, clock=time.monotonic, traffic=0):
        self.display = max(int(display), 1)
        self.batch_size = batch_size
        self.end_epoch = end_epoch
        self.clock = clock
        self.traffic = traffic

    def start_epoch(self, epoch, batches, first_batch):
        """An epoch of `batches` batches begins with number `first_batch`."""
        self.epoch, self.batches, self.first_batch = epoch, batches, first_batch
        self.started = self.line_time = self.clock()
        self.line_batch = first_batch
        self.waited = self.waited_in_epoch = 0.0
        self.exchanges = []

    def add_wait(self, seconds):
        """The loop waited for data."""
        self.waited += seconds
        self.waited_in_epoch += seconds

    def due(self, done):
        """Whether a line is due after `done` batches of the epoch."""
        return (done % self.display == 0 or done == self.batches
                or self.clock() - self.line_time > LONGEST_SILENCE)

    def line(self, done, rate, values, exchange=None):
        """Log the line. rate: learning rate; values: [(name, average)], nan where nothing was measured; exchange:
        seconds that an exchange with the other workers takes, None where there are none or none was measured."""
        now = self.clock()
        elapsed = max(now - self.line_time, 1e-9)
        batches = done - self.line_batch
        waiting = f'{100 * min(self.waited / elapsed, 1.0):.0f}% waiting for data'
        if exchange is not None:
            self.exchanges.append(exchange)
            waiting += f', {100 * min(exchange * batches / elapsed, 1.0):.0f}% for workers'
        logger.info('Epoch %d/%d batch %d/%d  %.1f chips/s (%s)  lr %.3g  %s  left %s',
                    self.epoch + 1, self.end_epoch, done, self.batches, batches * self.batch_size / elapsed, waiting,
                    rate, '  '.join(map(_value, values)), duration(self._left(done, now)))
        self.line_time, self.line_batch, self.waited = now, done, 0.0

    def epoch_line(self, done):
        """Log what the epoch took, up to batch `done`: time, speed, share of the time spent waiting for data."""
        elapsed = max(self.clock() - self.started, 1e-9)
        batches = done - self.first_batch
        logger.info('Epoch %d/%d: %d batches in %s, %.1f chips/s, %.1f%% of the time waiting for data', self.epoch + 1,
                    self.end_epoch, batches, duration(elapsed), batches * self.batch_size / elapsed,
                    100 * min(self.waited_in_epoch / elapsed, 1.0))
        if self.exchanges:
            seconds = sum(self.exchanges) / len(self.exchanges)
            logger.info('Epoch %d/%d: a batch exchanges %.3f MB with the servers in %.4f s, %.1f%% of its %.4f s',
                        self.epoch + 1, self.end_epoch, self.traffic / 1e6, seconds,
                        100 * min(seconds * batches / elapsed, 1.0), elapsed / max(batches, 1))

    def _left(self, done, now):
        per_batch = (now - self.started) / max(done - self.first_batch, 1)
        epochs = self.end_epoch - self.epoch - 1
        return per_batch * (self.batches - done + epochs * self.batches)


def _value(pair):
    """'RPNAcc 0.9123'. A loss that is not a number ends the training, so nan is an average of no samples."""
    name, average = pair
    return f'{name} (0 samples)' if math.isnan(average) else f'{name} {average:.4f}'
