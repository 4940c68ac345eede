"""A training run from configuration to last checkpoint: puts the parts of lib.train together."""
import logging
import os
import time
from typing import NamedTuple

from sniper_mxnet import mx

from configs import values_affecting
from lib.utils.clock import duration
from lib.utils.errors import SniperError
from lib.utils.files import remove_stale_temporaries
from lib.tasks import get_task
from lib.weights import checkpoint
from lib.engine.devices import host_group, waiting_for_engine
from lib.distributed.workers import ALONE, LEAVING_SECONDS
from lib.distributed.gradient_sync import compression_settings, make_exchange
from lib.engine.feed import BatchFeeder
from lib.train.loop import FitLoop
from lib.engine.loss_scale import NAME as LOSS_SCALE, LossScale, ScaledUpdate, with_loss_scale
from lib.train.initialise import frozen_parameters, init_parameters
from lib.train.metrics import TrainMetrics
from lib.train.optimiser import get_state, in_other_batches, init_optimiser, set_state, share_state
from lib.weights.paths import epoch_tag
from lib.train.progress import Progress
from lib.train.report import config_hash, flat_config
from lib.train.schedule import learning_rate
from lib.train.signals import SharedStop, StopRequest

logger = logging.getLogger(__name__)


class Position(NamedTuple):
    """Where a run goes on: before batch number `batch` of epoch number `epoch`, both from 0.

    If the epoch was begun with updates of another size, its batches are counted anew from chip `first_chip`, and
    `order_batch` is the size with which it was begun (see TrainIterator.start_epoch).
    """
    epoch: int
    batch: int
    first_chip: int
    order_batch: int

    @property
    def mid_epoch(self):
        return self.batch > 0 or self.first_chip > 0

    @property
    def start_arguments(self):
        """Of an iterator's start_epoch; the last two only where they say something."""
        return (self.epoch, self.batch) + ((self.first_chip, self.order_batch) if self.first_chip else ())


def train(config, detector, iterator, classes, prefix, devices, display=100, resume=False, workers=ALONE):
    """Train until TRAIN.end_epoch; checkpoints are written to `<prefix>-...` every epoch, by worker 0.

    config: complete configuration, NUM_CLASSES settled; detector: symbols.get_detector(config.symbol); iterator:
    TrainIterator for BATCH_IMAGES x devices chips; classes: names for the side file; devices: MXNet contexts;
    workers: lib.distributed.workers.Workers. Only worker 0 needs to have the checkpoint that is resumed.
    Returns the exit status: 0, or 130 / 143 when SIGINT / SIGTERM ended it (saved; `resume` goes on exactly).
    """
    with StopRequest() as own_stop:
        stop = own_stop if workers.alone else SharedStop(own_stop, workers)
        started = time.monotonic()
        found = _find(prefix, resume, workers)
        before = found.sidecar if found else {}
        batch_size = config.TRAIN.BATCH_IMAGES * len(devices) * workers.count
        position = where_to_go_on(before, config, batch_size)
        if position.epoch >= config.TRAIN.end_epoch:
            logger.info('All %d epochs are trained already: nothing to do', config.TRAIN.end_epoch)
            return 0
        module = bind(config, detector, iterator, devices)
        with waiting_for_engine(module, seconds=None if workers.alone else LEAVING_SECONDS):
            _load_or_initialise(module, detector, config, prefix, found, workers)
            batches = iterator.start_epoch(*position.start_arguments)
            samples = before.get('samples', batches * batch_size)
            rate = learning_rate(config, samples, batch_size)
            init_optimiser(module, config, rate, workers)
            exchange = make_exchange(workers, module, config)
            exchange.start()
            if scales_dynamically(config):
                exchange = ScaledUpdate(module, exchange,
                                        LossScale(config.TRAIN.scale, config.TRAIN.LOSS_SCALE_INTERVAL))
                exchange.rule.set_state(before.get('loss_scale', {}))
            if found:
                _restore_state(module, prefix, found, batch_size, workers)
            metrics = TrainMetrics(module.output_names)
            metrics.set_state(before.get('metrics', {}) if position.mid_epoch else {})
            saver = Saver(module, config, prefix, metrics, {
                'run': before.get('run') or (checkpoint.begin_run(prefix) if workers.rank == 0 else ''),
                'samples': samples, 'batch_size': batch_size, 'classes': list(classes), 'seed': config.TRAIN.SEED},
                position, workers,
                exchange.rule if scales_dynamically(config) else None)
            traffic = exchange.bytes_sent + exchange.bytes_received
            loop = FitLoop(module, iterator, BatchFeeder(iterator.provide_data, iterator.provide_label), metrics,
                           Progress(display, batch_size, config.TRAIN.end_epoch, traffic=traffic), rate, saver, stop,
                           exchange, workers)
            if loop.run(position.epoch, position.batch, config.TRAIN.end_epoch, batches):
                logger.info('Trained to epoch %d in %s', config.TRAIN.end_epoch, duration(time.monotonic() - started))
                return 0
            logger.info('Stopped by a signal; go on with --resume')
            return stop.exit_status


def scales_dynamically(config):
    """Whether the factor on the losses changes during training."""
    return bool(config.TRAIN.fp16) and config.TRAIN.LOSS_SCALING == 'dynamic'


def bind(config, detector, iterator, devices):
    """Training graph of the detector, bound to the shapes of the iterator's batches -> mx.mod.Module."""
    symbol = detector.proposal_train_symbol(config) if config.TRAIN.ONLY_PROPOSAL else detector.train_symbol(config)
    data_names, label_names = ([name for name, _ in provide] for provide in
                               (iterator.provide_data, iterator.provide_label))
    states = [LOSS_SCALE] if scales_dynamically(config) else []
    symbol = with_loss_scale(symbol) if states else symbol
    inputs = set(data_names) | set(label_names) | set(states)
    parameters = [name for name in symbol.list_arguments() if name not in inputs]
    module = mx.mod.Module(symbol, data_names=data_names, label_names=label_names, state_names=states, context=devices,
                           group2ctxs=host_group(devices), fixed_param_names=frozen_parameters(config, parameters),
                           compression_params=compression_settings(config))
    module.bind(iterator.provide_data, iterator.provide_label, for_training=True)
    return module


class Saver:
    """Writes checkpoints of a module: worker 0 does, all call it.

    facts: entries of the side file that stay the same during the run; position: where the run went on; loss_scale:
    LossScale, or None.
    """

    def __init__(self, module, config, prefix, metrics, facts, position, workers=ALONE, loss_scale=None):
        flat = flat_config(config)
        self.module, self.config, self.prefix, self.metrics = module, config, prefix, metrics
        self.facts = dict(facts, config=flat, config_hash=config_hash(flat))
        self.position, self.workers, self.loss_scale = position, workers, loss_scale

    def save_epoch(self, epochs_done):
        """The checkpoint after an epoch; it makes an `interrupted` one superfluous."""
        tag = epoch_tag(epochs_done)
        self._save(tag, epochs_done, 0)
        if self.workers.rank == 0:
            checkpoint.remove(self.prefix, checkpoint.INTERRUPTED)

    def save_interrupted(self, epoch, batch):
        """In the middle of an epoch: `batch` batches of epoch number `epoch` (from 0) are trained."""
        position = self.position
        begun_with = position if epoch == position.epoch else Position(epoch, 0, 0, self.facts['batch_size'])
        self._save(checkpoint.INTERRUPTED, epoch, batch, first_chip=begun_with.first_chip,
                   order_batch=begun_with.order_batch)

    def _save(self, tag, epoch, batch, **more):
        with self.workers.waiting():
            mx.nd.waitall()
            arg_params, aux_params = self.module.get_params()
            mx.nd.waitall()
        aux_params = self.workers.mean(aux_params)
        if self.workers.rank == 0:
            self._write(tag, arg_params, aux_params, dict(more, epoch=epoch, batch=batch))
        self.workers.barrier()  # nobody leaves, and makes the launcher end all, while worker 0 writes

    def _write(self, tag, arg_params, aux_params, progress):
        sidecar = dict(self.facts, num_update=self.module._optimizer.num_update, metrics=self.metrics.get_state(),
                       saved=time.strftime('%Y-%m-%dT%H:%M:%S'), **progress)
        if self.loss_scale:
            sidecar['loss_scale'] = self.loss_scale.get_state()
        checkpoint.save(self.prefix, tag, self.module.symbol, arg_params, aux_params, get_state(self.module), sidecar,
                        get_task(self.config).box_layer)
        logger.info('Saved %s-%s.params', self.prefix, tag)


def _find(prefix, resume, workers):
    """The Checkpoint to go on from, or None: worker 0 looks, and tells the others what is in its side file."""
    found = _prepare_files(prefix, resume) if workers.rank == 0 else None
    told = workers.json_from_first(found and list(found))
    return told and checkpoint.Checkpoint(*told)


def _prepare_files(prefix, resume):
    """Clean up the output folder; -> the checkpoint to go on from, or None."""
    folder = os.path.dirname(prefix) or '.'
    os.makedirs(folder, exist_ok=True)
    remove_stale_temporaries(folder)
    newest, broken = checkpoint.find_newest(prefix)
    if not resume:
        if newest:
            logger.warning('%s holds checkpoints of an earlier run: they are overwritten one by one (--resume would '
                           'continue that run)', folder)
        return None
    if newest:
        logger.info('Resuming from %s-%s: %d epochs and %d batches are done', prefix, newest.tag,
                    newest.sidecar['epoch'], newest.sidecar['batch'])
    elif broken:
        raise SniperError(('--resume: no checkpoint {}-* is whole, for {} missing or damaged: put back what is '
                           'missing, '
                          'or start over without --resume, which overwrites them').format(
                          prefix, ', '.join(broken) + (' is' if len(broken) == 1 else ' are')))
    else:
        logger.info('--resume: there is no checkpoint %s-*, training starts from the beginning', prefix)
    return newest


def where_to_go_on(sidecar, config, batch_size):
    """-> Position. Says what changed in the configuration since.

    sidecar: side file of the checkpoint, {} without one; batch_size: chips of an update now.
    """
    if not sidecar:
        return Position(0, 0, 0, batch_size)
    _say_what_changed(sidecar.get('config', {}), config)
    epoch, batch, old = sidecar['epoch'], sidecar['batch'], sidecar['batch_size']
    first_chip, order_batch = sidecar.get('first_chip', 0), sidecar.get('order_batch', old)
    if old == batch_size:
        return Position(epoch, batch, first_chip, order_batch)
    logger.info('An update had %d chips, now it has %d: the schedule goes on at the same share of the training', old,
                batch_size)
    if not batch + first_chip:
        return Position(epoch, 0, 0, batch_size)
    return Position(epoch, 0, first_chip + batch * old, order_batch)


def _say_what_changed(before, config):
    """Warn of the keys that change what training computes. before: {dotted name: value} of the checkpoint."""
    now = values_affecting(config, 'schedule')
    if config.TRAIN.LR_POLICY == 'step':
        del now['TRAIN.end_epoch']  # to train for longer is what --resume is for, and moves no learning rate
    changed = [f'{key} {before.get(key)!r} -> {now[key]!r}' for key in sorted(now) if before.get(key) != now[key]]
    if changed:
        logger.warning('The configuration has changed since the checkpoint: %s', ', '.join(changed))


def _restore_state(module, prefix, found, batch_size, workers):
    """The optimiser's state from worker 0's file."""
    path = f'{prefix}-{found.tag}.states'
    state = share_state(workers, checkpoint.load_state(prefix, found.tag) if workers.rank == 0 else {})
    set_state(module, in_other_batches(state, found.sidecar['batch_size'], batch_size), path)


def _load_or_initialise(module, detector, config, prefix, found, workers):
    if workers.rank:  # worker 0 gives its values to all
        module.init_params(mx.init.Zero())
        return
    if not found:
        init_parameters(module, detector, config)
        return
    arg_params, aux_params = checkpoint.load_params(f'{prefix}-{found.tag}.params')
    wanted = dict(module._arg_params, **module._aux_params)
    given = dict(arg_params, **aux_params)
    unfit = [name for name, array in wanted.items() if name not in given or given[name].shape != array.shape]
    if unfit:
        raise SniperError(('checkpoint {}-{}.params does not fit the network ({}): resume with the configuration it '
                           'was '
                          'trained with').format(prefix, found.tag, ', '.join(unfit[:5])))
    module.init_params(None, arg_params={name: arg_params[name] for name in module._arg_params},
                       aux_params={name: aux_params[name] for name in module._aux_params})
