"""Which weights a test or a demo runs with."""
import hashlib
import logging
import os
from typing import NamedTuple, Sequence, Tuple, Union

from configs import source_of
from configs.loader import INHERITED, SET
from lib.dataset.class_choice import OBJECT
from lib.dataset.class_list import BACKGROUND
from lib.dataset.class_names import named
from lib.dataset.voc_classes import PASCAL_VOC
from lib.engine import onnx_facts
from lib.engine.engines import MXNET, engine_of
from lib.engine.exported_model import NUMBER, read_facts
from lib.engine.precision import treatment
from lib.tasks import get_task
from lib.utils.errors import SniperError
from lib.weights.newest import checkpoint_to_test
from lib.weights.params_file import file_checksum
from lib.weights.paths import (
    SAVE_PREFIX,
    checkpoints_in,
    current_run,
    existing_epochs,
    misread_prefix,
    params_path,
    read_sidecar,
    set_aside_prefixes,
)
from lib.weights.trained_with import check_requirements, warn_of_other_values

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
    """A checkpoint on disk, or a network that was exported from one, and how inference treats it."""
    prefix: str
    epoch: Union[int, str]  # what lib.weights.paths.epoch_tag takes
    classes: tuple  # that are found: those of its side file, '__background__' first; () if it has none (the original's)
    treatment: str = ''      # in words, of what changes results: precision, folding, images calibrated on
    optimized: bool = False  # written by scripts/optimize_model.py, with its graph
    onnx: str = ''           # path of a file of scripts/export_onnx.py, which runs without the checkpoint

    @property
    def path(self) -> str:
        """The parameter file, or the exported one."""
        return self.onnx or params_path(self.prefix, self.epoch)

    def side_file(self) -> dict:
        """What is known of the weights' training, {} for nothing."""
        return onnx_facts.read_facts(self.onnx) if self.onnx else read_sidecar(self.prefix, self.epoch)

    def digest(self) -> str:
        """SHA-256 of the file of `path` and the treatment."""
        content = hashlib.sha256(self.treatment.encode('utf-8'))
        with open(self.path, 'rb') as stream:
            for block in iter(lambda: stream.read(1 << 20), b''):
                content.update(block)
        return content.hexdigest()


def find_weights(config, folder: str, save_prefix: str) -> Weights:
    """The network TEST.OPTIMIZED, or the checkpoint `<folder>/<save_prefix>-<TEST.TEST_EPOCH>.params`, or, if nothing
    else was asked for, the model TEST.SHIPPED_MODEL, with a warning. For another TEST.ENGINE than MXNet, the file
    TEST.ONNX, or the one beside that checkpoint or model.

    folder: of the training run. The shipped model is never an answer to a wrong number, prefix or folder: see
    `_steps_to_shipped_model`. SniperError naming the file looked for, the checkpoints there are, and the mend.
    """
    if config.TEST.OPTIMIZED:
        facts = read_facts(config.TEST.OPTIMIZED)
        logger.info('weights: %s, optimised, in %s', config.TEST.OPTIMIZED, facts['precision'])
        if source_of(config, 'TEST.TEST_EPOCH') == SET:
            logger.warning('TEST.TEST_EPOCH %s has no effect beside TEST.OPTIMIZED', config.TEST.TEST_EPOCH)
        warn_of_other_values(config, facts.get('configuration'), config.TEST.OPTIMIZED)
        return Weights(config.TEST.OPTIMIZED, NUMBER, _names(config, facts), facts['precision'], True)
    if config.TEST.ONNX:
        if source_of(config, 'TEST.TEST_EPOCH') == SET:
            logger.warning('TEST.TEST_EPOCH %s has no effect beside TEST.ONNX', config.TEST.TEST_EPOCH)
        return _exported(config, config.TEST.ONNX, Weights(os.path.splitext(config.TEST.ONNX)[0], NUMBER, ()))
    prefix = os.path.join(folder, save_prefix)
    found = Weights(prefix, checkpoint_to_test(config, prefix), ())
    is_trained = _is_there(config, found)
    if not is_trained:
        found = _shipped_model(config, folder, save_prefix, found)
    if engine_of(config) != MXNET:
        found = _exported(config, _beside(found), found)
        if not is_trained:
            _warn_of_shipped(config, folder, found)
        return found
    sidecar = read_sidecar(found.prefix, found.epoch)
    found = found._replace(classes=_names(config, sidecar), treatment=treatment(config))
    if is_trained:
        logger.info('weights: %s', found.path)
        _warn_of_side_file(found, sidecar)
        warn_of_other_values(config, sidecar.get('config'), found.path)
    else:
        check_requirements(config, sidecar.get('requires'), f'the weights {found.path}')
        _warn_of_shipped(config, folder, found)
    return found


def _warn_of_shipped(config, folder, found):
    logger.warning('nothing is trained in %s: the shipped model %s is taken, which knows %s', folder or '.', found.path,
                   named((found.classes or names_for(config.dataset.NUM_CLASSES))[1:]))


def _beside(weights):
    """Name of the exported file of a checkpoint."""
    return os.path.splitext(weights.path)[0] + onnx_facts.ENDING


def _is_there(config, weights):
    """Whether a checkpoint can be tested: for other engines than MXNet, what was exported of it is enough."""
    return os.path.isfile(weights.path) or engine_of(config) != MXNET and os.path.isfile(_beside(weights))


def _exported(config, path, source):
    """Weights of an exported file, whose name and number are those of `source`. SniperError if there is none, or if it
    lies beside a checkpoint and is of an earlier state of it."""
    engine = engine_of(config)
    if not os.path.isfile(path) and not config.TEST.ONNX:
        raise SniperError(f'TEST.ENGINE {engine} runs exported networks, and there is no {path}: write it with python '
                          f'scripts/export_onnx.py --cfg ... --out {path}, or name another file in TEST.ONNX')
    facts = onnx_facts.read_facts(path)
    if os.path.isfile(source.path) and facts.get('source_digest') not in (None, source.digest()):
        raise SniperError(f'{path} is not of the weights {source.path} as they are now: write it again with '
                          'scripts/export_onnx.py, or name it in TEST.ONNX if it is meant')
    logger.info('weights: %s, exported in %s, in %s', path, facts['precision'], engine)
    warn_of_other_values(config, facts['configuration'], path)
    in_bfloat16 = ' bf16' if config.TEST.PRECISION == 'bf16' else ''
    return source._replace(classes=_names(config, facts), treatment=engine + in_bfloat16, onnx=path)


def _warn_of_side_file(found, sidecar):
    """Where it does not say the classes, belongs to other weights, or these are of an earlier run."""
    if not found.classes:
        logger.warning('%s has no side file %s.json that names its classes (files of the original have none): they are '
                       'taken to be those of the data set, or as many as dataset.NUM_CLASSES says, in that order',
                       found.path, os.path.splitext(found.path)[0])
    elif current_run(found.prefix) not in (None, sidecar.get('run')):
        logger.warning('%s is of an earlier training than the one that was begun last in its folder', found.path)
    files = sidecar.get('files')
    written = files.get('params') if isinstance(files, dict) else None
    if written is not None and written != list(file_checksum(found.path)):
        logger.warning('%s is not the file that was saved with its side file: its classes may be others, and --resume '
                       'will pass it over', found.path)


def _shipped_model(config, folder, save_prefix, trained):
    """Weights of TEST.SHIPPED_MODEL, if it may stand in for `trained`; else SniperError."""
    prefix = config.TEST.SHIPPED_MODEL
    shipped = Weights(prefix, SHIPPED_EPOCH, ())
    message = (f'weights {trained.path} do not exist{_other_checkpoints(trained)}: train first, or set '
               'TEST.TEST_EPOCH, --save_prefix or output_path')
    if not prefix:
        raise SniperError(message)
    if not _is_there(config, shipped):
        raise SniperError(f'{message}; the shipped model {shipped.path} is missing too'
                          f'{misread_prefix(prefix, config.symbol)}')
    steps = _steps_to_shipped_model(config, folder, save_prefix)
    if steps:
        raise SniperError(f'{message}. (To take the shipped model {prefix} instead: {", ".join(steps)})')
    return shipped


def _steps_to_shipped_model(config, folder, save_prefix):
    """What to change so that the shipped model is what was asked for; [] if it is: the configuration file itself names
    it, no number and no prefix was asked for, and nothing is trained in the folder."""
    steps = []
    if source_of(config, 'TEST.SHIPPED_MODEL') == INHERITED:
        steps.append(f'add --set TEST.SHIPPED_MODEL {config.TEST.SHIPPED_MODEL}, the file only inherits it')
    if source_of(config, 'TEST.TEST_EPOCH') == SET:
        steps.append('leave out TEST.TEST_EPOCH')
    if save_prefix != SAVE_PREFIX:
        steps.append('leave out --save_prefix')
    if checkpoints_in(folder):
        steps.append('set output_path to a folder without checkpoints')
    return steps


def found_classes(config, trained: Sequence[str]) -> Tuple[str, ...]:
    """Classes that a test or a demo finds with weights that were trained on the classes `trained`: these, or one of
    everything where the task tells no classes."""
    return tuple(trained) if get_task(config, 'test').tells_classes else (BACKGROUND, OBJECT)


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


def use_float32_on_cpu(config) -> None:
    """TRAIN.fp16 also chooses the precision of the test graph, but CPUs have no half precision: turn it off there.

    Changes `config`, which is this run's own.
    """
    if engine_of(config) != MXNET:
        config.TRAIN.fp16 = False       # an exported file says by itself how it computes
        return
    from lib.engine.devices import contexts
    if config.TRAIN.fp16 and any(device.device_type == 'cpu' for device in contexts(config)):
        logger.info('TRAIN.fp16 is True, but this run is on the CPU, which has no half precision: '
                    'inference runs in float32')
        config.TRAIN.fp16 = False


def _names(config, facts):
    """Classes that are found with weights of a side file; () if it does not say them."""
    names = facts.get('classes')
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return found_classes(config, names if is_list else ())


def _other_checkpoints(weights):
    """' (there are epochs 1, 2)' for the checkpoints that do exist."""
    numbers, others = existing_epochs(weights.prefix), checkpoints_in(os.path.dirname(weights.prefix))
    found = [f'there are epochs {numbers}'] if numbers else [f'there are {named(others)}'] if others else []
    aside = set_aside_prefixes(weights.prefix, weights.epoch)
    if aside:
        found.append(f'an earlier run has it: --save_prefix {aside[-1]}')
    return f' ({"; ".join(found)})' if found else ''
