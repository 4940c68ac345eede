"""Checks of a whole configuration: keys that must agree, and numbers in their ranges.

Keys of one family of detectors are checked by its task; lib.tasks.check_config does both.
"""
from typing import List

from easydict import EasyDict

from configs.defaults import KEYS
from configs.keys import declared_keys, plain_value, value_of
from configs.scales import check_scales
from configs.schema import PATH, PATHS, PROCESSES, ConfigError, Limits

PURPOSES = ('train', 'test', 'demo')
SMALLEST_SLICE = 32  # pixels of the network's input


def check_supported(config: EasyDict, purpose: str) -> None:
    """Raise ConfigError if keys of `config` contradict each other, or a number is out of its range.

    purpose: 'train', 'test' or 'demo'; what the purpose does not use is not looked at.
    """
    if purpose not in PURPOSES:
        raise ValueError(f'purpose {purpose!r} is none of {PURPOSES}')
    _check_limits(config, 'TEST' if purpose == 'train' else 'TRAIN')
    _check_network(config)
    if purpose == 'train':
        _check_train(config)
    else:
        _check_test(config)


def lr_epochs(text: str) -> List[float]:
    """TRAIN.lr_step '4,5.5' -> [4.0, 5.5]; '' -> []. Raises ConfigError for anything else."""
    try:
        epochs = [float(part) for part in text.split(',')] if text.strip() else []
    except ValueError:
        raise ConfigError(f"TRAIN.lr_step is {text!r}; it wants epochs joined by ',', such as '4,5.33'") from None
    if any(not 0 <= epoch < float('inf') for epoch in epochs):
        raise ConfigError(f'TRAIN.lr_step is {text!r}; epochs count from 0')
    return epochs


def _require(condition, message, *values):
    if not condition:
        raise ConfigError(message % values)


def _check_limits(config, unused_section):
    """Numbers are within what their keys declare, and folders have names where there is no other meaning."""
    for name, declared in declared_keys().items():
        _require(declared.kind not in (PATH, PATHS) or not declared.default or value_of(config, name),
                 "%s is ''; name a folder, '.' for the one that the program runs in", name)
        if declared.limits == Limits() or name.startswith(unused_section + '.'):
            continue
        value = plain_value(value_of(config, name))
        numbers = value if isinstance(value, list) else [value]
        _require(all(isinstance(number, str) or declared.limits.allow(number) for number in numbers),
                 '%s is %s; %s must be %s%s', name, value, 'all' if isinstance(value, list) else 'it', declared.limits,
                 ", or 'auto'" if declared.kind is PROCESSES else '')


def _check_network(config):
    network = config.network
    _require(config.symbol, "symbol is ''; name a network in the configuration file, such as symbol: sniper_tiny")
    _require(0 <= network.BN_MOMENTUM < 1, 'network.BN_MOMENTUM is %s; it must be in [0, 1)', network.BN_MOMENTUM)
    classes = config.dataset.NUM_CLASSES
    _require(classes == 0 or classes >= 2,
             'dataset.NUM_CLASSES is %d; it counts the background too, so 2 or more, or 0 = as the data set has',
             classes)


def _check_train(config):
    train = config.TRAIN
    _check_exchange(config)
    _check_scales('TRAIN', train)
    _require(train.SAMPLER != 'chips' or train.CHIP_STRIDES and min(train.CHIP_STRIDES) > 0 and
             max(train.CHIP_STRIDES) < train.CHIP_SIZE,
             'TRAIN.CHIP_STRIDES is %s; it wants strides from 1 to below TRAIN.CHIP_SIZE, %d',
             train.CHIP_STRIDES, train.CHIP_SIZE)
    _require(len(train.NEG_CHIP_MIN_ROWS) == 2,
             'TRAIN.NEG_CHIP_MIN_ROWS is %s; it wants two numbers: of the finest scale and of the others',
             train.NEG_CHIP_MIN_ROWS)
    _check_scale_weights(train)
    _check_length(train)
    _check_every(train)
    steps, factors = train.lr_step_iterations or lr_epochs(train.lr_step), train.lr_factor
    name, unit = ('_iterations', 'iterations') if train.lr_step_iterations else ('', 'epochs')
    _require(not isinstance(factors, list) or len(factors) == len(steps), 'TRAIN.lr_factor is %s, but TRAIN.lr_step%s '
             'has %d %s; give one factor for each, or one number for all', factors, name, len(steps), unit)


def _check_length(train):
    """A schedule counts in epochs or in iterations."""
    end, steps, by_epochs = train.end_iteration, train.lr_step_iterations, lr_epochs(train.lr_step)
    _require(not (end and train.end_epoch), 'TRAIN.end_iteration is %s and TRAIN.end_epoch %s, but a training has one '
             'end; set one of them to 0', end, train.end_epoch)
    _require(not (steps and by_epochs), "TRAIN.lr_step_iterations is %s and TRAIN.lr_step '%s', but steps count in one "
             "of the two; set the first to [] or the second to ''", steps, train.lr_step)
    _require(end or not steps, 'TRAIN.lr_step_iterations is %s, but training ends by TRAIN.end_epoch; set '
             'TRAIN.end_iteration and end_epoch 0, or give the steps in epochs, by TRAIN.lr_step', steps)
    _require(not (end and by_epochs and train.LR_POLICY == 'step'), "TRAIN.lr_step is '%s', in epochs, but training "
             "ends by TRAIN.end_iteration; set lr_step to '' and give the steps by TRAIN.lr_step_iterations",
             train.lr_step)
    _require(all(before < after for before, after in zip(steps, steps[1:])),
             'TRAIN.lr_step_iterations is %s; its numbers must ascend', steps)
    _require(not steps or steps[-1] < end, 'TRAIN.lr_step_iterations is %s; all must be below TRAIN.end_iteration, %s, '
             'where training ends', steps, end)


def _check_every(train):
    """TRAIN.lr_every is a schedule of its own."""
    if not train.lr_every:
        return
    for name, value, unset in (('lr_step', train.lr_step, "''"),
                               ('lr_step_iterations', train.lr_step_iterations, '[]')):
        _require(not value, 'TRAIN.lr_every is %d and TRAIN.%s %s, but the rate falls by one of the two; set lr_every '
                 'to 0 or %s to %s', train.lr_every, name, value, name, unset)
    _require(train.LR_POLICY == 'step', "TRAIN.lr_every is %d, but TRAIN.LR_POLICY '%s' falls by itself; set lr_every "
             "to 0 or LR_POLICY to 'step'", train.lr_every, train.LR_POLICY)
    _require(not isinstance(train.lr_factor, list), 'TRAIN.lr_factor is %s, but with TRAIN.lr_every it is one number, '
             'such as 0.95', train.lr_factor)


def _check_scale_weights(train):
    weights = train.SCALE_WEIGHTS
    _require(len(weights) in (0, len(train.SCALES)), 'TRAIN.SCALE_WEIGHTS has %d entries, but TRAIN.SCALES has %d; '
             'give one weight a scale, or [] for none', len(weights), len(train.SCALES))
    _require(not weights or train.SAMPLER == 'chips', "TRAIN.SCALE_WEIGHTS is %s, which is of chips, but TRAIN.SAMPLER "
             "is '%s', whose windows have one scale; set the weights to []", weights, train.SAMPLER)


def _check_exchange(config):
    """Where gradients are summed, and what goes with it."""
    default = config.default
    _require(config.TRAIN.LOSS_SCALING == 'static' or not default.kvstore.startswith('dist'), 'TRAIN.LOSS_SCALING is '
             "'dynamic', which workers of default.kvstore %r do not agree about; use 'static'", default.kvstore)
    if default.kvstore == 'dist_async':
        _require(not config.TRAIN.SNAPSHOT_ITERATIONS, 'TRAIN.SNAPSHOT_ITERATIONS is %s, but the workers of '
                 "default.kvstore 'dist_async' are at different iterations; set it to 0, or use 'dist_sync'",
                 config.TRAIN.SNAPSHOT_ITERATIONS)
        _require(not config.TRAIN.fp16, "TRAIN.fp16 is True, but the workers of default.kvstore 'dist_async' send "
                 "changes of weights, which half precision would swallow; use 'dist_sync' or 'dist_device_sync'")
    if default.gradient_compression == 'none':
        return
    _require(default.kvstore in ('device', 'dist_sync', 'dist_device_sync'),
             "default.gradient_compression is %r, which default.kvstore %r does not have; use 'device', 'dist_sync' or "
             "'dist_device_sync', or set it to 'none'", default.gradient_compression, default.kvstore)
    _require(not config.TRAIN.fp16, 'default.gradient_compression is %r, which MXNet has for single precision only; '
             "set TRAIN.fp16 False, or gradient_compression to 'none'", default.gradient_compression)


def _check_test(config):
    test = config.TEST
    scales = _check_scales('TEST', test)
    for name in [name for name, declared in KEYS['TEST'].items() if declared.per_scale and name != 'VALID_RANGES']:
        _require(len(test[name]) == scales, 'TEST.%s has %d entries, but TEST.SCALES has %d; give one entry a scale',
                 name, len(test[name]), scales)
    _check_slices(test)
    _require(test.NMS > 0 or test.NMS_SIGMA > 0 or test.NMS_METHOD in ('hard', 'linear'),
             'TEST.NMS, %s, and TEST.NMS_SIGMA, %s, are both off; set one above 0', test.NMS, test.NMS_SIGMA)
    _require(test.NMS_METHOD != 'gaussian' or test.NMS_SIGMA > 0,
             "TEST.NMS_METHOD is 'gaussian', but TEST.NMS_SIGMA is %s: 0.5 is usual", test.NMS_SIGMA)
    _check_engine(test)


def _check_engine(test):
    """MXNet runs its own files, the others run those of scripts/export_onnx.py."""
    _require(not (test.ONNX and test.ENGINE == 'mxnet'), 'TEST.ONNX is %s, but TEST.ENGINE is mxnet, which runs no '
             'such files: leave one of them out', test.ONNX)
    _require(not (test.OPTIMIZED and (test.ONNX or test.ENGINE not in ('', 'mxnet'))), 'TEST.OPTIMIZED %s is a network '
             'for MXNet, but TEST.%s: leave one of them out', test.OPTIMIZED,
             f'ONNX is {test.ONNX}' if test.ONNX else f'ENGINE is {test.ENGINE}')


def _check_slices(test):
    """A scale that runs on slices: none that are smaller than anything found in them, and on nothing else."""
    for side, pruning in zip(test.SLICES, test.DO_PRUNING):
        _require(side == 0 or side >= SMALLEST_SLICE, 'TEST.SLICES is %s; a slice has %d pixels or more, and 0 is for '
                 'whole images', test.SLICES, SMALLEST_SLICE)
        _require(not (side and pruning), 'TEST.SLICES is %s and TEST.DO_PRUNING is %s: a scale runs on slices or on '
                 'FocusChips; set one of the two entries to 0 or False', test.SLICES, test.DO_PRUNING)
    _require(not (any(test.SLICES) and test.EXTRACT_PROPOSALS), 'TEST.SLICES is %s, but proposals are made on whole '
             'images: set it to %s', test.SLICES, [0] * len(test.SLICES))


def _check_scales(section, values):
    """Number of scales; raises ConfigError if there is none, or not one valid range a scale."""
    scales = len(values.SCALES)
    _require(scales > 0, '%s.SCALES is empty; give one scale at least', section)
    for name in ('VALID_RANGES', 'CHIP_RANGES'):
        if name == 'VALID_RANGES' or values.get(name):
            _check_ranges(section, name, values[name], scales)
            if values.get('VALID_RANGES_IN') == 'chip':
                _check_shares(section, name, values[name])
            else:
                _check_pixels(section, name, values[name])
    check_scales(section, values.SCALES)
    return scales


def _check_shares(section, name, ranges):
    for low, high in ranges:
        _require(0 < low < 1 and 0 < high < 1, "%s.%s has the entry %s, but with %s.VALID_RANGES_IN 'chip' both "
                 "numbers are shares of the chip's side, between 0 and 1: (0.1, 0.5) for example; for pixels of the "
                 "original, set VALID_RANGES_IN to 'image'", section, name, (low, high), section)


def _check_pixels(section, name, ranges):
    for low, high in ranges:
        _require(not 0 < high < 1, '%s.%s has the entry %s, but these are sides in pixels, and no object is below one: '
                 "(32, 150) for example%s", section, name, (low, high), "; for shares of the chip's side, set "
                 "TRAIN.VALID_RANGES_IN to 'chip'" if section == 'TRAIN' else '')


def _check_ranges(section, name, ranges, scales):
    _require(scales == len(ranges), '%s.SCALES has %d entries, but %s.%s has %d; give one range a scale',
             section, scales, section, name, len(ranges))
    for low, high in ranges:
        _require(high == -1 or low < high, '%s.%s has the entry %s; the second number must be above the first, or -1 '
                 'for no limit', section, name, (low, high))
