"""AutoFocus against the full image pyramid: python -m benchmarks.autofocus [--cfg FILE] [options]

Tests one checkpoint on the configuration's test set in many ways: the full pyramid, every scale alone, AutoFocus as
configured, and AutoFocus with other dilations, thresholds and smallest chips, one changed at a time (--grid: all
combinations; --also: one more setting). Every way runs --repeats times, in turn with the others, each time with a
network bound anew; its speed is the best of them, without loading the weights and without evaluation.
Prints a table and one JSON line; autofocus.json and autofocus.png (AP against pixels and against time) go to --out.
Exit status 1 if a bar of BARS is missed.
"""
import argparse
import itertools
import json
import logging
import os
import resource
import sys
import time
from typing import Callable, List, NamedTuple

from benchmarks.autofocus_plot import plot_runs
from benchmarks.timing import json_line, table
from configs import load_config
from configs.scales import scale_name
from lib.cli import run
from lib.tasks import check_config
from lib.utils.files import text_writer

CONFIG = 'configs/faster/sniper_tiny_autofocus.yml'
DILATIONS, THRESHOLDS, CHIP_FACTORS = (1, 3, 5), (0.02, 0.05, 0.1, 0.2, 0.3, 0.5), (0.5, 0.75, 1.0, 1.5, 2.0)
FRUGAL = (1, 0.12, 4)   # dilation, threshold, smallest chip of a setting with few pixels
BARS = {'AP_loss': 0.01, 'share': 0.40, 'speed_up': 2.0, 'recall': 0.95, 'frugal_AP_loss': 0.02, 'frugal_share': 0.20}
PYRAMID, CONFIGURED = 'full pyramid', 'AutoFocus'


class Way(NamedTuple):
    """One way to test: a name, what kind of point it is in the plot, and keys of TEST that it changes."""

    name: str
    kind: str
    keys: dict


def main(argv=None):
    args = parse(argv)
    logging.basicConfig(level=logging.WARNING, format='%(message)s')
    config = load_config(args.cfg, args.set)
    check_config(config, 'test')
    ways = all_ways(config.TEST, args)
    figures = measure(args, ways)
    found = verdict(figures)
    for line in table(['way', 'dilation, threshold, least', 'AP', 'AP50', 'APs', 'pixels', 'with padding', 'recall',
                       'images/s', 'x pyramid', 'CPU s'], rows_of(figures)):
        print(line)
    return conclude('autofocus', args, figures, found, plot_runs)


def conclude(name: str, args, ways: List[dict], found: dict, plot: Callable[[List[dict], str], None]) -> int:
    """What ends a comparison of ways to test: JSON and plot in args.out, one line of JSON -> exit status 0 if it holds.

    found: verdict, with 'holds'; plot: writes a picture of `ways` to a path.
    """
    os.makedirs(args.out, exist_ok=True)
    with text_writer(os.path.join(args.out, f'{name}.json')) as stream:
        json.dump({'ways': ways, 'verdict': found, 'cfg': args.cfg}, stream, indent=2)
    plot(ways, os.path.join(args.out, f'{name}.png'))
    print(json_line(name, cfg=args.cfg, ways=ways, **found))
    return 0 if found['holds'] else 1


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cfg', default=CONFIG, metavar='FILE', help='default: %(default)s')
    parser.add_argument('--save_prefix', default='SNIPER', help='of the checkpoint (default: %(default)s)')
    parser.add_argument('--out', default='output/benchmarks/autofocus', metavar='FOLDER', help='default: %(default)s')
    parser.add_argument('--repeats', type=int, default=2, metavar='N', help='runs of every way (default: %(default)s)')
    parser.add_argument('--dilations', type=numbers(int), default=DILATIONS, metavar='LIST', help='cells, both scales')
    parser.add_argument('--thresholds', type=numbers(float), default=THRESHOLDS, metavar='LIST', help='both scales')
    parser.add_argument('--chip_factors', type=numbers(float), default=CHIP_FACTORS, metavar='LIST',
                        help='of the configured smallest chip sides')
    parser.add_argument('--also', type=numbers(float), default=FRUGAL, metavar='DILATION,THRESHOLD,LEAST',
                        help='one more setting, for all scales; empty: none (default: %(default)s)')
    parser.add_argument('--grid', action='store_true', help='all combinations of the three lists')
    parser.add_argument('--set', nargs='+', default=[], metavar='KEY VALUE', help='as for main_test.py')
    return parser.parse_args(argv)


def numbers(kind):
    """Type of a command line argument: numbers joined by ','; empty is none."""
    return lambda text: [kind(part) for part in text.split(',') if part]


def all_ways(test, args) -> List[Way]:
    """What is measured, each once, the two that are compared first."""
    scales = len(test.SCALES)
    off = {'AUTO_FOCUS': False, 'DO_PRUNING': [False] * scales}
    ways = [Way(PYRAMID, 'pyramid', off), Way(CONFIGURED, 'configured', {})]
    for index, scale in enumerate(test.SCALES):
        keys = dict(off, SCALES=[scale], VALID_RANGES=[(-1, -1)], BATCH_IMAGES=[test.BATCH_IMAGES[index]],
                    DO_PRUNING=[False], USE_CACHE=[False], CHIP_HYPERPARAMS=[(-1, -1, -1)])
        ways.append(Way(f'scale {scale_name(scale)} alone', 'single', keys))
    lists = [('dilation', args.dilations), ('threshold', args.thresholds), ('chip', args.chip_factors)]
    if args.grid:
        changes = [dict(zip(('dilation', 'threshold', 'chip'), values))
                   for values in itertools.product(*(values for _, values in lists))]
    else:
        changes = [{name: value} for name, values in lists for value in values]
    if args.also:
        dilation, threshold, least = args.also
        changes.append({'dilation': int(dilation), 'threshold': threshold, 'least': int(least)})
    seen = [list(map(tuple, test.CHIP_HYPERPARAMS))]
    for change in changes:
        parameters = changed(test, **change)
        if parameters not in seen:
            seen.append(parameters)
            kind = 'frugal' if 'least' in change else 'grid' if args.grid else next(iter(change))
            name = ' '.join('{} {}'.format(*item) for item in change.items())
            ways.append(Way(name, kind, {'CHIP_HYPERPARAMS': parameters}))
    return ways


def changed(test, dilation=None, threshold=None, chip=1.0, least=None):
    """CHIP_HYPERPARAMS with another dilation, threshold, and smallest chips `chip` times as large, or `least` cells."""
    found = []
    for index, (old_dilation, old_threshold, old_least) in enumerate(test.CHIP_HYPERPARAMS):
        if index + 1 < len(test.SCALES) and test.DO_PRUNING[index + 1]:
            found.append((dilation or old_dilation, threshold or old_threshold,
                          least or max(1, int(round(old_least * chip)))))
        else:
            found.append((old_dilation, old_threshold, old_least))
    return found


def measure(args, ways):
    """Run all ways in turn -> a dict of figures each."""
    from lib.dataset import load_test_dataset
    from lib.inference import PredictorFactory, find_weights, use_float32_on_cpu
    from lib.weights.paths import output_folder
    configs = []
    for way in ways:
        config = load_config(args.cfg, args.set)
        scales = way.keys.get('SCALES', config.TEST.SCALES)
        config.TEST.update(way.keys, CONCURRENT_JOBS=1, USE_CACHE=[False] * len(scales))
        use_float32_on_cpu(config)
        configs.append(config)
    dataset, roidb = load_test_dataset(configs[0])
    weights = find_weights(configs[0], output_folder(configs[0], args.cfg), args.save_prefix)
    if weights.classes not in ((), dataset.classes):
        sys.exit(f'{weights.path} was trained on other classes, or in another order, than the data set has')
    runs = [[] for _ in ways]
    for repeat in range(args.repeats):
        for number, (way, config) in enumerate(zip(ways, configs)):
            config.dataset.NUM_CLASSES = dataset.num_classes
            runs[number].append(one_run(roidb, PredictorFactory(config, weights), config))
            print(f'{way.name}, run {repeat + 1}: {runs[number][-1]["seconds"]:.1f} s', file=sys.stderr,
                  flush=True)
    figures = []
    for way, config, of_way in zip(ways, configs, runs):
        folder = os.path.join(args.out, 'results', way.name.replace(' ', '_'))
        metrics = dataset.evaluate(of_way[0]['detections'], folder)
        figures.append(figures_of(way, config, roidb, of_way, metrics))
    for row in figures:
        row['speed_up'] = row['images_per_second'] / figures[0]['images_per_second']
    return figures


def one_run(roidb, factory, config):
    """Detect once -> seconds without loading the network, CPU seconds, stages, detections and results by scale."""
    from lib.inference import detect
    from lib.utils.clock import StageClock
    clock, results = StageClock(), []
    start, cpu = time.perf_counter(), cpu_seconds()
    detections = detect(roidb, factory, config, clock=clock, on_scale=lambda _, result: results.append(result))
    seconds = time.perf_counter() - start - clock.seconds.get('set-up', 0.0)
    return {'seconds': seconds, 'cpu': cpu_seconds() - cpu, 'stages': dict(clock.seconds), 'detections': detections,
            'results': results}


def cpu_seconds():
    """Of this process and of all its children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime
               for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def figures_of(way, config, roidb, runs, metrics):
    """Figures of a way, fit for JSON."""
    from lib.inference.autofocus import PixelReport, focus_recall, in_range, small
    report, results = PixelReport(config, roidb), runs[0]['results']
    for index, result in enumerate(results):
        report.add(index, result)
    best = min(runs, key=lambda run: run['seconds'])
    row = {'way': way.name, 'kind': way.kind,
           'parameters': [list(entry) for entry in config.TEST.CHIP_HYPERPARAMS[:-1]],
           'AP': metrics['AP'], 'AP50': metrics['AP50'], 'APs': metrics['APs'], 'APm': metrics['APm'],
           'APl': metrics['APl'], 'images': len(roidb), 'seconds': best['seconds'],
           'all_seconds': [run['seconds'] for run in runs], 'cpu_seconds': min(run['cpu'] for run in runs),
           'images_per_second': len(roidb) / best['seconds'], 'stages': best['stages'],
           'megapixels': sum(scale.pixels for scale in report.scales) / 1e6, **report.figures()}
    if any(config.TEST.DO_PRUNING):
        held, total = focus_recall(roidb, results[-1].crops, small)
        row['recall'] = held / max(total, 1)
        row['recall_by_scale'] = {}
        for scale, result, valid_range in zip(report.scales, results, config.TEST.VALID_RANGES):
            if scale.focused:
                held, total = focus_recall(roidb, result.crops, in_range(valid_range))
                row['recall_by_scale'][scale.name] = held / max(total, 1)
    return row


def verdict(figures):
    """Figures against BARS; 'holds' says whether all are reached."""
    pyramid = next(row for row in figures if row['kind'] == 'pyramid')
    focused = next(row for row in figures if row['kind'] == 'configured')
    for row in figures:  # a single scale has another pyramid of its own: all shares are of the full one
        row['share'] = row['megapixels'] / pyramid['megapixels']
    frugal = [row for row in figures
              if row['kind'] not in ('pyramid', 'single') and row['share'] <= BARS['frugal_share']]
    frugal = max(frugal, key=lambda row: row['AP'], default=None)
    found = {'AP_loss': pyramid['AP'] - focused['AP'], 'share': focused['share'], 'speed_up': focused['speed_up'],
             'recall': focused['recall'], 'bars': BARS, 'frugal': frugal and frugal['way'],
             'frugal_share': frugal and frugal['share'], 'frugal_AP_loss': frugal and pyramid['AP'] - frugal['AP']}
    found['holds'] = (found['AP_loss'] <= BARS['AP_loss'] and found['share'] <= BARS['share']
                      and found['speed_up'] >= BARS['speed_up'] and found['recall'] >= BARS['recall']
                      and frugal is not None and found['frugal_AP_loss'] <= BARS['frugal_AP_loss'])
    return found


def rows_of(figures):
    """Rows of the printed table."""
    rows = []
    for row in figures:
        focused = 'recall' in row
        rows.append([row['way'], '; '.join('{:g} {:g} {:g}'.format(
            *tuple(entry)) for entry in row['parameters']) if focused else '',
                     f'{row["AP"]:.4f}', f'{row["AP50"]:.4f}', f'{row["APs"]:.4f}', f'{100 * row["share"]:.1f}%',
                     f'{100 * row["network_share"]:.1f}%'
                     if row['network_share'] and row['kind'] != 'single' else '',
                     f'{row["recall"]:.3f}' if focused else '', f'{row["images_per_second"]:.2f}',
                     f'{row["speed_up"]:.2f}', f'{row["cpu_seconds"]:.1f}'])
    return rows


if __name__ == '__main__':
    run(main)
