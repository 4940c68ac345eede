"""Sections: how good the detections are, in all and by class."""
from typing import List, Sequence

import numpy as np

from lib.dataset.analysis.scores import NOT_THERE, SIZES
from lib.utils.counted import counted
from lib.visualization.report.markup import Markup, change, element, figure, folded, joined, table
from lib.visualization.report.run import ReportedData, Run, difference

HALF, THREE_QUARTERS = 0, 5     # in THRESHOLDS
TILES = (('AP', 'all', slice(None), 'mean of IoU 0.50 to 0.95'), ('AP50', 'all', HALF, 'IoU 0.50'),
         ('AP75', 'all', THREE_QUARTERS, 'IoU 0.75'), ('AP small', 'small', slice(None), 'below 32×32 pixels'),
         ('AP medium', 'medium', slice(None), '32×32 to 96×96'), ('AP large', 'large', slice(None), 'above 96×96'))
DEPTH = 3   # of nested metrics that are shown
OPEN = 100  # classes whose row is open; of hundreds the others are behind a line


def summary(tested: ReportedData, runs: List[Run]) -> Markup:
    """Tiles with the scores in all, those that the data set is compared by first."""
    scored = [run for run in runs if run.analysis.scores is not None]
    if len(scored) < len(runs):
        return element('p', 'No objects are annotated: there is nothing to score against.')
    own = [_tile(name, rules, runs, lambda run, name=name: (run.metrics or {}).get(name))
           for name, rules in tested.own_scores.items() if name in (runs[0].metrics or {})]
    tiles = element('div', *(_tile(name, meaning, runs, lambda run, size=size, index=index: run.analysis.scores.mean(
        size, index)) for name, size, index, meaning in TILES), class_='tiles')
    if not own:
        return tiles
    return joined([element('div', *own, class_='tiles'),
                   element('p', "By COCO's rules, as all that follows:", class_='soft'), tiles])


def _tile(name, meaning, runs, value) -> Markup:
    """value(run): a score, None where there is none."""
    lines = [element('b', name), element('span', figure(value(runs[0])), class_='value')]
    if len(runs) > 1:
        lines.append(element('span', 'other ', figure(value(runs[1])), ' ', change(difference(runs, value))))
    return element('div', *lines, element('small', meaning), class_='tile')


def metrics(runs: List[Run]) -> Markup:
    """What the data set's own evaluation gave, which for PASCAL VOC follows other rules."""
    named = [dict(_flat(run.metrics or {})) for run in runs]
    names = list(dict.fromkeys(name for of_run in named for name in of_run))
    if not names:
        return Markup('')
    return joined([element('p', "Scores by the data set's own rules, as the test printed them (−1, shown as a dash: "
                           'nothing of that kind is annotated).'),
                   table(['score'] + [run.name for run in runs],
                         ([name] + [_shown(of_run.get(name)) for of_run in named] for name in names))])


def _flat(values, before='', depth=DEPTH):
    """Numbers and texts of nested dicts, those by class left out."""
    for name, value in values.items():
        if isinstance(value, dict) and 'per_class' not in str(name) and depth:
            yield from _flat(value, f'{before}{name} ', depth - 1)
        elif isinstance(value, (int, float, str)):
            yield f'{before}{name}', value


def _shown(value):
    return figure(value, 4) if isinstance(value, float) else '–' if value is None else str(value)


def classes(tested: ReportedData, runs: List[Run]) -> Markup:
    """The table of classes and sizes."""
    if any(run.analysis.scores is None for run in runs):
        return Markup('')
    head = ['class', 'objects', 'found'] + ['AP', 'other', '±'][:1 if len(runs) < 2 else 3] + [
        'AP50', 'AP75', 'small', 'medium', 'large', 'best F1', 'from score', 'precision', 'recall']
    rows = [_row(tested.classes[index + 1], index, runs) for index in class_order(runs[0])]
    behind = [folded(counted(len(rows) - OPEN, 'more class', 'more classes'), table(head, rows[OPEN:], class_='wide'))
              ] if rows[OPEN:] else []
    mean = [element('b', 'mean'), int(runs[0].analysis.scores.objects[0].sum()),
            int(runs[0].analysis.scores.detections.sum())] + _aps(
        runs, lambda run, size, index: run.analysis.scores.mean(size, index)) + [''] * 4
    return joined([
        element('p', 'The class with the lowest AP comes first. Small, medium and large are AP of objects of these '
                'sizes. Whoever shows detections from “from score” on gets the best F1 of this class at an IoU of 0.5, '
                'with this precision and recall.'),
        table(head, [mean] + rows[:OPEN], class_='wide'), *behind])


def class_order(run: Run) -> Sequence[int]:
    """Classes, from 0, that have objects or detections: from the lowest AP to the highest, those without objects last.
    """
    scores = run.analysis.scores
    ap = [scores.of_class(index) for index in range(len(scores.detections))]
    there = np.flatnonzero((scores.objects[0] > 0) | (scores.detections > 0)).tolist()
    return sorted(there, key=lambda index: (ap[index] == NOT_THERE, ap[index]))


def _row(name, index, runs):
    scores = runs[0].analysis.scores
    best = scores.best[index]
    return [name, int(scores.objects[0, index]), int(scores.detections[index])] + _aps(
        runs, lambda run, size, thresholds: run.analysis.scores.of_class(index, size, thresholds)) + (
        ['–'] * 4 if best is None else [figure(best.f1), figure(best.threshold), figure(best.precision),
                                       figure(best.recall)])


def _aps(runs, value):
    """Cells of AP, with two runs of the other's and the difference too, AP50, AP75, and AP by size."""
    def all_sizes(run):
        return value(run, 'all', slice(None))
    cells = [figure(all_sizes(runs[0]))]
    if len(runs) > 1:
        cells += [figure(all_sizes(runs[1])), change(difference(runs, all_sizes))]
    return cells + [figure(value(runs[0], 'all', index)) for index in (HALF, THREE_QUARTERS)] + [
        figure(value(runs[0], size, slice(None))) for size in SIZES if size != 'all']
