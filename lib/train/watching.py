"""The hooks of a run: what beside training its configuration asks for, put together in the order that they need."""
import contextlib
import os
from typing import Any, Callable, List, NamedTuple, Optional, Tuple, Union

from lib.distributed.workers import Workers
from lib.engine.training import TrainingStep
from lib.train.averaging import make_average
from lib.train.loop import Hook
from lib.train.metrics import TrainMetrics
from lib.train.plan import Plan
from lib.train.progress import Progress
from lib.train.records import MetricsFile, Recorder, Recorders
from lib.train.resume import Position, batches_before
from lib.train.saving import Saver
from lib.train.tensorboard import EventFiles
from lib.train.validation import Kept, Validations, Validator
from lib.utils.progress_bar import ProgressBar
from lib.weights.newest import Checkpoint
from lib.weights.paths import metrics_path, run_ending

TENSORBOARD = 'tensorboard'     # folder of event files, beside the checkpoints


class Run(NamedTuple):
    """A run that is ready to train. facts: entries of side files that stay the same, with the name of the `run`; found:
    the checkpoint that it goes on from, None if it begins; sync, make_room: see lib.train.progress and saving."""
    config: Any
    prefix: str
    step: TrainingStep
    metrics: TrainMetrics
    sync: Any
    facts: dict
    found: Optional[Checkpoint]
    position: Position
    plan: Plan
    workers: Workers
    make_room: Callable[[], None]

    @property
    def before(self) -> dict:
        """Side file of the checkpoint, {} without one."""
        return self.found.sidecar if self.found else {}


class Watched(NamedTuple):
    """When all workers of a run validate, when they stop, how they average and when they keep checkpoints. every:
    TRAIN.VALIDATE_EVERY, 0 without a validator; patience: TRAIN.PATIENCE; decay: TRAIN.EMA; snapshots:
    TRAIN.SNAPSHOT_ITERATIONS."""
    every: Union[int, str]
    patience: int
    decay: float
    snapshots: int

    @classmethod
    def by_first(cls, config, validator: Optional[Validator], workers: Workers) -> 'Watched':
        """As worker 0 has it, which has the validator."""
        return cls(*workers.json_from_first([config.TRAIN.VALIDATE_EVERY if validator else 0, config.TRAIN.PATIENCE,
                                             float(config.TRAIN.EMA), config.TRAIN.SNAPSHOT_ITERATIONS]))


class Stops:
    """Reasons to stop as one: `requested` if one of them has it."""

    def __init__(self, *reasons):
        self._reasons = [reason for reason in reasons if reason]

    @property
    def requested(self) -> bool:
        """Whether training shall stop after the batches under way."""
        return any(reason.requested for reason in self._reasons)


def make_hooks(run: Run, stop, display: int, watched: Watched, validator: Optional[Validator],
               closed: contextlib.ExitStack) -> Tuple[List[Hook], Optional[Validations]]:
    """-> (the hooks of a run, those of them that validate or None). stop: hook that knows of signals; display: batches
    between lines; closed: ends files and the bar when training does."""
    config, first = run.config, run.workers.rank == 0
    recorder = closed.enter_context(Recorders(_recorders(run) if first else []))
    progress = Progress(display, run.facts['batch_size'], run.plan, run.metrics, run.sync,
                        closed.enter_context(ProgressBar(wanted=first)), recorder if first else None)
    average = make_average(watched.decay, run.step, run.prefix, run.found, run.workers)
    saver = Saver(run.step, config, run.prefix, run.metrics, run.facts, run.position, run.plan, run.workers,
                  run.make_room, average)
    validations, state = None, run.before.get('validation')
    if watched.every:
        kept = Kept(run.prefix, saver.facts, saver.box_layer, run.make_room)
        validations = Validations(validator, watched.every, watched.patience, run.step, kept, run.plan,
                                  average, run.workers, recorder, progress.pause, state)
        saver.states['validation'] = validations.get_state
    elif state:
        saver.states['validation'] = lambda: state
    if average:
        saver.states['average'] = average.get_state
    # The average takes in an update before it is validated, and validations know their result before it is saved.
    return [hook for hook in (progress, stop, average, validations, saver) if hook], validations


def _recorders(run: Run) -> List[Recorder]:
    step, name = batches_before(run.before), run.facts['run']
    found: List[Recorder] = [MetricsFile(metrics_path(run.prefix, name), step)]
    if run.config.TRAIN.TENSORBOARD:
        folder, base = os.path.split(run.prefix)
        found.append(EventFiles(os.path.join(folder, TENSORBOARD, base + run_ending(name)), step))
    return found
