"""Images -> detections: the loop over scales, and what joins them."""
import logging

from lib.inference.aggregate import Suppression, aggregate
from lib.inference.jobs import run_here, run_in_jobs
from lib.inference.progress import StageClock
from lib.inference.scale import scale_name, whole_images

logger = logging.getLogger(__name__)


def detect(roidb, predictor_factory, config, num_classes, store=None, clock=None, on_scale=None):
    """detections[class][image] -> (n, 5) float32 x1, y1, x2, y2, score in original pixels; class 0 empty.

    roidb: records with image, width, height; images come out in its order. predictor_factory: callable without
    arguments -> predictor (lib.inference.predictor); picklable if TEST.CONCURRENT_JOBS > 1.
    store: DetectionStore, which keeps every scale and is read where TEST.USE_CACHE says so; None keeps nothing.
    clock: StageClock that is told where the time goes. on_scale(index, rows) is called after every scale.
    """
    clock = clock or StageClock()
    crops = whole_images(roidb)
    scales = _cached(store, config, len(roidb))
    wanted = [index for index in range(len(config.TEST.SCALES)) if index not in scales]
    jobs = min(config.TEST.CONCURRENT_JOBS, len(roidb))
    if wanted:
        source = (run_in_jobs(roidb, crops, predictor_factory, config, wanted, clock, jobs) if jobs > 1 else
                  run_here(roidb, crops, predictor_factory, config, wanted, clock))
        for index, rows in source:
            scales[index] = rows
            if store:
                store.save_scale(index, rows)
    in_order = [scales[index] for index in range(len(config.TEST.SCALES))]
    if on_scale:
        for index, rows in enumerate(in_order):
            on_scale(index, rows)
    with clock.stage('suppression'):
        return aggregate(in_order, config.TEST.VALID_RANGES, num_classes, Suppression.from_config(config),
                         config.TEST.MAX_PER_IMAGE)


def _cached(store, config, images):
    """Scale index -> rows of an earlier run, for the scales that TEST.USE_CACHE names and whose files fit."""
    found = {}
    for index, wanted in enumerate(config.TEST.USE_CACHE):
        rows = store.load_scale(index) if wanted and store else None
        if rows is not None:
            logger.info('scale %s: %d images read from %s', scale_name(config, index), images,
                        store.scale_path(index))
            found[index] = rows
    return found
