"""Images -> detections: the loop over scales, and what joins them."""
import logging
from typing import Optional

import numpy as np

from lib.bbox.detections import Detections
from lib.image import ImageNotices
from lib.inference.aggregate import Suppression, aggregate_with_index
from lib.inference.masks import final_masks
from lib.inference.scale import scale_name
from lib.inference.unreadable import unreadable_images, without_images
from lib.inference.windows import ScaleWindows
from lib.inference.workers import run_here, run_in_workers
from lib.tasks import get_task
from lib.utils.clock import StageClock

logger = logging.getLogger(__name__)


def detect(roidb, predictor_factory, config, store=None, clock=None, on_scale=None,
           notices: Optional[ImageNotices] = None) -> Detections:
    """The detections of all images: `image` is the position in roidb; image by image, within it class by class, best
    first. Boxes in original pixels; with TEST.WITH_MASK `mask` has a run-length code (lib.masks) a row.

    Where TEST.DO_PRUNING says so, a scale runs on chips around the FocusPixels of the scale before it; where
    TEST.SLICES has a side, on overlapping slices.
    roidb: records with image, width, height. predictor_factory: callable without arguments -> predictor
    (lib.engine.predictor); picklable if TEST.CONCURRENT_JOBS > 1.
    store: DetectionStore, which keeps every scale and is read where TEST.USE_CACHE says so; None keeps nothing.
    clock: StageClock that is told where the time goes. on_scale(index, ScaleResult) is called for every scale at
    the end.
    notices: ImageNotices, which knows at the end the images that could not be read; they have no detections.
    """
    clock = clock or StageClock()
    notices = ImageNotices() if notices is None else notices
    windows = ScaleWindows(config)
    results = _cached(store, config, roidb, windows, notices)
    wanted = [index for index in range(len(config.TEST.SCALES)) if index not in results]
    workers = min(config.TEST.CONCURRENT_JOBS, len(roidb))
    if wanted:
        known = dict(results)
        source = (run_in_workers(roidb, windows, predictor_factory, config, wanted, clock, workers, known=known,
                                 notices=notices)
                  if workers > 1 else
                  run_here(roidb, windows, predictor_factory, config, wanted, clock, known=known, notices=notices))
        for index, result in source:
            results[index] = result
            if store:
                store.save_scale(index, result, list(unreadable_images(roidb, notices)))
    notices.summary()
    in_order = [results[index] for index in range(len(config.TEST.SCALES))]
    if on_scale:
        for index, result in enumerate(in_order):
            on_scale(index, result)
    with clock.stage('suppression'):
        detections, index = aggregate_with_index([result.image_detections for result in in_order],
                                                 config.TEST.VALID_RANGES, Suppression.from_config(config),
                                                 config.TEST.MAX_PER_IMAGE,
                                                 open_where_none=get_task(config, 'test').open_where_none)
        if config.TEST.WITH_MASK:
            starts = np.cumsum([0] + [int(result.counts.sum()) for result in in_order])
            every = Detections.concatenate([result.detections.replace(image=result.detections.image + start)
                                            for result, start in zip(in_order, starts)])
            sizes = np.array([(entry['width'], entry['height']) for entry in roidb], np.int64).reshape(-1, 2)
            detections = detections.replace(mask=final_masks(every, index, sizes[detections.image]))
    return without_images(detections, unreadable_images(roidb, notices))


def _cached(store, config, roidb, windows, notices):
    """Scale index -> ScaleResult of an earlier run, for the scales that TEST.USE_CACHE names and whose files fit.

    A scale that runs on chips is among them only if the scale before it is: its chips are not known otherwise.
    """
    found = {}
    for index, wanted in enumerate(config.TEST.USE_CACHE):
        if not wanted or not store:
            continue
        if config.TEST.DO_PRUNING[index] and index - 1 not in found:
            logger.warning('scale %s is run: its chips come from scale %s, which is run too',
                           scale_name(config, index), scale_name(config, index - 1))
            continue
        result = store.load_scale(index, windows(roidb, index, found.get(index - 1)), notices)
        if result is not None:
            logger.info('scale %s: %d images read from %s', scale_name(config, index), len(roidb),
                        store.scale_path(index))
            found[index] = result
    return found
