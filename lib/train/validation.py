"""Validation while training: the best weights are kept, and training stops when they get no better.

Who tests them is not known here: a callable is given the files of some weights. (lib.inference.validate has one.)
"""
import logging
import math
import os
import time
from typing import Any, Callable, Mapping, NamedTuple, Optional, Union

from lib.distributed.workers import ALONE, Workers
from lib.engine.training import TrainingStep
from lib.train.averaging import WeightAverage
from lib.train.loop import Hook, LaunchedBatch
from lib.train.plan import Plan
from lib.train.records import Place, Recorder, Validation, numbers
from lib.utils.clock import duration
from lib.utils.errors import SniperError
from lib.weights import checkpoint
from lib.weights.paths import BEST, VALIDATED

logger = logging.getLogger(__name__)

SHOWN = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'segm.AP', 'mAP')  # of the metrics, in the log


# (prefix, tag) of weights -> `metrics`, numbers by name, nan for what there are no objects for; `metric`, name of the
# one that counts; `images` that were looked at; `unreadable`, of these, which count as without detections
Validator = Callable[[str, str], Any]


class Kept(NamedTuple):
    """How weights are kept. prefix: of the files; facts: entries of side files; box_layer: of the task; make_room:
    called before the first file takes the place of an earlier run's."""
    prefix: str
    facts: Mapping[str, Any]
    box_layer: Any = None
    make_room: Callable[[], None] = lambda: None


class Validations(Hook):
    """Validates every so many batches, and after the last one; all workers call it, worker 0 does it, the others wait.

    validator: of worker 0; it must not change what training depends on. every: batches, or 'epoch'; patience:
    validations without a better one before training stops, 0 for any number. average: whose weights are validated in
    place of those of `step`. recorder: is told. pause(seconds): is told how long training stood still. state:
    `get_state` of the part of the run before.
    """

    def __init__(self, validator: Optional[Validator], every: Union[int, str], patience: int, step: TrainingStep,
                 kept: Kept, plan: Plan, average: Optional[WeightAverage] = None, workers: Workers = ALONE,
                 recorder: Optional[Recorder] = None, pause: Callable[[float], None] = lambda seconds: None,
                 state: Optional[Mapping[str, Any]] = None):
        self.validator, self.every, self.patience = validator, every, patience
        self.step, self.kept, self.plan, self.average, self.workers = step, kept, plan, average, workers
        self.recorder, self.pause = recorder or Recorder(), pause
        self.best, self.since_best = _of_state(state)
        self.error = ''

    def get_state(self) -> dict:
        """For the side file of a checkpoint."""
        return {'best': self.best, 'since_best': self.since_best}

    @property
    def requested(self) -> bool:
        """Whether training shall stop."""
        return bool(self.error) or out_of_patience(self.get_state(), self.patience)

    def before_epoch(self, epoch):
        """Remember it."""
        self.epoch = epoch

    def after_update(self, batch: LaunchedBatch):
        """Validate, where it is due."""
        due = self.epoch.over if isinstance(self.every, str) else batch.step % self.every == 0
        if due or self.plan.ended(self.epoch):
            self._validate(Place(batch.step, self.epoch.number + 1, batch.number + 1, self.epoch.batches))

    def _validate(self, place):
        self.step.wait()    # for training, whose time that is
        started = time.monotonic()
        args, auxs = self.step.parameters()
        auxs = self.workers.mean(auxs)
        if self.average:
            args, auxs = self.average.parameters(args, auxs)
        outcome = self._outcome(place, args, auxs, started) if self.workers.rank == 0 else None
        with self.workers.waiting('the validation by worker 0', seconds=math.inf):  # the launcher sees if it died
            outcome = self.workers.json_from_first(outcome)
        self.best, self.since_best, self.error = outcome['best'], outcome['since_best'], outcome['error']
        self.pause(time.monotonic() - started)

    def _outcome(self, place, args, auxs, started):
        """Test the weights, keep them if they are the best -> get_state, and `error`: what went wrong or ''."""
        kept, where = self.kept, dict(epoch=place.epoch - 1, batch=place.batch, step=place.step)
        facts = dict(kept.facts, **where)
        if self.average:
            facts['average'] = self.average.get_state()
        try:
            checkpoint.save_weights(kept.prefix, VALIDATED, args, auxs, facts, kept.box_layer)
            found = self.validator(kept.prefix, VALIDATED)
        except SniperError as error:
            return dict(self.get_state(), error=str(error))
        value = found.metrics[found.metric]
        better = not math.isnan(value) and (self.best is None or not value <= self.best['value'])
        best = dict(where, metric=found.metric, value=value) if better else self.best
        if better:
            kept.make_room()
            checkpoint.rename_weights(kept.prefix, VALIDATED, BEST, {'validation': dict(
                best, metrics=numbers(found.metrics.items()), images=found.images)})
        else:
            checkpoint.remove(kept.prefix, VALIDATED)
        result = Validation(place, found.metric, found.metrics, found.images, found.unreadable,
                            time.monotonic() - started, better, bool(self.average))
        self._say(result, best)
        self.recorder.validation(result)
        return {'best': best, 'since_best': 0 if better else self.since_best + 1, 'error': ''}

    def _say(self, result, best):
        shown = [name for name in dict.fromkeys((result.metric,) + SHOWN) if name in result.metrics]
        place = dict(result.place._asdict(), epoch=result.place.epoch - 1)
        logger.info('Validation in %s%s: %s; %d images in %s; %s', self.plan.where(place),
                    ' (averaged weights)' if result.averaged else '',
                    '  '.join(f'{name} {_score(result.metrics[name])}' for name in shown), result.images,
                    duration(result.seconds) if result.seconds > 60 else f'{result.seconds:.1f} s',
                    f'the best so far, kept as {os.path.basename(self.kept.prefix)}-{BEST}.params' if result.best
                    else f'the best is {best["value"]:.4f} of {self.plan.where(best)}' if best
                    else 'none was a number so far')
        if result.unreadable:
            logger.warning('%d of the %d images of the validation could not be read and count as without detections',
                           result.unreadable, result.images)


def out_of_patience(state: Optional[Mapping[str, Any]], patience: int) -> bool:
    """Whether a training in this state of its validations has stopped, or shall stop, by TRAIN.PATIENCE."""
    return 0 < patience <= _of_state(state)[1]


def stopped_line(state: Mapping[str, Any], patience: int, plan: Plan) -> str:
    """Why training stopped, and what to do."""
    best, since_best = _of_state(state)
    if best is None:
        return f'Stopped: {since_best} validations gave no number (TRAIN.PATIENCE {patience})'
    return (f'Stopped: {best["metric"]} has not risen for {since_best} validations (TRAIN.PATIENCE {patience}'
            f'). The best weights, {best["metric"]} {best["value"]:.4f} in {plan.where(best)}, are tested by --set '
            'TEST.TEST_EPOCH best; --resume with a higher TRAIN.PATIENCE, or 0, trains on')


def _score(value):
    """With four digits; '-' for that of no object."""
    return '-' if math.isnan(value) else f'{value:.4f}'


def _of_state(state):
    """(`best`, `since_best`) of a state, which may be of a file that somebody has changed."""
    state = state or {}
    best, since_best = state.get('best'), state.get('since_best')
    kinds = {'metric': str, 'value': (int, float), 'epoch': int, 'batch': int, 'step': int}
    usable = isinstance(best, dict) and all(isinstance(best.get(name), kind) for name, kind in kinds.items())
    return best if usable else None, since_best if isinstance(since_best, int) else 0
