"""TEST.FLIP: a scale once more on mirrored images; what is found there is mirrored back and joins the rest."""
import numpy as np

from lib.bbox.detections import Detections
from lib.dataset.compact import CompactRoidb
from lib.inference.scale import ScaleResult, run_scale
from lib.tasks import get_task


def run_passes(roidb, crops, predictor, config, index, clock, done, num_readers=None, notices=None) -> ScaleResult:
    """run_scale, and with TEST.FLIP a second time on the mirrored images. Focus maps are those of the first."""
    rest = (predictor, config, index, clock, done, num_readers, notices)
    result = run_scale(roidb, crops, *rest)
    if not config.TEST.FLIP:
        return result
    widths = [entry['width'] for entry in roidb]
    seen = run_scale(mirrored_roidb(roidb), [[mirrored_window(window, width) for window in windows]
                                             for windows, width in zip(crops, widths)], *rest)
    of_windows = np.repeat(np.asarray(widths, np.float32), result.counts)
    found = seen.detections.replace(box=mirrored_back(seen.detections.box, of_windows[seen.detections.image],
                                                      get_task(config, 'test').whole_corners))
    both = Detections.concatenate([result.detections, found])
    return result._replace(detections=both.take(np.argsort(both.image, kind='stable')),
                           network_pixels=result.network_pixels + seen.network_pixels)


def num_passes(config) -> int:
    """How often a scale looks at each window."""
    return 2 if config.TEST.FLIP else 1


def mirrored_roidb(roidb):
    """Records of a list or a CompactRoidb with left and right of their pixels exchanged; of the same kind.

    Nobody looks at the objects of a test, which those of a program's own images do not have.
    """
    if isinstance(roidb, CompactRoidb):
        return roidb.mirrored(True, False)
    return [dict(record, flipped=not record.get('flipped', False)) for record in roidb]


def mirrored_window(window, width):
    """x1, y1, x2, y2 of a piece of an image `width` pixels wide -> its place in the mirrored image."""
    x1, y1, x2, y2 = window
    return width - x2, y1, width - x1, y2


def mirrored_back(boxes, widths, whole_corners: bool) -> np.ndarray:
    """Boxes (n, 4) of mirrored images, `widths` (n,) wide -> (n, 4) of the images. whole_corners: see Task."""
    last = widths - 1 if whole_corners else widths
    return np.stack([last - boxes[:, 2], boxes[:, 1], last - boxes[:, 0], boxes[:, 3]], axis=1)
