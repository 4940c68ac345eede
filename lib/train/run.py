"""A training run from configuration to last checkpoint: puts the parts of lib.train together."""
import contextlib
import logging
import os
import time
from typing import Optional

from configs.derived import chips_of_device
from lib.chips.scale_fit import TrainedSizes
from lib.distributed.gradient_sync import make_gradient_sync
from lib.distributed.workers import ALONE
from lib.tasks import get_task
from lib.train.data_change import settle_length
from lib.train.initialise import initialised_step
from lib.train.loop import Epoch, fit
from lib.train.metrics import TrainMetrics
from lib.train.plan import Plan
from lib.train.resume import batches_before, find_start, load_optimiser
from lib.train.schedule import init_optimiser, learning_rate
from lib.train.signals import SharedStop, StopRequest
from lib.train.validation import Validator, out_of_patience, stopped_line
from lib.train.watching import Run, Stops, Watched, make_hooks
from lib.utils.clock import duration
from lib.utils.errors import SniperError
from lib.utils.processes import peak_memory
from lib.weights.earlier_runs import NewRun
from lib.weights.newest import checkpoint_to_test
from lib.weights.paths import params_path

logger = logging.getLogger(__name__)


def train(config, detector, iterator, classes, prefix, devices, display=100, resume=False, workers=ALONE,
          data=None, seen: Optional[TrainedSizes] = None, validator: Optional[Validator] = None) -> int:
    """Train to the end of the Plan (lib.train.plan), by which worker 0 writes checkpoints to `<prefix>-...`.

    config: complete configuration with NUM_CLASSES; detector: symbols.get_detector(config.symbol); iterator:
    TrainIterator for the chips of an update of all devices; classes: names for the side file; devices: MXNet contexts;
    workers: lib.distributed.workers.Workers; data: lib.train.data_change.training_set_facts, by which a resumed run
    knows its data again; seen: what the network sees of the objects, for the side file; validator: see
    lib.train.validation, of worker 0, None for no validations. Only worker 0 needs to have the checkpoint that is
    resumed.
    Returns the exit status: 0, also where TRAIN.PATIENCE ended it, or 130 / 143 / 129 when SIGINT / SIGTERM / SIGHUP
    did (saved; `resume` goes on exactly). SniperError, saved too, if a validation fails.
    """
    with StopRequest() as own_stop:
        stop = own_stop if workers.alone else SharedStop(own_stop, workers)
        started = time.monotonic()
        batch_size = chips_of_device(config.TRAIN) * len(devices) * workers.count
        found, position = find_start(config, prefix, resume, batch_size, workers)
        before = found.sidecar if found else {}
        watched = Watched.by_first(config, validator, workers)
        plan = Plan.from_config(config, watched.snapshots)
        if _is_done(plan, before, position, watched):
            return 0
        with initialised_step(config, detector, iterator, devices, prefix, classes, found, workers) as step, NewRun(
                prefix, begin=not found and workers.rank == 0) as new_run, contextlib.ExitStack() as closed:
            samples, position, recount = settle_length(before, config, iterator, data, batch_size, position)
            batches = iterator.start_epoch(*position)
            samples = samples or batches * batch_size
            sync = make_gradient_sync(workers, step, config)
            init_optimiser(step, config, learning_rate(config, samples, batch_size), workers, sync)
            sync.start()
            if found:
                load_optimiser(step, prefix, found, recount, workers)
            metrics = TrainMetrics(get_task(config).metrics(), step.output_names,
                                   [name for name, _ in iterator.provide_label])
            metrics.set_state(before.get('metrics', {}) if position.batch or position.first_chip else {})
            facts = {'run': before.get('run', new_run.name), 'samples': samples,
                     'batch_size': batch_size, 'classes': list(classes), 'seed': config.TRAIN.SEED, 'data': data,
                     'seen': seen.facts() if seen else None, 'tells_classes': get_task(config).tells_classes}
            run = Run(config, prefix, step, metrics, sync, facts, found, position, plan, workers,
                      new_run.make_room)
            hooks, validations = make_hooks(run, stop, display, watched, validator, closed)
            first = Epoch(position.epoch, batches, position.batch, batches_before(before) - position.batch)
            if not fit(step, iterator, metrics, hooks, Stops(stop, validations), first, plan):
                return _status_of_stop(stop, validations, watched.patience, plan)
        logger.info('Trained to %s in %s, with at most %.2f GB of main memory', plan.end(),
                    duration(time.monotonic() - started), peak_memory() / 1e9)
        if workers.rank == 0:
            _say_what_to_test(config, prefix)
        return 0


def _is_done(plan, before, position, watched):
    """Whether there is nothing left to train; says why."""
    if plan.reached(position.epoch, batches_before(before)):
        logger.info('%s', plan.nothing_to_do())
        return True
    stopped = bool(watched.every) and out_of_patience(before.get('validation'), watched.patience)
    if stopped:
        logger.info('Nothing to do. %s', stopped_line(before['validation'], watched.patience, plan))
    return stopped


def _say_what_to_test(config, prefix):
    """Where TEST.TEST_EPOCH is a number, and no checkpoint has it."""
    epoch = config.TEST.TEST_EPOCH
    if isinstance(epoch, int) and not os.path.isfile(params_path(prefix, checkpoint_to_test(config, prefix))):
        logger.info('TEST.TEST_EPOCH is %d, of which there is no checkpoint: --set TEST.TEST_EPOCH last tests these '
                    'weights', epoch)


def _status_of_stop(stop, validations, patience, plan):
    """Exit status of a training that was stopped, and saved; SniperError if a validation has failed."""
    if validations and validations.error:
        raise SniperError(f'{validations.error} (in a validation: training is saved up to there; go on with --resume, '
                          'without validations by --set TRAIN.VALIDATE_EVERY 0)')
    if stop.requested:
        logger.info('Stopped by a signal; go on with --resume')
        return stop.exit_status
    logger.info('%s', stopped_line(validations.get_state(), patience, plan))
    return 0
