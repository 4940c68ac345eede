"""Test batches: whole images or crops of them, grouped by size."""
import logging
import math
from typing import Dict, Optional, Set

import numpy as np

from configs.scales import scale_name
from lib.chips import Window
from lib.chips.scales import LARGEST_INPUT, scale_factor, test_scale
from lib.image import ImageNotices
from lib.iterators.batching import MOST_PIXELS, bounded, order_crops, plan_batches, scaled_size
from lib.iterators.pool import make_pool
from lib.iterators.prefetch import Prefetcher, group_rows, resolve_prefetch
from lib.iterators.samples import CropSamples
from lib.iterators.shared import Batch, BatchSlots, PackedRoidb
from lib.tasks import get_task
from lib.utils.errors import SniperError
from lib.utils.processes import resolve_workers

logger = logging.getLogger(__name__)

_RECENT_BYTES = 64 << 20  # of decoded images that a worker keeps, where images have several crops


class TestIterator:
    """Batches of one test scale; each `for` loop runs over all of them.

    `crops`: per image a sequence of boxes x1, y1, x2, y2 in original pixels (an image may have none), or None for
    whole images. Batch.data holds the pixels (n, 3, h, w), `im_info` (n, 3) = resized height, width and scale, `im_ids`
    (n,) = index in the roidb, `chip_ids` (n,) = number of the crop within its image. Samples that only fill up a
    batch repeat earlier crops. `num_batches` may be 0. Crops of an image that cannot be read are empty, see Batch.
    `notices` is told of these, and of what else is to be said of images.
    `batches`: crop numbers of each batch, crops counted through all images; `batch_shapes`: of data.
    All batches have `batch_images` samples, in the order of the original, but for fewer where images are very large;
    `fitted` makes batches of different numbers and few shapes instead, which suit crops of many shapes. Numbers are
    multiples of `devices` (see batching.py).
    """

    __test__ = False  # not a test case, whatever its name makes pytest think

    def __init__(self, roidb, config, scale_index: int, batch_images: int, num_workers=None, crops=None,
                 devices: int = 1, fitted: bool = False, notices: Optional[ImageNotices] = None):
        self._roidb = PackedRoidb(roidb)
        self._crops, self._images, self._numbers = _flatten(roidb, crops)
        self._image_sizes = [(entry['width'], entry['height']) for entry in roidb]
        self._level = scale_index
        task = get_task(config, 'test')
        self._pixel_input = task.pixels.name
        self._rounded = math.ceil if task.rounds_up else round
        self._scales = [task.test_scales(scale_index, *size) for size in self._image_sizes]
        if not task.exact_sizes and not config.TEST.SLICES[scale_index]:
            _say_what_is_too_large(config.TEST.SCALES[scale_index], roidb)
        if fitted:
            self.batches, self.batch_shapes = self._fitted(batch_images, devices, config.TEST.CHIP_SHAPES)
        else:
            sizes = np.array([self._size(crop) for crop in range(len(self._crops))], np.int64).reshape(-1, 2)
            self.batches = bounded(order_crops(self._crops, batch_images).reshape(-1, batch_images), sizes, devices)
            self.batch_shapes = [self._shape(batch) for batch in self.batches]
        self._own_notices = ImageNotices() if notices is None else None
        self._notices = self._own_notices if notices is None else notices
        self._noted: Set[int] = set()       # images
        self._empty: Dict[int, Set[int]] = {}    # batch -> rows
        workers = resolve_workers(config.TEST.NUM_PROCESS, len(self._crops)) if num_workers is None else num_workers
        largest = max([int(np.prod(shape)) for shape in self.batch_shapes], default=1)
        num_slots = 1 + resolve_prefetch('auto', workers, batch_images, 4 * largest)  # one is with the caller
        self._slots = BatchSlots(num_slots, {task.pixels.name: largest})
        recent = _RECENT_BYTES if len(self._crops) > len(np.unique(self._images)) else 0
        self._pool = make_pool(CropSamples, (self._roidb, self._slots, task.pixels,
                                             config.TEST.REDUCED_DECODE, recent), workers)
        self._prefetcher = Prefetcher(self._pool, num_slots)

    def _shape(self, batch):
        """Shape of a batch's data: the smallest that holds all its crops."""
        sizes = [self._size(crop) for crop in batch]
        return (len(batch), 3, max(height for height, _ in sizes), max(width for _, width in sizes))

    def _size(self, crop):
        return scaled_size(self._crops[crop], *self.sample(crop)[2], self._rounded)

    def _fitted(self, batch_images, devices, max_shapes):
        """Batches and their shapes by cost; no more pixels in one than in `batch_images` images, or MOST_PIXELS."""
        whole = [scaled_size((0, 0, width, height), *scales, self._rounded)
                 for (width, height), scales in zip(self._image_sizes, self._scales)]
        budget = min(batch_images * max((height * width for height, width in whole), default=0), MOST_PIXELS * devices)
        plan = plan_batches([self._size(crop) for crop in range(len(self._crops))], devices, budget, max_shapes)
        return plan.batches, [(slots, 3, height, width) for slots, height, width in plan.shapes]

    def sample(self, crop: int) -> tuple:
        """Crop number -> (index in the roidb, number of the crop within its image, (horizontal, vertical) scale)."""
        image = int(self._images[crop])
        return image, int(self._numbers[crop]), self._scales[image]

    @property
    def num_batches(self) -> int:
        """Number of batches of a pass."""
        return len(self.batches)

    @property
    def wait_seconds(self) -> float:
        """Seconds spent waiting for data in this pass."""
        return self._prefetcher.wait_seconds

    def __iter__(self):
        self._empty.clear()
        self._prefetcher.start(0, self.num_batches, self._make_tasks, self._review)
        return self

    def __next__(self):
        ready = self._prefetcher.next_batch()
        if ready is None:
            raise StopIteration
        index, slot, reports = ready
        images, chips, scales = zip(*[self.sample(crop) for crop in self.batches[index]])
        data = {self._pixel_input: self._slots.view(slot, self._pixel_input, self.batch_shapes[index]),
                'im_info': np.array([(report.height, report.width, scale_x)
                                     for report, (scale_x, _) in zip(reports, scales)], np.float32),
                'im_ids': np.array(images, np.float32),
                'chip_ids': np.array(chips, np.float32)}
        windows = [Window(tuple(self._crops[crop].tolist()), *scale, report.height, report.width, self._level)
                   for crop, report, scale in zip(self.batches[index], reports, scales)]
        return Batch(data, {}, [self._roidb.path(image) for image in images], index, {}, windows,
                     sorted(self._empty.pop(index, ())))

    def _make_tasks(self, index, slot):
        """Pool tasks for the crops of batch `index`."""
        crops = self.batches[index]
        tasks = []
        for rows in group_rows(self._images[crops].tolist()):
            image, _, of_image = self.sample(crops[rows[0]])
            windows = [(row, tuple(self._crops[crops[row]].tolist())) for row in rows]
            tasks.append((rows, 'fill', (slot, image, of_image, self.batch_shapes[index], windows)))
        return tasks

    def _review(self, index, row, slot, report):
        image, _, _ = self.sample(self.batches[index][row])
        if report.broken or report.outside:
            self._empty.setdefault(index, set()).add(row)
        if report.broken:
            self._notices.add_unreadable(self._roidb.path(image), report.broken)
        if report.notices and image not in self._noted:
            self._noted.add(image)
            for notice in report.notices:
                self._notices.add(notice)
        return None

    def close(self) -> None:
        """Stop the workers. May be called more than once."""
        if self._own_notices:
            self._own_notices.summary()
        self._pool.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _say_what_is_too_large(definition, roidb):
    """Warn of images that are not looked at as large as a test scale says."""
    large = [entry for entry in roidb if test_scale(definition, entry['width'], entry['height']) <
             scale_factor(definition, entry['width'], entry['height'])]
    if large:
        size = large[0]['width'], large[0]['height']
        logger.warning('%d images would have more than %d million pixels at scale %s and are shown smaller, such as '
                       '%s, %d x %d, at %.2fx: look at this scale in TEST.SLICES, or lower TEST.SCALES', len(large),
                       LARGEST_INPUT // 1000000, scale_name(definition), large[0]['image'], *size,
                       test_scale(definition, *size))


def _flatten(roidb, crops):
    """-> crops (n, 4) float64, image (n,) and number within its image (n,), in image order."""
    if crops is None:
        crops = [[(0, 0, entry['width'], entry['height'])] for entry in roidb]
    if len(crops) != len(roidb):
        raise SniperError(f'crops were given for {len(crops)} images but the roidb has {len(roidb)}')
    counts = [len(boxes) for boxes in crops]
    flat = [np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in crops]
    return (np.concatenate([np.empty((0, 4))] + flat), np.repeat(np.arange(len(roidb)), counts),
            np.concatenate([np.arange(count) for count in [0] + counts]))
