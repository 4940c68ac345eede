"""A detector's network, read for its feature map: whole pictures to features, and objects in them with theirs.

Every picture is shown on a canvas of its own size, rounded up to whole CANVASes, and only beside others of that canvas:
what comes out depends on no other picture, as it would if a batch were padded to its largest one.
"""
import copy
import math
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from configs import values_affecting
from lib.bbox.detections import Detections
from lib.bbox.nms import nms
from lib.chips.window import Window
from lib.fewshot.pooling import KINDS, describe
from lib.image import Picture, chip_reduction, resized_window
from lib.image.file import ImageFile
from lib.inference.aggregate import in_valid_range
from lib.inference.predictors import FEATURE, OBJECTS, PredictorFactory
from lib.inference.scale import prune_at_crop_border
from lib.inference.weights import Weights
from lib.inference.windows import image_slices
from lib.iterators.batching import scaled_size
from lib.tasks import get_task
from lib.tasks.base import OBJECT_NMS
from lib.utils.errors import SniperError

FORMAT = 1              # raise it when features mean something else
CANVAS = 64             # pixels
LEAST_OBJECT = 0.05     # P(object) of what is looked at: less than any detection that is shown
MOST_OBJECTS = 300      # of a picture


class NoSuchScale(SniperError):
    """Pictures are to be shown at an entry of TEST.SCALES that there is not."""


class View(NamedTuple):
    """How a whole picture is shown: at which entry of TEST.SCALES, and whether left and right are exchanged."""
    scale: int
    mirrored: bool = False


class _Shown(NamedTuple):
    planes: np.ndarray      # (3, h, w) of the canvas
    window: Window


class _Batch(NamedTuple):
    data: Dict[str, np.ndarray]
    windows: List[Window]


class FeatureNetwork:
    """config, weights: of a detector that is loaded (lib.api.Detector); kind: see lib.fewshot.pooling; scales: entries
    of TEST.SCALES at which whole pictures are shown, () = the last one alone; mirrored: and once more mirrored.

    MXNet is loaded by the first picture. SniperError: no feature map, a scale that there is not.
    """

    def __init__(self, config, weights: Weights, kind: str = 'mean', scales: Sequence[int] = (),
                 mirrored: bool = True):
        self.config, self.weights, self.kind = copy.deepcopy(config), weights, kind
        test = self.config.TEST
        test.DO_PRUNING = [False] * len(test.SCALES)    # every scale sees whole pictures, or slices of them
        test.SCORE_THRESH = max(test.SCORE_THRESH, LEAST_OBJECT)
        self.task = get_task(self.config, 'test')
        if kind not in KINDS:
            raise SniperError(f'unknown features {kind!r}; known: {", ".join(KINDS)}')
        self.scales, self.mirrored = tuple(scales) or (len(test.SCALES) - 1,), mirrored
        wrong = [index for index in self.scales if not 0 <= index < len(test.SCALES)]
        if wrong:
            raise NoSuchScale(f'there is no entry {wrong[0]} of TEST.SCALES {test.SCALES}: they are counted from 0')
        self.views = [View(index, flipped) for index in self.scales for flipped in (False, True)[:1 + mirrored]]
        self._factories = {reads: PredictorFactory(self.config, weights, reads) for reads in (FEATURE, OBJECTS)}
        self._predictors: dict = {}
        self._digest: Optional[str] = None

    @property
    def weights_digest(self) -> str:
        """Changes with the weights, and how they are treated."""
        if self._digest is None:
            self._digest = self.weights.digest()
        return self._digest

    def origin(self) -> dict:
        """What features depend on beside the picture: name -> value or digest."""
        return {'format': FORMAT, 'symbol': self.config.symbol, 'weights': self.weights_digest, 'kind': self.kind,
                'scales': list(self.scales), 'mirrored': self.mirrored,
                'pixels': [values_affecting(self.config, 'pixels', scale=index) for index in self.scales],
                **values_affecting(self.config, 'graph', among='detections')}

    def objects_origin(self) -> dict:
        """What objects and their features depend on beside the picture."""
        return {'format': FORMAT, 'symbol': self.config.symbol, 'weights': self.weights_digest, 'kind': self.kind,
                'least': LEAST_OBJECT, 'most': MOST_OBJECTS, **values_affecting(self.config, 'detections')}

    def read(self, path: str) -> Picture:
        """A picture as viewers show it, as large as its views need it. SniperError: it cannot be read."""
        file = ImageFile(path)
        size = file.viewed_size
        if size is None or not self.config.TEST.REDUCED_DECODE:     # only JPEG files can be reduced
            return file.decode()
        scales = [factor for view in self.views for factor in self.task.test_scales(view.scale, *size)]
        return file.decode(chip_reduction(max(scales)))

    def features(self, pictures: Sequence[Picture]) -> np.ndarray:
        """(n, views, D) float32 of whole pictures."""
        found: List[list] = [[None] * len(self.views) for _ in pictures]
        graph = self.task.feature
        for number, view in enumerate(self.views):
            shown = [self._show(picture, (0.0, 0.0, float(picture.width), float(picture.height)), view)
                     for picture in pictures]
            for slots, outputs in self._predict(FEATURE, shown, view.scale):
                for slot, feature in zip(slots, outputs[graph.output]):
                    window = shown[slot].window
                    region = [[0, 0, window.width / graph.stride, window.height / graph.stride]]
                    found[slot][number] = describe(feature, region, self.kind)[0]
        return np.array(found, np.float32)

    def objects(self, picture: Picture) -> Tuple[Detections, np.ndarray]:
        """Objects of a picture, best first, in pixels of it, and their features (n, D) on the map they were found on.

        Label 0, score P(object); no two that overlap by more than lib.tasks.base.OBJECT_NMS.
        """
        parts, features = [Detections.empty()], []
        for index in range(len(self.config.TEST.SCALES)):
            for found, described in self._objects_at(picture, index):
                parts.append(found)
                features.append(described)
        every = Detections.concatenate(parts)
        if not len(every):
            return every, np.zeros((0, 0), np.float32)
        kept = nms(every.rows(), OBJECT_NMS, MOST_OBJECTS)
        return every.take(kept), np.concatenate(features)[kept]

    def close(self) -> None:
        """Free what was loaded; the next call loads it again."""
        while self._predictors:
            self._predictors.popitem()[1].close()

    def _objects_at(self, picture, index) -> Iterator[Tuple[Detections, np.ndarray]]:
        test, entry = self.config.TEST, {'width': picture.width, 'height': picture.height}
        task = self.task.at_scale(index)
        boxes = image_slices(entry, self.config, index) if test.SLICES[index] else [
            (0.0, 0.0, float(picture.width), float(picture.height))]
        shown = [self._show(picture, box, View(index)) for box in boxes]
        for slots, outputs in self._predict(OBJECTS, shown, index):
            windows = [shown[slot].window for slot in slots]
            found = task.objects(outputs, windows)
            if test.SLICES[index]:
                found = prune_at_crop_border(found, windows, [(picture.width, picture.height)] * len(windows),
                                             test.PRUNING_BORDER)
            found = found.take((found.score > LEAST_OBJECT) & in_valid_range(found.box, test.VALID_RANGES[index])
                               & (found.image < len(slots)) & np.isfinite(found.box).all(axis=1))
            for slot, of_window in found.by_image():
                regions = _cells(of_window.box, windows[slot], task)
                yield (of_window.replace(image=of_window.image * 0),
                       describe(outputs[task.feature.output][slot], regions, self.kind))

    def _show(self, picture, box, view) -> _Shown:
        task = self.task.at_scale(view.scale)
        scales = task.test_scales(0 if task is not self.task else view.scale, picture.width, picture.height)
        pixels = resized_window(picture, box, scales[0], view.mirrored, False, scales[1])
        size = scaled_size(box, *scales, math.ceil if task.rounds_up else round)
        sides = size if task.exact_sizes else [-(-side // CANVAS) * CANVAS for side in size]
        planes = np.empty((3, *sides), np.float32)
        height, width = task.pixels.write(pixels, planes)
        return _Shown(planes, Window(box, *scales, height, width, view.scale))

    def _predict(self, reads, shown, index) -> Iterator[Tuple[List[int], dict]]:
        """(numbers of shown windows, outputs, whose first rows are of these) until all were there."""
        if reads not in self._predictors:
            self._predictors[reads] = self._factories[reads]()
        predictor = self._predictors[reads]
        groups: Dict[tuple, list] = {}
        for number, one in enumerate(shown):
            groups.setdefault(one.planes.shape, []).append(number)
        most = self.config.TEST.BATCH_IMAGES[index] * predictor.devices
        for group in groups.values():
            for start in range(0, len(group), most):
                slots = group[start:start + most]
                filled = slots + [slots[-1]] * (-len(slots) % predictor.devices)
                yield slots, predictor.predict(self._batch([shown[slot] for slot in filled]))

    def _batch(self, shown) -> _Batch:
        windows = [one.window for one in shown]
        count = np.arange(len(shown), dtype=np.float32)
        return _Batch({self.task.pixels.name: np.stack([one.planes for one in shown]),
                       'im_info': np.array([(window.height, window.width, window.scale_x) for window in windows],
                                           np.float32), 'im_ids': count, 'chip_ids': count * 0}, windows)


def _cells(boxes, window, task) -> np.ndarray:
    """(n, 4) boxes in pixels of the picture -> edges in cells of the window's feature map."""
    edges = boxes.astype(np.float64)
    edges[:, 2:] += float(task.whole_corners)
    return (edges - np.tile(window.box[:2], 2)) * ((window.scale_x, window.scale_y) * 2) / task.feature.stride
