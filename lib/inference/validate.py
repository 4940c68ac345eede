"""Validations of a training: its weights, tested as main_test.py tests a checkpoint, on the same images every time.

In this process, one scale after the other, in single precision whatever TEST.PRECISION and TEST.FOLD say; the network
is loaded for a validation and freed after it. Nothing random is drawn that a training would miss.
"""
import copy
import logging
import math
import tempfile
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence

import numpy as np

from configs import ConfigError
from lib.bbox.detections import Detections
from lib.dataset import load_test_dataset
from lib.dataset.compact import take
from lib.inference.classes import classes_of_test
from lib.inference.evaluate import Setup, detect_images, scored_by
from lib.inference.unreadable import check_any_readable
from lib.inference.weights import Weights, found_classes, use_float32_on_cpu
from lib.tasks import check_config, get_task
from lib.utils.errors import SniperError
from lib.utils.quiet_loggers import quiet_loggers
from lib.weights.paths import BEST

logger = logging.getLogger(__name__)

USUAL = ('AP', 'AP50', 'hard', 'mAP')  # what weights are compared by, the first of these that a data set gives
ROOMS = ('lib.inference', 'lib.dataset', 'lib.engine')  # whose lines on a test are left out


class Found(NamedTuple):
    """metrics: numbers by name, those of masks as 'segm.AP'; metric: name of the one that counts; images: that were
    looked at; unreadable: of these, which count as without detections."""
    metrics: Dict[str, float]
    metric: str
    images: int
    unreadable: int


class Validator:
    """Tests weights of a training on TRAIN.VALIDATE_IMAGES images of dataset.test_image_set.

    config: of the training, which stays as it is; prefix: of its files; classes: names, background first.
    SniperError, before anything is trained: no such data set, nothing annotated, an unknown TRAIN.VALIDATE_METRIC.
    """

    def __init__(self, config, prefix: str, classes: Sequence[str]):
        self._config = _config_of_test(config)
        check_config(self._config, 'test')
        if get_task(self._config, 'test').tells_classes and not get_task(config, 'train').tells_classes:
            raise ConfigError('TRAIN.VALIDATE_EVERY wants detections, and this training makes proposals: set '
                              'TEST.ONLY_PROPOSAL True, or VALIDATE_EVERY 0')
        dataset, roidb = scored_by(self._config, *load_test_dataset(self._config))
        self._classes = found_classes(self._config, classes)
        numbers = chosen(len(roidb), config.TRAIN.VALIDATE_IMAGES)
        self._roidb = take(roidb, numbers)
        self._dataset = dataset if len(numbers) == len(roidb) else dataset.part(numbers)
        self._tested = classes_of_test(Weights(prefix, BEST, self._classes), dataset, roidb)
        self._metric = self._find_metric(config.TRAIN.VALIDATE_METRIC)
        logger.info('Validation on %d of the %d images of %s, by %s', len(numbers), len(roidb), dataset.name,
                    self._metric)

    def __call__(self, prefix: str, tag: str) -> Found:
        """Test the weights `<prefix>-<tag>.params`. SniperError as main_test.py; images that cannot be read are counted
        as there."""
        config = copy.deepcopy(self._config)
        weights = Weights(prefix, tag, self._classes)
        test = Setup(config, self._dataset, self._roidb, weights, self._tested.names, self._tested.labels, '')
        with quiet_loggers(*ROOMS):
            found = detect_images(test, self._roidb, None)
            check_any_readable(self._roidb, found.unreadable)
            return Found(self._score(found.detections), self._metric, len(self._roidb), len(found.unreadable))

    def _score(self, detections) -> Dict[str, float]:
        """{} without annotations."""
        with tempfile.TemporaryDirectory(prefix='sniper_') as folder:
            return flat_metrics(self._dataset.evaluate(detections, folder) or {})

    def _find_metric(self, wanted):
        if not self._dataset.truth().image.size:
            raise SniperError(f'TRAIN.VALIDATE_EVERY: nothing is annotated in the {len(self._roidb)} images of '
                              f'{self._dataset.name} that are looked at: name another dataset.test_image_set, raise '
                              'TRAIN.VALIDATE_IMAGES, or set TRAIN.VALIDATE_EVERY to 0')
        with quiet_loggers(*ROOMS):
            names: List[str] = list(self._score(Detections.empty(bool(self._config.TEST.WITH_MASK))))
        if wanted and wanted not in names:
            raise ConfigError(f'TRAIN.VALIDATE_METRIC {wanted!r} is unknown; {self._dataset.name} gives '
                              f'{", ".join(names)}')
        return wanted or next(name for name in USUAL if name in names)


def chosen(images: int, count: int) -> np.ndarray:
    """Ascending numbers of `count` of the images, the same for any training; all for 0."""
    if not 0 < count < images:
        return np.arange(images)
    return np.sort(np.random.RandomState(0).permutation(images)[:count])


def flat_metrics(metrics: Mapping[str, Any], prefix: str = '') -> Dict[str, float]:
    """The numbers of a data set's metrics; those of a dict in it get its name and a dot. No single classes. nan for
    those below 0: there is no such object."""
    found: Dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, dict) and 'per_class' not in name:
            found.update(flat_metrics(value, f'{prefix}{name}.'))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[prefix + name] = float(value) if value >= 0 else math.nan
    return found


def _config_of_test(config):
    """A copy, for tests in this process of what is trained in it."""
    config = copy.deepcopy(config)
    test = config.TEST
    test.CONCURRENT_JOBS, test.EXTRACT_PROPOSALS, test.OPTIMIZED = 1, False, ''
    test.ENGINE, test.ONNX = 'mxnet', ''
    test.PRECISION, test.FOLD = 'fp32', False
    use_float32_on_cpu(config)
    return config
