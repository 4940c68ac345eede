"""AutoFocus against overlapping slices: python -m benchmarks.slicing [options]

Tests one detector on large pictures in several ways, with the same weights:

    full pyramid    every scale on whole pictures
    AutoFocus       as configured: the finest scale on chips around what the one before takes for small objects; and
                    with the thresholds of --thresholds
    slices of N     the finest scale on squares of N pixels of the network's input that overlap by TEST.SLICE_OVERLAP,
                    the others on whole pictures; objects cut by a slice's border are dropped as AutoFocus' chips do it
    as SAHI         the same slices, the first of --sides, with cut objects kept and what is found merged by NMS at IoU
                    0.5 (arXiv 2202.06934). The same detections are also merged by the configuration's NMS, and by
                    GREEDYNMM, the library's default: the hull of what overlaps by half of the smaller area. These
                    two rows cost what the first does, and have no seconds of their own.

Without --own, the pictures are --pictures of --size, each of about twenty synthetic scenes side by side
(benchmarks/joined.py); with it, the test set of --cfg. Prints a table and one JSON line; slicing.json and slicing.png
go to --out. Exit status 1 if no AutoFocus has an AP at most 0.01 below that of the best slices and three times fewer
pixels than the frugalest of them. Some four minutes of one idle core by default.
"""
import argparse
import logging
import os
import sys
from typing import Dict, List, Sequence

import numpy as np

from benchmarks.autofocus import Way, changed, conclude, one_run
from benchmarks.joined import size, write_joined
from benchmarks.slicing_plot import plot_ways
from benchmarks.timing import table
from configs import load_config
from lib.cli import run
from lib.tasks import check_config

CONFIG = 'configs/faster/sniper_tiny_autofocus.yml'
SCENES_A_PICTURE = 26    # made for each of 4000x3000: some have crowds, some are left over
PROPOSALS = 4000         # of a whole picture at the finest scale; chips and slices have as many as configured each
BEFORE_NMS = 60000       # of these
SAHI_IOU = 0.5
FRAGMENT = 0.5           # of the smaller area, in GREEDYNMM
BELIEVED = 0.25          # score from which GREEDYNMM makes hulls, SAHI's usual least score: others would ruin boxes
LEAST = 0.02             # score of what is merged so: it is done row by row
BARS = {'AP_loss': 0.01, 'times': 3.0}


def main(argv=None) -> int:
    """-> exit status."""
    args = parse(argv)
    logging.basicConfig(level=logging.WARNING, format='%(message)s')
    overrides = list(args.set)
    if not args.own:
        overrides = data_keys(make_scenes(args)) + overrides
    config = load_config(args.cfg, overrides)
    check_config(config, 'test')
    figures = measure(args, overrides, all_ways(config.TEST, args.sides, args.thresholds))
    found = verdict(figures)
    for line in table(HEADER, [cells(row, figures) for row in figures]):
        print(line)
    return conclude('slicing', args, figures, found, plot_ways)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cfg', default=CONFIG, metavar='FILE', help='with AutoFocus (default: %(default)s)')
    parser.add_argument('--save_prefix', default='SNIPER', help='of the checkpoint (default: %(default)s)')
    parser.add_argument('--own', action='store_true', help='test on the test set of --cfg')
    parser.add_argument('--pictures', type=int, default=2, metavar='N', help='to make (default: %(default)s)')
    parser.add_argument('--size', type=size, default=(4000, 3000), metavar='WxH', help='of these (default: 4000x3000)')
    parser.add_argument('--seed', type=int, default=5, help='of their scenes (default: %(default)s)')
    parser.add_argument('--sides', type=int, nargs='+', default=[256, 512], metavar='N',
                        help='of slices, pixels of the network\'s input; the first as trained (default: 256 512)')
    parser.add_argument('--thresholds', type=float, nargs='*', default=[0.05], metavar='SHARE',
                        help='of AutoFocus, tried too; the default was chosen on the scenes of seed 11 (%(default)s)')
    parser.add_argument('--out', default='output/benchmarks/slicing', metavar='FOLDER', help='default: %(default)s')
    parser.add_argument('--set', nargs=argparse.REMAINDER, default=[], metavar='KEY VALUE', help='as for main_test.py')
    return parser.parse_args(argv)


def make_scenes(args) -> str:
    """Large pictures of synthetic scenes -> their COCO folder, set `val`."""
    from lib.dataset.synthetic import generate
    scenes, folder = os.path.join(args.out, 'scenes'), os.path.join(args.out, 'joined')
    wanted = args.pictures * SCENES_A_PICTURE * args.size[0] * args.size[1] / 12e6
    generate(scenes, {'train': 1, 'val': max(2, round(wanted)), 'test-dev': 1}, args.seed, force=True)
    pictures, objects, covered = write_joined(scenes, folder, 'val', args.size, args.pictures)
    print(f'{pictures} pictures with {objects} objects, {covered:.0%} covered by scenes', file=sys.stderr)
    return folder


def data_keys(folder: str) -> List[str]:
    """--set pairs of a COCO folder whose set `val` is tested."""
    return ['dataset.dataset', 'coco', 'dataset.dataset_path', folder, 'dataset.image_set', 'val',
            'dataset.test_image_set', 'val']


def all_ways(test, sides: Sequence[int], thresholds: Sequence[float]) -> List[Way]:
    """What is measured, slices last. test: section TEST of a configuration with AutoFocus."""
    scales = len(test.SCALES)
    common = {'BATCH_IMAGES': [1] * scales, 'CONCURRENT_JOBS': 1, 'USE_CACHE': [False] * scales}
    off = dict(common, AUTO_FOCUS=False, DO_PRUNING=[False] * scales)
    whole = dict(off, RPN_PRE_NMS_TOP_N=BEFORE_NMS, RPN_POST_NMS_TOP_N=PROPOSALS)
    sliced = [dict(off, SLICES=[0] * (scales - 1) + [side]) for side in sides]
    ways = [Way('full pyramid', 'pyramid', whole), Way('AutoFocus', 'autofocus', common)]
    for threshold in thresholds:
        parameters = changed(test, threshold=threshold)
        if parameters != list(map(tuple, test.CHIP_HYPERPARAMS)):
            ways.append(Way(f'AutoFocus, threshold {threshold:g}', 'autofocus',
                            dict(common, CHIP_HYPERPARAMS=parameters)))
    ways += [Way(f'slices of {side}', 'slices', keys) for side, keys in zip(sides, sliced)]
    sahi = dict(sliced[0], PRUNING_BORDER=0.0, NMS_METHOD='hard', NMS=SAHI_IOU)
    return ways + [Way(f'slices of {sides[0]}, as SAHI', 'sahi', sahi)]


def measure(args, overrides, ways: Sequence[Way]) -> List[dict]:
    """Run all ways once -> a dict of figures each."""
    from lib.dataset import load_test_dataset
    from lib.inference import PredictorFactory, find_weights, use_float32_on_cpu
    from lib.weights.paths import output_folder
    config = load_config(args.cfg, overrides)
    dataset, roidb = load_test_dataset(config)
    weights = find_weights(config, output_folder(config, args.cfg), args.save_prefix)
    if weights.classes not in ((), dataset.classes):
        sys.exit(f'{weights.path} was trained on other classes, or in another order, than the data set has')
    figures = []

    def evaluated(name, kind, detections, more):
        metrics = dataset.evaluate(detections, os.path.join(args.out, 'results', name.replace(' ', '_')))
        figures.append({'way': name, 'kind': kind, 'images': len(roidb), **more,
                        **{key: metrics[key] for key in ('AP', 'AP50', 'APs', 'APm', 'APl')}})
        print(figures[-1], file=sys.stderr, flush=True)
    for way in ways:
        of_way = load_config(args.cfg, overrides)
        of_way.TEST.update(way.keys)
        check_config(of_way, 'test')
        of_way.dataset.NUM_CLASSES = dataset.num_classes
        use_float32_on_cpu(of_way)
        found = one_run(roidb, PredictorFactory(of_way, weights), of_way)
        cost = cost_of(of_way, roidb, found)
        evaluated(way.name, way.kind, found['detections'], cost)
        if way.kind == 'sahi':
            cost = {key: value for key, value in cost.items() if 'seconds' not in key}
            for name, detections in other_merging(found['results'], of_way, config).items():
                evaluated(f'{way.name}, {name}', 'merged', detections, cost)
    return figures


def cost_of(config, roidb, found) -> Dict[str, float]:
    """Of a run, an image: megapixels of windows, those with padding, windows, seconds of wall clock and processor."""
    from lib.inference.autofocus import PixelReport
    scales, images = PixelReport.of(config, roidb, found['results']).scales, len(roidb)
    return {'megapixels': sum(scale.pixels for scale in scales) / 1e6 / images,
            'network_megapixels': sum(scale.network for scale in scales) / 1e6 / images,
            'windows': sum(scale.windows for scale in scales) / images, 'seconds': found['seconds'] / images,
            'network_seconds': found['stages'].get('network', 0.0) / images, 'cpu_seconds': found['cpu'] / images}


def other_merging(results, config, configured) -> dict:
    """Detections of all scales with cut objects kept, merged in two more ways -> {name: Detections}."""
    from lib.inference.aggregate import Suppression, aggregate
    scales = [result.image_detections for result in results]
    own = aggregate(scales, config.TEST.VALID_RANGES, Suppression.from_config(configured), config.TEST.MAX_PER_IMAGE)
    by_window = [result._replace(detections=suppressed(result.detections)).image_detections for result in results]
    hulls = aggregate(by_window, config.TEST.VALID_RANGES, merged_greedily, config.TEST.MAX_PER_IMAGE)
    return {'configured NMS': own, 'GREEDYNMM': hulls}


def suppressed(detections):
    """What a detector by itself gives for its windows: hard NMS at SAHI_IOU for each window and class."""
    from lib.bbox.nms import nms
    kept = detections.take(detections.score >= LEAST)
    rows, group = kept.rows(), kept.image.astype(np.int64) * (int(kept.label.max(initial=0)) + 1) + kept.label
    order = np.argsort(group, kind='stable')
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return kept.take(np.sort(np.concatenate([part[nms(rows[part], SAHI_IOU)] for part in parts])))


def merged_greedily(rows: np.ndarray):
    """SAHI's GREEDYNMM: rows (n, 5) x1, y1, x2, y2, score of one class -> (rows left, best first; which they were).

    The best row left takes all others whose overlap with it is FRAGMENT of the smaller area or more, and becomes the
    hull of itself and of those of them, the best first, that still overlap the hull so much and are BELIEVED.
    """
    found, index = [], []
    left = np.argsort(-rows[:, 4], kind='stable')
    while len(left):
        best, left = left[0], left[1:]
        hull = rows[best].copy()
        near = overlap_of_smaller(hull, rows[left]) >= FRAGMENT
        for other in rows[left[near]]:
            if other[4] < BELIEVED:
                break
            if overlap_of_smaller(hull, other[None])[0] >= FRAGMENT:
                hull[:4] = np.concatenate([np.minimum(hull[:2], other[:2]), np.maximum(hull[2:4], other[2:4])])
        left = left[~near]
        found.append(hull)
        index.append(best)
    return np.array(found, np.float32).reshape(-1, 5), np.array(index, np.int64)


def overlap_of_smaller(box, boxes) -> np.ndarray:
    """Box (4,) and boxes (n, 4) -> (n,) intersection over the smaller of the two areas."""
    sides = np.minimum(box[2:4], boxes[:, 2:4]) - np.maximum(box[:2], boxes[:, :2]) + 1
    areas = (boxes[:, 2:4] - boxes[:, :2] + 1).prod(axis=1)
    return sides.clip(0).prod(axis=1) / np.minimum(areas, (box[2:4] - box[:2] + 1).prod())


def verdict(figures: Sequence[dict]) -> dict:
    """Every AutoFocus against the best AP and the fewest pixels of all slices, and BARS; 'holds': one reaches both."""
    sliced = [row for row in figures if row['kind'] in ('slices', 'sahi', 'merged')]
    best, fewest = max(sliced, key=lambda row: row['AP']), min(row['megapixels'] for row in sliced)
    held = {row['way']: {'AP_loss': best['AP'] - row['AP'], 'times': fewest / row['megapixels']}
            for row in figures if row['kind'] == 'autofocus'}
    return {'best_slices': best['way'], 'against_slices': held, 'bars': BARS,
            'holds': any(of_way['AP_loss'] <= BARS['AP_loss'] and of_way['times'] >= BARS['times']
                         for of_way in held.values())}


HEADER = ['way', 'AP', 'AP50', 'small', 'medium', 'large', 'windows', 'Mpixels', 'with padding', 'x AutoFocus', 's',
          'network s', 'CPU s']


def cells(row: dict, figures: Sequence[dict]) -> List[str]:
    """A row of the printed table; costs are those of an image."""
    focused = next(one for one in figures if one['kind'] == 'autofocus')
    seconds = [f'{row[key]:.1f}' if key in row else '' for key in ('seconds', 'network_seconds', 'cpu_seconds')]
    return [row['way'], *(f'{row[key]:.3f}' for key in ('AP', 'AP50', 'APs', 'APm', 'APl')), f'{row["windows"]:.0f}',
            f'{row["megapixels"]:.1f}', f'{row["network_megapixels"]:.1f}',
            f'{row["megapixels"] / focused["megapixels"]:.1f}', *seconds]


if __name__ == '__main__':
    run(main)
