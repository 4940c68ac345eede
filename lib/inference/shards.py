"""A test in shards: `main_test.py --shard 2/3` finds the detections of a part of the images, `--merge` joins them.

A part holds final detections: joining scales and suppression go image by image. What else a report of the whole asks
for goes along: masks, and the windows that AutoFocus looked at.
"""
import logging
import os

import numpy as np

from lib.dataset.compact import take
from lib.inference.partition import deal_images
from lib.inference.evaluate import Found, detect_images, draw_scales, prepare, report
from lib.inference.scale import ScaleResult, in_order
from lib.inference.shard_files import part_folder
from lib.inference.store import (COLUMNS, DetectionStore, lengths_of, pack_codes, result_root, rows_by_image,
                                 stack_rows, unpack_codes)
from lib.visualization import picture_names

logger = logging.getLogger(__name__)


def run_shard(config, cfg_path, save_prefix, shard, command):
    """Detect on the images of a Shard and write its part. command: see PartFolder. -> path of the part."""
    test = prepare(config, cfg_path, save_prefix)
    folder = _folder(test, command)
    images = deal_images(test.roidb, config, shard.count)[shard.number - 1]
    roidb = take(test.roidb, images)
    logger.info('shard %s: %d of %d images', shard, len(images), len(test.roidb))
    root = os.path.join(folder.folder, '{}_of_{}'.format(*shard))  # TEST.USE_CACHE reads a shard's own scales
    found = detect_images(test, roidb, DetectionStore(root, config, roidb, test.digest))
    if config.TEST.VISUALIZE_INTERMEDIATE_SCALES:
        names = picture_names(test.roidb)
        draw_scales(test, roidb, [names[image] for image in images], found.results)
    folder.write(shard, images, pack(found))
    logger.info('part: %s; when all %d are there: %s', folder.path(shard), shard.count, folder.next_step(shard.count))
    return folder.path(shard)


def run_merge(config, cfg_path, save_prefix, count, command, draw=False):
    """Join all parts and report as the test in one process does. count: of shards, 0 = as many as the files say.

    -> metrics, None for sets without annotations. SniperError: see PartFolder.read_all.
    """
    test = prepare(config, cfg_path, save_prefix)
    parts = _folder(test, command).read_all(count, lambda number: deal_images(test.roidb, config, number))
    logger.info('%d parts hold all %d images', len(parts), len(test.roidb))
    found = join([unpack(part.arrays, test) for part in parts], [part.images for part in parts])
    return report(test, DetectionStore(result_root(config), config, test.roidb, test.digest), found, draw)


def _folder(test, command):
    return part_folder(test.config, 'detections', test.dataset, test.roidb, test.digest, command)


def pack(found):
    """Found -> arrays by name.

    rows (N, 6), rows_per_image (m,); with masks `codes` and `lengths`, of the rows; scale by scale windows_0 (W, 4),
    windows_per_image_0 (m,); network_pixels (scales,).
    """
    images = rows_by_image(found.detections)
    arrays = {'rows': stack_rows(images), 'rows_per_image': lengths_of(images),
              'network_pixels': np.array([result.network_pixels for result in found.results], np.int64)}
    if found.masks is not None:
        by_image = zip(*found.masks)
        arrays.update(pack_codes([code for of_image in by_image for of_class in of_image for code in of_class]))
    for index, result in enumerate(found.results):
        windows = [window for crops in result.crops for window in crops]
        arrays[f'windows_{index}'] = np.array(windows, np.float64).reshape(-1, 4)
        arrays[f'windows_per_image_{index}'] = lengths_of(result.crops)
    return arrays


def unpack(arrays, test):
    """The inverse of pack -> Found; of the scales, windows and pixels alone."""
    classes = test.dataset.num_classes
    detections = [[] for _ in range(classes)]
    masks = [[] for _ in range(classes)] if test.config.TEST.WITH_MASK else None
    codes = iter(unpack_codes(arrays)) if masks is not None else None
    for rows in _split(arrays['rows'].reshape(-1, COLUMNS), arrays['rows_per_image']):
        for label in range(classes):
            of_class = rows[rows[:, 5] == label]
            detections[label].append(np.ascontiguousarray(of_class[:, :5]))
            if masks is not None:
                masks[label].append([next(codes) for _ in of_class])
    results = []
    for index, pixels in enumerate(arrays['network_pixels'].tolist()):
        windows = _split(arrays[f'windows_{index}'], arrays[f'windows_per_image_{index}'])
        results.append(ScaleResult([list(map(tuple, of_image.tolist())) for of_image in windows], None, None, pixels))
    return Found(detections, masks, results)


def join(parts, numbers):
    """Founds of parts of the images, which are images `numbers[part]` -> Found of all."""
    detections, masks = ([in_order(lists, numbers) for lists in zip(*(getattr(part, field) for part in parts))]
                         if getattr(parts[0], field) is not None else None for field in ('detections', 'masks'))
    results = [ScaleResult(in_order([result.crops for result in of_scale], numbers), None, None,
                           sum(result.network_pixels for result in of_scale))
               for of_scale in zip(*(part.results for part in parts))]
    return Found(detections, masks, results)


def _split(array, counts):
    """An array -> list of arrays, so many rows each."""
    ends = np.cumsum(counts).tolist()
    return [array[first:end] for first, end in zip([0] + ends[:-1], ends)]
