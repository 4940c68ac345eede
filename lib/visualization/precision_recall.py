"""Precision against recall as a plot: the curves of a data set's own evaluation, with their AP."""
from typing import Sequence

from lib.dataset.base import PrecisionRecall
from lib.visualization.plot_file import line_style, load_pyplot, save


def plot(curves: Sequence[PrecisionRecall], path: str, title: str = '') -> None:
    """Write the plot to `path` (.png, .svg or .pdf). SniperError if it cannot be written."""
    pyplot = load_pyplot()
    with pyplot.rc_context({'text.parse_math': False, 'font.size': 10}):    # names may hold a dollar sign
        figure, axis = pyplot.subplots(figsize=(6.4, 5.4))
        for number, curve in enumerate(curves):
            axis.plot(curve.recall, curve.precision, label=f'{curve.name}  {curve.ap:.4f}', **line_style(number))
        axis.set(xlim=(0, 1), ylim=(0, 1.01), xlabel='recall', ylabel='precision')
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.25)
        axis.spines[['top', 'right']].set_visible(False)
        axis.legend(loc='lower left', frameon=False, title='AP', alignment='left')
        figure.tight_layout()
        save(figure, path)
