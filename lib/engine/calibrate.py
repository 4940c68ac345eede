"""Ranges of layer outputs, from running the float32 graph on images."""
import hashlib
import logging
import os

from lib.dataset.parts import open_parts, parts_of
from lib.engine.lower_precision import RangeCollector, fused_graph, wanted_ranges
from lib.engine.predictor import Predictor
from lib.image import read_image
from lib.iterators import TestIterator
from lib.tasks import get_task
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def calibrate(config, symbol, arg_params, aux_params):
    """{layer output: (low, high)} over the images of TEST.CALIBRATION_IMAGES, as lower_precision.to_int8 wants it.

    symbol and parameters: a folded float32 graph. Images take turns at the scales of TEST.SCALES, one a batch.
    Raises SniperError if there are no images.
    """
    from sniper_mxnet import mx
    roidb = calibration_roidb(config)
    collector = RangeCollector(wanted_ranges(symbol, arg_params, get_task(config, 'test').float32_layers))
    predictor = Predictor(fused_graph(symbol), arg_params, aux_params, [mx.cpu()], monitor=collector)
    scales, done = len(config.TEST.SCALES), 0
    try:
        for index in range(scales):
            part = roidb[index::scales]
            if not part:
                continue
            with TestIterator(part, config, index, 1, num_workers=0) as batches:
                for batch in batches:
                    if not batch.empty:
                        predictor.predict(batch)
                        done += 1
    finally:
        predictor.close()
    logger.info('int8: ranges of %d layer outputs from %d images', len(collector.ranges), done)
    return collector.ranges


def calibration_roidb(config):
    """roidb records of at most TEST.CALIBRATION_COUNT images, spread evenly over the folder or the training set."""
    folder = config.TEST.CALIBRATION_IMAGES
    roidb = _of_folder(folder) if folder else _of_training_set(config)
    count = min(len(roidb), config.TEST.CALIBRATION_COUNT)
    chosen = [roidb[index * len(roidb) // count] for index in range(count)]
    present = [entry for entry in chosen if os.path.isfile(entry['image'])]
    if not present:
        raise SniperError('int8 wants images to calibrate on, but those of the training set '
                          f'{config.dataset.image_set} are missing: name a '
                          'folder of your images in TEST.CALIBRATION_IMAGES')
    return present


def images_named(config):
    """Text that is another one when int8 would be calibrated on other images.

    A folder's files by name and size; of the training set only where it lies, since reading its annotations takes long.
    """
    folder, keys = config.TEST.CALIBRATION_IMAGES, config.dataset
    if not folder:
        return ' '.join([keys.dataset, keys.image_set, keys.root_path, keys.dataset_path])
    sizes = [f'{name} {os.path.getsize(os.path.join(folder, name))}' for name in _image_names(folder)]
    return hashlib.sha256('\n'.join(sizes).encode('utf-8', 'surrogateescape')).hexdigest()


def _image_names(folder):
    """Image files of a folder, sorted; SniperError if there are none."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.lower().endswith(SUFFIXES))
    except OSError as error:
        raise SniperError(f'TEST.CALIBRATION_IMAGES is {folder}, which cannot be read: '
                          f'{error.strerror or error}') from None
    if not names:
        raise SniperError(f'TEST.CALIBRATION_IMAGES is {folder}, which holds no image ({" ".join(SUFFIXES)})')
    return names


def _of_folder(folder):
    roidb = []
    for number, name in enumerate(_image_names(folder)):
        path = os.path.join(folder, name)
        try:
            height, width = read_image(path).shape[:2]
        except SniperError as error:
            logger.warning('%s (int8 is not calibrated on it)', error)
            continue
        roidb.append({'image': path, 'image_id': number, 'width': width, 'height': height, 'flipped': False})
    if not roidb:
        raise SniperError(f'TEST.CALIBRATION_IMAGES is {folder}, where no image can be read')
    return roidb


def _of_training_set(config):
    keys = config.dataset
    try:
        return open_parts(keys, parts_of(keys, 'image_set')[:1])[0].roidb()
    except SniperError as error:
        raise SniperError(f'int8 wants images to calibrate on, and the training set cannot be read ({error}): '
                          'name a folder of your images in TEST.CALIBRATION_IMAGES') from None
