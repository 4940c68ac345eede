"""How trainings went, as a plot: losses, scores of validations, learning rate, of one run or of several.

    python -m lib.visualization.curves output/my/train [output/other/train ...] [--out curves.png]

A run is the folder of a training, or a file of metrics in it (docs/training.md).
"""
import argparse
import glob
import logging
import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from lib.cli import run, setup_logging
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.files import check_writable
from lib.utils.json_lines import read_lines
from lib.utils.short_names import short_names
from lib.utils.user_path import user_path
from lib.visualization.plot_file import GREY, check_ending, line_style, load_pyplot, save

logger = logging.getLogger(__name__)

MOST_PANELS = 12                # of training metrics
LARGE = 60                      # readings, from which on curves of losses are smoothed

Curve = Tuple[np.ndarray, np.ndarray]   # batches, values


class History(NamedTuple):
    """What is known of a run. name: in the plot; training, validation: name of the metric -> curve; rate: learning
    rate; metric: name of what validations count by, '' without any; epochs: batches after which an epoch ended."""
    name: str
    training: Dict[str, Curve]
    validation: Dict[str, Curve]
    rate: Curve
    metric: str
    epochs: Sequence[int]


def find_file(place: str) -> str:
    """The file of metrics that a run's folder, the one above it, or its path itself names: of several in a folder, the
    one written last. SniperError if there is none."""
    if os.path.isfile(place):
        return place
    found = glob.glob(os.path.join(glob.escape(place), '*-metrics*.jsonl'))
    if not found:
        below = sorted({os.path.dirname(path) for depth in ('*', os.path.join('*', '*')) for path in glob.glob(
            os.path.join(glob.escape(place), depth, '*-metrics*.jsonl'))})
        if len(below) == 1:
            return find_file(below[0])
        hint = f'; there are some in {", ".join(below[:5])}' if below else ': give a folder that main_train.py wrote to'
        raise SniperError(f'{place} has no metrics of a training (SNIPER-metrics-….jsonl){hint}')
    return max(found, key=os.path.getmtime)


def read_history(path: str, name: str) -> History:
    """The metrics in a file. SniperError if it has none."""
    training: Dict[str, List[tuple]] = {}
    validation: Dict[str, List[tuple]] = {}
    rates: List[tuple] = []
    metric, epochs = '', []
    for line in read_lines(path):
        step = line.get('step')
        if not _is_number(step):
            continue
        for key, curves in (('training', training), ('validation', validation)):
            values = line.get(key)
            for label, value in values.items() if isinstance(values, dict) else ():
                if _is_number(value):
                    curves.setdefault(label, []).append((step, value))
        if _is_number(line.get('rate')):
            rates.append((step, line['rate']))
        if 'training' in line and _is_number(line.get('batch')) and line['batch'] == line.get('batches'):
            epochs.append(step)
        if 'validation' in line and isinstance(line.get('metric'), str):
            metric = line['metric']
    if not rates and not validation:
        raise SniperError(f'{path} holds no reading yet: training writes one with every progress line')
    return History(name, {label: _curve(rows) for label, rows in training.items()},
                   {label: _curve(rows) for label, rows in validation.items()}, _curve(rates), metric, epochs)


def plot(histories: Sequence[History], path: str) -> None:
    """Write the plot to `path` (.png, .svg or .pdf): a panel a metric of training, one for scores, one for the rate."""
    pyplot = load_pyplot()
    losses = list(dict.fromkeys(label for history in histories for label in history.training))[:MOST_PANELS]
    with pyplot.rc_context({'text.parse_math': False, 'font.size': 9}):     # names may hold a dollar sign
        count = len(losses) + 2
        columns = min(3, count)
        rows = -(-count // columns)
        figure, axes = pyplot.subplots(rows, columns, figsize=(4.6 * columns, 3.1 * rows), squeeze=False)
        panels = list(axes.flat)
        _scores(panels[0], histories)
        for axis, label in zip(panels[1:], losses):
            _training(axis, label, histories)
        _rates(panels[len(losses) + 1], histories)
        for axis in panels[count:]:
            axis.set_visible(False)
        for axis in panels[:count]:
            _dress(axis, histories)
        _legend(figure, histories)
        save(figure, path)


def summary(history: History) -> str:
    """A line: how far it got, and the best validation."""
    last = int(max(curve[0][-1] for curve in [history.rate, *history.validation.values()] if len(curve[0])))
    text = (f'{history.name}: {counted(last, "batch", "batches")}, '
            f'{counted(len(history.epochs), "epoch", "epochs")}')
    if history.metric not in history.validation:
        return text + ', no validations (TRAIN.VALIDATE_EVERY)'
    validations = counted(len(history.validation[history.metric][1]), 'validation', 'validations')
    return f'{text}, {validations}{_best_text(history)}'


def _best_text(history):
    if history.metric not in history.validation:
        return ''
    steps, values = history.validation[history.metric]
    best = int(np.argmax(values))
    return f', best {history.metric} {values[best]:.4f} at batch {int(steps[best])}'


def _scores(axis, histories):
    axis.set_title('Validation: ' + (', '.join(dict.fromkeys(
        history.metric for history in histories if history.metric)) or 'none'))
    for number, history in enumerate(histories):
        steps, values = history.validation.get(history.metric, (np.zeros(0), np.zeros(0)))
        if not len(steps):
            continue
        axis.plot(steps, values, marker='.', **line_style(number))
        best = int(np.argmax(values))
        axis.plot(steps[best], values[best], marker='o', markersize=7, markerfacecolor='none', linestyle='none',
                  color=line_style(number)['color'])
        if len(histories) == 1:
            axis.annotate(f'{values[best]:.3f}', (steps[best], values[best]), textcoords='offset points', xytext=(0, 6),
                          ha='center', color=line_style(number)['color'])
    if not any(history.metric for history in histories):
        axis.text(0.5, 0.5, 'TRAIN.VALIDATE_EVERY was 0', ha='center', va='center', color=GREY,
                  transform=axis.transAxes)
    axis.margins(y=0.15)


def _training(axis, label, histories):
    axis.set_title(label)
    for number, history in enumerate(histories):
        if label not in history.training:
            continue
        steps, values = history.training[label]
        style = line_style(number)
        if len(steps) >= LARGE:
            axis.plot(steps, values, alpha=0.25, linewidth=0.8, color=style['color'])
            values = smoothed(values, len(steps) // (LARGE // 2))
        axis.plot(steps, values, **style)


def _rates(axis, histories):
    axis.set_title('Learning rate')
    for number, history in enumerate(histories):
        style = line_style(number)  # equal rates are one over the other
        axis.plot(*history.rate, **dict(style, linewidth=style['linewidth'] + min(len(histories) - 1 - number, 3)))
    axis.set_ylim(bottom=0)


def _dress(axis, histories):
    axis.spines[['top', 'right']].set_visible(False)
    axis.set_xlabel('batches')
    axis.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    axis.grid(axis='y', alpha=0.25)
    if len(histories) == 1 and len(histories[0].epochs) <= 40:
        for step in histories[0].epochs:
            axis.axvline(step, color=GREY, alpha=0.3, linewidth=0.6, zorder=0)


def _legend(figure, histories):
    from matplotlib.lines import Line2D
    if len(histories) == 1:
        figure.suptitle(histories[0].name)
        figure.tight_layout()
        return
    handles = [Line2D([], [], label=_shortened(history.name) + _best_text(history), **line_style(number))
               for number, history in enumerate(histories)]
    columns = min(len(handles), 3)
    rows = -(-len(handles) // columns)
    top = 1 - (0.1 + 0.22 * rows) / figure.get_size_inches()[1]
    figure.legend(handles=handles, loc='upper center', ncol=columns, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, top))


def smoothed(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over `width` values on either side, fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, end = np.maximum(places - width, 0), np.minimum(places + width + 1, len(values))
    return (sums[end] - sums[first]) / (end - first)


def run_names(places: Sequence[str], paths: Sequence[str]) -> Tuple[str, ...]:
    """Names of runs: their folders as far as these differ, and the file where a place is one. paths: of the files."""
    files = [os.path.abspath(path) for path in paths]
    ends = [os.path.dirname(file) if os.path.isdir(place) else os.path.splitext(file)[0]
            for place, file in zip(places, files)]
    return short_names(ends) if len(ends) > 1 else ('/'.join(ends[0].split(os.sep)[-2:]),)


def _curve(rows) -> Curve:
    """In order of the batches; of several readings at one, the last."""
    by_step = dict(sorted(dict(rows).items()))
    return np.array(list(by_step), np.float64), np.array(list(by_step.values()), np.float64)


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15    # and no nan


def _shortened(name, limit=48):
    return name if len(name) <= limit else '…' + name[-limit + 1:]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Draw the runs -> exit status 0. SniperError for a run without metrics, or a plot that cannot be written."""
    parser = argparse.ArgumentParser(description='Draw how trainings went.')
    parser.add_argument('runs', nargs='+', type=user_path, metavar='RUN',
                        help='folder of a training, or a file SNIPER-metrics-….jsonl')
    parser.add_argument('--out', type=user_path, default='curves.png', metavar='FILE',
                        help='plot, .png, .svg or .pdf (%(default)s)')
    args = parser.parse_args(argv)
    setup_logging()
    check_ending(args.out, '--out')
    check_writable(args.out)
    paths = [find_file(place) for place in args.runs]
    names = run_names(args.runs, paths)
    histories = [read_history(path, name) for path, name in zip(paths, names)]
    for history in histories:
        logger.info('%s', summary(history))
    plot(histories, args.out)
    logger.info('plot: %s', args.out)
    return 0


if __name__ == '__main__':
    run(main)
