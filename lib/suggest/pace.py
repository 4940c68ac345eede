"""How fast this machine trains: the training itself, for some seconds, on the data and the settings that are meant."""
import math
import time
from typing import NamedTuple, Sequence

from lib.distributed.workers import ALONE
from lib.engine.devices import contexts
from lib.engine.memory_need import least_need
from lib.iterators import TrainIterator
from lib.tasks import get_task
from lib.train.initialise import init_parameters, make_step
from lib.train.metrics import TrainMetrics
from lib.train.schedule import init_optimiser, learning_rate
from symbols import get_detector

WARM_UP = 2              # batches that are not timed: memory is laid out in them
LONGEST = 3              # times the seconds that were asked for, if batches are slow
USED_OF_TIME = 0.92      # of a training is spent on batches; the rest begins epochs and saves
LEAST_OF_MEMORY = 2.0    # times that a training takes of what it needs at the very least
BUSY = 0.7               # cores, below which something else had the machine
LEAST_CORES = 0.05       # that say anything about a whole one
SETTLED = 30             # epochs from which on more teach little, unless they have few chips:
SETTLED_CHIPS = 48000    # that a network wants to see at least, however few pictures there are
FEW_EPOCHS = 4           # below which a part of an epoch matters


class Moment(NamedTuple):
    """Seconds on the wall's clock, and of all cores that this process had."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> 'Moment':
        """This one."""
        return cls(time.monotonic(), time.process_time())


class Pace(NamedTuple):
    """rate: chips a second; chips: of an epoch; cores: that the training had meanwhile, 0.4 on a busy machine."""

    rate: float
    chips: int
    cores: float

    @property
    def busy(self) -> bool:
        """Whether something else had the machine while it was measured."""
        return self.cores < BUSY

    @property
    def usual_rate(self) -> float:
        """Chips a second, on a busy machine as if training had one core for itself."""
        return self.rate / max(self.cores, LEAST_CORES) if self.busy else self.rate


class Schedule(NamedTuple):
    """epochs; batches: an epoch at most, 0 = all; seconds: that they take, as far as was measured."""

    epochs: int
    batches: int
    seconds: float


def fitting_batch(config, memory: float) -> int:
    """TRAIN.BATCH_IMAGES of the configuration, or half of it as often as `memory` bytes want, 1 at least."""
    task, batch = get_task(config), config.TRAIN.BATCH_IMAGES
    symbol = get_detector(config.symbol).symbol(config, task.train_graph)
    while batch > 1:
        data, labels = task.layout(batch)
        if LEAST_OF_MEMORY * least_need(symbol, dict(data + labels), True, config.TRAIN.fp16).total <= memory:
            break
        batch //= 2
    return batch


def measured_pace(config, roidb, seconds: float, classes: Sequence[str] = ()) -> Pace:
    """Train for about `seconds`, two batches at least; nothing is kept.

    config: with NUM_CLASSES; roidb, classes: of lib.dataset.load_training_roidb.
    """
    devices, detector = contexts(config), get_detector(config.symbol)
    chips = config.TRAIN.BATCH_IMAGES * config.TRAIN.ACCUMULATE * len(devices)
    with TrainIterator(roidb, config, chips) as iterator, make_step(config, detector, iterator, devices) as step:
        init_parameters(step, detector, config, classes)
        batches = iterator.start_epoch(0)
        init_optimiser(step, config, learning_rate(config, batches * chips, chips), ALONE)
        needed = TrainMetrics(get_task(config).metrics(), step.output_names,
                              [name for name, _ in iterator.provide_label]).needed_outputs
        count, began = 0, Moment.now()
        start = began
        for number, batch in enumerate(iterator):
            step.forward_backward(batch, needed)
            step.update()
            step.wait()
            count, now = count + 1, Moment.now()
            if now.wall - start.wall >= seconds or now.wall - began.wall >= LONGEST * seconds:
                break
            if number + 1 == WARM_UP and batches > WARM_UP:
                count, start = 0, now
        spent = now.wall - start.wall
        return Pace(count * chips / spent, batches * chips, (now.processor - start.processor) / spent)


def settled(chips: int) -> int:
    """Epochs of so many chips from which on more teach little."""
    return max(SETTLED, math.ceil(SETTLED_CHIPS / max(chips, 1)))


def schedule(pace: Pace, minutes: float, batch: int) -> Schedule:
    """Epochs for the time that there is, `settled` at most; parts of epochs where whole ones are few."""
    chips = max(batch, int(USED_OF_TIME * 60 * minutes * pace.usual_rate))
    possible = chips / pace.chips
    if possible >= FEW_EPOCHS:
        epochs, batches = min(int(possible), settled(pace.chips)), 0
        chips = epochs * pace.chips
    else:
        epochs = math.ceil(possible)
        batches = max(1, int(chips / epochs / batch))
        chips = epochs * batches * batch
    return Schedule(epochs, batches, chips / pace.usual_rate / USED_OF_TIME)
