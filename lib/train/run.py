"""A training run from configuration to last checkpoint: puts the parts of lib.train together."""
import logging
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
from lib.train.progress import Progress
from lib.train.resume import find_start, load_optimiser
from lib.train.saving import Saver
from lib.train.schedule import init_optimiser, learning_rate
from lib.train.signals import SharedStop, StopRequest
from lib.utils.clock import duration
from lib.utils.processes import peak_memory
from lib.weights.earlier_runs import NewRun

logger = logging.getLogger(__name__)


def train(config, detector, iterator, classes, prefix, devices, display=100, resume=False, workers=ALONE,
          data=None, seen: Optional[TrainedSizes] = None) -> int:
    """Train until TRAIN.end_epoch; checkpoints are written to `<prefix>-...` every epoch, by worker 0.

    config: complete configuration with NUM_CLASSES; detector: symbols.get_detector(config.symbol); iterator:
    TrainIterator for the chips of an update of all devices; classes: names for the side file; devices: MXNet contexts;
    workers: lib.distributed.workers.Workers; data: lib.train.data_change.training_set_facts, by which a resumed run
    knows its data again; seen: what the network sees of the objects, for the side file. Only worker 0 needs to have
    the checkpoint that is resumed.
    Returns the exit status: 0, or 130 / 143 / 129 when SIGINT / SIGTERM / SIGHUP ended it (saved; `resume` goes on
    exactly).
    """
    with StopRequest() as own_stop:
        stop = own_stop if workers.alone else SharedStop(own_stop, workers)
        started = time.monotonic()
        batch_size = chips_of_device(config.TRAIN) * len(devices) * workers.count
        found, position = find_start(config, prefix, resume, batch_size, workers)
        before = found.sidecar if found else {}
        if position.epoch >= config.TRAIN.end_epoch:
            logger.info('All %d epochs are trained already: nothing to do (a higher TRAIN.end_epoch trains on)',
                        config.TRAIN.end_epoch)
            return 0
        with initialised_step(config, detector, iterator, devices, prefix, classes, found, workers) as step, NewRun(
                prefix, begin=not found and workers.rank == 0) as new_run:
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
            hooks = [Progress(display, batch_size, config.TRAIN.end_epoch, metrics, sync), stop,
                     Saver(step, config, prefix, metrics, facts, position, workers, new_run.make_room)]
            if not fit(step, iterator, metrics, hooks, stop, Epoch(position.epoch, batches, position.batch),
                       config.TRAIN.end_epoch):
                logger.info('Stopped by a signal; go on with --resume')
                return stop.exit_status
        logger.info('Trained to epoch %d in %s, with at most %.2f GB of main memory', config.TRAIN.end_epoch,
                    duration(time.monotonic() - started), peak_memory() / 1e9)
        return 0
