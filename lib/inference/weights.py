"""Which weights a test or a demo runs with, and the predictor made from them."""
import hashlib
import logging
import os
from typing import NamedTuple, Tuple

from lib.dataset.voc_annotations import BACKGROUND, PASCAL_VOC
from lib.engine.exported_model import NUMBER, read_facts
from lib.engine.precision import prepare, treatment
from lib.inference.masks import MaskingPredictor
from lib.tasks import get_task
from lib.utils.errors import SniperError
from lib.weights.paths import existing_epochs, params_path, read_sidecar

logger = logging.getLogger(__name__)

SHIPPED_EPOCH = 0  # of shipped models: <prefix>-0000.params

# Classes of weights without a side file: those that the original published, in the order of their category ids
# (COCO 2014) or of the development kit (PASCAL VOC).
COCO = tuple(name.replace('_', ' ') for name in '''
    person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter
    bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee skis
    snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass cup
    fork knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch
    potted_plant bed dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink
    refrigerator book clock vase scissors teddy_bear hair_drier toothbrush'''.split())

_BY_NUMBER = {1 + len(names): (BACKGROUND,) + names for names in (COCO, PASCAL_VOC)}


class Weights(NamedTuple):
    """A checkpoint on disk, and how inference treats it."""
    prefix: str
    epoch: int
    classes: tuple  # names from its side file, '__background__' first; () if it has none (the original's)
    treatment: str = ''      # in words, of what changes results: precision, folding, images calibrated on
    optimized: bool = False  # written by scripts/optimize_model.py, with its graph

    @property
    def path(self) -> str:
        """The parameter file."""
        return params_path(self.prefix, self.epoch)

    def digest(self) -> str:
        """SHA-256 of the parameter file and the treatment."""
        content = hashlib.sha256(self.treatment.encode('utf-8'))
        with open(self.path, 'rb') as stream:
            for block in iter(lambda: stream.read(1 << 20), b''):
                content.update(block)
        return content.hexdigest()


def find_weights(config, folder: str, save_prefix: str) -> Weights:
    """The network TEST.OPTIMIZED, else the checkpoint `<folder>/<save_prefix>-<TEST.TEST_EPOCH>.params`, else the model
    TEST.SHIPPED_MODEL.

    folder: of the training run. SniperError naming the file if there is none.
    """
    if config.TEST.OPTIMIZED:
        facts = read_facts(config.TEST.OPTIMIZED)
        logger.info('weights: %s, optimised, in %s', config.TEST.OPTIMIZED, facts['precision'])
        return Weights(config.TEST.OPTIMIZED, NUMBER, tuple(facts.get('classes') or ()), facts['precision'], True)
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
        absent = f'; the shipped model {shipped.path} is missing too' if shipped.prefix else ''
        raise SniperError(f'weights {trained.path} do not exist{_other_epochs(prefix)}: train first, or set '
                          f'TEST.TEST_EPOCH, --save_prefix or output_path{absent}')
    return found._replace(classes=tuple(read_sidecar(found.prefix, found.epoch).get('classes') or ()),
                          treatment=treatment(config))


def settle_classes(config, weights: Weights) -> Tuple[str, ...]:
    """Class names of the weights, where no data set says them; sets dataset.NUM_CLASSES, which counts only where the
    weights have no side file. SniperError if neither says how many."""
    classes = weights.classes or names_for(config.dataset.NUM_CLASSES)
    if not classes:
        raise SniperError(f'the number of classes is not known: {weights.path} has no side file and '
                          'dataset.NUM_CLASSES is 0; set it')
    if config.dataset.NUM_CLASSES not in (0, len(classes)):
        logger.warning('dataset.NUM_CLASSES is %d, but %s was trained on %d classes with background: %d are used',
                       config.dataset.NUM_CLASSES, weights.path, len(classes), len(classes))
    config.dataset.NUM_CLASSES = len(classes)
    return classes


def names_for(num_classes: int) -> Tuple[str, ...]:
    """Class names, background first, for a number of classes with background; () for 0.

    81 is COCO and 21 PASCAL VOC; others are called 'class 1', 'class 2', ...
    """
    if num_classes in _BY_NUMBER:
        return _BY_NUMBER[num_classes]
    return tuple([BACKGROUND] + [f'class {label}' for label in range(1, num_classes)]) if num_classes else ()


class PredictorFactory:
    """Makes the MXNet predictor of a configuration and checkpoint; picklable, for inference processes.

    The graph is the one that the configuration's task tests with. With TEST.PRECISION int8 the network is calibrated
    here, once for all processes, unless that was done by an earlier run.
    """

    def __init__(self, config, weights):
        from lib.engine.network import calibrated_weights
        self._config = config
        self._task = get_task(config, 'test')
        self._weights = calibrated_weights(config, weights, self._task.test_graph)

    def __call__(self):
        """-> Predictor, with TEST.WITH_MASK a MaskingPredictor around it. SniperError: broken file, GPU absent,
        unknown network, no mask head, a precision that is not to be had."""
        prepare(self._config)  # before MXNet loads, in every process
        from lib.engine.devices import contexts
        from lib.engine.network import load_network
        from lib.engine.predictor import Predictor
        from symbols import get_detector
        devices = contexts(self._config)
        detector = get_detector(self._config.symbol)
        graph = self._task.masks
        masks = self._config.TEST.WITH_MASK and not self._config.TEST.EXTRACT_PROPOSALS
        if masks and (graph is None or not hasattr(detector, f'{graph.variant}_symbol')):
            raise SniperError(f'TEST.WITH_MASK is True, but the network {self._config.symbol} has no mask head: set it '
                              'to False')
        network = load_network(self._config, self._weights, self._task.test_graph, devices)
        source = f'the weights {self._weights.path}'
        predictor = Predictor(network.symbol, network.arg_params, network.aux_params, devices, source,
                              network.made_together, advice=self._task.advice)
        if masks:
            mask_symbol = detector.symbol(self._config, graph.variant)
            mask_predictor = Predictor(mask_symbol, network.arg_params, network.aux_params, devices, source)
            return MaskingPredictor(predictor, mask_predictor, graph)
        return predictor


def use_float32_on_cpu(config) -> None:
    """TRAIN.fp16 also chooses the precision of the test graph, but CPUs have no half precision: turn it off there.

    Changes `config`, which is this run's own.
    """
    from lib.engine.devices import contexts
    if config.TRAIN.fp16 and any(device.device_type == 'cpu' for device in contexts(config)):
        logger.info('TRAIN.fp16 is True, but this run is on the CPU, which has no half precision: '
                    'inference runs in float32')
        config.TRAIN.fp16 = False


def _other_epochs(prefix):
    """' (there are epochs 1, 2)' for the checkpoints that do exist."""
    numbers = existing_epochs(prefix)
    return f' (there are epochs {numbers})' if numbers else ''
