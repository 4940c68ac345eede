"""The learning rate as a function of the update number (warm-up, then steps or a cosine), and the optimiser's other
settings.

Source: reference/pipeline.md section 11, reference/networks.md section 9, reference/m2det.md section 9. Updates are
numbered 1, 2, ... as MXNet's optimisers count them. Weight decay reaches only parameters named `*_weight` and
`*_gamma`, unless TRAIN.WD_ON says otherwise: MXNet gives every other name a multiplier of 0 by itself. Gradients are
summed over devices and workers and not averaged (`rescale_grad` 1), unless TRAIN.LOSS_MEAN 'update' asks for it.
"""
import logging
import math

from configs.checks import lr_epochs
from configs.derived import loss_factor
from lib.distributed.workers import ALONE
from lib.tasks import get_task
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)


def step_updates(epochs, begin_epoch, samples, batch_size):
    """Update numbers after which the rate drops: int((e - begin_epoch) * samples / batch), for e > begin_epoch."""
    return [int((epoch - begin_epoch) * samples / batch_size) for epoch in epochs if epoch > begin_epoch]


class LearningRate:
    """Callable `rate(update) -> float`; passes for an MXNet lr_scheduler (it has `base_lr`).

    base_lr: rate after warm-up; warmup_lr, warmup_updates: for n < warmup_updates the rate is
    warmup_lr + n * (base_lr - warmup_lr) / warmup_updates, with n the update's number, from 0 with warmup_from_lr.
    policy 'step': base_lr * factor ** (number of `steps` that are < u). factor: one a step, or one for all.
    every: above 0, the steps are its multiples, without an end, and `steps` are passed over.
    policy 'cosine': from base_lr after warm-up down to base_lr * final at update `total`.
    loss_factor: what the training graph multiplies its losses by; the rates are divided by it already.
    """

    def __init__(self, base_lr, policy='step', steps=(), factor=0.1, warmup_lr=0.0, warmup_updates=0,
                 total=0, final=0.01, loss_factor=1.0, warmup_from_lr=False, every=0):
        if policy not in ('step', 'cosine'):
            raise SniperError(f"TRAIN.LR_POLICY {policy!r} is unknown: use 'step' or 'cosine'")
        self.base_lr = base_lr
        self.policy = policy
        factors = factor if isinstance(factor, (list, tuple)) else [factor] * len(steps)
        self.drops = [] if every else sorted(zip(steps, factors))
        self.every, self.factor = every, factor
        self.warmup_lr = warmup_lr
        self.warmup_updates = warmup_updates
        self.first = 0 if warmup_from_lr else 1     # number of the first update, as far as warm-up goes
        self.total = total
        self.final = final
        self.loss_factor = loss_factor

    @property
    def steps(self):
        """Update numbers after which the rate drops, ascending; none where it does so without an end (`every`)."""
        return [step for step, _ in self.drops]

    def __call__(self, update):
        warm = update - 1 + self.first
        if warm < self.warmup_updates:
            return self.warmup_lr + warm * (self.base_lr - self.warmup_lr) / self.warmup_updates
        if self.policy == 'cosine':
            return self._cosine(update)
        if self.every:
            return self.base_lr * self.factor ** ((update - 1) // self.every)
        return self.base_lr * math.prod(factor for step, factor in self.drops if update > step)

    def _cosine(self, update):
        done = (update - self.warmup_updates) / max(self.total - self.warmup_updates, 1)
        low = self.base_lr * self.final
        return low + 0.5 * (self.base_lr - low) * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0)))


def learning_rate(config, samples, batch_size):
    """The schedule of a run.

    samples: chips of the first epoch, padded to whole batches; batch_size: chips an update, all devices and workers.
    With fp16 and SGD, base and warm-up rates are divided by TRAIN.scale, because the losses are multiplied by it;
    with LR_SCALING 'linear' both are scaled by batch_size / LR_REFERENCE_BATCH. The configuration is not changed.
    """
    train = config.TRAIN
    factor = loss_factor(train)
    divisor = factor if train.OPTIMIZER == 'sgd' else 1.0
    if train.LR_SCALING == 'linear':
        divisor *= float(train.LR_REFERENCE_BATCH) / batch_size
    if train.lr <= 0:
        raise SniperError(f'TRAIN.lr is {train.lr}: give a positive learning rate, for example `--set TRAIN.lr 0.01`')
    steps, factors = _drops(train, samples, batch_size)
    return LearningRate(
        base_lr=train.lr / divisor, policy=train.LR_POLICY, steps=steps, factor=factors,
        warmup_lr=train.warmup_lr / divisor, warmup_updates=_warmup_updates(train, samples / batch_size),
        warmup_from_lr=train.WARMUP_FROM_LR, loss_factor=factor, final=train.LR_FINAL, every=train.lr_every,
        total=train.end_iteration or int(train.end_epoch * samples / batch_size))


def _drops(train, samples, batch_size):
    """(Update numbers after which the rate drops, one factor for all or one for each)."""
    if train.lr_step_iterations:
        return list(train.lr_step_iterations), train.lr_factor
    epochs, factors = lr_epochs(train.lr_step), train.lr_factor
    if isinstance(factors, list):
        factors = [factor for epoch, factor in zip(epochs, factors) if epoch > train.begin_epoch]
    return step_updates(epochs, train.begin_epoch, samples, batch_size), factors


def _warmup_updates(train, updates_an_epoch):
    if not train.warmup:
        return 0
    return int(train.WARMUP_EPOCHS * updates_an_epoch) if train.WARMUP_EPOCHS > 0 else train.warmup_step


def optimiser_settings(config, schedule, parts=1):
    """Keyword arguments of MXNet's optimiser that TRAIN.OPTIMIZER names. parts: batches of all devices and workers that
    make an update.

    With fp16 the losses carry a factor TRAIN.scale, and float32 master weights are kept. SGD: the rate is divided by it
    (in `schedule`), weight decay and the clipping bound are multiplied by it. Adam (Kingma and Ba 2015), whose steps do
    not grow with the gradients: these are divided by it before they are used.
    """
    train = config.TRAIN
    scale, mean_of = schedule.loss_factor, float(parts) if train.LOSS_MEAN == 'update' else 1.0
    settings = {'learning_rate': schedule.base_lr, 'lr_scheduler': schedule, 'multi_precision': bool(train.fp16)}
    if train.OPTIMIZER == 'adam':
        if train.momentum >= 1:
            raise SniperError(f'TRAIN.momentum is {train.momentum}, but Adam wants less than 1: 0.9 is usual')
        settings.update(beta1=train.momentum, wd=train.wd, rescale_grad=1.0 / (scale * mean_of))
        scale = 1.0
    else:
        settings.update(momentum=train.momentum, wd=train.wd * scale, rescale_grad=1.0 / mean_of)
    return dict(settings, clip_gradient=train.CLIP_GRADIENT * scale if train.CLIP_GRADIENT > 0 else None)


def decayed_parameters(rule, shapes):
    """Names of the parameters, {name: shape}, that weight decay holds for by TRAIN.WD_ON; None for MXNet's own rule."""
    if rule == 'weights':
        return None
    return {name for name, shape in shapes.items() if rule == 'all' or len(shape) > 1}


def init_optimiser(step, config, schedule, workers=ALONE, sync=None):
    """Give an initialised TrainingStep its optimiser. sync: of lib.distributed.gradient_sync; None: a worker alone."""
    train = config.TRAIN
    parts = step.num_devices * workers.count * train.ACCUMULATE
    _warn_of_odd_settings(config, parts, workers)
    if 0 < schedule.total <= schedule.warmup_updates:
        logger.warning('Warm-up lasts %d updates and the whole training %d: the rate never reaches TRAIN.lr %g; lower '
                       '%s', schedule.warmup_updates, schedule.total, train.lr,
                       'TRAIN.WARMUP_EPOCHS' if train.WARMUP_EPOCHS > 0 else 'TRAIN.warmup_step')
    step.init_optimiser(
        train.OPTIMIZER, optimiser_settings(config, schedule, parts),
        config.default.kvstore if workers.alone else None, sync,
        decayed_parameters(train.WD_ON, step.shapes()[0]), train.CLIP_NORM * schedule.loss_factor)


def _warn_of_odd_settings(config, parts, workers):
    if config.default.gradient_compression != 'none' and workers.alone and parts == 1:
        logger.warning('default.gradient_compression has no effect: there is one device, and nobody to send to')
    if config.TRAIN.LR_SCALING == 'linear' and config.TRAIN.LOSS_MEAN == 'device' and parts > 1:
        logger.warning("TRAIN.LR_SCALING 'linear' raises the rate with the number of chips, and with LOSS_MEAN "
                       "'device' the gradients of %d devices are summed too: a step grows with both; "
                       "LR_SCALING is meant for LOSS_MEAN 'update'", parts)
    largest = get_task(config).largest_batch
    if largest and config.TRAIN.LR_SCALING == 'none' and parts * config.TRAIN.BATCH_IMAGES > largest:
        logger.warning('An update has %d chips, and TRAIN.lr %g is meant for %d at most: more are known to cost '
                       'accuracy; lower TRAIN.BATCH_IMAGES, or set TRAIN.LR_SCALING linear and '
                       'TRAIN.LR_REFERENCE_BATCH %d', parts * config.TRAIN.BATCH_IMAGES, config.TRAIN.lr, largest,
                       largest)
