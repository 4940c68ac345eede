"""Detection in a program of your own:

    from lib.api import Detector

    with Detector.load('configs/faster/sniper_res101_e2e.yml', ['TEST.TEST_EPOCH', 7]) as detector:
        found = detector.detect('photo.jpg')
        for label, score, box in zip(found.label, found.score, found.box):
            print(detector.classes[label], score, box)

MXNet is loaded by `Detector.load`, not by this import.
"""
import copy
import os
import tempfile
from typing import Sequence, Tuple, Union

import numpy as np

from configs import load_config
from lib.bbox.detections import Detections
from lib.engine.exported_model import is_exported_model, read_configuration
from lib.engine.precision import prepare
from lib.image import read_image
from lib.inference import PredictorFactory, detect, find_weights, settle_classes, use_float32_on_cpu
from lib.tasks import check_config
from lib.visualization import write_picture
from lib.weights.paths import SAVE_PREFIX, output_folder

Image = Union[str, np.ndarray]


class Detector:
    """A network with its weights, ready to run; free it by `close` or `with`.

    classes: names, '__background__' first; Detections.label is a position in it. config: what it was made from.
    """

    def __init__(self, config, weights):
        """config: this detector's own, it is changed. weights: lib.inference.Weights. See also `load`."""
        self.config = config
        self.classes: Tuple[str, ...] = settle_classes(config, weights)
        use_float32_on_cpu(config)
        config.TEST.EXTRACT_PROPOSALS = False
        config.TEST.CONCURRENT_JOBS = 1  # other processes would load the network anew for every call
        self._factory = PredictorFactory(config, weights)
        self._predictor = None

    @classmethod
    def load(cls, source, overrides: Sequence = (), save_prefix: str = SAVE_PREFIX) -> 'Detector':
        """source: path of a configuration, whose checkpoint, or shipped model, is taken as main_test.py takes it; or
        the prefix of a model that scripts/optimize_model.py wrote, which knows its configuration; or a loaded
        configuration, which is copied.

        overrides: flat list of keys and values that win, as after --set; not for a loaded configuration.
        save_prefix: of the checkpoint's files; with a loaded configuration, which does not know its name, with folder.
        Raises SniperError (ConfigError is one) for whatever a user can mend.
        """
        folder = ''
        if hasattr(source, 'items'):
            if overrides:
                raise ValueError('overrides are for load_config, a loaded configuration is taken as it is')
            config = copy.deepcopy(source)
        elif is_exported_model(source):
            config = load_config(None, read_configuration(source) + ['TEST.OPTIMIZED', source] + list(overrides))
        else:
            config = load_config(source, overrides)
            folder = output_folder(config, source)
        check_config(config, 'demo')
        prepare(config)
        return cls(config, find_weights(config, folder, save_prefix))

    def detect(self, images: Union[Image, Sequence[Image]]) -> Detections:
        """Detections of one image or a list of them, best first within a class; `classes` has the names.

        images: paths, or arrays (H, W, 3) uint8 in the order B, G, R. `image` of the result is the position in the
        list, 0 for a single one. Boxes are in pixels of the image, masks (with TEST.WITH_MASK) codes of lib.masks.
        SniperError for an image that cannot be read, ValueError for an array of another kind.
        """
        single = isinstance(images, (str, os.PathLike, np.ndarray))
        with tempfile.TemporaryDirectory(prefix='sniper_') as folder:
            roidb = [_record(image, number, folder) for number, image in enumerate([images] if single else images)]
            return detect(roidb, self._borrow, self.config).replace(classes=self.classes)

    def close(self) -> None:
        """Free the network. The next call of `detect` loads it again."""
        if self._predictor is not None:
            self._predictor.close()
            self._predictor = None

    def __enter__(self) -> 'Detector':
        return self

    def __exit__(self, *_) -> None:
        self.close()

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


def _record(image: Image, number: int, folder: str) -> dict:
    """A roidb record of an image; an array is written to `folder`, without loss, as the readers of images read files.
    """
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f'an image must be (height, width, 3) uint8, not {image.shape} {image.dtype}')
        path, shape = os.path.join(folder, f'{number}.png'), image.shape
        write_picture(path, image)
    else:
        path = os.fspath(image)
        shape = read_image(path).shape
    return {'image': path, 'image_id': number, 'width': shape[1], 'height': shape[0], 'flipped': False}
