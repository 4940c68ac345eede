"""The plot of benchmarks/autofocus.py: AP against pixels and against time."""
import io

from lib.utils.files import write_file

MARKS = {'pyramid': ('s', '#222222', 'full pyramid'), 'single': ('x', '#8d99ae', 'one scale alone'),
         'configured': ('*', '#d1495b', 'AutoFocus as configured'), 'dilation': ('o', '#2a7fb8', 'other dilation'),
         'threshold': ('^', '#5a9e6f', 'other threshold'), 'chip': ('D', '#e09f3e', 'other smallest chip'),
         'frugal': ('v', '#7a4f9a', 'few pixels'), 'grid': ('o', '#2a7fb8', 'other parameters')}


def plot_runs(figures, path):
    """Write `path` (.png) from the figures of benchmarks.autofocus, which have 'share' set."""
    import matplotlib
    matplotlib.use('Agg')  # no display is needed
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(12, 5), sharey=True)
    for axis, values, label in ((axes[0], [100 * row['share'] for row in figures], "pixels, % of the full pyramid's"),
                                (axes[1], [1000 * row['seconds'] / row['images'] for row in figures], 'ms an image')):
        for kind, (marker, colour, name) in MARKS.items():
            points = [(value, row['AP']) for value, row in zip(values, figures) if row['kind'] == kind]
            if points:
                axis.scatter(*zip(*sorted(points)), marker=marker, color=colour, label=name,
                             s=140 if kind == 'configured' else 45, zorder=3 if kind == 'configured' else 2)
        for row, value in zip(figures, values):
            if row['kind'] in ('single', 'pyramid'):
                axis.annotate(row['way'], (value, row['AP']), textcoords='offset points', xytext=(6, -12), fontsize=8)
        axis.set_xlabel(label)
        axis.set_xlim(left=0)
        axis.grid(alpha=0.3)
        axis.spines[['top', 'right']].set_visible(False)
    axes[0].set_ylabel('AP')
    axes[0].legend(frameon=False, loc='lower right')
    figure.tight_layout()
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=110)
    pyplot.close(figure)
    write_file(path, content.getvalue())
