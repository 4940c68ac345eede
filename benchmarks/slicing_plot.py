"""The plot of benchmarks/slicing.py: AP against pixels and against time, and AP by size."""
import io
from typing import Sequence

from lib.utils.files import write_file

MARKS = {'pyramid': ('s', '#222222'), 'autofocus': ('*', '#d1495b'), 'slices': ('o', '#2a7fb8'),
         'sahi': ('^', '#5a9e6f'), 'merged': ('v', '#e09f3e')}
SIZES = (('APs', 'small'), ('APm', 'medium'), ('APl', 'large'))


def plot_ways(figures: Sequence[dict], path: str) -> None:
    """Write `path` (.png) from the figures of benchmarks.slicing."""
    import matplotlib
    matplotlib.use('Agg')  # no display is needed
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.8))
    _costs(axes[0], figures, 'megapixels', 'million pixels a picture')
    _costs(axes[1], [row for row in figures if 'cpu_seconds' in row], 'cpu_seconds', 'processor seconds a picture')
    low = min(row['AP'] for row in figures)
    for axis in axes[:2]:
        axis.set_ylim(low - 0.03, max(row['AP'] for row in figures) + 0.02)
    _by_size(axes[2], figures)
    for axis in axes:
        axis.set_ylabel('AP')
        axis.grid(alpha=0.3)
        axis.set_axisbelow(True)
        axis.spines[['top', 'right']].set_visible(False)
    figure.legend(*axes[2].get_legend_handles_labels(), frameon=False, loc='lower center', ncol=4)
    figure.tight_layout(rect=(0, 0.13, 1, 1))
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=110)
    pyplot.close(figure)
    write_file(path, content.getvalue())


def _costs(axis, figures, key, label):
    for number, row in enumerate(figures):
        axis.scatter(row[key], row['AP'], marker=MARKS[row['kind']][0], color=_colour(figures, number), zorder=3,
                     s=170 if row['kind'] == 'autofocus' else 60)
    axis.set_xlabel(label)
    axis.set_xlim(0, 1.1 * max(row[key] for row in figures))


def _by_size(axis, figures):
    width = 0.85 / len(figures)
    for number, row in enumerate(figures):
        places = [place + (number - (len(figures) - 1) / 2) * width for place in range(len(SIZES))]
        axis.bar(places, [max(row[key], 0) for key, _ in SIZES], width, color=_colour(figures, number),
                 label=row['way'])
    axis.set_xticks(range(len(SIZES)), [name for _, name in SIZES])
    axis.set_xlabel('objects by size, as COCO counts them')


def _colour(figures, number):
    """That of the kind; the second and later ones of a kind are lighter."""
    from matplotlib.colors import to_rgb
    kind = figures[number]['kind']
    before = sum(row['kind'] == kind for row in figures[:number])
    return tuple(1 - (1 - part) * 0.6 ** before for part in to_rgb(MARKS[kind][1]))
