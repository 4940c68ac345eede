"""How many pixels AutoFocus processes, scale by scale, against the full image pyramid."""
import logging
from typing import NamedTuple

from lib.chips.scales import test_scale
from lib.inference.scale import scale_name

logger = logging.getLogger(__name__)


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
        self.scales = []

    def add(self, index, result):
        """ScaleResult of scale `index`."""
        windows, pixels, full = 0, 0.0, 0.0
        for entry, crops in zip(self._roidb, result.crops):
            factor = test_scale(self._config.TEST.SCALES[index], entry['width'], entry['height']) ** 2
            windows += len(crops)
            pixels += factor * sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in crops)
            full += factor * entry['width'] * entry['height']
        self.scales.append(ScalePixels(scale_name(self._config, index), self._config.TEST.DO_PRUNING[index], windows,
                                       pixels, full, result.network_pixels))

    @property
    def share(self):
        """Pixels of the windows / pixels of the full pyramid; 0 without images."""
        full = sum(scale.full for scale in self.scales)
        return sum(scale.pixels for scale in self.scales) / full if full else 0.0

    @property
    def network_share(self):
        """The same with padding, both what the network was given; None if a scale came from a file."""
        full = sum(scale.full for scale in self.scales)
        if not full or not all(scale.network or not scale.windows for scale in self.scales):
            return None
        return sum(scale.network for scale in self.scales) / full

    def lines(self):
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

    def figures(self):
        """For JSON: scales as dicts and the two shares."""
        return {'scales': [scale._asdict() for scale in self.scales], 'share': self.share,
                'network_share': self.network_share}


def _percent(share):
    return f'{100 * share:.1f}%'
