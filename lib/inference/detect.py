"""Images -> detections: the loop over scales, and what joins them."""
import logging

from lib.inference.aggregate import Suppression, aggregate_with_index
from lib.inference.final_masks import final_masks
from lib.inference.focus import FocusWindows
from lib.inference.workers import run_here, run_in_jobs
from lib.inference.progress import StageClock
from lib.inference.scale import scale_name

logger = logging.getLogger(__name__)


def detect(roidb, predictor_factory, config, num_classes, store=None, clock=None, on_scale=None):
    """detections[class][image] -> (n, 5) float32 x1, y1, x2, y2, score in original pixels; class 0 empty.

    Where TEST.DO_PRUNING says so, a scale runs on chips around the FocusPixels of the scale before it.
    roidb: records with image, width, height; images come out in its order. predictor_factory: callable without
    arguments -> predictor (lib.engine.predictor); picklable if TEST.CONCURRENT_JOBS > 1.
    store: DetectionStore, which keeps every scale and is read where TEST.USE_CACHE says so; None keeps nothing.
    clock: StageClock that is told where the time goes. on_scale(index, ScaleResult) is called for every scale at
    the end.
    """
    return detect_masks(roidb, predictor_factory, config, num_classes, store, clock, on_scale)[0]


def detect_masks(roidb, predictor_factory, config, num_classes, store=None, clock=None, on_scale=None):
    """The same -> (detections, masks[class][image]: a run-length code (lib.masks) a detection, b'' where it has none).

    Masks are None without TEST.WITH_MASK.
    """
    clock = clock or StageClock()
    windows = FocusWindows(config)
    results = _cached(store, config, roidb, windows)
    wanted = [index for index in range(len(config.TEST.SCALES)) if index not in results]
    jobs = min(config.TEST.CONCURRENT_JOBS, len(roidb))
    if wanted:
        known = dict(results)
        source = (run_in_jobs(roidb, windows, predictor_factory, config, wanted, clock, jobs, known=known)
                  if jobs > 1 else
                  run_here(roidb, windows, predictor_factory, config, wanted, clock, known=known))
        for index, result in source:
            results[index] = result
            if store:
                store.save_scale(index, result)
    in_order = [results[index] for index in range(len(config.TEST.SCALES))]
    if on_scale:
        for index, result in enumerate(in_order):
            on_scale(index, result)
    with clock.stage('suppression'):
        detections, index = aggregate_with_index([result.rows for result in in_order], config.TEST.VALID_RANGES,
                                                 num_classes, Suppression.from_config(config),
                                                 config.TEST.MAX_PER_IMAGE)
        masks = final_masks(roidb, in_order, index) if config.TEST.WITH_MASK else None
    return detections, masks


def _cached(store, config, roidb, windows):
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
        result = store.load_scale(index, windows(roidb, index, found.get(index - 1)))
        if result is not None:
            logger.info('scale %s: %d images read from %s', scale_name(config, index), len(roidb),
                        store.scale_path(index))
            found[index] = result
    return found
