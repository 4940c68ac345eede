"""Checks of a whole configuration: keys that must agree, and numbers in their ranges."""
from configs.defaults import KEYS
from configs.derived import focus_sizes
from configs.schema import ConfigError

SHORTEST_POLYGON = 9     # numbers that a triangle takes: class, number of rings, length, six coordinates
PURPOSES = ('train', 'test', 'demo')


def check_supported(config, purpose):
    """Raise ConfigError if `config` contradicts itself.

    purpose: 'train', 'test' or 'demo'; what the purpose does not use is not looked at.
    """
    if purpose not in PURPOSES:
        raise ValueError(f'purpose {purpose!r} is none of {PURPOSES}')
    validate(config, purpose)


def validate(config, purpose='train'):
    """Raise ConfigError if keys of `config` contradict each other, or a number is out of its range."""
    _check_network(config)
    if purpose == 'train':
        _check_train(config)
    else:
        _check_test(config)


def lr_epochs(text):
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


def _at_least(config, section, low, names):
    for name in names.split():
        value = config[section][name]
        _require(value >= low, '%s.%s is %s; it must be %s or more', section, name, value, low)


def _check_network(config):
    network = config.network
    _require(config.symbol, "symbol is ''; name a network in the configuration file, such as symbol: sniper_tiny")
    ratios, scales = len(network.ANCHOR_RATIOS), len(network.ANCHOR_SCALES)
    _require(network.NUM_ANCHORS == ratios * scales,
             'network.NUM_ANCHORS is %d, but %d ANCHOR_RATIOS x %d ANCHOR_SCALES make %d; set it to %d',
             network.NUM_ANCHORS, ratios, scales, ratios * scales, ratios * scales)
    _require(network.NUM_ANCHORS > 0 and min(network.ANCHOR_RATIOS + network.ANCHOR_SCALES) > 0,
             'network.ANCHOR_RATIOS and ANCHOR_SCALES must not be empty and must be above 0')
    _require(network.RPN_FEAT_STRIDE > 0, 'network.RPN_FEAT_STRIDE is %d; it must be 1 or more',
             network.RPN_FEAT_STRIDE)
    _require(0 <= network.BN_MOMENTUM < 1, 'network.BN_MOMENTUM is %s; it must be in [0, 1)', network.BN_MOMENTUM)
    classes = config.dataset.NUM_CLASSES
    _require(classes == 0 or classes >= 2,
             'dataset.NUM_CLASSES is %d; it counts the background too, so 2 or more, or 0 = as the data set has',
             classes)


def _check_proposals(config, section):
    """Limits of a section's proposals, as the operators take them."""
    values = config[section]
    _require(values.RPN_PRE_NMS_TOP_N == -1 or values.RPN_PRE_NMS_TOP_N >= 1,
             '%s.RPN_PRE_NMS_TOP_N is %d; it must be 1 or more, or -1 for all', section, values.RPN_PRE_NMS_TOP_N)
    _at_least(config, section, 1, 'RPN_POST_NMS_TOP_N')
    _at_least(config, section, 0, 'RPN_MIN_SIZE')
    _require(0 <= values.RPN_NMS_THRESH <= 1, '%s.RPN_NMS_THRESH is %s; it must be from 0 to 1', section,
             values.RPN_NMS_THRESH)


def _check_train(config):
    train = config.TRAIN
    _check_proposals(config, 'TRAIN')
    _require(0 <= train.RPN_FG_FRACTION <= 1, 'TRAIN.RPN_FG_FRACTION is %s; it must be from 0 to 1',
             train.RPN_FG_FRACTION)
    _at_least(config, 'TRAIN', 1, 'BATCH_IMAGES CHIP_SIZE MIN_OBJECT_SIDE MAX_GT RPN_BATCH_SIZE '
                                  'BBOX_LOSS_ROIS LR_REFERENCE_BATCH LOSS_SCALE_INTERVAL')
    _at_least(config, 'TRAIN', 0, 'BBOX_LOSS_IMAGES begin_epoch end_epoch MAX_BATCHES SEED lr warmup_lr warmup_step '
                                  'wd CLIP_GRADIENT COLOR_JITTER NEG_CHIPS_PER_IMAGE')
    _check_exchange(config)
    _check_processes('TRAIN.NUM_PROCESS', train.NUM_PROCESS)
    _require(train.PREFETCH == 'auto' or train.PREFETCH >= 1, "TRAIN.PREFETCH is %s; it must be 1 or more, or 'auto'",
             train.PREFETCH)
    _check_scales('TRAIN', train)
    _require(train.CHIP_SIZE % config.network.RPN_FEAT_STRIDE == 0,
             'TRAIN.CHIP_SIZE is %d; it must be a multiple of network.RPN_FEAT_STRIDE, %d',
             train.CHIP_SIZE, config.network.RPN_FEAT_STRIDE)
    _require(train.CHIP_STRIDES and min(train.CHIP_STRIDES) > 0 and max(train.CHIP_STRIDES) < train.CHIP_SIZE,
             'TRAIN.CHIP_STRIDES is %s; it wants strides from 1 to below TRAIN.CHIP_SIZE, %d',
             train.CHIP_STRIDES, train.CHIP_SIZE)
    _require(len(train.NEG_CHIP_MIN_ROWS) == 2 and min(train.NEG_CHIP_MIN_ROWS) >= 0,
             'TRAIN.NEG_CHIP_MIN_ROWS is %s; it wants two numbers from 0: of the finest scale and of the others',
             train.NEG_CHIP_MIN_ROWS)
    _require(train.RPN_NEGATIVE_OVERLAP <= train.RPN_POSITIVE_OVERLAP,
             'TRAIN.RPN_NEGATIVE_OVERLAP, %s, is above RPN_POSITIVE_OVERLAP, %s',
             train.RPN_NEGATIVE_OVERLAP, train.RPN_POSITIVE_OVERLAP)
    for name in ('BBOX_MEANS', 'BBOX_STDS'):
        _require(len(train[name]) == 4, 'TRAIN.%s has %d numbers; it wants 4: dx, dy, dw, dh', name, len(train[name]))
    _require(min(train.BBOX_STDS) > 0, 'TRAIN.BBOX_STDS is %s; all must be above 0', train.BBOX_STDS)
    lr_epochs(train.lr_step)
    if train.WITH_MASK and not train.ONLY_PROPOSAL:
        _at_least(config, 'TRAIN', 1, 'MAX_MASKS')
        _at_least(config, 'TRAIN', SHORTEST_POLYGON, 'MAX_POLYGON_LEN')
    if train.AUTO_FOCUS and not train.ONLY_PROPOSAL:
        # From 0: what lies outside a chip is clipped to side 0 on its border, and is to be ignored there.
        low, small, high = focus_sizes(train)
        _require(0 <= low < small <= high,
                 'TRAIN.AUTO_FOCUS_DC_LOW, _SMALL_THRESH and _DC_HIGH are %s, %s and %s; AutoFocus wants '
                 '0 <= low < small <= high', low, small, high)


def _check_exchange(config):
    """Where gradients are summed, and what goes with it."""
    default = config.default
    _require(config.TRAIN.LOSS_SCALING == 'static' or not default.kvstore.startswith('dist'), 'TRAIN.LOSS_SCALING is '
             "'dynamic', which workers of default.kvstore %r do not agree about; use 'static'", default.kvstore)
    _require(default.worker_timeout > 0, 'default.worker_timeout is %s; it must be above 0', default.worker_timeout)
    if default.kvstore == 'dist_async':
        _require(not config.TRAIN.fp16, "TRAIN.fp16 is True, but the workers of default.kvstore 'dist_async' send "
                 "changes of weights, which half precision would swallow; use 'dist_sync' or 'dist_device_sync'")
    if default.gradient_compression == 'none':
        return
    _require(default.compression_threshold > 0, 'default.compression_threshold is %s; it must be above 0',
             default.compression_threshold)
    _require(default.kvstore in ('device', 'dist_sync', 'dist_device_sync'),
             "default.gradient_compression is %r, which default.kvstore %r does not have; use 'device', 'dist_sync' or "
             "'dist_device_sync', or set it to 'none'", default.gradient_compression, default.kvstore)
    _require(not config.TRAIN.fp16, 'default.gradient_compression is %r, which MXNet has for single precision only; '
             "set TRAIN.fp16 False, or gradient_compression to 'none'", default.gradient_compression)


def _check_test(config):
    test = config.TEST
    _check_proposals(config, 'TEST')
    scales = _check_scales('TEST', test)
    for name in [name for name, declared in KEYS['TEST'].items() if declared.per_scale and name != 'VALID_RANGES']:
        _require(len(test[name]) == scales, 'TEST.%s has %d entries, but TEST.SCALES has %d; give one entry a scale',
                 name, len(test[name]), scales)
    _require(min(test.BATCH_IMAGES) >= 1, 'TEST.BATCH_IMAGES is %s; all must be 1 or more', test.BATCH_IMAGES)
    _require(all(min(pair) > 0 for pair in test.SCALES),
             'TEST.SCALES is %s; both numbers of a pair must be above 0 (-1 is for training only)', test.SCALES)
    _require(test.CALIBRATION_COUNT >= 1, 'TEST.CALIBRATION_COUNT is %d; it must be 1 or more', test.CALIBRATION_COUNT)
    _require(test.CONCURRENT_JOBS >= 1, 'TEST.CONCURRENT_JOBS is %d; it must be 1 or more', test.CONCURRENT_JOBS)
    _require(test.NMS > 0 or test.NMS_SIGMA > 0 or test.NMS_METHOD in ('hard', 'linear'),
             'TEST.NMS, %s, and TEST.NMS_SIGMA, %s, are both off; set one above 0', test.NMS, test.NMS_SIGMA)
    _check_processes('TEST.NUM_PROCESS', test.NUM_PROCESS)
    _check_focus_chips(test)


def _check_focus_chips(test):
    """Scales that run on chips: their chips come from the focus maps of the scale before."""
    _require(test.CHIP_SHAPES >= 1, 'TEST.CHIP_SHAPES is %d; it must be 1 or more', test.CHIP_SHAPES)
    _require(test.PRUNING_BORDER >= 0, 'TEST.PRUNING_BORDER is %s; it must be 0 or more', test.PRUNING_BORDER)
    focused = [index for index, pruning in enumerate(test.DO_PRUNING) if pruning]
    if not focused:
        return
    _require(test.AUTO_FOCUS, 'TEST.DO_PRUNING is %s: that takes the focus maps of TEST.AUTO_FOCUS, which is False; '
             'set it, or leave pruning out', test.DO_PRUNING)
    _require(not test.DO_PRUNING[0], 'TEST.DO_PRUNING is %s, but the first scale has none before it that could make '
             'its chips; set the first entry to False', test.DO_PRUNING)
    for index in focused:
        coarse, fine = test.SCALES[index - 1], test.SCALES[index]
        _require(coarse != fine and coarse[0] <= fine[0] and coarse[1] <= fine[1],
                 'TEST.SCALES is %s; FocusChips want coarse to fine, but %s comes before %s', test.SCALES, coarse, fine)
        dilation, threshold, smallest = test.CHIP_HYPERPARAMS[index - 1]
        _require(dilation >= 1 and smallest >= 1 and dilation % 1 == smallest % 1 == 0 and 0 < threshold <= 1,
                 'TEST.CHIP_HYPERPARAMS has the entry %s for the chips of scale %s; it wants a dilation and a smallest '
                 'side in whole cells from 1 up, and between them a threshold above 0 and at most 1',
                 test.CHIP_HYPERPARAMS[index - 1], fine)


def _check_scales(section, values):
    """Number of scales; raises ConfigError if there is none, or not one valid range a scale."""
    scales, ranges = len(values.SCALES), len(values.VALID_RANGES)
    _require(scales > 0, '%s.SCALES is empty; give one scale at least', section)
    _require(scales == ranges, '%s.SCALES has %d entries, but %s.VALID_RANGES has %d; give one range a scale',
             section, scales, section, ranges)
    for scale in values.SCALES:
        largest = scale[1] if isinstance(scale, tuple) else scale
        _require(largest > 0 or isinstance(scale, tuple) and scale[0] > 0,
                 '%s.SCALES has the entry %s; it must be above 0', section, scale)
    for low, high in values.VALID_RANGES:
        _require(high == -1 or low < high, '%s.VALID_RANGES has the entry %s; the second number must be above the '
                 'first, or -1 for no limit', section, (low, high))
    return scales


def _check_processes(name, value):
    _require(value == 'auto' or value >= 0, "%s is %s; it must be 0 or more, or 'auto'", name, value)
