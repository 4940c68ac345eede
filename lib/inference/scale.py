"""One scale of the test pyramid over a list of images."""
import logging
import math
import time
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from configs.scales import scale_name as name_of
from lib.bbox.detections import Detections
from lib.chips.window import Window
from lib.image import ImageNotices
from lib.inference.aggregate import best_of_windows
from lib.inference.masks import MaskMaker
from lib.iterators import TestIterator
from lib.tasks import get_task
from lib.utils.clock import duration
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0
BORDER_DELTA = 10  # original pixels; a box this close to a cut through the image is likely cut itself


class ScaleResult(NamedTuple):
    """What a scale made of some images. Windows are counted through all images, in the images' order."""

    crops: List                       # crops[image]: its windows x1, y1, x2, y2 in original pixels
    detections: Optional[Detections]  # `image` is the number of the window; ascending
    maps: Optional[List] = None       # (h, w) float32 focus map of each window, if the next scale needs them
    network_pixels: int = 0           # that went through the network, with padding; 0 if read from a file

    @property
    def counts(self) -> np.ndarray:
        """(images,) windows of each image."""
        return np.array([len(windows) for windows in self.crops], np.int64)

    @property
    def image_detections(self) -> Detections:
        """The detections with the number of their image; image by image, within one window by window."""
        images = np.repeat(np.arange(len(self.crops)), self.counts)
        return self.detections.replace(image=images[self.detections.image])

    def of_images(self, numbers) -> 'ScaleResult':
        """The result of these images alone; without pixels, which are of all together."""
        windows = _window_numbers(self.counts, numbers)
        place = np.full(int(self.counts.sum()), -1)
        place[windows] = np.arange(len(windows))
        detections = self.detections.take(place[self.detections.image] >= 0)
        detections = _renumbered(detections, place)
        return ScaleResult([self.crops[number] for number in numbers], detections,
                           None if self.maps is None else [self.maps[window] for window in windows])


def joined(parts, numbers) -> ScaleResult:
    """Results of parts of the images, which are images `numbers[part]` -> of all."""
    crops = in_order([part.crops for part in parts], numbers)
    counts = np.array([len(windows) for windows in crops], np.int64)
    places = [_window_numbers(counts, of_part) for of_part in numbers]
    detections = Detections.concatenate([part.detections.replace(image=place[part.detections.image])
                                         for part, place in zip(parts, places)])
    return ScaleResult(crops, detections.take(np.argsort(detections.image, kind='stable')),
                       in_order([part.maps for part in parts], places), sum(part.network_pixels for part in parts))


def in_order(lists, numbers):
    """Lists of items, those of places `numbers[list]` -> one list by place; None if there is a None among the lists."""
    if any(part is None for part in lists):
        return None
    found = [None] * sum(map(len, lists))
    for items, of_list in zip(lists, numbers):
        for number, item in zip(of_list, items):
            found[number] = item
    return found


def _window_numbers(counts, images):
    """(images,) windows of each image, some images -> the numbers of their windows, image by image."""
    starts = np.cumsum(counts) - counts
    return np.concatenate([np.zeros(0, np.int64)] + [np.arange(starts[image], starts[image] + counts[image])
                                                     for image in images])


def _renumbered(detections, place):
    """Detections of windows that got the numbers `place`, by these."""
    detections = detections.replace(image=place[detections.image])
    return detections.take(np.argsort(detections.image, kind='stable'))


def whole_images(roidb, index=None, previous=None):
    """crops[image] = one crop each, the whole image: x1, y1, x2, y2 in original pixels. The scale does not matter."""
    return [[(0.0, 0.0, float(entry['width']), float(entry['height']))] for entry in roidb]


def scale_name(config, index: int) -> str:
    """'800x1280', '2x' or '256px' for entry `index` of TEST.SCALES; part of file names."""
    return name_of(config.TEST.SCALES[index])


def runs_on_chips(config, index: int) -> bool:
    """Whether the windows of scale `index` are chips of the scale before; proposals are made on whole images."""
    return config.TEST.DO_PRUNING[index] and not config.TEST.EXTRACT_PROPOSALS


def runs_on_parts(config, index: int) -> bool:
    """Whether the windows of scale `index` are parts of images: chips, or slices."""
    return runs_on_chips(config, index) or config.TEST.SLICES[index] > 0


def makes_chips(config, index: int) -> bool:
    """Whether the focus maps of scale `index` say where the next one looks."""
    return index + 1 < len(config.TEST.SCALES) and runs_on_chips(config, index + 1)


def run_scale(roidb, crops, predictor, config, index, clock, done, num_readers=None,
              notices: Optional[ImageNotices] = None) -> ScaleResult:
    """Scale `index` of the images, with focus maps if the next scale needs them, with masks by TEST.WITH_MASK.

    crops[image]: list of windows; an image without one has no detections. clock: StageClock; done(count) is called
    with the number of crops that were finished, first with 0. num_readers: of images, None = TEST.NUM_PROCESS.
    notices: are told of images that cannot be read, which have no detections, and of others.
    """
    task = get_task(config, 'test').at_scale(index)
    in_parts = runs_on_parts(config, index)
    mask_maker = MaskMaker.of_config(config, index, task.masks, predictor.predict_masks) if (
        config.TEST.WITH_MASK and task.masks) else None
    done(0)
    counts = np.array([len(windows) for windows in crops], np.int64)
    starts, total = np.cumsum(counts) - counts, int(counts.sum())
    sizes = np.array([(entry['width'], entry['height']) for entry in roidb], np.int64).reshape(-1, 2)
    parts, missing, pixels = [Detections.empty(mask_maker is not None)], set(range(total)), 0
    maps = [None] * total if makes_chips(config, index) else None
    if not missing:
        return ScaleResult(crops, parts[0], maps)
    with TestIterator(roidb, config, index, config.TEST.BATCH_IMAGES[index] * predictor.devices, num_readers, crops,
                      predictor.devices, fitted=in_parts, notices=notices) as batches:
        source = iter(batches)
        while True:
            with clock.stage('read'):
                batch = next(source, None)
            if batch is None:
                break
            blank = len(batch.empty) == len(batch.windows)     # nothing to see in the whole batch
            with clock.stage('network'):
                outputs = {} if blank else predictor.predict(batch)
            pixels += 0 if blank else batch.data[task.pixels.name][:, 0].size
            images, chips = (np.rint(batch.data[name]).astype(np.int64) for name in ('im_ids', 'chip_ids'))
            numbers = starts[images] + chips  # of the windows in the batch, counted through all images
            # Padding repeats a crop with the same result: what is known already is not looked at again.
            fresh = {number: slot for slot, number in enumerate(numbers.tolist()) if number in missing}
            seen = [slot for slot in fresh.values() if slot not in batch.empty]
            with clock.stage('decode'):
                found = Detections.empty(bool(mask_maker)) if blank else task.decode(outputs, batch.windows)
                if in_parts:
                    found = prune_at_crop_border(found, batch.windows, sizes[images], config.TEST.PRUNING_BORDER)
                found = best_of_windows(found.take(np.isin(found.image, seen)), config.TEST.MAX_PER_WINDOW)
                if maps:
                    of_slots = focus_maps(outputs, task, batch.windows, batch.empty)
                    for number, slot in fresh.items():
                        maps[number] = of_slots[slot]
            if mask_maker and not blank and fresh:
                with clock.stage('masks'):
                    found = found.replace(mask=mask_maker(outputs, found, batch.windows, sizes[images]))
            parts.append(found.replace(image=numbers[found.image]))
            missing -= fresh.keys()
            done(len(fresh))
    detections = Detections.concatenate(parts)
    del parts   # another copy follows
    return ScaleResult(crops, detections.take(np.argsort(detections.image, kind='stable')), maps, pixels)


def focus_maps(outputs, task, windows: Sequence[Window], empty: Sequence[int] = ()) -> List[np.ndarray]:
    """(h, w) float32 of each window: probability of FocusPixels. SniperError if the network does not say.

    Only the cells that show the window; those of padding depend on the rest of the batch. empty: windows without
    pixels, where there is nothing to focus on.
    """
    focus = task.focus
    if focus is None or (len(empty) < len(windows) and focus.name not in outputs):
        raise SniperError(f'the network has no output {focus.name if focus else "of FocusPixels"}, from which '
                          'TEST.DO_PRUNING makes chips: use a network and weights with AutoFocus (TEST.AUTO_FOCUS, '
                          'TRAIN.AUTO_FOCUS)')
    maps = []
    for number, window in enumerate(windows):
        x1, y1, x2, y2 = window.box
        # A hair less than a whole number of cells, which single precision can give or take.
        rows = math.ceil((y2 - y1) * window.scale_y / focus.stride - 1e-4)
        columns = math.ceil((x2 - x1) * window.scale_x / focus.stride - 1e-4)
        maps.append(np.zeros((max(rows, 1), max(columns, 1)), np.float32) if number in empty else
                    outputs[focus.name][number, 1, :max(rows, 1), :max(columns, 1)].astype(np.float32))
    return maps


def prune_at_crop_border(detections, windows: Sequence[Window], sizes, delta=BORDER_DELTA) -> Detections:
    """Without those that end close to a side of their window which is not the image border: the object may go on there.

    detections: `image` is the position in `windows`; sizes (W, 2): width, height of the windows' images; boxes and
    delta in original pixels.
    """
    corners = np.array([window.box for window in windows], np.float64).reshape(-1, 4)
    cuts = np.column_stack([corners[:, :2] >= 0.5, corners[:, 2:] < np.asarray(sizes).reshape(-1, 2) - 0.5])
    # Distances in single precision, as the boxes are.
    distances = np.abs(detections.box - corners.astype(np.float32)[detections.image])
    return detections.take(~(cuts[detections.image] & (distances < np.float32(delta))).any(axis=1))


class Progress:
    """Logs how many windows of a scale are done, at most every SECONDS_BETWEEN_LINES."""

    def __init__(self, name):
        self._name, self._total, self._done = name, 0, 0
        self._start = self._last = None

    def expect(self, count):
        """`count` windows more are to be done."""
        self._total += count

    def add(self, count):
        """`count` more are done. The clock starts with the first call, which has count 0."""
        now = time.perf_counter()
        if self._start is None:
            self._start = self._last = now
        self._done += count
        if now - self._last >= SECONDS_BETWEEN_LINES and self._done < self._total:
            self._last = now
            rate = self._done / (now - self._start)
            logger.info('%s: %d of %d windows, %.2g windows/s, %s left', self._name, self._done, self._total, rate,
                        duration((self._total - self._done) / rate))

    def finish(self):
        """The last line; a window is a whole image, or a chip."""
        seconds = time.perf_counter() - (self._start or time.perf_counter())
        logger.info('%s: %d window%s in %.1f s, %.2g windows/s', self._name, self._done, '' if self._done == 1 else 's',
                    seconds, self._done / max(seconds, 1e-9))
