"""Speed of the training data, without a network: python -m benchmarks.loader --data FOLDER [options]

FOLDER holds a data set in COCO's format, for example coco_mini. The same chips, in the same order, are made

    reference   as the original does: a multiprocessing.Pool whose workers read the image, mirror, crop, resize, make
                the anchor targets with NumPy, and send the tensors back pickled; the parent stacks them to batches
    ours        by lib.iterators.TrainIterator; its time includes the choice of the epoch's chips, which the reference
                is given

in turns, in the same run and with the same number of processes. Prints a table and one JSON line with the median of
the chips per second of each and their ratio. Exit status 1 if ours is not 3 times as fast.
"""
import argparse
import itertools
import json
import logging
import multiprocessing
import os
import statistics
import sys
import time

import cv2
import numpy as np

from configs import load_config
from lib.dataset.loading import load_training_roidb
from lib.iterators import TrainIterator
from lib.tasks import get_task
from lib.utils.errors import SniperError
from lib.utils.processes import num_cores

CONFIGURATION = 'configs/faster/sniper_res101_e2e.yml'
BAR = 3.0  # times the reference's chips per second
MIN_SIDE, BORDER, IGNORE_OVERLAP = 10, 32, 0.3  # reference/pipeline.md 10.3, 10.5, 10.6


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', required=True, metavar='FOLDER', help='data set in COCO format')
    parser.add_argument('--image-set', default='train2017', metavar='NAME', help='its split (default: %(default)s)')
    parser.add_argument('--cfg', default=CONFIGURATION, metavar='FILE', help='configuration (default: %(default)s)')
    parser.add_argument('--chips', type=int, default=512, metavar='N', help='a measurement (default: %(default)s)')
    parser.add_argument('--processes', type=int, default=0, metavar='N', help='workers (default: one a core)')
    parser.add_argument('--repeats', type=int, default=3, metavar='N', help='measurements each (default: %(default)s)')
    parser.add_argument('--set', nargs='*', default=[], metavar='KEY VALUE', help='further configuration keys')
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format='%(message)s')
    if not os.path.isdir(os.path.join(args.data, 'annotations')):
        parser.error(f'{args.data} holds no folder "annotations": --data wants a data set in COCO format')
    try:
        figures = compare(args)
    except SniperError as error:
        parser.error(str(error))
    print_table(figures)
    print(json.dumps(figures, sort_keys=True))
    return 0 if figures['holds'] else 1


def compare(args):
    """-> dict of figures; chips per second are medians over the repeats, which alternate."""
    config = load_config(args.cfg, ['dataset.dataset', 'coco', 'dataset.dataset_path', args.data, 'dataset.image_set',
                                    args.image_set, 'TRAIN.USE_NEG_CHIPS', 'False'] + args.set)
    roidb, _ = load_training_roidb(config)
    processes = args.processes or num_cores()
    batch_size = config.TRAIN.BATCH_IMAGES
    config.TRAIN.MAX_BATCHES = max(1, args.chips // batch_size)
    speeds = {'reference': [], 'ours': []}
    with TrainIterator(roidb, config, batch_size, num_workers=processes) as iterator, \
            ReferenceLoader(roidb, config, batch_size, processes) as reference:
        for epoch in range(args.repeats + 1):  # the first one warms up: files in memory, workers started
            started = time.perf_counter()
            batches = sum(1 for _ in range(iterator.start_epoch(epoch)) if next(iterator))
            ours = batches * batch_size / (time.perf_counter() - started)
            plan = list(itertools.islice(iterator.epoch_chips(), batches * batch_size))
            started = time.perf_counter()
            for _ in reference.batches(plan):
                pass
            theirs = batches * batch_size / (time.perf_counter() - started)
            if epoch:
                speeds['ours'].append(ours)
                speeds['reference'].append(theirs)
    median = {name: statistics.median(values) for name, values in speeds.items()}
    ratio = median['ours'] / median['reference']
    return {'benchmark': 'loader', 'data': os.path.basename(os.path.normpath(args.data)), 'images': len(roidb),
            'chips': batches * batch_size, 'processes': processes, 'cores': num_cores(), 'repeats': args.repeats,
            'reference_chips_per_second': round(median['reference'], 1),
            'ours_chips_per_second': round(median['ours'], 1), 'ratio': round(ratio, 2), 'bar': BAR,
            'holds': ratio >= BAR}


def print_table(figures):
    print('{} chips of {} images, {} processes on {} cores, median of {}'.format(
        figures['chips'], figures['images'], figures['processes'], figures['cores'], figures['repeats']))
    print(f'{"":<10}  {"chips/s":>12}')
    for name in ('reference', 'ours'):
        print(f'{name:<10}  {figures[name + "_chips_per_second"]:>12.1f}')
    print(f'{"ratio":<10}  {figures["ratio"]:>12.2f}  (bar: {figures["bar"]:.1f})')


class ReferenceLoader:
    """The straightforward loader: one pool task a chip, everything in NumPy, tensors pickled back."""

    def __init__(self, roidb, config, batch_size, processes):
        self._batch_size = batch_size
        self._data, self._label = get_task(config).layout(batch_size)
        # fork, as the original: workers inherit the roidb instead of receiving it.
        self._pool = multiprocessing.get_context('fork').Pool(processes, _prepare, (roidb, config))

    def batches(self, plan):
        """Batches of (image index, Window) pairs, each a dict of stacked tensors."""
        samples = self._pool.imap(_make_sample, plan)
        for _ in range(len(plan) // self._batch_size):
            rows = [next(samples) for _ in range(self._batch_size)]
            yield {name: np.stack([row[name] for row in rows]) for name, _ in self._data + self._label}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._pool.terminate()
        self._pool.join()


_worker: dict = {}


def _prepare(roidb, config):
    cv2.setNumThreads(0)
    _worker.update(roidb=roidb, config=config, anchors=grid_anchors(config), rng=np.random.RandomState(os.getpid()))


def _make_sample(task):
    index, chip = task
    entry, config = _worker['roidb'][index], _worker['config']
    tensors = anchor_targets(entry, chip, config, _worker['anchors'], _worker['rng'])
    tensors['data'] = chip_pixels(entry, chip, config)
    return tensors


def chip_pixels(entry, chip, config):
    """(3, S, S) float32, R, G, B minus means."""
    size = config.TRAIN.CHIP_SIZE
    image = cv2.imread(entry['image'], cv2.IMREAD_COLOR)
    if entry['flipped']:
        image = image[:, ::-1]
    x1, y1, x2, y2 = [int(side) for side in chip.box]
    crop = cv2.resize(np.ascontiguousarray(image[y1:y2, x1:x2]), None, fx=chip.scale, fy=chip.scale,
                      interpolation=cv2.INTER_LINEAR)[:size, :size]
    out = np.zeros((3, size, size), np.float32)
    for plane in range(3):
        out[plane, :crop.shape[0], :crop.shape[1]] = crop[:, :, 2 - plane] - config.network.PIXEL_MEANS[2 - plane]
    return out


def grid_anchors(config):
    """(F * F * A, 4) anchors of the whole chip, cell by cell."""
    stride = get_task(config).stride
    centre, base = (stride - 1) / 2, []
    for ratio in config.network.ANCHOR_RATIOS:
        width = np.round(np.sqrt(stride * stride / ratio))
        height = np.round(width * ratio)
        for scale in config.network.ANCHOR_SCALES:
            half = np.array([width * scale - 1, height * scale - 1]) / 2
            base.append(np.concatenate([centre - half, centre + half]))
    shifts = np.arange(config.TRAIN.CHIP_SIZE // stride) * stride
    x, y = np.meshgrid(shifts, shifts)
    corners = np.stack([x.ravel(), y.ravel(), x.ravel(), y.ravel()], axis=1)
    return (corners[:, None] + np.array(base)[None]).reshape(-1, 4)


def anchor_targets(entry, chip, config, all_anchors, rng):
    """Labels, box targets and the object table of a chip (reference/pipeline.md 10.2 to 10.11)."""
    train, size = config.TRAIN, config.TRAIN.CHIP_SIZE
    corner = np.array(chip.box[:2] * 2, np.float32)
    rows = np.nonzero(entry['max_overlaps'] == 1)[0]
    boxes = np.clip(np.round((entry['boxes'][rows] - corner) * np.float32(chip.scale)), 0, size - 1)
    kept = (boxes[:, 2:] - boxes[:, :2] + 1 >= MIN_SIDE).all(axis=1)
    boxes, classes, mine = boxes[kept], entry['max_classes'][rows[kept]], np.isin(rows[kept], chip.rows)
    if mine.any():
        mine = numpy_overlaps(boxes, boxes[mine]).max(axis=1) == 1

    inside = np.nonzero((all_anchors[:, :2] >= -BORDER).all(axis=1)
                        & (all_anchors[:, 2:] < size + BORDER).all(axis=1))[0]
    anchors = all_anchors[inside]
    label = np.full(len(anchors), -1, np.float32)
    targets = np.zeros((len(anchors), 4), np.float32)
    if mine.any():
        overlaps = numpy_overlaps(anchors, boxes[mine])
        best = overlaps.max(axis=1)
        label[best < train.RPN_NEGATIVE_OVERLAP] = 0
        label[np.nonzero((overlaps == overlaps.max(axis=0)) & (overlaps > 0))[0]] = 1
        label[best >= train.RPN_POSITIVE_OVERLAP] = 1
        targets = encode(anchors, boxes[mine][overlaps.argmax(axis=1)])
    else:
        label[:] = 0
    if not mine.all():
        label[numpy_overlaps(anchors, boxes[~mine]).max(axis=1) > IGNORE_OVERLAP] = -1
    drop_surplus(label, 1, int(train.RPN_BATCH_SIZE * train.RPN_FG_FRACTION), rng)
    drop_surplus(label, 0, train.RPN_BATCH_SIZE - int((label == 1).sum()), rng)
    return pack(label, targets, inside, boxes, classes, chip, config)


def pack(label, targets, inside, boxes, classes, chip, config):
    """Targets of the anchors `inside` -> tensors of one sample."""
    task = get_task(config)
    cells, count = task.cells[0], task.anchors
    total = cells * cells * count
    full_label = np.full(total, -1, np.float32)
    full_label[inside] = label
    full_target, full_weight = np.zeros((total, 4), np.float32), np.zeros((total, 4), np.float32)
    positive = label == 1
    full_target[inside[positive]] = targets[positive]
    full_weight[inside[positive]] = 1
    objects = np.full((config.TRAIN.MAX_GT, 5), -1, np.float32)
    shown = min(len(boxes), len(objects))
    objects[:shown, :4], objects[:shown, 4] = boxes[:shown], classes[:shown]
    low, high = config.TRAIN.VALID_RANGES[chip.level]
    as_planes = [array.reshape(cells, cells, count * 4).transpose(2, 0, 1) for array in (full_target, full_weight)]
    return {'label': full_label.reshape(cells, cells, count).transpose(2, 0, 1).ravel(),
            'bbox_target': as_planes[0], 'bbox_weight': as_planes[1], 'gt_boxes': objects,
            'valid_ranges': np.array([max(low, 0) * chip.scale,
                                      config.TRAIN.CHIP_SIZE if high < 0 else high * chip.scale], np.float32),
            'im_info': np.array([chip.height, chip.width, chip.scale], np.float32)}


def numpy_overlaps(boxes, query):
    """(N, 4), (K, 4) -> (N, K) IoU with inclusive corners."""
    overlaps = np.empty((len(boxes), len(query)))
    x1, y1, x2, y2 = np.ascontiguousarray(boxes.T)
    areas = (x2 - x1 + 1) * (y2 - y1 + 1)
    for column, (left, top, right, bottom) in enumerate(query):
        widths = np.minimum(x2, right) - np.maximum(x1, left) + 1
        heights = np.minimum(y2, bottom) - np.maximum(y1, top) + 1
        shared = np.maximum(widths, 0) * np.maximum(heights, 0)
        overlaps[:, column] = shared / (areas + (right - left + 1) * (bottom - top + 1) - shared)
    return overlaps


def encode(anchors, boxes):
    """Deltas dx, dy, dw, dh from anchors to boxes."""
    sides, box_sides = [array[:, 2:] - array[:, :2] + 1 for array in (anchors, boxes)]
    centres, box_centres = [array[:, :2] + 0.5 * (side - 1) for array, side in ((anchors, sides), (boxes, box_sides))]
    return np.concatenate([(box_centres - centres) / (sides + 1e-7), np.log(box_sides / (sides + 1e-7))],
                          axis=1).astype(np.float32)


def drop_surplus(label, value, limit, rng):
    members = np.nonzero(label == value)[0]
    if len(members) > limit:
        label[rng.choice(members, len(members) - limit, replace=False)] = -1


if __name__ == '__main__':
    sys.exit(main())
