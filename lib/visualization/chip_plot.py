"""The figures of lib.chips.statistics as a plot."""
import numpy as np

from lib.chips.statistics import FULL_IMAGE, scale_text
from lib.visualization.plot_file import COLOURS, GREY, check_ending, load_pyplot, save

BLUE, RED, GREEN = COLOURS[:3]


def plot_statistics(statistics, path):
    """Write a plot of a ChipStatistics to `path` (.png, .svg or .pdf). SniperError if it cannot be written."""
    check_ending(path)
    figure, axes = load_pyplot().subplots(2, 2, figsize=(12, 8))
    _chips_per_scale(axes[0, 0], statistics)
    _chips_per_image(axes[0, 1], statistics)
    _object_sides(axes[1, 0], statistics)
    _pixels(axes[1, 1], statistics)
    for axis in axes.flat:
        axis.spines[['top', 'right']].set_visible(False)
    figure.tight_layout()
    save(figure, path)


def _scale_names(statistics):
    count = len(statistics.settings.scales)
    return [scale_text(definition, index == count - 1) for index, definition in enumerate(statistics.settings.scales)]


def _chips_per_scale(axis, statistics):
    images, places = max(1, statistics.images), np.arange(len(statistics.chips))
    positive, negative = statistics.chips[:, 0] / images, statistics.chips[:, 1] / images
    axis.bar(places, positive, color=BLUE, label='positive')
    axis.bar(places, negative, bottom=positive, color=RED, label='negative')
    axis.set_xticks(places)
    axis.set_xticklabels(_scale_names(statistics))
    axis.set_ylabel('chips an image')
    axis.set_title(f'Chips by scale: {statistics.chips.sum() / images:.2f} an image')
    axis.legend(frameon=False)


def _chips_per_image(axis, statistics):
    counts = np.array(statistics.chips_per_image).reshape(-1, 2)
    most = int(counts.sum(axis=1).max(initial=0))
    width = max(1, -(-most // 60))
    bins = np.arange(0, most + width + 1, width) - 0.5
    axis.hist([counts[:, 0], counts.sum(axis=1)], bins=bins, color=[BLUE, GREY],
              label=['positive', 'with negative'] if counts[:, 1].any() else ['positive', 'all'])
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_xlabel('chips of an image')
    axis.set_ylabel('images')
    axis.set_title('Chips by image')
    axis.legend(frameon=False)


def _object_sides(axis, statistics):
    sides = np.concatenate(statistics.object_sides + [np.zeros(0)])
    covered = np.concatenate(statistics.covered + [np.zeros(0, bool)])
    finite = np.isfinite(sides)
    sides, covered = np.maximum(sides[finite], 1), covered[finite]
    smallest, largest = sides.min(initial=8), sides.max(initial=16) * 1.01
    bins = np.geomspace(smallest * 0.9, largest, 50)
    axis.hist([sides[covered], sides[~covered]], bins=bins, stacked=True, color=[GREEN, RED],
              label=['in a chip', f'in no chip ({(~covered).sum()})'])
    top = axis.get_ylim()[1]
    count = len(statistics.ranges)
    for index, (low, high) in enumerate(statistics.ranges):
        low, high = max(low, bins[0]), high if high > 0 else bins[-1]
        level = top * (1.04 + 0.06 * (count - 1 - index))
        axis.plot([low, min(high, bins[-1])], [level, level], color=BLUE, linewidth=4, solid_capstyle='butt')
        axis.annotate(_scale_names(statistics)[index], (low, level), xytext=(4, 4), textcoords='offset points',
                      fontsize=7)
    axis.set_ylim(0, top * (1.08 + 0.06 * count))
    axis.set_xscale('log')
    axis.set_xlabel('side of an object, original pixels')
    axis.set_ylabel('objects')
    axis.set_title('Objects and the valid ranges (bars)')
    axis.legend(fontsize=8, loc='upper right', bbox_to_anchor=(1, 0.75))


def _pixels(axis, statistics):
    images = max(1, statistics.images)
    amounts = [pixels / images / 1e6 for pixels in (statistics.pixels, statistics.full_image, statistics.pyramid)]
    names = ['chips', 'one pass at {}x{}'.format(*FULL_IMAGE), 'every scale']
    places = np.arange(3)
    axis.barh(places, amounts, color=[BLUE, GREY, GREY])
    for place, amount in zip(places, amounts):
        axis.annotate(f'{amount:.2f}', (amount, place), xytext=(4, 0), textcoords='offset points', va='center')
    axis.set_yticks(places)
    axis.set_yticklabels(names)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_xlabel('million pixels an image')
    axis.set_title('Pixels to process')
