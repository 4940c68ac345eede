"""Detection in a program of your own:

    from lib.api import Detector

    with Detector.load('configs/faster/sniper_res101_e2e.yml', ['TEST.TEST_EPOCH', 7]) as detector:
        found = detector.detect('photo.jpg')
        for label, score, box in zip(found.label, found.score, found.box):
            print(detector.classes[label], score, box)

`to_coco(found)` and `to_supervision(found)` give what pycocotools and supervision take; docs/python.md has the rest.
The engine, such as MXNet, is loaded by the first call of `detect`, not by this import.
"""
import copy
import os
import tempfile
import threading
from typing import Iterable, List, Sequence, Tuple, Union

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps

from configs import load_config
from lib.bbox.detections import Detections
from lib.engine import onnx_facts
from lib.engine.exported_model import is_exported_model, read_configuration
from lib.engine.precision import prepare
from lib.image import ImageFile, ImageNotices
from lib.inference import PredictorFactory, detect, find_weights, settle_classes, use_float32_on_cpu
from lib.inference.scale import runs_on_parts
from lib.inference.workers import num_devices, unit_length
from lib.outputs import to_coco, to_supervision
from lib.tasks import check_config
from lib.utils.clock import StageClock
from lib.utils.errors import SniperError
from lib.weights.paths import SAVE_PREFIX, output_folder

__all__ = ['Detector', 'NotAnImage', 'to_coco', 'to_supervision']

Image = Union[str, os.PathLike, np.ndarray, PIL.Image.Image]

_PILLOW_MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA', 'CMYK', 'YCbCr')     # of 8 bits
_WANTED = 'a path, an array (height, width, 3) uint8 of B, G, R, or a picture of Pillow'


class NotAnImage(SniperError, ValueError):
    """What was given for an image is none: of another type, shape or depth."""


class Detector:
    """A network with its weights, ready to run; free it by `close` or `with`.

    Threads may share it: their calls, `close` too, wait for each other, as one call takes all cores already, and give
    what they would give alone. Detectors of different threads do not wait. Processes load their own.
    classes: names, '__background__' first; Detections.label is a position in it. config, weights: what it was made
    from.
    clock: seconds of all calls so far, by stage.
    """

    def __init__(self, config, weights):
        """config: this detector's own, it is changed. weights: lib.inference.Weights. See also `load`."""
        self.config, self.weights = config, weights
        self.classes: Tuple[str, ...] = settle_classes(config, weights)
        use_float32_on_cpu(config)
        config.TEST.EXTRACT_PROPOSALS = False
        config.TEST.CONCURRENT_JOBS = 1  # other processes would load the network anew for every call
        self.clock = StageClock()
        self._factory = PredictorFactory(config, weights)
        self._predictor = None
        self._one_call = threading.RLock()

    @classmethod
    def load(cls, source, overrides: Sequence = (), save_prefix: str = SAVE_PREFIX) -> 'Detector':
        """source: path of a configuration, whose checkpoint, or shipped model, is taken as main_test.py takes it; or
        the prefix of a model that scripts/optimize_model.py wrote, or the .onnx file of scripts/export_onnx.py, which
        know their configuration; or a loaded configuration, which is copied.

        overrides: flat list of keys and values that win, as after --set, or a dict; not for a loaded configuration.
        save_prefix: of the checkpoint's files; with a loaded configuration, which does not know its name, with folder.
        Raises SniperError (ConfigError is one) for whatever a user can mend.
        """
        folder, overrides = '', _flat(overrides)
        if not hasattr(source, 'items'):
            source = _path_of(source)
        if hasattr(source, 'items'):
            if overrides:
                raise ValueError('overrides are for load_config, a loaded configuration is taken as it is')
            config = copy.deepcopy(source)
        elif is_exported_model(source):
            config = load_config(None, overrides, base=[*read_configuration(source), 'TEST.OPTIMIZED', source])
        elif source.endswith(onnx_facts.ENDING):
            config = load_config(None, overrides, base=[*onnx_facts.read_configuration(source), 'TEST.ONNX', source])
        else:
            config = load_config(source, overrides)
            folder = output_folder(config, source)
        config.TEST.EXTRACT_PROPOSALS = False   # before anybody asks what is found
        check_config(config, 'demo')
        prepare(config)
        return cls(config, find_weights(config, folder, save_prefix))

    def detect(self, images: Union[Image, Iterable[Image]]) -> Detections:
        """Detections of one image or several, best first within a class; `classes` has the names.

        images: paths, arrays (H, W, 3) uint8 in the order B, G, R, or pictures of Pillow, and lists of these. `image`
        of the result is the position in the list, 0 for a single one. Boxes are in pixels of the image as viewers show
        it (turned by its EXIF orientation), masks (with TEST.WITH_MASK) codes of lib.masks. Fields are NumPy arrays.
        SniperError for an image that cannot be read; NotAnImage, a ValueError too, for what is no image.
        """
        notices = ImageNotices()
        with self._one_call, tempfile.TemporaryDirectory(prefix='sniper_') as folder:
            with self.clock.stage('images'):
                roidb = [_record(image, number, folder, notices) for number, image in enumerate(listed_images(images))]
            found = detect(roidb, self._borrow, self._config_of(len(roidb)), clock=self.clock, notices=notices)
        found = found.replace(classes=self.classes, sizes=[(entry['width'], entry['height']) for entry in roidb])
        for reason in notices.unreadable.values():      # it could be read a moment ago
            raise SniperError(reason)
        return found

    @property
    def batch_images(self) -> int:
        """So many images of one size in a call of `detect` fill whole batches at every scale."""
        return unit_length(self.config)

    def close(self) -> None:
        """Free the network. The next call of `detect` loads it again."""
        with self._one_call:
            if self._predictor is not None:
                self._predictor.close()
                self._predictor = None

    def __enter__(self) -> 'Detector':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _config_of(self, count):
        """The configuration for `count` images: batches of more of them would be filled up by repeating some. Chips
        and slices of an image are many, whatever their scale."""
        config, most = copy.deepcopy(self.config), max(1, -(-count // num_devices(self.config)))
        config.TEST.BATCH_IMAGES = [batch if runs_on_parts(config, index) else min(batch, most)
                                    for index, batch in enumerate(config.TEST.BATCH_IMAGES)]
        return config

    def _borrow(self):
        """The predictor, which outlives the call that uses it."""
        if self._predictor is None:
            self._predictor = self._factory()
        return _Borrowed(self._predictor)


class _Borrowed:
    """A predictor that its user closes and its owner keeps."""

    def __init__(self, predictor):
        self._predictor = predictor

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def close(self):
        """The owner does."""


def _flat(overrides) -> list:
    if isinstance(overrides, str) or not isinstance(overrides, Iterable):
        raise SniperError(f"overrides are a list such as ['gpus', 'cpu'], or a dict, not {overrides!r}")
    if isinstance(overrides, dict):
        return [word for pair in overrides.items() for word in pair]
    return list(overrides)


def _path_of(source) -> str:
    if not isinstance(source, (str, os.PathLike)):
        raise SniperError(f'a detector is loaded from the path of a configuration, not from {source!r}')
    path = os.fsdecode(os.fspath(source))
    if path.endswith('.params'):
        raise SniperError(f'{path} holds weights alone: load the configuration they were trained with, which finds '
                          'them by output_path and TEST.TEST_EPOCH')
    return path


def listed_images(images: Union[Image, Iterable[Image]]) -> List[Image]:
    """One image, or several, as a list. NotAnImage for what is none."""
    if isinstance(images, (str, os.PathLike, np.ndarray, PIL.Image.Image)):
        return [images]
    if isinstance(images, (bytes, bytearray, memoryview, dict)) or not isinstance(images, Iterable):
        raise NotAnImage(f'an image must be {_WANTED}, or several in a list, not {_name_of(images)}')
    return list(images)


def _name_of(thing):
    name = type(thing).__name__
    return f'{name}: decode it first, by cv2.imdecode' if isinstance(thing, (bytes, bytearray, memoryview)) else name


def _record(image: Image, number: int, folder: str, notices: ImageNotices) -> dict:
    """A roidb record of an image. An array is written to `folder`, without loss, as the readers of images read files;
    so is a picture that has to be turned, which a record cannot say."""
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        file = ImageFile(path)
        pixels = file.decode().pixels
        if file.orientation > 1:
            for notice in file.notices:
                notices.add(notice)
            path = ''
    else:
        path, pixels = '', pixels_of(image)
    if not path:
        path = os.path.join(folder, f'{number}.bmp')
        _keep(path, pixels)
    return {'image': path, 'image_id': number, 'width': pixels.shape[1], 'height': pixels.shape[0], 'flipped': False}


def _keep(path, pixels):
    """Write pixels as they are: a video's frames are too many to be packed, or to wait for the disk."""
    try:
        with open(path, 'wb') as stream:
            stream.write(cv2.imencode('.bmp', pixels)[1])
    except OSError as error:
        raise SniperError(f'cannot write {path}, where pixels are kept for a moment: {error.strerror or error}; '
                          'TMPDIR names another folder') from None


def pixels_of(image: Union[np.ndarray, PIL.Image.Image]) -> np.ndarray:
    """(H, W, 3) uint8 B, G, R of an array or a picture of Pillow. NotAnImage for all else."""
    if isinstance(image, PIL.Image.Image):
        if image.mode not in _PILLOW_MODES:
            raise NotAnImage(f'an image must have 8 bits a sample: convert the picture of mode {image.mode!r}')
        image = np.asarray(PIL.ImageOps.exif_transpose(image).convert('RGB'))[:, :, ::-1]
    if not isinstance(image, np.ndarray):
        raise NotAnImage(f'an image must be {_WANTED}, not {_name_of(image)}')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        mend = ''
        if image.dtype != np.uint8:
            mend = ': scale it to 0 ... 255 and convert it by astype(np.uint8)'
        elif image.ndim == 2 or image.shape[-1] == 1:
            mend = ': convert it by cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)'
        elif image.shape[-1] == 4 and image.ndim == 3:
            mend = ': leave out its transparency, image[:, :, :3]'
        elif image.ndim == 4:
            mend = ': give a list of arrays, list(images)'
        raise NotAnImage(f'an image must be (height, width, 3) uint8, not {image.shape} {image.dtype}{mend}')
    return image
