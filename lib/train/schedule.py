"""The learning rate as a function of the update number (warm-up, then steps or a cosine), and SGD's other settings.

Source: reference/pipeline.md section 11, reference/networks.md section 9. Updates are numbered 1, 2, ... as MXNet's
optimisers count them. Weight decay reaches only parameters named `*_weight` and `*_gamma`: MXNet gives every other name
a multiplier of 0 by itself. Gradients are summed over devices and workers and not averaged (`rescale_grad` 1), unless
TRAIN.LOSS_MEAN 'update' asks for it.
"""
import logging
import math

from configs.checks import lr_epochs
from configs.derived import loss_factor
from lib.distributed.workers import ALONE
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)


def step_updates(epochs, begin_epoch, samples, batch_size):
    """Update numbers after which the rate drops: int((e - begin_epoch) * samples / batch), for e > begin_epoch."""
    return [int((epoch - begin_epoch) * samples / batch_size) for epoch in epochs if epoch > begin_epoch]


class LearningRate:
    """Callable `rate(update) -> float`; passes for an MXNet lr_scheduler (it has `base_lr`).

    base_lr: rate after warm-up; warmup_lr, warmup_updates: for u < warmup_updates the rate is
    warmup_lr + u * (base_lr - warmup_lr) / warmup_updates.
    policy 'step': base_lr * factor ** (number of `steps` that are < u).
    policy 'cosine': from base_lr after warm-up down to base_lr * final at update `total`.
    loss_factor: what the training graph multiplies its losses by; the rates are divided by it already.
    """

    def __init__(self, base_lr, policy='step', steps=(), factor=0.1, warmup_lr=0.0, warmup_updates=0,
                 total=0, final=0.01, loss_factor=1.0):
        if policy not in ('step', 'cosine'):
            raise SniperError(f"TRAIN.LR_POLICY {policy!r} is unknown: use 'step' or 'cosine'")
        self.base_lr = base_lr
        self.policy = policy
        self.steps = sorted(steps)
        self.factor = factor
        self.warmup_lr = warmup_lr
        self.warmup_updates = warmup_updates
        self.total = total
        self.final = final
        self.loss_factor = loss_factor

    def __call__(self, update):
        if update < self.warmup_updates:
            return self.warmup_lr + update * (self.base_lr - self.warmup_lr) / self.warmup_updates
        if self.policy == 'cosine':
            return self._cosine(update)
        return self.base_lr * self.factor ** sum(update > step for step in self.steps)

    def _cosine(self, update):
        done = (update - self.warmup_updates) / max(self.total - self.warmup_updates, 1)
        low = self.base_lr * self.final
        return low + 0.5 * (self.base_lr - low) * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0)))


def learning_rate(config, samples, batch_size):
    """The schedule of a run.

    samples: chips of the first epoch, padded to whole batches; batch_size: chips an update, all devices and workers.
    With fp16, base and warm-up rates are divided by TRAIN.scale, because the losses are multiplied by it;
    with LR_SCALING 'linear' both are scaled by batch_size / LR_REFERENCE_BATCH. The configuration is not changed.
    """
    train = config.TRAIN
    factor = loss_factor(train)
    divisor = factor
    if train.LR_SCALING == 'linear':
        divisor *= float(train.LR_REFERENCE_BATCH) / batch_size
    if train.lr <= 0:
        raise SniperError(f'TRAIN.lr is {train.lr}: give a positive learning rate, for example `--set TRAIN.lr 0.01`')
    return LearningRate(
        base_lr=train.lr / divisor, policy=train.LR_POLICY,
        steps=step_updates(lr_epochs(train.lr_step), train.begin_epoch, samples, batch_size),
        factor=train.lr_factor, warmup_lr=train.warmup_lr / divisor,
        warmup_updates=train.warmup_step if train.warmup else 0,
        total=int(train.end_epoch * samples / batch_size), final=train.LR_FINAL, loss_factor=factor)


def sgd_settings(config, schedule, parts=1):
    """Keyword arguments of MXNet's SGD. parts: devices of all workers, over which the chips of an update are split.

    With fp16 the losses carry a factor TRAIN.scale: the rate is divided by it (in `schedule`), weight decay and
    the clipping bound are multiplied by it, and float32 master weights are kept.
    """
    train = config.TRAIN
    scale = schedule.loss_factor
    return {
        'momentum': train.momentum,
        'wd': train.wd * scale,
        'learning_rate': schedule.base_lr,
        'lr_scheduler': schedule,
        'rescale_grad': 1.0 / parts if train.LOSS_MEAN == 'update' else 1.0,
        'clip_gradient': train.CLIP_GRADIENT * scale if train.CLIP_GRADIENT > 0 else None,
        'multi_precision': bool(train.fp16),
    }


def init_optimiser(step, config, schedule, workers=ALONE, sync=None):
    """Give an initialised TrainingStep its SGD. sync: of lib.distributed.gradient_sync, None for a worker alone."""
    parts = step.num_devices * workers.count
    _warn_of_odd_settings(config, parts, workers)
    step.init_optimiser(sgd_settings(config, schedule, parts), config.default.kvstore if workers.alone else None, sync)


def _warn_of_odd_settings(config, parts, workers):
    if config.default.gradient_compression != 'none' and workers.alone and parts == 1:
        logger.warning('default.gradient_compression has no effect: there is one device, and nobody to send to')
    if config.TRAIN.LR_SCALING == 'linear' and config.TRAIN.LOSS_MEAN == 'device' and parts > 1:
        logger.warning("TRAIN.LR_SCALING 'linear' raises the rate with the number of chips, and with LOSS_MEAN "
                       "'device' the gradients of %d devices are summed too: a step grows with both; "
                       "LR_SCALING is meant for LOSS_MEAN 'update'", parts)
