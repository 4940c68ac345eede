"""Focus maps of one scale -> the windows of the next (Najibi et al. 2019, "AutoFocus"; reference/pipeline.md 12.7)."""
import numpy as np

from lib.chips import focus_chips
from lib.chips.scales import test_scale

ROUNDING = 1e-3  # pixels: a side that lies so close to a whole pixel is on it


class FocusWindows:
    """What jobs.run_here asks for the windows of a scale; picklable."""

    def __init__(self, config):
        self._config = config

    def __call__(self, roidb, index, previous):
        """Scale `index`, ScaleResult of scale `index` - 1 or None -> crops[image], see focus_windows.

        Whole images where TEST.DO_PRUNING is False.
        """
        if not self._config.TEST.DO_PRUNING[index]:
            return whole_images(roidb)
        return [focus_windows(entry, *of_image, self._config, index - 1)
                for entry, *of_image in zip(roidb, previous.crops, previous.maps)]


def whole_images(roidb, index=None, previous=None):
    """crops[image] = one crop each, the whole image: x1, y1, x2, y2 in original pixels. The scale does not matter."""
    return [[(0.0, 0.0, float(entry['width']), float(entry['height']))] for entry in roidb]


def focus_windows(entry, crops, maps, config, index):
    """Windows of an image for scale `index` + 1: list of x1, y1, x2, y2, whole original pixels; may be empty.

    entry: roidb record; crops, maps: its windows at scale `index` and their focus maps (h, w). Whole pixels, outwards,
    because pixels are cut out whole: a fraction would shift all detections of the chip. A window inside another one is
    left out. (The original does neither.)
    """
    width, height = entry['width'], entry['height']
    scale = test_scale(config.TEST.SCALES[index], width, height)
    chips = chips_of_image(crops, maps, config.TEST.CHIP_HYPERPARAMS[index], scale, config.network.RPN_FEAT_STRIDE)
    chips = np.hstack([np.floor(chips[:, :2] + ROUNDING), np.ceil(chips[:, 2:] - ROUNDING)])
    chips = np.clip(chips, 0, [width, height, width, height])
    return [tuple(chip) for chip in outermost(chips).tolist()]


def chips_of_image(crops, maps, hyperparameters, scale, stride):
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


def outermost(boxes):
    """Boxes (n, 4) without those that lie in another one; of equal ones the first stays. Order is kept."""
    inside = ((boxes[:, None, :2] >= boxes[None, :, :2]) & (boxes[:, None, 2:] <= boxes[None, :, 2:])).all(axis=2)
    equal = inside & inside.T
    covered = inside & ~equal | np.tril(equal, -1)
    return boxes[~covered.any(axis=1)]
