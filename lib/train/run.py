"""A training run from configuration to last checkpoint: puts the parts of lib.train together."""
import logging
import os
import time

from sniper_mxnet import mx

from lib.errors import SniperError
from lib.files import remove_stale_temporaries
from lib.train import checkpoint
from lib.train.devices import host_group
from lib.train.feed import BatchFeeder
from lib.train.fit import FitLoop
from lib.train.initialise import frozen_parameters, init_parameters
from lib.train.metrics import TrainMetrics
from lib.train.optimiser import get_state, init_optimiser, set_state
from lib.train.paths import epoch_tag
from lib.train.progress import Progress, duration
from lib.train.report import config_hash, flat_config
from lib.train.schedule import learning_rate
from lib.train.stopping import StopRequest

logger = logging.getLogger(__name__)

FREE_TO_CHANGE = ('TRAIN.end_epoch', 'TRAIN.NUM_PROCESS', 'TRAIN.PREFETCH', 'gpus')  # no word about these on --resume


def train(config, detector, iterator, classes, prefix, devices, display=100, resume=False):
    """Train until TRAIN.end_epoch; checkpoints are written to `<prefix>-...` every epoch.

    config: complete configuration, NUM_CLASSES settled; detector: symbols.get_detector(config.symbol); iterator:
    TrainIterator for BATCH_IMAGES x devices chips; classes: names for the side file; devices: MXNet contexts.
    Returns the exit status: 0, or 130 / 143 when SIGINT / SIGTERM ended it (saved; `resume` goes on exactly).
    """
    with StopRequest() as stop:
        started = time.monotonic()
        found = _prepare_files(prefix, resume)
        progress_before = found.sidecar if found else {}
        batch_size = config.TRAIN.BATCH_IMAGES * len(devices)
        epoch, batch = _position(progress_before, config, batch_size)
        if epoch >= config.TRAIN.end_epoch:
            logger.info('All %d epochs are trained already: nothing to do', config.TRAIN.end_epoch)
            return 0
        module = bind(config, detector, iterator, devices)
        _load_or_initialise(module, detector, config, prefix, found)
        batches = iterator.start_epoch(epoch, batch)
        samples = progress_before.get('samples', batches * batch_size)
        rate = learning_rate(config, samples, batch_size)
        init_optimiser(module, config, rate)
        if found:
            set_state(module, checkpoint.load_state(prefix, found.tag), '%s-%s.states' % (prefix, found.tag))
        metrics = TrainMetrics(module.output_names)
        metrics.set_state(progress_before.get('metrics', {}) if batch else {})
        saver = Saver(module, config, prefix, metrics, {
            'run': progress_before.get('run') or checkpoint.begin_run(prefix), 'samples': samples,
            'batch_size': batch_size, 'classes': list(classes), 'seed': config.TRAIN.SEED})
        loop = FitLoop(module, iterator, BatchFeeder(iterator.provide_data, iterator.provide_label), metrics,
                       Progress(display, batch_size, config.TRAIN.end_epoch), rate, saver, stop)
        if loop.run(epoch, batch, config.TRAIN.end_epoch, batches):
            logger.info('Trained to epoch %d in %s', config.TRAIN.end_epoch, duration(time.monotonic() - started))
            return 0
        logger.info('Stopped by a signal; go on with --resume')
        return stop.exit_status


def bind(config, detector, iterator, devices):
    """Training graph of the detector, bound to the shapes of the iterator's batches -> mx.mod.Module."""
    symbol = detector.proposal_train_symbol(config) if config.TRAIN.ONLY_PROPOSAL else detector.train_symbol(config)
    data_names, label_names = ([name for name, _ in provide] for provide in
                               (iterator.provide_data, iterator.provide_label))
    inputs = set(data_names) | set(label_names)
    parameters = [name for name in symbol.list_arguments() if name not in inputs]
    module = mx.mod.Module(symbol, data_names=data_names, label_names=label_names, context=devices,
                           group2ctxs=host_group(devices), fixed_param_names=frozen_parameters(config, parameters))
    module.bind(iterator.provide_data, iterator.provide_label, for_training=True)
    return module


class Saver:
    """Writes checkpoints of a module. facts: entries of the side file that stay the same during the run."""

    def __init__(self, module, config, prefix, metrics, facts):
        flat = flat_config(config)
        self.module, self.config, self.prefix, self.metrics = module, config, prefix, metrics
        self.facts = dict(facts, config=flat, config_hash=config_hash(flat))

    def save_epoch(self, epochs_done):
        """The checkpoint after an epoch; it makes an `interrupted` one superfluous."""
        tag = epoch_tag(epochs_done)
        self._save(tag, epochs_done, 0)
        checkpoint.remove(self.prefix, checkpoint.INTERRUPTED)

    def save_interrupted(self, epoch, batch):
        """In the middle of an epoch: `batch` batches of epoch number `epoch` (from 0) are trained."""
        self._save(checkpoint.INTERRUPTED, epoch, batch)

    def _save(self, tag, epoch, batch):
        mx.nd.waitall()
        arg_params, aux_params = self.module.get_params()
        mx.nd.waitall()
        sidecar = dict(self.facts, epoch=epoch, batch=batch, num_update=self.module._optimizer.num_update,
                       metrics=self.metrics.get_state(), saved=time.strftime('%Y-%m-%dT%H:%M:%S'))
        train_keys = self.config.TRAIN
        checkpoint.save(self.prefix, tag, self.module.symbol, arg_params, aux_params, get_state(self.module), sidecar,
                        train_keys.BBOX_MEANS, train_keys.BBOX_STDS)
        logger.info('Saved %s-%s.params', self.prefix, tag)


def _prepare_files(prefix, resume):
    """Clean up the output folder; -> the checkpoint to go on from, or None."""
    folder = os.path.dirname(prefix) or '.'
    os.makedirs(folder, exist_ok=True)
    remove_stale_temporaries(folder)
    newest = checkpoint.find_newest(prefix)
    if not resume:
        if newest:
            logger.warning('%s holds checkpoints of an earlier run: they are overwritten one by one (--resume would '
                           'continue that run)', folder)
        return None
    if newest:
        logger.info('Resuming from %s-%s: %d epochs and %d batches are done', prefix, newest.tag,
                    newest.sidecar['epoch'], newest.sidecar['batch'])
    else:
        logger.info('--resume: there is no checkpoint %s-*, training starts from the beginning', prefix)
    return newest


def _position(sidecar, config, batch_size):
    """Where to go on: (epoch, batch). Says what changed in the configuration since."""
    if not sidecar:
        return 0, 0
    before, now = sidecar.get('config', {}), flat_config(config)
    changed = sorted(key for key in set(before) | set(now)
                     if before.get(key) != now.get(key) and key not in FREE_TO_CHANGE)
    if changed:
        logger.warning('The configuration has changed since the checkpoint: %s',
                       ', '.join('%s %r -> %r' % (key, before.get(key), now.get(key)) for key in changed))
    if sidecar['batch'] and sidecar['batch_size'] != batch_size:
        raise SniperError('the run was interrupted in the middle of an epoch with %d chips a batch, now there are %d: '
                          'resume with the same TRAIN.BATCH_IMAGES and number of gpus'
                          % (sidecar['batch_size'], batch_size))
    return sidecar['epoch'], sidecar['batch']


def _load_or_initialise(module, detector, config, prefix, found):
    if not found:
        init_parameters(module, detector, config)
        return
    arg_params, aux_params = checkpoint.load_params('%s-%s.params' % (prefix, found.tag))
    wanted = dict(module._arg_params, **module._aux_params)
    given = dict(arg_params, **aux_params)
    unfit = [name for name, array in wanted.items() if name not in given or given[name].shape != array.shape]
    if unfit:
        raise SniperError('checkpoint %s-%s.params does not fit the network (%s): resume with the configuration it was '
                          'trained with' % (prefix, found.tag, ', '.join(unfit[:5])))
    module.init_params(None, arg_params={name: arg_params[name] for name in module._arg_params},
                       aux_params={name: aux_params[name] for name in module._aux_params})
