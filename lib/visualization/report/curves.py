"""Section: curves of precision and recall, and histograms of scores, in all and by class."""
from typing import List

import numpy as np

from lib.dataset.analysis.scores import NOT_THERE, RECALLS, THRESHOLDS
from lib.visualization.report.charts import Chart, counts_axis
from lib.visualization.report.markup import Markup, element, figure, folded, joined
from lib.visualization.report.run import ReportedData, Run
from lib.visualization.report.scores import HALF, THREE_QUARTERS, class_order

OPEN = 12       # classes whose curves are open; the others are behind a line
MOST = 200      # classes that have curves at all


def curves(tested: ReportedData, runs: List[Run]) -> Markup:
    """The charts of all classes together and of each."""
    if any(run.analysis.scores is None for run in runs):
        return Markup('')
    order = class_order(runs[0])
    cards = [_class_card(tested.classes[index + 1], index, runs) for index in order[:MOST]]
    parts = [element('p', 'Precision is the best one at that recall or above, at IoU 0.5 (upper curve) and 0.75; the '
                     'point is the best F1 at 0.5. Histograms count detections by score on a logarithmic axis: right '
                     'ones below, wrong ones on top; the line is the score of the best F1.',
                     ' The other run is dashed.' if len(runs) > 1 else ''),
             element('div', *([_all_card(runs)] + cards[:OPEN]), class_='cards')]
    if cards[OPEN:]:
        parts.append(folded(f'{len(cards) - OPEN} more classes', element('div', *cards[OPEN:], class_='cards')))
    if len(order) > MOST:
        parts.append(element('p', f'The other {len(order) - MOST} classes stand in the table only.'))
    return joined(parts)


def _all_card(runs):
    chart = Chart('recall', 'precision')
    for run, dashed in zip(runs, ('', ' dashed')):
        precision = run.analysis.scores.precision
        there = (precision > NOT_THERE).all(axis=(0, 1))
        for number in range(0, len(THRESHOLDS), 2):
            chart.line(RECALLS, precision[number][:, there].mean(axis=1), f'c{number // 2}{dashed}')
    return element('div', element('h3', 'all classes'), chart.svg(),
                   element('small', 'IoU 0.5, 0.6, 0.7, 0.8, 0.9, from above'), class_='card')


def _class_card(name, index, runs):
    chart = Chart('recall', 'precision')
    for run, dashed in list(zip(runs, ('', ' dashed')))[::-1]:
        scores = run.analysis.scores
        for number, kind in ((HALF, 'c0'), (THREE_QUARTERS, 'c2')):
            if scores.objects[0, index]:
                chart.line(RECALLS, scores.precision[number, :, index], kind + dashed)
    best = runs[0].analysis.scores.best[index]
    if best is not None:
        chart.mark(best.recall, best.precision)
    text = f'{runs[0].analysis.scores.objects[0, index]} objects, AP {figure(runs[0].analysis.scores.of_class(index))}'
    if best is not None:
        text += f', best F1 {figure(best.f1)} from score {figure(best.threshold)}'
    return element('div', element('h3', name), chart.svg(), _histogram(runs[0].analysis.scores, index, best),
                   element('small', text), class_='card')


def _histogram(scores, index, best):
    right, wrong = scores.right[index], scores.wrong[index]
    place, ticks = counts_axis(float((right + wrong).max()))
    chart = Chart('score', 'detections', ticks)
    chart.bars(np.zeros(len(right)), place(right), 'right')
    chart.bars(place(right), place(right + wrong), 'wrong')
    if best is not None:
        chart.mark(best.threshold)
    return chart.svg()
