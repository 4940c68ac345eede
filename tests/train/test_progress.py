"""The lines that tell how a training goes on."""
from types import SimpleNamespace

from lib.engine.training import LocalUpdate
from lib.train.loop import Epoch
from lib.train.plan import Plan
from lib.train.progress import Progress
from lib.utils.clock import duration


class Metrics:
    """Values as TrainMetrics gives them."""

    def values(self):
        return [('RPNAcc', 0.5), ('MaskLogLoss', float('nan'))]


class TimedUpdate(LocalUpdate):
    """An update whose exchange took `seconds`."""

    bytes_sent, bytes_received, seconds = 1500000, 1000000, 0.25

    def take_seconds(self):
        return self.seconds


def launched(number, waited=0.0):
    return SimpleNamespace(number=number, waited=waited, learning_rate=0.015)


def test_progress_says_what_workers_cost(caplog):
    caplog.set_level('INFO')
    now, sync, epoch = [0.0], TimedUpdate(), Epoch(0, 20)
    progress = Progress(10, 8, Plan(1), Metrics(), sync, clock=lambda: now[0])
    progress.before_epoch(epoch)
    now[0] = 10.0
    progress.after_batch(launched(9))
    assert '8.0 chips/s (0% waiting for data, 25% for workers)' in caplog.text
    now[0], sync.seconds, epoch.done = 20.0, None, 20
    progress.after_batch(launched(19))
    progress.after_epoch(epoch)
    assert 'a batch exchanges 2.500 MB with the servers in 0.2500 s, 25.0% of its 1.0000 s' in caplog.text


def test_progress_line(caplog):
    caplog.set_level('INFO')
    now, epoch = [100.0], Epoch(0, 25)
    progress = Progress(10, 4, Plan(3), Metrics(), LocalUpdate(), clock=lambda: now[0])
    progress.before_epoch(epoch)
    assert not progress.due(9) and progress.due(10) and progress.due(25)
    progress.after_launch(launched(9, waited=0.5))
    now[0] = 105.0
    progress.after_batch(launched(9))
    assert ('Epoch 1/3 batch 10/25  8.0 chips/s (10% waiting for data)  lr 0.015  RPNAcc 0.5000  MaskLogLoss '
            '(0 samples)  left 0:32' in caplog.text)
    now[0], epoch.done = 166.0, 11
    assert progress.due(11)
    progress.after_launch(launched(10, waited=0.16))
    progress.after_epoch(epoch)
    assert 'Epoch 1/3: 11 batches in 1:06, 0.7 chips/s, 1.0% of the time waiting for data' in caplog.text
    assert duration(3723.4) == '1:02:03' and duration(59.6) == '1:00'


def test_the_time_of_a_line_is_that_of_its_batches(caplog):
    """The next batch is launched before a line: that is not of the line, and the last line has its own time.
    Pauses are none of them."""
    caplog.set_level('INFO')
    now = [0.0]
    progress = Progress(1, 4, Plan(1), Metrics(), LocalUpdate(), clock=lambda: now[0])
    progress.before_epoch(Epoch(0, 3))
    for number in range(3):     # a second for data, one for the network
        now[0] += 1.5
        progress.after_launch(launched(number, waited=1.25))
        if number:
            now[0] += 1
            progress.after_batch(launched(number - 1))
        progress.after_update(launched(number))
        now[0] += 100
        progress.pause(100)
    now[0] += 1
    progress.after_batch(launched(2))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3 and all('  1.6 chips/s (50% waiting for data)' in line for line in lines), lines
