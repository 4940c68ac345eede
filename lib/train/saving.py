"""The hook that writes a run's checkpoints. (lib.train.resume goes on from them.)"""
import logging
import time
from typing import Any, Callable, Mapping, Optional

from configs import config_hash, flat_config
from lib.distributed.workers import ALONE
from lib.tasks import get_task
from lib.train.averaging import WeightAverage
from lib.train.loop import Epoch, Hook
from lib.train.plan import Plan, iteration_tag
from lib.train.resume import Position
from lib.weights import checkpoint
from lib.weights.paths import INTERRUPTED, epoch_tag

logger = logging.getLogger(__name__)


class Saver(Hook):
    """Writes a checkpoint after every epoch, or at every rest where `plan` has snapshots, at the end, and where one was
    stopped: worker 0 does, all call it.

    facts: entries of the side file that stay the same during the run; position: where the run went on; make_room:
    called before the first files take the place of an earlier run's; average: of which the mean is written beside;
    states: further entries of the side file, {name: what gives it}.
    """

    def __init__(self, step, config, prefix, metrics, facts, position, plan: Plan, workers=ALONE, make_room=None,
                 average: Optional[WeightAverage] = None, states: Optional[Mapping[str, Callable[[], Any]]] = None):
        flat = flat_config(config)
        self.step, self.prefix, self.metrics, self.workers = step, prefix, metrics, workers
        self.box_layer = get_task(config).box_layer
        self.facts = dict(facts, config=flat, config_hash=config_hash(flat))
        self.position, self.plan, self.make_room = position, plan, make_room
        self.saved: Optional[int] = None     # batches that were trained before the last checkpoint
        self.average, self.states = average, dict(states or {})

    def at_rest(self, epoch: Epoch):
        """A checkpoint with the tag of its iteration."""
        self._save(iteration_tag(epoch.step), epoch)

    def after_epoch(self, epoch: Epoch):
        """The last checkpoint, or one with the epoch's tag."""
        if self.plan.ended(epoch):
            self._save(self.plan.last_tag(), epoch)
        elif epoch.over and not self.plan.snapshots:
            self._save(epoch_tag(epoch.number + 1), epoch)

    def after_stop(self, epoch: Epoch):
        """`interrupted`, unless this very batch has a checkpoint."""
        if self.saved != epoch.step:
            self._save(INTERRUPTED, epoch)

    def _save(self, tag, epoch):
        progress = self._progress(epoch)
        arg_params, aux_params = self.step.parameters()
        aux_params = self.workers.mean(aux_params)
        average = self.average.parameters(arg_params, aux_params) if self.average else None
        if self.workers.rank == 0:
            self._write(tag, arg_params, aux_params, average, progress)
            if tag != INTERRUPTED:  # which is superfluous now
                checkpoint.remove(self.prefix, INTERRUPTED)
        self.saved = epoch.step
        self.workers.barrier()  # nobody leaves, and makes the launcher end all, while worker 0 writes

    def _progress(self, epoch):
        """Where a run goes on from here, in words of the side file."""
        if epoch.over:
            return {'epoch': epoch.number + 1, 'batch': 0, 'step': epoch.step}
        begun_with = self.position if epoch.number == self.position.epoch else \
            Position(epoch.number, 0, 0, self.facts['batch_size'])
        return {'epoch': epoch.number, 'batch': epoch.done, 'step': epoch.step, 'first_chip': begun_with.first_chip,
                'order_batch': begun_with.order_batch}

    def _write(self, tag, arg_params, aux_params, average, progress):
        sidecar = dict(self.facts, num_update=self.step.num_update, metrics=self.metrics.get_state(),
                       saved=time.strftime('%Y-%m-%dT%H:%M:%S'), **progress,
                       **{name: state() for name, state in self.states.items()})
        if self.step.loss_scale:
            sidecar['loss_scale'] = self.step.loss_scale.get_state()
        checkpoint.save(self.prefix, tag, self.step.symbol, arg_params, aux_params, self.step.state(), sidecar,
                        self.box_layer, self.make_room, average)
        logger.info('Saved %s-%s.params', self.prefix, tag)
