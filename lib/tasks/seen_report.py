"""What the network sees, at the head of a training and of a test: a table in the log, and warnings.

The task knows the sampler, the factors of a test and what suits its own keys; arrays and sentences: lib.chips.
"""
import copy
import logging
from typing import List, Optional, Tuple

import numpy as np

from configs import load_config
from lib.chips import range_checks
from lib.chips.chip_sampler import ChipSampler
from lib.chips.scale_fit import TrainedSizes, misfit, trained_sizes, with_objects
from lib.chips.seen_sizes import seen_in_test, seen_in_training, table
from lib.dataset.object_sizes import ObjectSizes, object_sizes
from lib.tasks.registry import get_task
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

TRAIN_KEYS = ('TRAIN.SCALES', 'TRAIN.VALID_RANGES', 'TRAIN.CHIP_SIZE', 'TRAIN.SAMPLER')
PRESUMED = tuple(8 * 1.3 ** power for power in range(16))  # sides of objects, 8 to 410 pixels, where nothing is known


def log_training(config, roidb) -> Optional[TrainedSizes]:
    """Table and warnings of the training set -> what checkpoints keep of it, None where there is nothing to say."""
    lines, warnings, trained = report_training(config, roidb)
    _log(lines, warnings)
    return trained


def log_test(config, roidb, sidecar: dict) -> None:
    """Table and warnings of the set of a test; sidecar: see report_test."""
    _log(*report_test(config, roidb, sidecar))


def report_training(config, roidb) -> Tuple[List[str], List[str], Optional[TrainedSizes]]:
    """Of the training set -> (lines of a table, warnings, what a checkpoint should keep)."""
    sizes, task = object_sizes(roidb), get_task(config, 'train')
    sampler = task.sampler()
    scales, tested = seen_in_training(sampler, sizes), _tested(config, sizes)
    lines = table([('TRAIN', scales), ('TEST', tested)], sizes)
    if not scales or not len(sizes.image):
        return lines, [], None
    trained = trained_sizes(scales, sizes)
    found = _training_warnings(task, sampler, scales, sizes)
    if tested:
        found += range_checks.order_warnings('TEST', tested) or range_checks.missed_warnings('TEST', tested, sizes)
    if tested and trained and not found and not task.exact_sizes:
        found += misfit(tested, sizes, trained, config.TEST)
    return lines, found, trained


def _training_warnings(task, sampler, scales, sizes):
    """What is wrong first: a scale in a wrong place makes anchors and tests wrong too, and is mended before these."""
    found: List[str] = []
    if isinstance(sampler, ChipSampler):
        size = sampler.settings.chip_size
        found = range_checks.order_warnings('TRAIN', scales) or range_checks.empty_scale_warnings(scales, size) or \
            range_checks.missed_warnings('TRAIN', scales, sizes) or (
                range_checks.chip_warnings(scales, sizes, size) + range_checks.spread_warnings(scales, sizes, size)
                + range_checks.small_warnings(scales, sizes, task.config.TRAIN.MIN_OBJECT_SIDE))
    return found or task.size_warnings(scales, sizes)


def _tested(config, sizes):
    """Scales of a test; none where the configuration has none that can be used: a training needs none."""
    try:
        return seen_in_test(get_task(config, 'test'), sizes)
    except SniperError:
        return []


def report_test(config, roidb, sidecar: dict) -> Tuple[List[str], List[str]]:
    """Of the set of a test -> (lines of a table, warnings).

    sidecar: side file of the checkpoint, which says what it was trained on (`seen`: TrainedSizes.facts). One of before
    that was kept has TRAIN.SCALES at least; without it, the configuration at hand is taken, and the table says so.
    """
    sizes, task = object_sizes(roidb), get_task(config, 'test')
    tested = seen_in_test(task, sizes)
    lines = table([('TEST', tested)], sizes)
    if not len(sizes.pictures):
        return lines, []
    trained, judged = TrainedSizes.from_facts(sidecar.get('seen')), sizes
    if not len(sizes.image):
        judged = with_objects(sizes, trained.sides[1:-1] if trained else PRESUMED)
    if trained is None:
        config, source = _trained_with(config, sidecar)
        trained = _of_configuration(config, judged)
        lines += _trained_line(trained, f'{source}, on these pictures')
    else:
        lines += _trained_line(trained, 'on pictures of {:.0f}x{:.0f}'.format(*trained.picture))
    warnings = range_checks.order_warnings('TEST', tested) or range_checks.focus_warnings(
        tested, config.TEST.DO_PRUNING) or range_checks.missed_warnings('TEST', tested, sizes)
    if trained and not warnings and not task.exact_sizes:     # those cannot be shown otherwise
        scales = tested if judged is sizes else seen_in_test(task, judged)
        warnings += misfit(scales, judged, trained, config.TEST)
    if not config.TEST.EXTRACT_PROPOSALS:
        warnings += range_checks.crowd_warnings(sizes, config.TEST.MAX_PER_IMAGE)
        warnings += task.test_size_warnings(tested, sizes)
    return lines, warnings


def report_found(config, size: Tuple[float, float], boxes: np.ndarray) -> List[str]:
    """Warnings of a picture without annotations: whether so much was found that the configuration's limits of
    detections and proposals have cost more. size: width, height; boxes: (n, 4) of what was found with a good score."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    sizes = ObjectSizes(np.array([size], np.float64), np.zeros(len(boxes), np.int64),
                        np.maximum(boxes[:, 2:] - boxes[:, :2], 0), 1)
    task = get_task(config, 'test')
    return (range_checks.crowd_warnings(sizes, config.TEST.MAX_PER_IMAGE)
            + task.test_size_warnings(seen_in_test(task, sizes), sizes))


def _trained_with(config, sidecar):
    """(configuration that the checkpoint was trained with as far as its side file has it, where it is from)."""
    kept = sidecar.get('config')
    if not isinstance(kept, dict) or 'TRAIN.SCALES' not in kept:
        return config, 'the checkpoint does not say: by TRAIN of this configuration'
    overrides = [word for key in TRAIN_KEYS if key in kept for word in (key, str(kept[key]))]
    try:
        trained = load_config(None, ['symbol', config.symbol] + overrides)
    except SniperError:  # of another program, or another version
        return config, 'by TRAIN of this configuration'
    config = copy.deepcopy(config)
    for key in TRAIN_KEYS:
        name = key.partition('.')[2]
        config.TRAIN[name] = trained.TRAIN[name]
    return config, 'by TRAIN.SCALES in its side file'


def _of_configuration(config, sizes):
    """What the configuration's training would make of these pictures; None if it cannot be told."""
    try:
        return trained_sizes(seen_in_training(get_task(config, 'train').sampler(), sizes), sizes, known=False)
    except SniperError:
        return None


def _trained_line(trained, source):
    return ['{:<18} objects of {:.0f} to {:.0f} network pixels, at factors {} ({})'.format(
        'trained', trained.sizes[1], trained.sizes[19],
        ', '.join(f'{scale.factor:.3g}' for scale in trained.scales), source)] if trained else []


def _log(lines, warnings):
    """The table as one entry of the log, and a line a warning."""
    logger.info('What the network sees\n%s', '\n'.join('    ' + line for line in lines))
    for line in warnings:
        logger.warning('%s', line)
