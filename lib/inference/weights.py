"""Which weights a test or a demo runs with, and the predictor made from them."""
import hashlib
import logging
import os
from typing import NamedTuple

from lib.errors import SniperError
from lib.train.paths import existing_epochs, params_path, read_sidecar

logger = logging.getLogger(__name__)

SHIPPED_EPOCH = 0  # of shipped models: <prefix>-0000.params


class Weights(NamedTuple):
    """A checkpoint on disk."""
    prefix: str
    epoch: int
    classes: tuple  # names from its side file, '__background__' first; () if it has none (the original's)

    @property
    def path(self):
        """The parameter file."""
        return params_path(self.prefix, self.epoch)

    def digest(self):
        """SHA-256 of the parameter file."""
        content = hashlib.sha256()
        with open(self.path, 'rb') as stream:
            for block in iter(lambda: stream.read(1 << 20), b''):
                content.update(block)
        return content.hexdigest()


def find_weights(config, folder, save_prefix):
    """The checkpoint `<folder>/<save_prefix>-<TEST.TEST_EPOCH>.params`, else the model TEST.SHIPPED_MODEL.

    folder: of the training run. SniperError naming the file if there is neither.
    """
    prefix, epoch = os.path.join(folder, save_prefix), config.TEST.TEST_EPOCH
    trained = Weights(prefix, epoch, ())
    shipped = Weights(config.TEST.SHIPPED_MODEL, SHIPPED_EPOCH, ())
    if os.path.isfile(trained.path):
        found = trained
        logger.info('weights: %s', found.path)
    elif shipped.prefix and os.path.isfile(shipped.path):
        found = shipped
        logger.info('weights: the shipped model %s (there is no trained %s)', found.path, trained.path)
    else:
        raise SniperError('weights %s do not exist%s: train first, or set TEST.TEST_EPOCH, --save_prefix or output_path'
                          '%s' % (trained.path, _other_epochs(prefix),
                                  '' if not shipped.prefix else '; the shipped model %s is missing too' % shipped.path))
    return found._replace(classes=tuple(read_sidecar(found.prefix, found.epoch).get('classes') or ()))


def check_classes(weights, classes):
    """The data set's class names in the order in which the weights give them.

    Classes found in annotations may be in another order than those of the file that the weights were trained on:
    names decide. Other names than the weights' are a warning, and taken as the same in this order; SniperError for
    another number.
    """
    classes = tuple(classes)
    if not weights.classes or weights.classes == classes:
        return classes
    if len(weights.classes) != len(classes):
        raise SniperError('%s was trained on %d classes with background (%s), the data set has %d (%s): use weights '
                          'trained on it' % (weights.path, len(weights.classes), _some(weights.classes),
                                             len(classes), _some(classes)))
    if sorted(weights.classes) == sorted(set(classes)):
        logger.info('%s has the classes of the data set in another order; they are matched by name', weights.path)
        return weights.classes
    logger.warning('%s was trained on the classes %s, the data set has %s: taken as the same in this order',
                   weights.path, _some(weights.classes), _some(classes))
    return classes


class PredictorFactory:
    """Makes the MXNet predictor of a configuration and checkpoint; picklable, for inference processes.

    variant: of the detector's graphs, 'test' or 'proposal_test'.
    """

    def __init__(self, config, weights, variant='test'):
        self._config = config
        self._weights = weights
        self._variant = variant

    def __call__(self):
        """-> ModulePredictor, with TEST.WITH_MASK a MaskingPredictor around it. SniperError: broken file, GPU absent,
        unknown network, no mask head."""
        from lib.inference.mask_predictor import MaskingPredictor
        from lib.inference.predictor import ModulePredictor
        from lib.train import contexts
        from lib.train.checkpoint import load_for_test
        from symbols import get_detector
        devices = contexts(self._config)
        detector = get_detector(self._config.symbol)
        arg_params, aux_params = map(_float32, load_for_test(self._weights.prefix, self._weights.epoch))

        def predictor(variant):
            return ModulePredictor(detector.symbol(self._config, variant), arg_params, aux_params, devices,
                                   source='the weights %s' % self._weights.path)

        if self._variant == 'test' and self._config.TEST.WITH_MASK:
            if not hasattr(detector, 'mask_symbol'):
                raise SniperError('TEST.WITH_MASK is True, but the network %s has no mask head: set it to False'
                                  % self._config.symbol)
            return MaskingPredictor(predictor('test'), predictor('mask'))
        return predictor(self._variant)


def use_float32_on_cpu(config):
    """TRAIN.fp16 also chooses the precision of the test graph, but CPUs have no half precision: turn it off there.

    Changes `config`, which is this run's own.
    """
    from lib.train import contexts
    if config.TRAIN.fp16 and any(device.device_type == 'cpu' for device in contexts(config)):
        logger.info('TRAIN.fp16 is True, but this run is on the CPU, which has no half precision: '
                    'inference runs in float32')
        config.TRAIN.fp16 = False


def _float32(params):
    return {name: array if array.dtype.__name__ == 'float32' else array.astype('float32')
            for name, array in params.items()}


def _other_epochs(prefix):
    """' (there are epochs 1, 2)' for the checkpoints that do exist."""
    numbers = existing_epochs(prefix)
    return ' (there are epochs %s)' % numbers if numbers else ''


def _some(classes):
    return ', '.join(classes[1:5]) + (', ...' if len(classes) > 5 else '')
