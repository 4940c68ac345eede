"""Which windows of its images a scale looks at: whole images, slices of them, or FocusChips."""
from typing import List

from lib.chips.slices import slice_windows
from lib.inference.autofocus import focus_windows
from lib.inference.scale import runs_on_chips, whole_images
from lib.tasks import get_task


class ScaleWindows:
    """What workers.run_here asks for the windows of a scale; picklable."""

    def __init__(self, config):
        self._config = config
        task = get_task(config, 'test')
        self._stride = task.focus.stride if task.focus else 1  # without FocusPixels no scale asks for chips

    def __call__(self, roidb, index: int, previous) -> List:
        """Scale `index`, ScaleResult of scale `index` - 1 or None -> crops[image], lists of x1, y1, x2, y2 in original
        pixels: FocusChips where TEST.DO_PRUNING is True, slices where TEST.SLICES has a side, else whole images.
        """
        if self._config.TEST.SLICES[index]:
            return [image_slices(entry, self._config, index) for entry in roidb]
        if not runs_on_chips(self._config, index):
            return whole_images(roidb)
        maps = iter(previous.maps)
        return [focus_windows(entry, crops, [next(maps) for _ in crops], self._config, index - 1, self._stride)
                for entry, crops in zip(roidb, previous.crops)]


def image_slices(entry, config, index: int) -> List:
    """Slices of a roidb record's image for scale `index`: squares of TEST.SLICES pixels of the network's input."""
    width, height = entry['width'], entry['height']
    side_x, side_y = (max(1, round(config.TEST.SLICES[index] / scale))
                      for scale in get_task(config, 'test').test_scales(index, width, height))
    return slice_windows(width, height, side_x, side_y, config.TEST.SLICE_OVERLAP)
