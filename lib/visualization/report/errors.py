"""Sections: kinds of errors and what they cost; which class is taken for which."""
from typing import List

import numpy as np

from lib.dataset.analysis.errors import BOTH, CLASS, DOUBLE, MISSED, NOTHING, PLACE, UNFOUND, WRONG
from lib.visualization.report.charts import bar, heat_map
from lib.visualization.report.markup import Markup, change, element, folded, joined, table
from lib.visualization.report.run import ReportedData, Run, difference

MEANING = {CLASS: 'the place is right (IoU 0.5 or more), the class is wrong',
           PLACE: 'the class is right, the box is off (IoU 0.1 to 0.5)',
           BOTH: 'the class is wrong and the box is off',
           DOUBLE: 'the object was found already, by a better detection',
           NOTHING: 'there is no object (IoU below 0.1)',
           MISSED: 'no detection, of a wrong class or place either, is near the object',
           WRONG: 'if no detection were wrong', UNFOUND: 'if all objects were found'}
AS_TABLE = 10     # classes of which the table of confusions is shown in numbers; of more, as squares
LARGEST_MAP = 40  # classes of a map, those that are confused most
LISTED = 25       # confusions between classes that are listed


def kinds(runs: List[Run]) -> Markup:
    """The table of kinds."""
    if any(run.analysis.errors is None for run in runs):
        return Markup('')
    errors = runs[0].analysis.errors
    largest = max([errors.gain[name] for name in MEANING if name not in (WRONG, UNFOUND)] + [1e-9])
    head = ['kind', 'errors', 'AP50 to gain', ''] + ['other', '±'][:2 * (len(runs) > 1)] + ['what it is']
    rows = []
    for name, meaning in MEANING.items():
        def gain(run, name=name):
            return run.analysis.errors.gain[name]
        more = []
        if len(runs) > 1:
            more = [f'{gain(runs[1]):+.3f}',
                    change(difference(runs, lambda run: max(gain(run), 0.0)), less_is_better=True)]
        rows.append([name, errors.number[name], f'{errors.gain[name]:+.3f}', bar(errors.gain[name] / largest)] + more +
                    [element('small', meaning)])
    return joined([
        element('p', f'AP at an IoU of 0.5 is {errors.ap:.3f}. Each row says by how much it would rise if these errors '
                'alone were mended (TIDE, Bolya et al. 2020). Errors of low scores are counted too, but cost little; '
                'the gains do not add up.'), table(head, rows, class_='kinds')])


def confusions(tested: ReportedData, runs: List[Run]) -> Markup:
    """Objects by class and by what they are found as."""
    if runs[0].analysis.confusion is None:
        return Markup('')
    table_, names = runs[0].analysis.confusion.table, ['background'] + list(tested.classes[1:])
    there = [0] + [index for index in range(1, len(names)) if table_[index].any() or table_[:, index].any()]
    text = element('p', 'Detections from the score of the best F1 of their class on. A row holds the objects of a '
                   'class, a column what they were found as; in the row “background” is what was found where no object '
                   'is, in the column “background” what was not found.')
    if len(there) <= AS_TABLE + 1:
        shown = _numbers(table_, there, names)
    else:
        wrong = table_.sum(axis=0) + table_.sum(axis=1) - 2 * table_.diagonal()
        chosen = [0] + sorted(sorted(there[1:], key=lambda index: -wrong[index])[:LARGEST_MAP])
        shown = joined([element('p', f'The {len(chosen) - 1} classes with the most errors; the darker a square, the '
                                'larger the share of its row.'), _map(table_, chosen, names)])
    listed = [[tested.classes[row], tested.classes[column], count]
              for row, column, count in runs[0].analysis.confusion.pairs(LISTED)]
    return joined([text, shown, folded('Confusions between two classes, the most frequent first',
                                       table(['objects of', 'found as', 'how often'], listed)) if listed else ''])


def _numbers(values, there, names):
    def cell(row, column):
        kind = 'right' if row == column and row else 'wrong' if values[row, column] else 'none'
        share = values[row, column] / max(values[row].sum(), 1)
        return element('span', '' if row == column == 0 else int(values[row, column]), class_=f'cell {kind}',
                       style=f'--share:{share:.2f}')
    return table(['object \\ found as'] + [names[column] for column in there],
                 ([names[row]] + [cell(row, column) for column in there] for row in there), class_='confusion')


def _map(values, chosen, names):
    part = values[np.ix_(chosen, chosen)].astype(np.float64)
    shares = part / np.maximum(values[chosen].sum(axis=1, keepdims=True), 1)

    def title(row, column):
        return f'{names[chosen[row]]} found as {names[chosen[column]]}: {part[row, column]:.0f}'
    return heat_map(shares, title, [names[index] for index in chosen], 'rows: objects; columns: found as')
