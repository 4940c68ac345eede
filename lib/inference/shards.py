"""A test in shards: `main_test.py --shard 2/3` finds the detections of a part of the images, `--merge` joins them.

A part holds final detections: joining scales and suppression go image by image. What else a report of the whole asks
for goes along: masks, and the windows that AutoFocus looked at.
"""
import logging
import os

import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.compact import take
from lib.inference.evaluate import Outcome, detect_images, draw_scales, prepare, report
from lib.inference.scale import ScaleResult, in_order
from lib.inference.shard_files import part_folder
from lib.inference.store import DetectionStore, pack_codes, result_root, rows_of, unpack_codes
from lib.inference.workers import partition_images
from lib.visualization import picture_names

logger = logging.getLogger(__name__)


def run_shard(config, cfg_path, save_prefix, shard, command):
    """Detect on the images of a Shard and write its part. command: see PartFolder. -> path of the part."""
    test = prepare(config, cfg_path, save_prefix)
    folder = _folder(test, command)
    images = partition_images(test.roidb, config, shard.count)[shard.number - 1]
    roidb = take(test.roidb, images)
    logger.info('shard %s: %d of %d images', shard, len(images), len(test.roidb))
    root = os.path.join(folder.folder, '{}_of_{}'.format(*shard))  # TEST.USE_CACHE reads a shard's own scales
    found = detect_images(test, roidb, DetectionStore(root, config, roidb, test.digest))
    if config.TEST.VISUALIZE_INTERMEDIATE_SCALES:
        names = picture_names(test.roidb)
        draw_scales(test, roidb, [names[image] for image in images], found.results)
    folder.write(shard, images, pack(found, len(images)))
    logger.info('part: %s; when all %d are there: %s', folder.path(shard), shard.count, folder.next_step(shard.count))
    return folder.path(shard)


def run_merge(config, cfg_path, save_prefix, count, command, draw=False):
    """Join all parts and report as the test in one process does. count: of shards, 0 = as many as the files say.

    -> metrics, None for sets without annotations. SniperError: see PartFolder.read_all.
    """
    test = prepare(config, cfg_path, save_prefix)
    parts = _folder(test, command).read_all(count, lambda number: partition_images(test.roidb, config, number))
    logger.info('%d parts hold all %d images', len(parts), len(test.roidb))
    found = join([unpack(part.arrays, config.TEST.WITH_MASK) for part in parts], [part.images for part in parts])
    return report(test, DetectionStore(result_root(config), config, test.roidb, test.digest), found, draw)


def _folder(test, command):
    return part_folder(test.config, 'detections', test.dataset, test.roidb, test.digest, command)


def pack(found, images):
    """Outcome of `images` images -> arrays by name.

    rows (N, 6), rows_per_image (m,); with masks `codes` and `lengths`, of the rows; scale by scale windows_0 (W, 4),
    windows_per_image_0 (m,); network_pixels (scales,).
    """
    arrays = {'rows': rows_of(found.detections),
              'rows_per_image': np.bincount(found.detections.image, minlength=images),
              'network_pixels': np.array([result.network_pixels for result in found.results], np.int64)}
    if found.detections.mask is not None:
        arrays.update(pack_codes(found.detections.mask))
    for index, result in enumerate(found.results):
        windows = [window for crops in result.crops for window in crops]
        arrays[f'windows_{index}'] = np.array(windows, np.float64).reshape(-1, 4)
        arrays[f'windows_per_image_{index}'] = result.counts
    return arrays


def unpack(arrays, with_mask):
    """The inverse of pack -> Outcome; of the scales, windows and pixels alone."""
    images = np.repeat(np.arange(len(arrays['rows_per_image'])), arrays['rows_per_image'])
    detections = Detections.from_rows(images, arrays['rows'], mask=unpack_codes(arrays) if with_mask else None)
    results = []
    for index, pixels in enumerate(arrays['network_pixels'].tolist()):
        windows = list(map(tuple, arrays[f'windows_{index}'].tolist()))
        ends = np.cumsum(arrays[f'windows_per_image_{index}']).tolist()
        results.append(ScaleResult([windows[first:end] for first, end in zip([0] + ends[:-1], ends)], None, None,
                                   pixels))
    return Outcome(detections, results)


def join(parts, numbers):
    """Outcomes of parts of the images, which are images `numbers[part]` -> Outcome of all."""
    detections = Detections.concatenate([
        part.detections.replace(image=np.asarray(of_part, np.int64)[part.detections.image])
        for part, of_part in zip(parts, numbers)])
    results = [ScaleResult(in_order([result.crops for result in of_scale], numbers), None, None,
                           sum(result.network_pixels for result in of_scale))
               for of_scale in zip(*(part.results for part in parts))]
    return Outcome(detections.take(np.argsort(detections.image, kind='stable')), results)
