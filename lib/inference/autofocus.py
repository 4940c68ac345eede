"""AutoFocus: focus maps of one scale -> the windows of the next, and how much was looked at.

Najibi et al. 2019, "AutoFocus: Efficient Multi-Scale Inference"; reference/pipeline.md 12.7.
"""
import logging
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from lib.chips import focus_chips
from lib.chips.scales import test_scale
from lib.inference.scale import scale_name
from lib.tasks import get_task

logger = logging.getLogger(__name__)

ROUNDING = 1e-3       # pixels: a side that lies so close to a whole pixel is on it
SMALL_AREA = 32 ** 2  # original pixels: COCO's small objects


def focus_windows(entry, crops, maps, config, index: int, stride: int) -> List[Tuple[float, ...]]:
    """Windows of an image for scale `index` + 1: list of x1, y1, x2, y2, whole original pixels; may be empty.

    entry: roidb record; crops, maps: its windows at scale `index` and their focus maps (h, w), of cells of `stride`
    input pixels. Whole pixels, outwards, because pixels are cut out whole: a fraction would shift all detections of the
    chip. A window inside another one is left out. (The original does neither.)
    """
    width, height = entry['width'], entry['height']
    scale = test_scale(config.TEST.SCALES[index], width, height, config.TEST.SLICES[index] > 0)
    chips = chips_of_image(crops, maps, config.TEST.CHIP_HYPERPARAMS[index], scale, stride)
    chips = np.hstack([np.floor(chips[:, :2] + ROUNDING), np.ceil(chips[:, 2:] - ROUNDING)])
    chips = np.clip(chips, 0, [width, height, width, height])
    return [tuple(chip) for chip in outermost(chips).tolist()]


def chips_of_image(crops, maps, hyperparameters, scale: float, stride: int) -> np.ndarray:
    """FocusChips of all windows of an image, (M, 4) float64 in original pixels.

    hyperparameters: dilation in cells, threshold, smallest chip side in cells. scale: factor from original to input
    pixels.
    """
    dilation, threshold, min_chip = hyperparameters
    found = [np.zeros((0, 4))]
    for (x1, y1, x2, y2), prob_map in zip(crops, maps):
        chips = focus_chips(prob_map, int(dilation), threshold, int(min_chip), (x2 - x1) * scale, (y2 - y1) * scale,
                            scale, stride)
        found.append(chips + (x1, y1, x1, y1))
    return np.concatenate(found)


def outermost(boxes: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) without those that lie in another one; of equal ones the first stays. Order is kept."""
    inside = ((boxes[:, None, :2] >= boxes[None, :, :2]) & (boxes[:, None, 2:] <= boxes[None, :, 2:])).all(axis=2)
    equal = inside & inside.T
    covered = inside & ~equal | np.tril(equal, -1)
    return boxes[~covered.any(axis=1)]


def focus_recall(roidb, crops, wanted) -> Tuple[int, int]:
    """Do windows hold the objects that they are for?

    -> (objects whose centre lies in a window of their image, objects that `wanted` chose).
    crops[image]: windows x1, y1, x2, y2 in original pixels; wanted: areas (n,) of boxes in original pixels ->
    (n,) bool.
    """
    held = total = 0
    for entry, windows in zip(roidb, crops):
        boxes = entry['boxes'][np.asarray(entry['max_overlaps']) == 1]
        boxes = boxes[wanted((boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1))]
        total += len(boxes)
        if len(windows) and len(boxes):
            centres = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
            windows = np.asarray(windows)
            held += int(((centres >= windows[:, :2]) & (centres <= windows[:, 2:])).all(axis=2).any(axis=1).sum())
    return held, total


def small(areas):
    """COCO's small objects."""
    return areas < SMALL_AREA


def in_range(valid_range):
    """-> `wanted` for the objects of a valid range (lo, hi) of sides; a bound of 0 or less is open."""
    low, high = valid_range

    def wanted(areas):
        return (areas > max(low, 0) ** 2) & ((areas <= high ** 2) | (high <= 0))
    return wanted


class ScalePixels(NamedTuple):
    """Pixels of one scale, of the resized images."""

    name: str      # '800x1280'
    focused: bool  # runs on chips
    windows: int   # chips, or images
    pixels: float  # of these windows, overlaps counted twice
    full: float    # of the whole images
    network: int   # that went through the network, with padding; 0 if the scale was read from a file


class PixelReport:
    """Collects the scales of a run: `report.add` is what detect() takes as on_scale."""

    def __init__(self, config, roidb):
        self._config, self._roidb = config, roidb
        self._task = get_task(config, 'test')
        self.scales = []

    @classmethod
    def of(cls, config, roidb, results) -> 'PixelReport':
        """The report of all scales of a run, a list of ScaleResult."""
        report = cls(config, roidb)
        for index, result in enumerate(results):
            report.add(index, result)
        return report

    def add(self, index, result):
        """ScaleResult of scale `index`."""
        windows, pixels, full = 0, 0.0, 0.0
        for entry, crops in zip(self._roidb, result.crops):
            across, down = self._task.test_scales(index, entry['width'], entry['height'])
            factor = across * down
            windows += len(crops)
            pixels += factor * sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in crops)
            full += factor * entry['width'] * entry['height']
        self.scales.append(ScalePixels(scale_name(self._config, index), self._config.TEST.DO_PRUNING[index], windows,
                                       pixels, full, result.network_pixels))

    @property
    def share(self) -> float:
        """Pixels of the windows / pixels of the full pyramid; 0 without images."""
        full = sum(scale.full for scale in self.scales)
        return sum(scale.pixels for scale in self.scales) / full if full else 0.0

    @property
    def network_share(self) -> Optional[float]:
        """Pixels that the network was given, padding included, / pixels of the full pyramid; None if a scale came from
        a file."""
        full = sum(scale.full for scale in self.scales)
        if not full or not all(scale.network or not scale.windows for scale in self.scales):
            return None
        return sum(scale.network for scale in self.scales) / full

    def lines(self) -> List[str]:
        """Lines of a table for the log."""
        images = max(1, len(self._roidb))
        found = ['   scale  windows  an image   Mpixels   of full   with padding']
        for scale in self.scales:
            found.append('{:>8} {:>8d} {:>9.2f} {:>9.2f} {:>8.1f}% {:>13}'.format(
                scale.name, scale.windows, scale.windows / images, scale.pixels / 1e6,
                100 * scale.pixels / max(scale.full, 1), _percent(scale.network / max(scale.full, 1))
                if scale.network or not scale.windows else 'from file'))
        pixels = sum(scale.pixels for scale in self.scales)
        found.append('{:>8} {:>8d} {:>9.2f} {:>9.2f} {:>8.1f}% {:>13}'.format(
            'all', sum(scale.windows for scale in self.scales), sum(scale.windows for scale in self.scales) / images,
            pixels / 1e6, 100 * self.share, 'unknown' if self.network_share is None else _percent(self.network_share)))
        return found

    def figures(self) -> dict:
        """For JSON: scales as dicts and the two shares."""
        return {'scales': [scale._asdict() for scale in self.scales], 'share': self.share,
                'network_share': self.network_share}


def _percent(share):
    return f'{100 * share:.1f}%'
